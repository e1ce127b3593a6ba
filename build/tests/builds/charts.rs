//! Charts are rendered as Helm renders them; what Helm 4 gave for the same charts stands beside them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use sealer_build::images::{ChartValues, named};
use sealer_build::{Error, render_chart};

use crate::kit::Bench;

fn testdata(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata").join(folder)
}

fn charts() -> PathBuf {
    testdata("charts")
}

/// What `cargo xtask charts --record` wrote beside a chart or a manifest.
fn recorded(path: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(path.with_extension("images")).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn mistakes(error: Error) -> Vec<String> {
    match error {
        Error::Absent(absent) => absent.iter().map(ToString::to_string).collect(),
        other => vec![other.to_string()],
    }
}

#[test]
fn charts_and_manifests_name_every_image_that_helm_and_a_walk_find() {
    let entries = |folder: &str| fs::read_dir(testdata(folder)).unwrap().map(|entry| entry.unwrap().path());
    let all = entries("charts").chain(entries("manifests"));
    let all = all.filter(|path| path.extension().is_none_or(|ending| ending != "images"));
    let mut count = 0;
    for path in all {
        let ours: BTreeSet<String> = match path.is_dir() {
            true => render_chart(&path).unwrap().1.into_iter().collect(),
            false => named("x.yaml", &fs::read_to_string(&path).unwrap()).into_iter().collect(),
        };
        let missing: Vec<String> = recorded(&path).difference(&ours).cloned().collect();
        assert_eq!(missing, Vec::<String>::new(), "{}", path.display());
        count += 1;
    }
    assert!(count >= 20, "{count} charts and manifests");
}

#[test]
fn custom_resources_arguments_and_variables_name_images_that_no_walk_finds() {
    for (chart, more) in [
        (
            "blocks",
            &["quay.io/cephcsi/cephcsi:v3.14.2", "registry.k8s.io/sig-storage/csi-provisioner:v5.2.0"][..],
        ),
        ("certificates", &["quay.io/jetstack/cert-manager-acmesolver:v1.18.2"]),
        (
            "monitoring",
            &[
                "quay.io/prometheus-operator/prometheus-config-reloader:v0.85.0",
                "quay.io/thanos/thanos:v0.39.2",
            ],
        ),
        (
            "operator",
            &[
                "registry.example/agent:v1",
                "registry.example/db:5",
                "registry.example/proxy:v0",
                "registry.example/reloader:4",
            ],
        ),
        ("storage", &["longhornio/csi-attacher:v4.9.0", "longhornio/longhorn-engine:v1.9.1"]),
    ] {
        let (_, images) = render_chart(&charts().join(chart)).unwrap();
        let missing: Vec<&&str> =
            more.iter().filter(|image| !images.contains(&(**image).to_owned())).collect();
        assert_eq!(missing, Vec::<&&str>::new(), "{chart}");
    }
}

#[test]
fn a_template_gives_the_text_that_helm_gives() {
    let (pages, _) = render_chart(&charts().join("plain")).unwrap();
    let config = "\n\
apiVersion: v1
kind: ConfigMap
metadata: {name: dryrun-plain}
data:
  a: '1'
  b: '[\"x\",\"y\"]'
  c: '{\"d\":true}'
  port: \"8081\"
  n0: \"0\"
  n2: \"2\"
";
    assert_eq!(pages["plain/templates/config.yaml"], config);
    let account = "\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: dryrun-plain}\n";
    assert_eq!(pages["plain/templates/test.yaml"], account);
}

#[test]
fn an_absent_image_of_a_chart_is_named_by_its_template_and_line() {
    let bench = Bench::new();
    bench.write("app/Chart.yaml", "apiVersion: v2\nname: app\nversion: 1.0.0\n");
    bench.write("app/values.yaml", "image: 127.0.0.1:1/app:1\n");
    bench.write(
        "app/templates/pod.yaml",
        "{{- /* why */ -}}\nkind: Pod\n{{- if true }}\nspec:\n  containers:\n  - name: c\n    image: {{ .Values.image }}\n{{- end }}\n",
    );
    let error = bench.try_build("FROM scratch\nCOPY app charts\n").unwrap_err();
    let found = mistakes(error);
    assert_eq!(found.len(), 1);
    let expected = "charts/app/templates/pod.yaml:7: `127.0.0.1:1/app:1` cannot be had: ";
    assert!(found[0].starts_with(expected), "{found:?}");
}

#[test]
fn a_chart_that_cannot_be_rendered_ends_the_build_with_its_file_and_line() {
    let mut bench = Bench::new();
    bench.write("app/Chart.yaml", "apiVersion: v2\nname: app\nversion: 1.0.0\n");
    bench.write("app/templates/a.yaml", "kind: Pod\nname: {{ required \"say who\" .Values.who }}\n");
    bench.write("bad/Chart.yaml", "apiVersion: v2\nname: bad\nversion: 1.0.0\n");
    bench.write("bad/templates/b.yaml", "a: 1\nb: {{ nonesuch }}\n");
    bench.write("open/Chart.yaml", "apiVersion: v2\nname: open\nversion: 1.0.0\n");
    bench.write("open/templates/c.yaml", "{{ if .Values.x }}\n");
    let kubefile = "FROM scratch\nCOPY app bad open charts\n";
    assert_eq!(
        mistakes(bench.try_build(kubefile).unwrap_err()),
        [
            "charts/app/templates/a.yaml:2: the chart cannot be rendered: required: say who",
            "charts/bad/templates/b.yaml:2: the chart cannot be rendered: nonesuch: function not defined",
            "charts/open/templates/c.yaml:1: the chart cannot be rendered: {{if}} has no {{end}}",
        ]
    );

    bench.options.chart_values = vec![ChartValues {
        chart: Some("app".to_owned()),
        file: "v.yaml".into(),
        text: "who: me\n".to_owned(),
    }];
    // A chart that asks for values has got them: that its defaults alone do not do is no mistake.
    bench.build("FROM scratch\nCOPY app charts\n");
}
