//! A home and a root of its own for each test, and the program's answers as values.

use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// One user of the program, with nothing on the machine yet.
pub(crate) struct User {
    dir: TempDir,
}

/// What the program answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl User {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("home")).unwrap();
        Self { dir }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file below the user's folder; its parents are made.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Writes an executable file.
    pub(crate) fn script(&self, name: &str, content: &str) -> PathBuf {
        let path = self.write(name, content);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// The program, with this user's environment and nothing of the machine's.
    pub(crate) fn command(&self, args: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sealer"));
        command
            .args(args)
            .env_clear()
            .env("HOME", self.path("home"))
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("SEALER_ROOT", self.path("root"))
            .current_dir(self.dir.path())
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn sealer(&self, args: &[&str]) -> Answer {
        self.answer(&self.command(args).output().unwrap())
    }

    /// Runs the program with `input` on its standard input.
    pub(crate) fn sealer_with_input(&self, args: &[&str], input: &str) -> Answer {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        self.answer(&child.wait_with_output().unwrap())
    }

    /// Runs the program at a terminal, answers one question there, and returns its exit code and all that the
    /// terminal showed.
    pub(crate) fn at_terminal(
        &self,
        args: &[&str],
        (question, answer): (&str, &str),
    ) -> (Option<i32>, String) {
        let inner = self.command(args);
        let words = [inner.get_program()].into_iter().chain(inner.get_args());
        let line: Vec<String> = words.map(|word| format!("'{}'", word.display())).collect();
        let mut script = Command::new("script");
        script.args(["-qec", &line.join(" "), "/dev/null"]).env_clear().current_dir(self.dir.path());
        script.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (mut shown, mut buffer, mut asked) = (String::new(), [0; 4096], false);
        loop {
            let count = stdout.read(&mut buffer).unwrap();
            if count == 0 {
                break;
            }
            shown.push_str(&String::from_utf8_lossy(&buffer[..count]));
            if !asked && shown.contains(question) {
                asked = true;
                while !is_silent(child.id()) {}
                stdin.write_all(format!("{answer}\n").as_bytes()).unwrap();
            }
        }
        (child.wait().unwrap().code(), shown)
    }

    /// Runs the program and returns its standard output; fails the test unless it succeeds.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let answer = self.sealer(args);
        assert_eq!(answer.code, Some(0), "sealer {args:?}\n{}{}", answer.stdout, answer.stderr);
        answer.stdout
    }

    /// Runs the program and returns the result that it gives to programs: the last of its events.
    pub(crate) fn result(&self, args: &[&str]) -> Value {
        let printed = self.ok(&[&["--output", "json"], args].concat());
        let event: Value = serde_json::from_str(printed.lines().last().unwrap()).unwrap();
        assert_eq!(event["event"], "result");
        event["result"].clone()
    }

    /// Runs the program and returns the document that it prints for programs.
    pub(crate) fn data(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[&["--output", "json"], args].concat())).unwrap()
    }

    /// Checks that the program refuses: exit code, the whole of standard error, nothing on standard output.
    pub(crate) fn refused(&self, args: &[&str], code: i32, stderr: &str) {
        let answer = self.sealer(&[&["--quiet"], args].concat());
        let expected = Answer { code: Some(code), stdout: String::new(), stderr: stderr.to_owned() };
        assert_eq!(answer, expected, "sealer {args:?}\n{}", answer.stderr);
    }

    /// The names of the local images.
    pub(crate) fn images(&self) -> Vec<String> {
        let images = self.data(&["images"]);
        let names = images.as_array().unwrap().iter().map(|image| image["name"].as_str().unwrap().to_owned());
        names.collect()
    }

    fn answer(&self, output: &Output) -> Answer {
        let dir = self.dir.path().to_str().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(dir, "~");
        Answer { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }
}

/// Tells whether the terminal that `script` made shows nothing of what is typed there.
fn is_silent(script: u32) -> bool {
    let children = fs::read_to_string(format!("/proc/{script}/task/{script}/children")).unwrap();
    let terminal = fs::read_link(format!("/proc/{}/fd/0", children.trim())).unwrap();
    let said = Command::new("stty").arg("-F").arg(terminal).arg("-a").output().unwrap();
    String::from_utf8_lossy(&said.stdout).split_whitespace().any(|word| word == "-echo")
}

/// The files below a folder, sorted, for comparing before and after.
pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
