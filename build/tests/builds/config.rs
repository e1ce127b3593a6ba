//! What instructions leave in an image: its tree, configuration and name.

use sealer_image::SealerConfig;
use sealer_image::layer::Compression;
use sealer_image::{MediaType, Platform};

use crate::kit::{Bench, pairs};

#[test]
fn an_image_from_scratch_holds_what_was_copied() {
    let bench = Bench::new();
    bench.write("bin/kubelet", "program");
    bench.write("Metadata", "{}");
    let built = bench.build("FROM scratch\nCOPY bin .\nCOPY Metadata .\n");
    assert_eq!(bench.tree(&built), ["Metadata: {}", "bin/", "bin/kubelet: program"]);
    assert_eq!((built.layers, built.cached), (2, 0));
    let named = bench.store.references().unwrap();
    assert_eq!(named, [("demo:v1".parse().unwrap(), built.descriptor.clone())]);
    let image = bench.image(&built);
    let steps: Vec<_> =
        image.config.history().iter().flatten().map(|step| step.created_by().clone()).collect();
    assert_eq!(steps, [Some("COPY bin .".to_owned()), Some("COPY Metadata .".to_owned())]);
    assert_eq!(image.diff_ids().len(), 2);
    assert_eq!(image.platform(), Platform::host());
}

#[test]
fn an_image_stands_on_a_local_image() {
    let mut bench = Bench::new();
    bench.write("bin/kubelet", "program");
    bench.write("etc/a", "base");
    bench.options.tag = "kubernetes:v1.19.8";
    bench.build("FROM scratch\nCOPY bin .\nCOPY etc .\nCMD echo base\nENV A=base B=base\nLABEL of=base\nARG version=1");
    bench.write("etc/a", "changed");
    bench.options.tag = "demo:v1";
    let built = bench
        .build("FROM kubernetes:v1.19.8\nCOPY etc .\nCMD echo demo\nENV A=demo\nLABEL by=demo\nARG name=n\n");
    assert_eq!(bench.tree(&built), ["bin/", "bin/kubelet: program", "etc/", "etc/a: changed"]);
    assert_eq!(built.layers, 1);
    let image = bench.image(&built);
    assert_eq!(image.manifest.layers().len(), 3);
    let expected = SealerConfig {
        sealer_version: "1.2.3".into(),
        cmds: vec!["echo base".into(), "echo demo".into()],
        args: pairs(&[("name", "n"), ("version", "1")]),
        ..SealerConfig::default()
    };
    assert_eq!(image.sealer, expected);
    let config = image.config.config().clone().unwrap();
    assert_eq!(config.env(), &Some(vec!["B=base".to_owned(), "A=demo".to_owned()]));
    assert_eq!(
        config.labels().clone().unwrap().into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        pairs(&[("by", "demo"), ("of", "base")])
    );
}

#[test]
fn values_are_put_together_from_arguments_and_variables() {
    let mut bench = Bench::new();
    bench.touch(&["v2/a", "v2/b c"]);
    bench.options.build_args = pairs(&[("version", "v2")]);
    let built = bench.build(
        "FROM scratch\n\
         ARG version=v1 name=\"some name\"\n\
         ARG full=$name-${version},other=${none:-else}\n\
         ENV DIR=\"etc/$version\" QUOTED='$version' OLD=${version:+set}\n\
         ENV SPACED a value of several words\n\
         LABEL version=$version \"full name\"=\"$full\"\n\
         COPY $version/a ${DIR}/\n\
         COPY [\"v2/b c\", \"etc\"]\n\
         CMD echo $version\n\
         CMD [\"kubectl\", \"apply\", \"-f\", \"a b.yaml\"]\n",
    );
    assert_eq!(bench.tree(&built), ["etc/", "etc/b c", "etc/v2/", "etc/v2/a"]);
    let image = bench.image(&built);
    assert_eq!(
        image.sealer.args,
        pairs(&[("version", "v2"), ("name", "some name"), ("full", "some name-v2"), ("other", "else")])
    );
    // `run` puts the arguments into commands: `--cmd-args` may change them.
    assert_eq!(image.sealer.cmds, ["echo $version", "kubectl apply -f 'a b.yaml'"]);
    let config = image.config.config().clone().unwrap();
    assert_eq!(
        config.env().clone().unwrap(),
        ["DIR=etc/v2", "OLD=set", "QUOTED=$version", "SPACED=a value of several words"]
    );
    assert_eq!(
        config.labels().clone().unwrap().into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        pairs(&[("version", "v2"), ("full name", "some name-v2")])
    );
}

#[test]
fn the_base_may_be_named_by_an_argument_and_gives_its_variables() {
    let mut bench = Bench::new();
    bench.touch(&["a"]);
    bench.options.tag = "base:v2";
    bench.build("FROM scratch\nENV DIR=from-base\n");
    bench.options.tag = "demo:v1";
    bench.options.build_args = pairs(&[("version", "v2")]);
    let built = bench.build("ARG version=v1\nFROM base:${version}\nARG dest=$DIR\nCOPY a $dest\n");
    assert_eq!(bench.tree(&built), ["from-base/", "from-base/a"]);
    assert_eq!(bench.image(&built).sealer.args, pairs(&[("dest", "from-base"), ("version", "v2")]));
}

#[test]
fn an_argument_that_none_declares_is_refused() {
    let mut bench = Bench::new();
    bench.options.build_args = pairs(&[("verison", "v2")]);
    assert_eq!(
        bench.refused("FROM scratch\nARG version=v1\n"),
        "  --> Kubefile: no `ARG` declares the build argument `verison`\n\
         hint: did you mean `version`?\n"
    );
    bench.options.build_args = pairs(&[("a", "1"), ("b", "1")]);
    assert_eq!(
        bench.refused("FROM scratch\n"),
        "  --> Kubefile: no `ARG` declares the build arguments `a`, `b`\n\
         hint: add `ARG a b` after `FROM`\n"
    );
}

#[test]
fn a_base_that_is_nowhere_is_named() {
    let bench = Bench::new();
    assert_eq!(
        bench.refused("FROM nowhere:v1\n"),
        "base image `docker.io/library/nowhere:v1`: `docker.io/library/nowhere:v1` is not in the local store\n"
    );
}

#[test]
fn time_and_compression_are_as_asked_for() {
    let mut bench = Bench::new();
    bench.touch(&["a"]);
    bench.options.time = 1_600_000_000;
    bench.options.compression = Compression::Gzip;
    let image = bench.image(&bench.build("FROM scratch\nCOPY a .\n"));
    assert_eq!(image.config.created().as_deref(), Some("2020-09-13T12:26:40Z"));
    assert_eq!(image.manifest.layers()[0].media_type(), &MediaType::ImageLayerGzip);
}

#[test]
fn an_image_of_no_layers_is_one() {
    let bench = Bench::new();
    let built = bench.build("FROM scratch\nLABEL a=b\n");
    assert_eq!((built.layers, bench.tree(&built)), (0, vec![]));
}
