//! Every kept input, once more.
#![allow(clippy::unwrap_used, reason = "a test has nothing better to do than to panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use sealer_fuzz::TARGETS;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("testdata/fuzz")
}

#[test]
fn every_target_has_its_folder_of_inputs_and_every_folder_its_target() {
    let names = fs::read_dir(corpus()).unwrap().map(|entry| entry.unwrap());
    let folders = names.filter(|entry| entry.path().is_dir());
    let folders: BTreeSet<String> = folders.map(|entry| entry.file_name().into_string().unwrap()).collect();
    assert_eq!(folders, TARGETS.iter().map(|target| target.name.to_owned()).collect());
}

#[test]
fn what_was_kept_is_read_without_harm() {
    for target in TARGETS {
        let inputs = fs::read_dir(corpus().join(target.name)).unwrap();
        let mut count = 0;
        for input in inputs {
            (target.run)(&fs::read(input.unwrap().path()).unwrap());
            count += 1;
        }
        assert!(count > 0, "{} has no input", target.name);
    }
}
