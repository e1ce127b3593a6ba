//! Logical lines → instructions. Goes on after a mistake to find the next.

use super::apps;
use super::arguments::Arguments;
use super::ast::{CopyRules, Instruction, InstructionKind, Kubefile, Span, Word};
use super::directives::Directives;
use super::error::KubefileError;
use super::lexer::{Logical, logical_lines, physical_lines};
use super::pairs::{args, pairs};
use super::{DOCKERS, KNOWN, LATER, run, transfer};

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
    if logical.iter().all(|line| is_known(&first_word(line).1)) {
        errors.extend(check_order(&lines, &logical));
        errors.extend(apps::check_order(&lines, &instructions));
        errors.sort_by_key(|error| error.span.map(|span| (span.line, span.column)));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let is_later = logical.iter().any(|line| LATER.contains(&first_word(line).1.as_str()));
    let copy_rules = if is_later { CopyRules::Docker } else { directives.copy_rules };
    Ok(Kubefile { copy_rules, escape: directives.escape, instructions, lines })
}

fn is_known(name: &str) -> bool {
    KNOWN.contains(&name) || LATER.contains(&name)
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

fn instruction(lines: &[String], line: &Logical, escape: char) -> Result<Instruction, KubefileError> {
    let (word, name) = first_word(line);
    let end = word.chars().count();
    let span = line.span(0, end);
    if !is_known(&name) {
        return Err(unknown(lines, span, &word, &name));
    }
    let arguments = Arguments { lines, line, from: 0, escape }.after(end);
    if arguments.from == line.chars.len() {
        return Err(KubefileError::new(lines, span, format!("`{name}` needs an argument")));
    }
    let kind = match name.as_str() {
        "FROM" => InstructionKind::From(from_image(&arguments)?),
        "COPY" | "ADD" => transfer::copy(&arguments, &name)?,
        "RUN" => run::run(&arguments)?,
        "CMD" => InstructionKind::Cmd(arguments.command()),
        "ARG" => InstructionKind::Arg(args(&arguments)?),
        "ENV" => InstructionKind::Env(pairs(&arguments)?),
        "LABEL" => InstructionKind::Label(pairs(&arguments)?),
        other => apps::read(other, &arguments)?,
    };
    Ok(Instruction { kind, text: format!("{name} {}", arguments.text()), span })
}

fn unknown(lines: &[String], span: Span, word: &str, name: &str) -> KubefileError {
    if DOCKERS.contains(&name) {
        return KubefileError::new(
            lines,
            span,
            format!("`{word}` is for containers, which this builds none of"),
        )
        .hint(format!("instructions are {}", KNOWN.join(", ")));
    }
    let error = KubefileError::new(lines, span, format!("`{word}` is no instruction"));
    let near = KNOWN.iter().chain(&LATER).filter(|known| strsim::damerau_levenshtein(known, name) <= 2);
    match near.min_by_key(|known| strsim::damerau_levenshtein(known, name)) {
        Some(known) => error.hint(format!("did you mean `{known}`?")),
        None => error.hint(format!("instructions are {}", KNOWN.join(", "))),
    }
}

fn from_image(arguments: &Arguments<'_>) -> Result<Word, KubefileError> {
    let (flags, rest) = arguments.flags();
    if let Some(flag) = flags.first() {
        let error = arguments.error_at(flag.span, format!("`FROM` does not take `{}`", flag.name));
        return Err(match flag.name.as_str() {
            "--platform" => error.hint("`sealer build --platform` says it for the whole image"),
            _ => error,
        });
    }
    match <[Word; 1]>::try_from(rest.words()?) {
        Ok([image]) => Ok(image),
        Err(words) => match words.get(1) {
            Some(second) => Err(arguments.error_at(second.span, "`FROM` takes one image")),
            None => Err(arguments.error("`FROM` needs an image")),
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_text_brings_it_down(
            text in "((FROM|COPY|RUN|CMD|ARG|ENV|LABEL|ADD|APP|LAUNCH|X)? ?(--|<<E)?[^\r]{0,20}(\\\\)?\r?\n){0,6}"
        ) {
            // What is wrong can be shown.
            if let Err(errors) = parse(&text) {
                prop_assert!(errors.iter().all(|error| !error.to_string().is_empty()));
            }
        }
    }
}
