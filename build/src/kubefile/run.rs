//! `RUN`, with heredocs.

use super::arguments::{Arguments, quote};
use super::ast::InstructionKind;
use super::error::KubefileError;

/// Reads a command. A heredoc alone is a script, for the shell or for what its `#!` names; beside a
/// command it is what the shell makes of it.
pub(super) fn run(arguments: &Arguments<'_>) -> Result<InstructionKind, KubefileError> {
    let (flags, rest) = arguments.flags();
    if let Some(flag) = flags.first() {
        return Err(arguments.error_at(flag.span, format!("`RUN` does not take `{}`", flag.name)));
    }
    let heredocs = &rest.line.heredocs;
    if let Some(open) = heredocs.iter().find(|heredoc| !heredoc.is_closed) {
        let message = format!("the heredoc has no end: a line `{}` is missing", open.word);
        return Err(arguments.error_at(open.span, message));
    }
    let command = match heredocs.as_slice() {
        [] => rest.command(),
        [only] if rest.text() == only.mark && only.body.starts_with("#!") => script(&only.body),
        [only] if rest.text() == only.mark => only.body.clone(),
        several => {
            let bodies = several.iter().map(|one| format!("{}{}\n", one.body, one.word));
            format!("{}\n{}", rest.text(), bodies.collect::<String>())
        }
    };
    Ok(InstructionKind::Run(command))
}

/// A command that runs a script by its own interpreter.
fn script(body: &str) -> String {
    format!(
        "script=$(mktemp) && printf %s {} > \"$script\" && chmod 0700 \"$script\" && \"$script\"",
        quote(body)
    )
}
