//! Helm charts: values, a template and its helpers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sealer_build::render_files;

/// What stands between values, template and helpers.
const SEPARATOR: &str = "\n#####\n";

/// Renders a chart. The same chart is always rendered to the same.
pub(crate) fn run(bytes: &[u8]) {
    let texts = super::texts(bytes, SEPARATOR);
    let of = |index: usize| texts.get(index).copied().unwrap_or_default().as_bytes().to_vec();
    let files: BTreeMap<PathBuf, Vec<u8>> = [
        ("Chart.yaml", b"apiVersion: v2\nname: demo\nversion: 1.0.0\nappVersion: v1\n".to_vec()),
        ("values.yaml", of(0)),
        ("templates/x.yaml", of(1)),
        ("templates/_helpers.tpl", of(2)),
    ]
    .into_iter()
    .map(|(path, bytes)| (PathBuf::from(path), bytes))
    .collect();
    let rendered = render_files(&files, Path::new("charts/demo"));
    assert_eq!(rendered, render_files(&files, Path::new("charts/demo")));
}
