//! The instructions of the original's 0.9 and later: applications and what is launched.

use super::arguments::Arguments;
use super::ast::{AppRole, Instruction, InstructionKind, Word};
use super::error::KubefileError;
use super::pairs::pairs;

/// Reads one of them.
pub(super) fn read(name: &str, arguments: &Arguments<'_>) -> Result<InstructionKind, KubefileError> {
    Ok(match name {
        "APP" => app(arguments, AppRole::Application)?,
        "CNI" => app(arguments, AppRole::Cni)?,
        "CSI" => app(arguments, AppRole::Csi)?,
        "APPCMDS" => {
            let (app, rest) = named(arguments)?;
            InstructionKind::AppCmds { app, cmds: commands(&rest)? }
        }
        "APPENV" => {
            let (app, rest) = named(arguments)?;
            InstructionKind::AppEnv { app, env: pairs(&rest)? }
        }
        "LAUNCH" => InstructionKind::Launch(arguments.list()?),
        "CMDS" => InstructionKind::Cmds(commands(arguments)?),
        "KUBEVERSION" => InstructionKind::KubeVersion(one(arguments, "KUBEVERSION")?),
        // MAINTAINER is a name in words.
        _ => InstructionKind::Maintainer(Word {
            text: arguments.text(),
            span: arguments.span(),
            literal: false,
        }),
    })
}

fn app(arguments: &Arguments<'_>, role: AppRole) -> Result<InstructionKind, KubefileError> {
    let (name, rest) = named(arguments)?;
    let sources = rest.list()?;
    if sources.is_empty() {
        return Err(rest.error("an application needs a source: `local://path` or `https://…`"));
    }
    Ok(InstructionKind::App { name, sources, role })
}

/// An application's name, which is that of its folder, and what stands after it.
fn named<'a>(arguments: &Arguments<'a>) -> Result<(Word, Arguments<'a>), KubefileError> {
    let (name, rest) = arguments.first()?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.$".contains(c) || "{}".contains(c);
    if !name.text.chars().all(is_plain) || name.text.starts_with(['.', '-']) {
        let message =
            format!("`{}` is no application's name: that is of letters, digits, `-`, `_`, `.`", name.text);
        return Err(arguments.error_at(name.span, message));
    }
    if rest.from == rest.line.chars.len() {
        return Err(arguments.error_at(name.span, "something must stand after the application's name"));
    }
    Ok((name, rest))
}

fn commands(arguments: &Arguments<'_>) -> Result<Vec<String>, KubefileError> {
    match arguments.json()? {
        Some(words) if !words.is_empty() => Ok(words.into_iter().map(|word| word.text).collect()),
        Some(_) => Err(arguments.error("there is no command in it")),
        None => Err(arguments
            .error("commands are a JSON array")
            .hint("write `[\"first command\", \"second command\"]`")),
    }
}

fn one(arguments: &Arguments<'_>, name: &str) -> Result<Word, KubefileError> {
    match <[Word; 1]>::try_from(arguments.words()?) {
        Ok([word]) => Ok(word),
        Err(_) => Err(arguments.error(format!("`{name}` takes one version"))),
    }
}

/// Checks that what is launched is said once and in one way, and that applications are there.
pub(super) fn check_order(lines: &[String], instructions: &[Instruction]) -> Vec<KubefileError> {
    let mut errors = Vec::new();
    let mut launching: Option<&Instruction> = None;
    let mut apps: Vec<&str> = Vec::new();
    for one in instructions {
        let word = one.text.split_whitespace().next().unwrap_or_default();
        match &one.kind {
            InstructionKind::App { name, .. } if apps.contains(&name.text.as_str()) => {
                let message = format!("there is an application `{}` already", name.text);
                errors.push(KubefileError::new(lines, name.span, message));
            }
            InstructionKind::App { name, .. } => apps.push(&name.text),
            InstructionKind::AppCmds { app, .. } | InstructionKind::AppEnv { app, .. }
                if !apps.contains(&app.text.as_str()) =>
            {
                let message = format!("no `APP` before it is called `{}`", app.text);
                errors.push(KubefileError::new(lines, app.span, message));
            }
            InstructionKind::Launch(_) | InstructionKind::Cmds(_) | InstructionKind::Cmd(_) => {
                let both_cmd = |other: &Instruction| {
                    matches!((&other.kind, &one.kind), (InstructionKind::Cmd(_), InstructionKind::Cmd(_)))
                };
                match launching {
                    Some(other) if !both_cmd(other) => {
                        let message = format!(
                            "`{word}` beside line {}: what is launched is said once",
                            other.span.line
                        );
                        let error = KubefileError::new(lines, one.span, message);
                        errors.push(error.hint("take one of `LAUNCH`, `CMDS` and `CMD`"));
                    }
                    _ => launching = Some(one),
                }
            }
            _ => {}
        }
    }
    errors
}
