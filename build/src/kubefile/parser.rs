//! Logical lines → instructions. Goes on after a mistake to find the next.

use super::ast::{Instruction, InstructionKind, Kubefile, Span, Word};
use super::directives::Directives;
use super::error::KubefileError;
use super::lexer::{Logical, logical_lines, physical_lines};
use super::{DOCKERS, KNOWN, LATER};

const BEGIN: &str = "begin with `FROM scratch` or `FROM image:tag`";

/// Reads a Kubefile.
///
/// # Errors
/// Everything that is wrong with it, in the order of the file.
pub fn parse(text: &str) -> Result<Kubefile, Vec<KubefileError>> {
    let lines = physical_lines(text);
    let directives = Directives::read(&lines);
    let logical = logical_lines(&lines, directives.escape);
    if logical.is_empty() {
        return Err(vec![KubefileError::whole("it holds no instruction").hint(BEGIN)]);
    }
    let (mut instructions, mut errors) = (Vec::new(), directives.wrong);
    for line in &logical {
        match instruction(&lines, line, directives.escape) {
            Ok(instruction) => instructions.push(instruction),
            Err(error) => errors.push(error),
        }
    }
    // A word that is no instruction may have been meant for `FROM`.
    if logical.iter().all(|line| KNOWN.contains(&first_word(line).1.as_str())) {
        errors.extend(check_order(&lines, &logical));
        errors.sort_by_key(|error| error.span.map(|span| (span.line, span.column)));
    }
    if errors.is_empty() {
        let Directives { copy_rules, escape, .. } = directives;
        Ok(Kubefile { copy_rules, escape, instructions, lines })
    } else {
        Err(errors)
    }
}

/// Checks that there is one `FROM`, with nothing but `ARG` before it.
fn check_order(lines: &[String], logical: &[Logical]) -> Vec<KubefileError> {
    let mut errors = Vec::new();
    let mut from = None;
    for line in logical {
        let (word, name) = first_word(line);
        let span = line.span(0, word.chars().count());
        match (name.as_str(), from) {
            ("FROM", None) => from = Some(span.line),
            ("FROM", Some(first)) => errors.push(
                KubefileError::new(lines, span, format!("there is a `FROM` already, in line {first}"))
                    .hint("a cluster image stands on one image"),
            ),
            ("ARG", None) | (_, Some(_)) => {}
            (_, None) => {
                let message = format!("the first instruction must be FROM or ARG, not `{word}`");
                return vec![KubefileError::new(lines, span, message).hint(BEGIN)];
            }
        }
    }
    if from.is_none() {
        errors.push(KubefileError::whole("it has no `FROM`").hint(BEGIN));
    }
    errors
}

/// The first word as written, and the instruction it names.
fn first_word(line: &Logical) -> (String, String) {
    let end = line.chars.iter().position(|c| c.is_whitespace()).unwrap_or(line.chars.len());
    let word = line.text(0, end);
    let name = word.to_uppercase();
    (word, name)
}

/// What an instruction's reader works on.
struct Arguments<'a> {
    lines: &'a [String],
    line: &'a Logical,
    /// Where the arguments begin.
    from: usize,
    escape: char,
}

impl Arguments<'_> {
    fn error(&self, message: impl Into<String>) -> KubefileError {
        KubefileError::new(self.lines, self.line.span(self.from, self.line.chars.len()), message)
    }

    fn text(&self) -> String {
        self.line.text(self.from, self.line.chars.len())
    }
}

