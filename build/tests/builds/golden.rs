//! Every Kubefile of `testdata/kubefile` is refused with the text that stands beside it.
//!
//! `UPDATE=1 cargo test -p sealer-build golden` writes the texts anew, to be read before they are committed.

use std::fs;
use std::path::{Path, PathBuf};

use crate::kit::Bench;

#[test]
fn every_wrong_kubefile_is_refused_with_its_text() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/kubefile");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|extension| extension == "Kubefile")).collect();
    cases.sort();
    let differing: Vec<String> = cases.iter().filter_map(|case| differs(case)).collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    assert!(cases.len() >= 25, "cases are missing");
}

fn differs(case: &Path) -> Option<String> {
    let text = Bench::new().refused(&fs::read_to_string(case).unwrap());
    let beside = case.with_extension("stderr");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&beside, &text).unwrap();
    }
    let expected = fs::read_to_string(&beside).unwrap_or_default();
    (text != expected).then(|| format!("{}:\n{text}expected:\n{expected}", case.display()))
}
