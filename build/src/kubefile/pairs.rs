//! `name=value`, in the ways that instructions have it.

use super::arguments::Arguments;
use super::ast::Word;
use super::error::KubefileError;

/// `name`, `name=default`, several of them, separated by blanks or, as in the original, by commas.
pub(super) fn args(arguments: &Arguments<'_>) -> Result<Vec<(String, Option<Word>)>, KubefileError> {
    let mut args = Vec::new();
    for word in arguments.words()? {
        for item in commas(&word) {
            let (name, value) = match item.text.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (item.text.clone(), None),
            };
            check_name(arguments, &item, &name)?;
            args.push((name, value.map(|text| Word { text, span: item.span, literal: false })));
        }
    }
    Ok(args)
}

/// Splits at the commas after which another `name=` begins.
fn commas(word: &Word) -> Vec<Word> {
    let mut items: Vec<String> = Vec::new();
    for piece in word.text.split(',') {
        let begins = piece.split_once('=').is_some_and(|(name, _)| is_name(name));
        match items.last_mut() {
            Some(last) if !begins => {
                last.push(',');
                last.push_str(piece);
            }
            _ => items.push(piece.to_owned()),
        }
    }
    items.into_iter().map(|text| Word { text, span: word.span, literal: false }).collect()
}

/// `name=value…`, or the older `name value`.
pub(super) fn pairs(arguments: &Arguments<'_>) -> Result<Vec<(String, Word)>, KubefileError> {
    let words = arguments.words()?;
    if words.len() >= 2 && !words[0].text.contains('=') {
        let rest = arguments.after(arguments.from + words[0].text.chars().count());
        let value = Word { text: rest.text(), span: rest.span(), literal: false };
        return Ok(vec![(words[0].text.clone(), value)]);
    }
    words
        .into_iter()
        .map(|word| match word.text.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                let name = name.trim_matches(['"', '\'']).to_owned();
                Ok((name, Word { text: value.to_owned(), span: word.span, literal: false }))
            }
            _ => Err(arguments.error_at(word.span, format!("`{}` is not `name=value`", word.text))),
        })
        .collect()
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn check_name(arguments: &Arguments<'_>, word: &Word, name: &str) -> Result<(), KubefileError> {
    if is_name(name) {
        return Ok(());
    }
    if name.is_empty() {
        return Err(arguments
            .error_at(word.span, "a name is missing before `=`")
            .hint("write `name=value`, with no blanks around `=`"));
    }
    let message = format!("`{name}` is no name: a name is of letters, digits and `_`");
    Err(arguments.error_at(word.span, message))
}
