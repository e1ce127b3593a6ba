//! libFuzzer's program for all targets; `FUZZ_TARGET` names the one to feed.
#![no_main]
#![allow(unsafe_code, reason = "libFuzzer calls a C function that the macro defines")]

use std::sync::LazyLock;

use sealer_fuzz::{TARGETS, Target, find};

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    find(&name).unwrap_or_else(|| {
        let known: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        panic!("FUZZ_TARGET is `{name}`; it can be {}", known.join(", "))
    })
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (TARGET.run)(bytes));
