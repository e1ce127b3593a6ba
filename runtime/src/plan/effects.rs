//! What a step does to a host beyond its files, as far as its text tells.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What a person should know of a step before it is done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Effects {
    /// The services that it starts, stops or changes.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub services: BTreeSet<String>,
    /// Whether what runs on the host may be interrupted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disruptive: bool,
    /// Whether a delete leaves it as it is.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub permanent: bool,
}

/// The verbs of systemctl that a service goes with, and whether they interrupt it.
const VERBS: [(&str, bool); 10] = [
    ("start", false),
    ("enable", false),
    ("unmask", false),
    ("reload", false),
    ("restart", true),
    ("try-restart", true),
    ("reload-or-restart", true),
    ("stop", true),
    ("disable", true),
    ("mask", true),
];
/// What interrupts a whole host.
const DISRUPTIVE: [&str; 6] = ["reboot", "shutdown", "poweroff", "swapoff", "setenforce", "kexec"];

impl Effects {
    /// Reads what shell commands say of services and of the host.
    pub(crate) fn of_script(text: &str) -> Self {
        let mut effects = Self::default();
        let lines = text.lines().map(|line| line.split(" #").next().unwrap_or_default());
        for line in lines.filter(|line| !line.trim_start().starts_with('#')) {
            let is_word = |c: char| c.is_alphanumeric() || "-_.@/".contains(c);
            let words: Vec<&str> =
                line.split(|c: char| !is_word(c)).filter(|word| !word.is_empty()).collect();
            effects.disruptive |= words.iter().any(|word| DISRUPTIVE.contains(word));
            let Some(at) = words.iter().position(|word| *word == "systemctl") else { continue };
            let mut rest = words[at + 1..].iter().filter(|word| !word.starts_with('-'));
            let verb = rest.next().and_then(|word| VERBS.iter().find(|(verb, _)| verb == word));
            if let (Some((_, disruptive)), Some(service)) = (verb, rest.next()) {
                effects.services.insert(service.trim_end_matches(".service").to_owned());
                effects.disruptive |= disruptive;
            }
        }
        effects
    }

    pub(crate) fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Effects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let services: Vec<&str> = self.services.iter().map(String::as_str).collect();
        let mut parts = Vec::new();
        if !services.is_empty() {
            parts.push(format!("touches {}", services.join(", ")));
        }
        if self.disruptive {
            parts.push("disruptive".to_owned());
        }
        if self.permanent {
            parts.push("not undone by a delete".to_owned());
        }
        f.write_str(&parts.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_services_of_a_script_are_found_and_comments_are_not_read() {
        let script = "set -e\n# systemctl stop docker\nsystemctl enable --now containerd.service\n\
                      systemctl daemon-reload\nif true; then systemctl restart kubelet; fi\n";
        let effects = Effects::of_script(script);
        assert_eq!(effects.to_string(), "touches containerd, kubelet; disruptive");
        assert!(Effects::of_script("echo systemctl\n").is_none());
        assert!(Effects::of_script("swapoff -a\n").disruptive);
    }
}
