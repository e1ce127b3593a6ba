//! Where demo and benchmarks play: a folder that holds all their state, and commands shown as they are typed.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::command::{Failure, Result};

/// Removes the hosts, then the folder, once its standard input is closed: whoever holds that has
/// ended then, in whatever way. Told to keep them, it does nothing.
const JANITOR: &str = r#"[ "$(cat)" = keep ] || { eval "$2"; rm -rf "$1"; }"#;

/// What removes the hosts of a sandbox: `$0` is `sealer`, `$1` the stage's folder.
const SANDBOX: &str = r#""$0" sandbox down > /dev/null"#;

/// A folder for state, an environment that leads there, and who cleans it up.
pub(crate) struct Stage {
    dir: PathBuf,
    programs: PathBuf,
    place: PathBuf,
    transcript: String,
    /// None where the folder is to last.
    janitor: Option<Child>,
}

impl Stage {
    /// Makes the folder below another, named after what is played. `programs` is where `sealer` is.
    pub(crate) fn set(parent: &Path, name: &str, programs: &Path) -> Result<Self> {
        Self::set_with(parent, name, programs, SANDBOX)
    }

    /// The same, with other hosts than a sandbox's: `down` is the shell's words that remove them.
    pub(crate) fn set_with(parent: &Path, name: &str, programs: &Path, down: &str) -> Result<Self> {
        let mut stage =
            Self::lasting(parent.join(format!("sealer-{name}-{}", std::process::id())), programs)?;
        let mut janitor = Command::new("sh");
        janitor.args(["-c", JANITOR]).arg(programs.join("sealer")).arg(&stage.dir).arg(down);
        enter(&mut janitor, &stage.dir, programs);
        // What the terminal sends to all of us when a person has seen enough must not end this one.
        janitor.current_dir("/").process_group(0).stdin(Stdio::piped());
        let janitor =
            janitor.spawn().map_err(|source| Failure::Start { command: "sh".to_owned(), source })?;
        stage.janitor = Some(janitor);
        Ok(stage)
    }

    /// The same in a folder of this name, which is there afterwards, and for the next who sets it.
    pub(crate) fn lasting(dir: PathBuf, programs: &Path) -> Result<Self> {
        for name in ["home", "tmp"] {
            let path = dir.join(name);
            fs::create_dir_all(&path).map_err(Failure::file(&path))?;
        }
        let (place, transcript) = (dir.join("home"), String::new());
        Ok(Self { dir, programs: programs.to_owned(), place, transcript, janitor: None })
    }

    /// The folder that holds all state.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The folder of the programs that are shown.
    pub(crate) fn programs(&self) -> &Path {
        &self.programs
    }

    /// The folder that commands are run in.
    pub(crate) fn place(&self) -> &Path {
        &self.place
    }

    /// A command with the stage's environment.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        enter(&mut command, &self.dir, &self.programs);
        command.current_dir(&self.place);
        command
    }

    /// Says something about what follows.
    pub(crate) fn say(&mut self, text: &str) {
        let before = if self.transcript.is_empty() { "" } else { "\n" };
        self.print(&format!("{before}# {}\n", text.replace('\n', "\n# ")));
    }

    /// Changes the folder that commands are run in, from that of the stage.
    pub(crate) fn go(&mut self, folder: &str) {
        self.print(&format!("$ cd ~/{folder}\n"));
        self.place = self.dir.join("home").join(folder);
    }

    /// Shows a command and what it prints, as it comes, and returns the latter.
    pub(crate) fn show(&mut self, line: &str) -> Result<String> {
        self.print(&format!("$ {line}\n"));
        let failed = |source| Failure::Start { command: line.to_owned(), source };
        let (reader, writer) = std::io::pipe().map_err(failed)?;
        let errors = writer.try_clone().map_err(failed)?;
        let mut shell = self.command(Path::new("sh"));
        shell.args(["-c", line]).stdin(Stdio::null()).stdout(writer).stderr(errors);
        let mut child = shell.spawn().map_err(failed)?;
        // The command holds the pipe's other end, and with it ours would never end.
        drop(shell);
        let begin = self.transcript.len();
        for printed in BufReader::new(reader).lines() {
            self.print(&format!("{}\n", printed.map_err(failed)?.trim_end()));
        }
        let status = child.wait().map_err(failed)?;
        if !status.success() {
            return Err(Failure::Status { command: line.to_owned(), status });
        }
        Ok(self.transcript[begin..].to_owned())
    }

    /// Leaves everything as it is.
    pub(crate) fn keep(mut self) -> Result<()> {
        let told = self.janitor.as_mut().and_then(|janitor| janitor.stdin.take());
        told.map_or(Ok(()), |mut told| told.write_all(b"keep").map_err(Failure::file(&self.dir)))
    }

    /// Removes everything that is not to last, and returns what was shown.
    pub(crate) fn clear(mut self) -> Result<String> {
        let shown = std::mem::take(&mut self.transcript);
        let Some(mut janitor) = self.janitor.take() else { return Ok(shown) };
        drop(janitor.stdin.take());
        let command = "the clean-up".to_owned();
        match janitor.wait() {
            Ok(status) if status.success() => Ok(shown),
            Ok(status) => Err(Failure::Status { command, status }),
            Err(source) => Err(Failure::Start { command, source }),
        }
    }

    fn print(&mut self, text: &str) {
        print!("{text}");
        let _ = std::io::stdout().flush();
        self.transcript.push_str(text);
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(janitor) = &mut self.janitor {
            drop(janitor.stdin.take());
            let _ = janitor.wait();
        }
    }
}

fn enter(command: &mut Command, dir: &Path, programs: &Path) {
    let path = std::env::var("PATH").unwrap_or_default();
    command
        .env("PATH", format!("{}:{path}", programs.display()))
        .env("HOME", dir.join("home"))
        .env("TMPDIR", dir.join("tmp"))
        .env("SEALER_ROOT", dir.join("sealer"))
        .env("DOCKER_CONFIG", dir.join("docker"))
        .env_remove("SEALER_PASSWD");
}