fn instruction(lines: &[String], line: &Logical, escape: char) -> Result<Instruction, KubefileError> {
    let (word, name) = first_word(line);
    let end = word.chars().count();
    let span = line.span(0, end);
    if !KNOWN.contains(&name.as_str()) {
        return Err(unknown(lines, span, &word, &name));
    }
    let from =
        (end..line.chars.len()).find(|&at| !line.chars[at].is_whitespace()).unwrap_or(line.chars.len());
    let arguments = Arguments { lines, line, from, escape };
    if from == line.chars.len() {
        return Err(KubefileError::new(lines, span, format!("`{name}` needs an argument")));
    }
    let kind = match name.as_str() {
        "FROM" => InstructionKind::From(from_image(&arguments)?),
        "COPY" => copy(&arguments)?,
        "RUN" => {
            let begin = words(&arguments).unwrap_or_default();
            refuse_flags(&arguments, "RUN", &begin)?;
            InstructionKind::Run(command(&arguments)?)
        }
        "CMD" => InstructionKind::Cmd(command(&arguments)?),
        "ARG" => InstructionKind::Arg(args(&arguments)?),
        "ENV" => InstructionKind::Env(pairs(&arguments)?),
        _ => InstructionKind::Label(pairs(&arguments)?),
    };
    Ok(Instruction { kind, text: format!("{name} {}", arguments.text()), span })
}

fn unknown(lines: &[String], span: Span, word: &str, name: &str) -> KubefileError {
    if LATER.contains(&name) {
        return KubefileError::new(lines, span, format!("this version does not build `{name}` yet"))
            .hint(format!("it builds {}", KNOWN.join(", ")));
    }
    if DOCKERS.contains(&name) {
        return KubefileError::new(
            lines,
            span,
            format!("`{word}` is for containers, which this builds none of"),
        )
        .hint(format!("instructions are {}", KNOWN.join(", ")));
    }
    let error = KubefileError::new(lines, span, format!("`{word}` is no instruction"));
    let near = KNOWN.iter().filter(|known| strsim::damerau_levenshtein(known, name) <= 2);
    match near.min_by_key(|known| strsim::damerau_levenshtein(known, name)) {
        Some(known) => error.hint(format!("did you mean `{known}`?")),
        None => error.hint(format!("instructions are {}", KNOWN.join(", "))),
    }
}

fn from_image(arguments: &Arguments<'_>) -> Result<Word, KubefileError> {
    let words = words(arguments)?;
    refuse_flags(arguments, "FROM", &words)?;
    match <[Word; 1]>::try_from(words) {
        Ok([image]) => Ok(image),
        Err(words) => Err(KubefileError::new(arguments.lines, words[1].span, "`FROM` takes one image")),
    }
}

/// Refuses what begins with `--`, before the first word that does not.
fn refuse_flags(arguments: &Arguments<'_>, name: &str, words: &[Word]) -> Result<(), KubefileError> {
    let Some(flag) = words.first().filter(|word| !word.literal && word.text.starts_with("--")) else {
        return Ok(());
    };
    let flag_name = flag.text.split('=').next().unwrap_or_default();
    let message = format!("`{name}` does not take `{flag_name}`");
    let error = KubefileError::new(arguments.lines, flag.span, message);
    Err(match flag_name {
        "--platform" => error.hint("`sealer build --platform` says it for the whole image"),
        "--from" => error.hint("files come from the build context; an image to stand on is named by `FROM`"),
        "--chown" | "--chmod" => error.hint("files keep their modes and belong to root on the hosts"),
        _ => error,
    })
}

fn copy(arguments: &Arguments<'_>) -> Result<InstructionKind, KubefileError> {
    let mut words = match json(arguments)? {
        Some(words) => words,
        None => words(arguments)?,
    };
    refuse_flags(arguments, "COPY", &words)?;
    if words.len() < 2 {
        return Err(arguments.error("`COPY` needs a source and a destination"));
    }
    let dest = words.pop().expect("there are two");
    Ok(InstructionKind::Copy { sources: words, dest })
}

/// A command line; a JSON array becomes one whose words are quoted.
fn command(arguments: &Arguments<'_>) -> Result<String, KubefileError> {
    let Some(words) = json(arguments).unwrap_or(None) else { return Ok(arguments.text()) };
    Ok(words.iter().map(|word| quote(&word.text)).collect::<Vec<_>>().join(" "))
}

fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// `name`, `name=default`, several of them, separated by blanks or, as in the original, by commas.
fn args(arguments: &Arguments<'_>) -> Result<Vec<(String, Option<Word>)>, KubefileError> {
    let mut args = Vec::new();
    for word in words(arguments)? {
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
fn pairs(arguments: &Arguments<'_>) -> Result<Vec<(String, Word)>, KubefileError> {
    let words = words(arguments)?;
    if words.len() >= 2 && !words[0].text.contains('=') {
        let begins = (arguments.from..arguments.line.chars.len()).skip(words[0].text.chars().count());
        let at = begins
            .into_iter()
            .find(|&at| !arguments.line.chars[at].is_whitespace())
            .unwrap_or(arguments.from);
        let end = arguments.line.chars.len();
        let value =
            Word { text: arguments.line.text(at, end), span: arguments.line.span(at, end), literal: false };
        return Ok(vec![(words[0].text.clone(), value)]);
    }
    words
        .into_iter()
        .map(|word| match word.text.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                let name = name.trim_matches(['"', '\'']).to_owned();
                Ok((name, Word { text: value.to_owned(), span: word.span, literal: false }))
            }
            _ => Err(KubefileError::new(
                arguments.lines,
                word.span,
                format!("`{}` is not `name=value`", word.text),
            )),
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
        return Err(KubefileError::new(arguments.lines, word.span, "a name is missing before `=`")
            .hint("write `name=value`, with no blanks around `=`"));
    }
    let message = format!("`{name}` is no name: a name is of letters, digits and `_`");
    Err(KubefileError::new(arguments.lines, word.span, message))
}

/// The words of a JSON array, where the arguments are one.
fn json(arguments: &Arguments<'_>) -> Result<Option<Vec<Word>>, KubefileError> {
    let text = arguments.text();
    if !text.starts_with('[') {
        return Ok(None);
    }
    let span = arguments.line.span(arguments.from, arguments.line.chars.len());
    match serde_json::from_str::<Vec<String>>(&text) {
        Ok(words) => Ok(Some(words.into_iter().map(|text| Word { text, span, literal: true }).collect())),
        // `[a-z]*.txt` is a pattern, not a broken array.
        Err(_) if !text.contains('"') => Ok(None),
        Err(error) => {
            let reason = error.to_string();
            let reason = reason.split(" at line ").next().unwrap_or_default();
            Err(arguments.error(format!("it is no JSON array of strings: {reason}")))
        }
    }
}

/// Splits at blanks outside quotes. Quotes stay: they are taken off when variables are put in.
fn words(arguments: &Arguments<'_>) -> Result<Vec<Word>, KubefileError> {
    let line = arguments.line;
    let mut words = Vec::new();
    let mut at = arguments.from;
    while at < line.chars.len() {
        if line.chars[at].is_whitespace() {
            at += 1;
            continue;
        }
        let begin = at;
        let mut quote: Option<(char, usize)> = None;
        while at < line.chars.len() && (quote.is_some() || !line.chars[at].is_whitespace()) {
            let character = line.chars[at];
            match quote {
                Some((open, _)) if character == open => quote = None,
                None if character == '"' || character == '\'' => quote = Some((character, at)),
                _ if character == arguments.escape && quote.is_none_or(|(open, _)| open == '"') => at += 1,
                _ => {}
            }
            at += 1;
        }
        at = at.min(line.chars.len());
        if let Some((open, place)) = quote {
            let message = format!("the quote `{open}` is not closed");
            return Err(KubefileError::new(arguments.lines, line.span(place, place + 1), message));
        }
        words.push(Word { text: line.text(begin, at), span: line.span(begin, at), literal: false });
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_text_brings_it_down(text in "((FROM|COPY|RUN|CMD|ARG|ENV|LABEL|X)? ?[^\r]{0,20}(\\\\)?\r?\n){0,6}") {
            // What is wrong can be shown.
            if let Err(errors) = parse(&text) {
                prop_assert!(errors.iter().all(|error| !error.to_string().is_empty()));
            }
        }
    }
}
