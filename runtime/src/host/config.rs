//! `~/.ssh/config`, as far as it says how hosts are reached.
//!
//! Read are `Host`, `Match all`, `Include`, `User`, `Port`, `IdentityFile`, `ProxyJump`, `ConnectTimeout`,
//! `ServerAliveInterval` and `ServerAliveCountMax`, by the rules of ssh_config(5): the first value counts.
//! Blocks of another `Match` are passed over, and so is every other keyword.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cluster::Jump;

/// How deep files may include others.
const DEPTH: u8 = 8;
/// So many files are read in all: one that includes itself twice would be read 256 times.
const FILES: usize = 64;

/// What the files say, block by block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SshConfig {
    blocks: Vec<Block>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Block {
    /// The patterns of `Host`; `!` is still before those that exclude.
    patterns: Vec<String>,
    settings: Vec<(String, String)>,
}

/// What the files say of one host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostConfig {
    /// `User`.
    pub user: Option<String>,
    /// `Port`.
    pub port: Option<u16>,
    /// `IdentityFile`, as it is written; `~` is not replaced yet.
    pub keys: Vec<String>,
    /// `ProxyJump`; `none` is an empty chain.
    pub jump: Option<Vec<Jump>>,
    /// `ConnectTimeout`.
    pub connect: Option<Duration>,
    /// `ServerAliveInterval` times `ServerAliveCountMax`.
    pub gone: Option<Duration>,
}

impl SshConfig {
    /// Reads a file's text. `include` returns the texts of the files that a pattern of `Include` names.
    #[must_use]
    pub fn parse(text: &str, include: &dyn Fn(&str) -> Vec<String>) -> Self {
        let mut config = Self { blocks: vec![block(["*"])] };
        config.read(text, include, DEPTH, &mut 0);
        config
    }

    fn read(&mut self, text: &str, include: &dyn Fn(&str) -> Vec<String>, depth: u8, files: &mut usize) {
        for (keyword, words) in text.lines().filter_map(split) {
            match keyword.as_str() {
                "host" => self.blocks.push(block(words)),
                "match" if words == ["all"] => self.blocks.push(block(["*"])),
                "match" => self.blocks.push(block([] as [&str; 0])),
                "include" if depth > 0 && *files < FILES => {
                    let patterns = self.last().patterns.clone();
                    for text in words.iter().flat_map(|pattern| include(pattern)) {
                        *files += 1;
                        if *files <= FILES {
                            self.read(&text, include, depth - 1, files);
                        }
                    }
                    self.blocks.push(block(patterns));
                }
                _ => {
                    let value = words.join(" ");
                    self.blocks
                        .last_mut()
                        .expect("one block is always there")
                        .settings
                        .push((keyword, value));
                }
            }
        }
    }

    fn last(&self) -> &Block {
        self.blocks.last().expect("one block is always there")
    }

    /// Returns what is said of a host, by its name or address.
    #[must_use]
    pub fn of(&self, host: &str) -> HostConfig {
        let mut said = HostConfig::default();
        let (mut interval, mut count) = (None, None);
        let settings =
            self.blocks.iter().filter(|block| block.is_for(host)).flat_map(|block| &block.settings);
        for (keyword, value) in settings {
            match keyword.as_str() {
                "user" => said.user = said.user.or_else(|| Some(value.clone())),
                "port" => said.port = said.port.or_else(|| value.parse().ok()),
                "identityfile" => said.keys.push(value.clone()),
                "proxyjump" if value.eq_ignore_ascii_case("none") => {
                    said.jump = said.jump.or(Some(Vec::new()));
                }
                "proxyjump" => said.jump = said.jump.or_else(|| Jump::chain(value).ok()),
                "connecttimeout" => said.connect = said.connect.or_else(|| seconds(value)),
                "serveraliveinterval" => interval = interval.or_else(|| seconds(value)),
                "serveralivecountmax" => count = count.or_else(|| value.parse::<u32>().ok()),
                _ => {}
            }
        }
        said.gone = interval.map(|interval| interval.saturating_mul(count.unwrap_or(3).max(1)));
        said
    }
}

fn seconds(value: &str) -> Option<Duration> {
    value.parse().ok().filter(|seconds| *seconds > 0).map(Duration::from_secs)
}

fn block<T: ToString>(patterns: impl IntoIterator<Item = T>) -> Block {
    Block {
        patterns: patterns.into_iter().map(|pattern| pattern.to_string()).collect(),
        settings: Vec::new(),
    }
}

