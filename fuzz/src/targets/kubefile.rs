//! Kubefiles: their lines and instructions.

use sealer_build::kubefile::parse;

/// Reads a Kubefile. Every mistake has a place in the file and can be shown.
pub(crate) fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let lines = text.split('\n').count();
    match parse(text) {
        Ok(kubefile) => {
            assert!(!kubefile.instructions.is_empty());
            assert!(kubefile.instructions.iter().all(|one| (1..=lines).contains(&one.span.line)));
        }
        Err(errors) => {
            assert!(!errors.is_empty());
            for error in errors {
                assert!(error.span.is_none_or(|span| (1..=lines).contains(&span.line)));
                assert!(!error.to_string().is_empty());
            }
        }
    }
}
