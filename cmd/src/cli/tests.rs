//! What every command's help has: an example, which the program would take.

use clap::{Command, CommandFactory, Parser};

use super::Cli;

/// The commands that a person may type, by their full names.
fn all(command: &Command, name: &str, found: &mut Vec<(String, Command)>) {
    found.push((name.to_owned(), command.clone()));
    for command in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        all(command, &format!("{name} {}", command.get_name()), found);
    }
}

/// The lines below `Example:` or `Examples:`.
fn examples(command: &Command) -> Vec<String> {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let lines = help.lines().skip_while(|line| !line.starts_with("Example")).skip(1);
    lines.take_while(|line| line.starts_with("  ")).map(|line| line.trim().to_owned()).collect()
}

/// The calls of sealer in a line for a shell, each as its words.
fn calls(line: &str) -> Vec<Vec<String>> {
    let mut calls = vec![Vec::new()];
    for word in words(line) {
        match word.as_str() {
            "&&" | "||" | "|" | ";" => calls.push(Vec::new()),
            _ => calls.last_mut().expect("there is always one").push(word),
        }
    }
    for call in &mut calls {
        call.drain(..call.iter().position(|word| word == "sealer").unwrap_or(call.len()));
        call.truncate(call.iter().position(|word| word == ">" || word == "<").unwrap_or(call.len()));
    }
    calls.retain(|call| !call.is_empty());
    calls
}

/// Words with quotes taken away; what stands in `$( )` is words of its own.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), false);
    for letter in line.replace("$(", "; ").replace(')', " ").chars() {
        match letter {
            '\'' => quote = !quote,
            ' ' if !quote => words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty())),
            letter => word.push(letter),
        }
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}

#[test]
fn the_help_of_every_command_has_an_example_of_it_that_is_taken() {
    let mut commands = Vec::new();
    all(&Cli::command(), "sealer", &mut commands);
    let mut wrong = Vec::new();
    for (name, command) in &commands {
        let calls: Vec<_> = examples(command).iter().flat_map(|line| calls(line)).collect();
        if !calls.iter().any(|call| call.join(" ").starts_with(name.as_str())) {
            wrong.push(format!("{name}: no example of it"));
        }
        for call in calls {
            if let Err(error) = Cli::try_parse_from(&call) {
                wrong.push(format!("{}: {error}", call.join(" ")));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(commands.len() > 50, "{}", commands.len());
}

#[test]
fn the_arguments_agree_with_each_other() {
    Cli::command().debug_assert();
}
