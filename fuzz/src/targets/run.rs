//! What is kept of a run: its journal and its plan.

use std::fs;

use sealer_runtime::{PlanFile, check_journal};

/// Reads a journal. One that is read is read again as the same; its last, cut line is dropped.
pub(crate) fn journal(bytes: &[u8]) {
    let folder = super::folder();
    let file = folder.path().join("journal.jsonl");
    fs::write(&file, bytes).expect("it can be written");
    let Ok(done) = check_journal(&file) else { return };
    fs::write(&file, [bytes, b"{\"line\":\"st"].concat()).expect("it can be written");
    if bytes.is_empty() || bytes.ends_with(b"\n") {
        assert_eq!(check_journal(&file).ok(), Some(done));
    }
}

/// Reads a plan. One that is read is written as one that is read as the same, and can be shown.
pub(crate) fn plan(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(plan) = PlanFile::parse(text) else { return };
    let written = serde_json::to_string(&plan).expect("a plan is plain data");
    assert_eq!(PlanFile::parse(&written), Ok(plan.clone()));
    assert!(!plan.plan.to_string().is_empty());
}
