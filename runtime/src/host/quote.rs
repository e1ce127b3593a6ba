//! Words for a shell.

/// Quotes a word, so that a shell reads it as it stands.
pub(crate) fn quote(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./=:@%+,".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn a_word_stays_one_word() {
        let quoted = ["plain/a.b", "", "two words", "it's", "$(reboot)"].map(quote);
        assert_eq!(quoted, ["plain/a.b", "''", "'two words'", r"'it'\''s'", "'$(reboot)'"]);
    }
}
