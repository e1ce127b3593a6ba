use super::*;

fn found(text: &str) -> Vec<String> {
    let shown = |mention: Mention| {
        let sure = if mention.certain { "" } else { "?" };
        format!("{} {}{sure}", mention.place.line, mention.name)
    };
    mentions("m.yaml", text).into_iter().map(shown).collect()
}

#[test]
fn every_kind_of_workload_names_its_images_with_their_lines() {
    let container = |indent: &str| format!("{indent}- name: c\n{indent}  image: \"registry.example/c:1\"\n");
    for (kind, path) in [
        ("Pod", "spec"),
        ("Deployment", "spec template spec"),
        ("DaemonSet", "spec template spec"),
        ("StatefulSet", "spec template spec"),
        ("ReplicaSet", "spec template spec"),
        ("ReplicationController", "spec template spec"),
        ("Job", "spec template spec"),
        ("CronJob", "spec jobTemplate spec template spec"),
        ("PodTemplate", "template spec"),
    ] {
        for containers in ["containers", "initContainers", "ephemeralContainers"] {
            let mut text = format!("kind: {kind}\n");
            let mut depth = 0;
            for key in path.split(' ').chain([containers]) {
                text += &format!("{}{key}:\n", "  ".repeat(depth));
                depth += 1;
            }
            text += &container(&"  ".repeat(depth));
            let line = path.split(' ').count() + 4;
            assert_eq!(found(&text), [format!("{line} registry.example/c:1")], "{kind} {containers}");
        }
    }
}

#[test]
fn lists_flow_style_aliases_and_several_documents_are_walked() {
    let text = "\
kind: List
items:
- {kind: Pod, spec: {containers: [{name: a, image: 'a:1'}, {name: b, image: b:2}]}}
---
x: &c {name: c, image: c:3}
spec:
  containers:
  - *c
  - name: d
    image: >-
      d:4
";
    assert_eq!(found(text), ["3 a:1", "3 b:2", "5 c:3", "11 d:4"]);
}

#[test]
fn custom_resources_name_images_in_their_own_fields() {
    let text = "\
kind: Prometheus
spec:
  baseImage: quay.io/prometheus/prometheus
  version: v2.50.0
  thanosImage: quay.io/thanos/thanos:v0.34.0
  exporter:
    image:
      registry: quay.io
      repository: prometheus/node-exporter
      tag: v1.7.0
  agent:
    repository: registry.example/agent
    tag: '2'
    digest: sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
  extraImages: [a/b:1, c:2]
  containers:
  - name: operator
    image: operator:1
    args:
    - --prometheus-config-reloader=quay.io/prometheus-operator/prometheus-config-reloader:v0.71.2
    - --endpoint=registry.example:8080/path
    - --solver-image=solver:7
    env:
    - {name: RELATED_IMAGE_PROXY, value: 'registry.example/proxy:3'}
    - {name: OTHER, value: 'registry.example/other:3'}
";
    assert_eq!(
        found(text),
        [
            "3 quay.io/prometheus/prometheus:v2.50.0?",
            "5 quay.io/thanos/thanos:v0.34.0?",
            "9 quay.io/prometheus/node-exporter:v1.7.0?",
            "12 registry.example/agent:2@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef?",
            "15 a/b:1?",
            "15 c:2?",
            "18 operator:1",
            "20 quay.io/prometheus-operator/prometheus-config-reloader:v0.71.2?",
            "22 solver:7?",
            "24 registry.example/proxy:3?",
        ]
    );
}

#[test]
fn configurations_within_configurations_are_read() {
    let text = "\
kind: ConfigMap
data:
  inject: |
    spec:
      containers:
      - name: proxy
        image: istio/proxyv2:1.20
  page: an image of a cat
";
    assert_eq!(found(text), ["7 istio/proxyv2:1.20?"]);
}

#[test]
fn what_the_originals_line_scanner_finds_is_found() {
    let text = "\
{{ if .x }}
image: a:1
- image: 'b:2'
fooimage: \"c:3\" # why
# image: no:1
image:
imagePullPolicy: Always
image: {{ .Values.d }}
{{ end }}
";
    assert_eq!(found(text), ["2 a:1?", "3 b:2?", "4 c:3?", "8 {{.Values.d}}?"]);
}
