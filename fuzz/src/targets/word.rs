//! Words with variables and quotes.

use std::collections::BTreeMap;

use sealer_build::kubefile::expand;

/// Puts variables in. What has no sign of its own is itself.
pub(crate) fn run(bytes: &[u8]) {
    let Ok(word) = std::str::from_utf8(bytes) else { return };
    let variables = [("A", "a b"), ("EMPTY", ""), ("P", "/a/b.tar.gz")];
    let variables: BTreeMap<String, String> =
        variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let put_in = expand(word, '\\', &variables);
    if !word.contains(['$', '\\', '"', '\'']) {
        assert_eq!(put_in.as_deref(), Ok(word));
    }
}
