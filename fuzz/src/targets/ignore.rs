//! `.sealerignore`.

use sealer_build::ignore::Ignore;

const PATHS: [&str; 6] = ["a", "a/b", "a/b/c.txt", ".git/config", "charts/x/Chart.yaml", "é/[x]"];

/// Reads rules and asks them about paths.
pub(crate) fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let lines = text.lines().count();
    match Ignore::parse(".sealerignore", text) {
        Ok(rules) => {
            for by in PATHS.iter().filter_map(|path| rules.leaves_out(path)) {
                assert!((1..=lines).contains(&by.0), "line {} of {lines}", by.0);
            }
        }
        Err((line, _)) => assert!((1..=lines).contains(&line), "line {line} of {lines}"),
    }
}
