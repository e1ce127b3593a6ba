//! docs/guide/develop-a-plugin.md: every command of it is run, and prints what the page shows.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::kit::User;
use crate::plugins::workspace;

/// A fenced block: what stands behind its fence, and its lines.
struct Block {
    info: String,
    lines: Vec<String>,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut open = false;
    for line in page.lines() {
        match (line.strip_prefix("```"), open) {
            (Some(info), false) => found.push(Block { info: info.to_owned(), lines: Vec::new() }),
            (None, true) => found.last_mut().unwrap().lines.push(line.to_owned()),
            _ => {}
        }
        open ^= line.starts_with("```");
    }
    found
}

/// The reader's shell: where it is, and what the page's addresses are there.
struct Shell<'a> {
    user: &'a User,
    at: PathBuf,
    /// What the page says, and what it is on this machine.
    here: Vec<(String, String)>,
}

impl Drop for Shell<'_> {
    /// A command that failed leaves hosts behind.
    fn drop(&mut self) {
        let _ = self.user.command(&["sandbox", "down"]).output();
    }
}

impl Shell<'_> {
    fn localised(&self, text: &str) -> String {
        self.here.iter().fold(text.to_owned(), |text, (page, here)| text.replace(page, here))
    }

    /// Runs a line as a person types it; returns what it prints. A `cd` stays.
    fn run(&mut self, line: &str) -> String {
        let own = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        let kept = |name: &str, folder: &str| std::env::var_os(name).map_or(own.join(folder), PathBuf::from);
        let program = Path::new(env!("CARGO_BIN_EXE_sealer")).parent().unwrap();
        let place = self.user.path("pwd");
        let output = Command::new("sh")
            .args(["-c", &format!("exec 2>&1\nset -e\n{line}\npwd > {}", place.display())])
            .current_dir(&self.at)
            .env_clear()
            .env("HOME", self.user.path("home"))
            .env("PATH", format!("{}:{}", program.display(), std::env::var("PATH").unwrap()))
            .env("SEALER_ROOT", self.user.path("root"))
            // What is downloaded already is not downloaded again.
            .env("CARGO_HOME", kept("CARGO_HOME", ".cargo"))
            .env("RUSTUP_HOME", kept("RUSTUP_HOME", ".rustup"))
            .env("CARGO_NET_OFFLINE", "true")
            .env("GOCACHE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("go"))
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "$ {line}\n{printed}");
        self.at = PathBuf::from(fs::read_to_string(&place).unwrap().trim_end());
        printed
    }

    /// Runs the commands of a block, and compares what they print: `…` stands for any lines.
    fn follow(&mut self, lines: &[String]) -> usize {
        let mut commands = 0;
        let mut rest = lines;
        while let [first, more @ ..] = rest {
            let command = self.localised(first.strip_prefix("$ ").unwrap_or_else(|| panic!("{first}")));
            let end = more.iter().position(|line| line.starts_with("$ ")).unwrap_or(more.len());
            let printed = self.run(&command);
            if command.starts_with("sealer sandbox up") {
                self.meet(&printed);
            }
            let shown: Vec<String> = more[..end].iter().map(|line| self.localised(line)).collect();
            let printed: Vec<&str> = printed.lines().map(str::trim_end).collect();
            assert!(
                is_shown(&shown, &printed),
                "$ {command}\n{}\nis not\n{}",
                printed.join("\n"),
                shown.join("\n")
            );
            rest = &more[end..];
            commands += 1;
        }
        commands
    }

    /// Learns which network the hosts are in.
    fn meet(&mut self, printed: &str) {
        let host = printed.lines().find(|line| line.starts_with("sandbox-")).unwrap();
        let network = host.split('-').nth(1).unwrap();
        self.here.push(("sandbox-0-".to_owned(), format!("sandbox-{network}-")));
        self.here.push(("10.77.0.".to_owned(), format!("10.77.{network}.")));
    }
}

/// Tells whether lines were printed as they are shown; blanks between words do not count.
fn is_shown(shown: &[String], printed: &[&str]) -> bool {
    let same = |one: &str, other: &str| one.split_whitespace().eq(other.split_whitespace());
    match shown {
        [] => printed.is_empty(),
        [dots, rest @ ..] if dots == "…" => {
            (0..=printed.len()).any(|skip| is_shown(rest, &printed[skip..]))
        }
        [line, rest @ ..] => {
            printed.split_first().is_some_and(|(first, more)| same(line, first) && is_shown(rest, more))
        }
    }
}

#[test]
fn a_newcomer_gets_from_nothing_to_a_plugin_on_hosts() {
    let page = fs::read_to_string(workspace().join("docs/guide/develop-a-plugin.md")).unwrap();
    let user = User::new();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap().trim().to_owned();
    let at = user.path("home");
    let mut shell = Shell { user: &user, at, here: vec![("6.1.0-41-amd64".to_owned(), kernel)] };
    let mut commands = 0;
    for block in blocks(&page) {
        match block.info.split_once(' ') {
            Some((_, file)) => fs::write(shell.at.join(file), block.lines.join("\n") + "\n").unwrap(),
            None => {
                assert_eq!(block.info, "console");
                commands += shell.follow(&block.lines);
            }
        }
    }
    assert_eq!(commands, page.lines().filter(|line| line.starts_with("$ ")).count());
    assert_eq!(user.data(&["sandbox", "ls"]), serde_json::json!([]));
}
