//! The instructions of the original's 0.9 and later.

use std::fs::File;
use std::io::{Read, Write as _};

use sealer_image::config::{Application, ApplicationKind, ImageKind};

use crate::kit::{Bench, pairs};

fn bench() -> Bench {
    let bench = Bench::new();
    bench.touch(&["nginx/a.yaml", "nginx/b.yml", "install.sh", "web/Chart.yaml", "web/values.yaml"]);
    bench.touch(&["web/templates/x.yaml", "mixed/run.sh", "mixed/note.txt", "calico.yaml"]);
    bench
}

fn app(name: &str, kind: ApplicationKind, files: &[&str], cmds: &[&str]) -> Application {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Application {
        name: name.to_owned(),
        kind,
        files: texts(files),
        cmds: texts(cmds),
        ..Application::default()
    }
}

#[test]
fn applications_stand_in_their_folders_and_are_launched_in_their_way() {
    let bench = bench();
    let built = bench.build(
        "FROM scratch
APP nginx local://nginx
APP web [\"local://web\"]
APP tool local://install.sh
APP mixed local://mixed
APPCMDS mixed [\"sh run.sh\", \"cat note.txt\"]
APPENV tool LEVEL=3 NAME=\"two words\"
LAUNCH [\"web\", \"nginx\", \"tool\", \"mixed\"]
",
    );
    assert_eq!(
        bench.tree(&built),
        [
            "application/",
            "application/apps/",
            "application/apps/mixed/",
            "application/apps/mixed/note.txt",
            "application/apps/mixed/run.sh",
            "application/apps/nginx/",
            "application/apps/nginx/a.yaml",
            "application/apps/nginx/b.yml",
            "application/apps/tool/",
            "application/apps/tool/install.sh",
            "application/apps/web/",
            "application/apps/web/Chart.yaml",
            "application/apps/web/templates/",
            "application/apps/web/templates/x.yaml",
            "application/apps/web/values.yaml"
        ]
    );
    let image = bench.image(&built);
    assert_eq!(
        image.sealer.cmds,
        [
            "helm install web application/apps/web",
            "kubectl apply -f application/apps/nginx/a.yaml",
            "kubectl apply -f application/apps/nginx/b.yml",
            "(export LEVEL=3; export NAME='two words'; bash application/apps/tool/install.sh)",
            "(cd application/apps/mixed && sh run.sh)",
            "(cd application/apps/mixed && cat note.txt)",
        ]
    );
    let mut tool =
        app("tool", ApplicationKind::Shell, &["install.sh"], &["bash application/apps/tool/install.sh"]);
    tool.env = pairs(&[("LEVEL", "3"), ("NAME", "two words")]);
    let expected = [
        app(
            "nginx",
            ApplicationKind::Kube,
            &["a.yaml", "b.yml"],
            &[
                "kubectl apply -f application/apps/nginx/a.yaml",
                "kubectl apply -f application/apps/nginx/b.yml",
            ],
        ),
        app(
            "web",
            ApplicationKind::Helm,
            &["Chart.yaml", "templates/x.yaml", "values.yaml"],
            &["helm install web application/apps/web"],
        ),
        tool,
        app(
            "mixed",
            ApplicationKind::Mixed,
            &["note.txt", "run.sh"],
            &["cd application/apps/mixed && sh run.sh", "cd application/apps/mixed && cat note.txt"],
        ),
    ];
    assert_eq!(image.sealer.applications, expected);
    assert_eq!(image.sealer.launch, ["web", "nginx", "tool", "mixed"]);
}

#[test]
fn the_originals_tools_read_what_is_launched() {
    let mut bench = bench();
    bench.options.kind = ImageKind::AppInstaller;
    bench.options.annotations = pairs(&[("a/b", "c")]);
    bench.options.labels = pairs(&[("by", "flag")]);
    let built = bench.build(
        "FROM scratch\nCNI calico local://calico.yaml\nKUBEVERSION >=1.24\nMAINTAINER The Team <t@x>\nLABEL by=file\nLAUNCH calico\n",
    );
    let image = bench.image(&built);
    let annotations = image.manifest.annotations().clone().unwrap();
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&annotations["sealer.image.extension"]).unwrap(),
        serde_json::json!({
            "buildClient": { "sealerVersion": "1.2.3", "buildahVersion": "" },
            "schemaVersion": "v1alpha1",
            "type": "app-installer",
            "applications": [{
                "name": "calico",
                "type": "kube",
                "files": ["calico.yaml"],
                "cmds": ["kubectl apply -f application/apps/calico/calico.yaml"],
            }],
            "launch": {
                "app_names": ["calico"],
                "cmds": ["kubectl apply -f application/apps/calico/calico.yaml"],
            },
        })
    );
    assert_eq!((annotations["a/b"].as_str(), image.sealer.kind), ("c", ImageKind::AppInstaller));
    let labels = image.config.config().clone().unwrap().labels().clone().unwrap();
    assert_eq!(
        labels.into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        pairs(&[
            ("app.alpha.sealer.io/supported-kube-version", ">=1.24"),
            ("by", "flag"),
            ("cluster.alpha.sealer.io/kube-cni-calico", "true"),
            ("org.opencontainers.image.authors", "The Team <t@x>"),
        ])
    );
}

#[test]
fn commands_to_launch_are_said_once() {
    let bench = bench();
    let built = bench.build("FROM scratch\nCMDS [\"first\", \"second one\"]\n");
    assert_eq!(bench.image(&built).sealer.cmds, ["first", "second one"]);
    assert_eq!(
        bench.refused(
            "FROM scratch\nCMD echo\nAPP a local://nginx\nLAUNCH a\nAPPCMDS b [\"x\"]\nCMDS echo\nAPP m nginx\n"
        ),
        "  --> Kubefile:4:1
   |
 4 | LAUNCH a
   | ^^^^^^ `LAUNCH` beside line 2: what is launched is said once
hint: take one of `LAUNCH`, `CMDS` and `CMD`
  --> Kubefile:5:9
   |
 5 | APPCMDS b [\"x\"]
   |         ^ no `APP` before it is called `b`
  --> Kubefile:6:6
   |
 6 | CMDS echo
   |      ^^^^ commands are a JSON array
hint: write `[\"first command\", \"second command\"]`
"
    );
    assert_eq!(
        bench.refused("FROM scratch\nAPP m nginx\nAPP x local://mixed\nLAUNCH x y\n"),
        "  --> Kubefile:2:7
   |
 2 | APP m nginx
   |       ^^^^^ `nginx` is no source of an application
hint: write `local://nginx` for a file of the context
  --> Kubefile:4:8
   |
 4 | LAUNCH x y
   |        ^ nothing tells how `x` is launched: its files are of several sorts
hint: add `APPCMDS x [\"command\"]`
"
    );
}

#[test]
fn the_instructions_of_later_sealers_bring_dockers_copy() {
    let bench = bench();
    let built = bench.build("FROM scratch\nCOPY nginx etc\nKUBEVERSION 1.30\n");
    assert_eq!(bench.tree(&built), ["etc/", "etc/a.yaml", "etc/b.yml"]);
}

#[test]
fn add_unpacks_archives_and_copies_the_rest() {
    let bench = bench();
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(
        File::create(bench.context("x.tgz")).unwrap(),
        flate2::Compression::fast(),
    ));
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o755);
    header.set_size(2);
    archive.append_data(&mut header, "bin/tool", &b"hi"[..]).unwrap();
    header.set_size(0);
    header.set_entry_type(tar::EntryType::Symlink);
    archive.append_link(&mut header, "bin/again", "tool").unwrap();
    archive.into_inner().unwrap().finish().unwrap().flush().unwrap();
    let kubefile = "FROM scratch\nADD x.tgz calico.yaml opt/\n";
    let built = bench.build(kubefile);
    let expected = ["opt/", "opt/bin/", "opt/bin/again -> tool", "opt/bin/tool*: hi", "opt/calico.yaml"];
    assert_eq!(bench.tree(&built), expected);
    let again = bench.build(kubefile);
    assert_eq!((again.cached, &again.descriptor), (1, &built.descriptor));

    let mut plain = Vec::new();
    let mut packed = flate2::read::GzDecoder::new(File::open(bench.context("x.tgz")).unwrap());
    packed.read_to_end(&mut plain).unwrap();
    let mut xz = liblzma::read::XzEncoder::new(&plain[..], 6);
    let mut bz2 = bzip2::read::BzEncoder::new(&plain[..], bzip2::Compression::best());
    for (name, packer) in [("x.tar.xz", &mut xz as &mut dyn Read), ("x.tar.bz2", &mut bz2)] {
        let mut packed = Vec::new();
        packer.read_to_end(&mut packed).unwrap();
        bench.write(name, &packed);
        let other = bench.build(&kubefile.replace("x.tgz", name));
        assert_eq!((other.cached, bench.tree(&other)), (0, bench.tree(&built)), "{name}");
        packed.truncate(packed.len() - 8);
        bench.write(name, packed);
        let refused = bench.refused(&kubefile.replace("x.tgz", name));
        let reason = format!("^^^ the archive `~/context/{name}` is broken: ");
        assert!(refused.contains(&reason), "{refused}");
    }
}
