//! Mistakes in what was typed: which word, what was meant, and a line that would have worked.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory};

use super::{Failure, Kind, nearest};
use crate::cli::Cli;

/// Options before the command that take the next word as their value.
const WITH_VALUE: [&str; 2] = ["--root", "--output"];

/// Turns the parser's refusal of `words` into ours; help and version, which it also refuses, stay its.
pub(crate) fn of_words(error: clap::Error, words: &[OsString]) -> Result<Failure, clap::Error> {
    let mut root = Cli::command();
    root.build();
    let (command, name) = meant(&root, words);
    let argument = texts(&error, ContextKind::InvalidArg);
    let first = argument.first().map_or("an argument", String::as_str);
    let (message, hint) = match error.kind() {
        ErrorKind::UnknownArgument => unknown(command, &name, first),
        ErrorKind::InvalidSubcommand => no_command(command, &name, &error),
        ErrorKind::MissingSubcommand => (
            format!("`{name}` wants a command"),
            Some(format!("commands are {}", commands(command).join(", "))),
        ),
        ErrorKind::MissingRequiredArgument => {
            (format!("`{name}` wants {}", listed(argument.iter().map(String::as_str))), None)
        }
        ErrorKind::ArgumentConflict => {
            let prior = texts(&error, ContextKind::PriorArg);
            let prior = listed(prior.iter().map(String::as_str).filter(|prior| *prior != first));
            match prior.is_empty() {
                true => (format!("{} is given twice", code(first)), None),
                false => (format!("{} and {prior} do not go together", code(first)), None),
            }
        }
        ErrorKind::InvalidValue => no_value(first, &error),
        ErrorKind::ValueValidation => wrong_value(first, &error),
        ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
            (format!("{} wants more values", code(first)), None)
        }
        _ => return Err(error),
    };
    let failure = hint.into_iter().fold(Failure::new(Kind::Usage, message), Failure::hint);
    let failure = example(command)
        .into_iter()
        .fold(failure, |failure, example| failure.hint(format!("for example `{example}`")));
    Ok(failure.hint(format!("`{name} --help` tells more")))
}

/// The command that the words lead to, and how it is called.
fn meant<'a>(root: &'a Command, words: &[OsString]) -> (&'a Command, String) {
    let (mut command, mut name) = (root, root.get_name().to_owned());
    let mut words = words.iter().skip(1).filter_map(|word| word.to_str());
    while let Some(word) = words.next() {
        if WITH_VALUE.contains(&word) {
            words.next();
        } else if !word.starts_with('-') {
            let Some(next) = command.find_subcommand(word) else { break };
            command = next;
            name = format!("{name} {}", next.get_name());
        }
    }
    (command, name)
}

fn unknown(command: &Command, name: &str, argument: &str) -> (String, Option<String>) {
    if !argument.starts_with('-') {
        return (format!("`{name}` takes no further word, and `{argument}` is one"), None);
    }
    let flags: Vec<String> = command
        .get_arguments()
        .filter(|argument| !argument.is_hide_set())
        .flat_map(|argument| argument.get_long_and_visible_aliases().unwrap_or_default())
        .map(|long| format!("--{long}"))
        .collect();
    let hint =
        nearest(argument, flags.iter().map(String::as_str)).map(|flag| format!("did you mean `{flag}`?"));
    (format!("`{name}` has no option `{argument}`"), hint)
}

fn no_command(command: &Command, name: &str, error: &clap::Error) -> (String, Option<String>) {
    let typed = texts(error, ContextKind::InvalidSubcommand).concat();
    let known = commands(command);
    let hint = match nearest(&typed, known.iter().copied()) {
        Some(meant) => format!("did you mean `{name} {meant}`?"),
        None => format!("commands are {}", known.join(", ")),
    };
    (format!("`{name}` has no command `{typed}`"), Some(hint))
}

fn commands(command: &Command) -> Vec<&str> {
    let shown = command.get_subcommands().filter(|command| !command.is_hide_set());
    shown.map(Command::get_name).filter(|name| *name != "help").collect()
}

fn no_value(argument: &str, error: &clap::Error) -> (String, Option<String>) {
    let typed = texts(error, ContextKind::InvalidValue).concat();
    let known = texts(error, ContextKind::ValidValue);
    let known = || known.iter().map(String::as_str);
    if typed.is_empty() {
        return (format!("{} lacks its value", code(argument)), None);
    }
    let message =
        format!("{}: `{typed}` is none of {}", short(argument), known().collect::<Vec<_>>().join(", "));
    (message, nearest(&typed, known()).map(|value| format!("did you mean `{value}`?")))
}

/// A value that its own reader refuses.
fn wrong_value(argument: &str, error: &clap::Error) -> (String, Option<String>) {
    let typed = texts(error, ContextKind::InvalidValue).concat();
    let reason = std::error::Error::source(error).map_or_else(String::new, ToString::to_string);
    let hint = reason
        .contains("is not an image reference")
        .then(|| "an image is `NAME:TAG` or `REGISTRY[:PORT]/NAME:TAG`, its name in lower case".to_owned());
    // What the standard library says of numbers says nothing of the value.
    let reason = match reason.as_str() {
        "invalid digit found in string" => "is no number".to_owned(),
        "number would be zero for non-zero type" => "is too small".to_owned(),
        _ if reason.contains(&typed) => return (format!("{}: {reason}", short(argument)), hint),
        _ => format!("is wrong: {reason}"),
    };
    (format!("{}: `{typed}` {reason}", short(argument)), hint)
}

/// The first line of the examples in a command's help.
fn example(command: &Command) -> Option<String> {
    let help = command.get_after_help()?.to_string();
    let (_, examples) = help.split_once("Example")?;
    examples.lines().nth(1).map(|line| line.trim().to_owned())
}

fn texts(error: &clap::Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        _ => Vec::new(),
    }
}

/// `--masters <HOSTS>` as a person writes it.
fn code(argument: &str) -> String {
    format!("`{}`", argument.replace(['<', '>'], ""))
}

/// `--masters` of `--masters <HOSTS>`.
fn short(argument: &str) -> String {
    argument.split(' ').next().unwrap_or_default().replace(['<', '>'], "")
}

fn listed<'a>(arguments: impl Iterator<Item = &'a str>) -> String {
    arguments.map(code).collect::<Vec<_>>().join(" and ")
}