impl Block {
    fn is_for(&self, host: &str) -> bool {
        let excluded = |pattern: &String| pattern.strip_prefix('!').is_some_and(|rest| matches(rest, host));
        !self.patterns.iter().any(excluded) && self.patterns.iter().any(|pattern| matches(pattern, host))
    }
}

/// Parts a line into its keyword, in lower case, and its words; `=` may stand between.
fn split(line: &str) -> Option<(String, Vec<String>)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let end = line.find(|c: char| c.is_whitespace() || c == '=')?;
    let rest = line[end..].trim_start().trim_start_matches('=').trim_start();
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in rest.chars() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => words.extend(Some(std::mem::take(&mut word))),
            c => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    Some((line[..end].to_lowercase(), words))
}

/// Tells whether a pattern with `*` and `?` matches the whole of a text.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut from, mut star) = (0, 0, None);
    while from < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(c) if *c == '?' || *c == text[from] => (at, from) = (at + 1, from + 1),
            _ => match star {
                Some((place, taken)) => {
                    star = Some((place, taken + 1));
                    (at, from) = (place + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|c| *c == '*')
}

/// Replaces `~` and `%d` at the beginning of a path.
#[must_use]
pub fn expand(path: &str, home: Option<&Path>) -> PathBuf {
    let rest = path.strip_prefix('~').or_else(|| path.strip_prefix("%d"));
    match (rest, home) {
        (Some(""), Some(home)) => home.to_path_buf(),
        (Some(rest), Some(home)) if rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
        _ => PathBuf::from(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# a comment
Host 10.0.0.*  !10.0.0.9
    User ops
    IdentityFile ~/.ssh/room
    ProxyJump = gate@10.9.0.1:2222
Match host 10.0.0.1
    User nobody
Include more
Host *
    User everybody
    Port 2200
    IdentityFile \"/keys/with blank\"
    ServerAliveInterval 5
    ServerAliveCountMax 2
";

    #[test]
    fn the_first_value_counts_and_keys_add_up() {
        let include = |name: &str| vec![format!("Host 10.0.0.9\n  ConnectTimeout 7\n  # {name}\n")];
        let config = SshConfig::parse(TEXT, &include);
        let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
        let gone = Some(Duration::from_secs(10));
        let room = HostConfig {
            user: Some("ops".to_owned()),
            port: Some(2200),
            keys: keys(&["~/.ssh/room", "/keys/with blank"]),
            jump: Some(Jump::chain("gate@10.9.0.1:2222").unwrap()),
            connect: None,
            gone,
        };
        assert_eq!(config.of("10.0.0.1"), room);
        let other = HostConfig {
            user: Some("everybody".to_owned()),
            port: Some(2200),
            keys: keys(&["/keys/with blank"]),
            jump: None,
            connect: Some(Duration::from_secs(7)),
            gone,
        };
        assert_eq!(config.of("10.0.0.9"), other);
    }

    #[test]
    fn patterns_match_whole_names() {
        let cases = [
            ("*", "a", true),
            ("10.?.*", "10.1.22", true),
            ("10.*1", "10.2", false),
            ("a*b*c", "aXbYbc", true),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_path_may_begin_at_home() {
        let cases = [
            ("~", "/home/ops"),
            ("~/", "/home/ops/"),
            ("~//.ssh/key", "/home/ops/.ssh/key"),
            ("%d/.ssh/key", "/home/ops/.ssh/key"),
            ("~other/key", "~other/key"),
            ("/a/~", "/a/~"),
        ];
        for (path, expected) in cases {
            assert_eq!(expand(path, Some(Path::new("/home/ops"))), Path::new(expected), "{path}");
        }
    }

    #[test]
    fn numbers_without_end_and_files_without_end_are_borne() {
        let text = "ServerAliveInterval 18446744073709551615\nServerAliveCountMax 4294967295\n";
        assert_eq!(SshConfig::parse(text, &|_| Vec::new()).of("a").gone, Some(Duration::MAX));
        let own = "Include config\n".repeat(100);
        let read = std::cell::Cell::new(0);
        let include = |_: &str| {
            read.set(read.get() + 1);
            vec![own.clone()]
        };
        let _ = SshConfig::parse(&own, &include);
        assert!(read.get() <= 64, "{}", read.get());
    }
}
