//! `COPY` and `ADD`, and their flags.

use super::arguments::{Arguments, Flag};
use super::ast::{Copying, InstructionKind, Word};
use super::error::KubefileError;

/// Reads `[--flag…] source… destination`. `name` is `COPY` or `ADD`, which unpacks archives.
pub(super) fn copy(arguments: &Arguments<'_>, name: &str) -> Result<InstructionKind, KubefileError> {
    let (flags, arguments) = arguments.flags();
    let mut copying = Copying {
        sources: Vec::new(),
        dest: Word::empty(arguments.span()),
        mode: None,
        parents: false,
        checksum: None,
        keeps_git_dir: false,
        unpacks: name == "ADD",
    };
    for flag in flags {
        take(&arguments, name, flag, &mut copying)?;
    }
    if let Some(heredoc) = arguments.line.heredocs.first() {
        let message = format!("`{name}` takes no heredoc: `RUN` does");
        return Err(arguments
            .error_at(heredoc.span, message)
            .hint("put the text into a file of the context"));
    }
    let mut words = arguments.list()?;
    if words.len() < 2 {
        return Err(arguments.error(format!("`{name}` needs a source and a destination")));
    }
    copying.dest = words.pop().expect("there are two");
    copying.sources = words;
    Ok(InstructionKind::Copy(copying))
}

fn take(
    arguments: &Arguments<'_>,
    name: &str,
    flag: Flag,
    copying: &mut Copying,
) -> Result<(), KubefileError> {
    let is_set = flag.value.as_ref().is_none_or(|value| value.text == "true");
    match (flag.name.as_str(), flag.value) {
        ("--chmod", Some(mode)) => copying.mode = Some(mode),
        ("--checksum", Some(checksum)) => copying.checksum = Some(checksum),
        ("--parents", _) => copying.parents = is_set,
        ("--keep-git-dir", _) => copying.keeps_git_dir = is_set,
        // A layer of ours never depends on those below it.
        ("--link", _) => {}
        ("--chown", Some(owner)) if is_root(&owner.text) => {}
        ("--chown", Some(owner)) => {
            let message = format!("`{name}` cannot give files to `{}`", owner.text);
            return Err(arguments
                .error_at(flag.span, message)
                .hint("all files of a cluster image belong to root on the hosts; `RUN` or a script there can change that"));
        }
        ("--chmod" | "--checksum" | "--chown", None) => {
            return Err(arguments.error_at(flag.span, format!("`{}` needs a value: `{0}=…`", flag.name)));
        }
        ("--from", _) => {
            let message = format!("`{name}` does not take `--from`");
            return Err(arguments
                .error_at(flag.span, message)
                .hint("files come from the build context; an image to stand on is named by `FROM`"));
        }
        _ => return Err(arguments.error_at(flag.span, format!("`{name}` does not take `{}`", flag.name))),
    }
    Ok(())
}

/// `0`, `root`, with or without a group.
fn is_root(owner: &str) -> bool {
    owner.split(':').all(|part| part == "0" || part == "root") && owner.split(':').count() <= 2
}
