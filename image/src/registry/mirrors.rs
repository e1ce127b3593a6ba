//! Where images are really had: mirrors, other locations, and registries that are not to be used, as
//! `registries.conf` says (containers-registries.conf(5), version 2).
//!
//! Its lists for names without a registry are not read: such a name is Docker Hub's here.

use std::path::Path;

use serde::Deserialize;

use crate::reference::Reference;
use crate::registry::error::RegistryError;

/// The rules of all files, the first for a prefix standing last.
#[derive(Debug, Clone, Default)]
pub struct Mirrors {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Conf {
    registry: Vec<Rule>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Rule {
    /// `docker.io`, `host:5000/team`, `*.example.com`.
    prefix: String,
    /// What stands in the prefix's place.
    location: String,
    insecure: bool,
    blocked: bool,
    mirror_by_digest_only: bool,
    mirror: Vec<Mirror>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Mirror {
    location: String,
    #[serde(default)]
    insecure: bool,
    #[serde(default)]
    pull_from_mirror: Pulls,
}

/// Which images a mirror is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Pulls {
    #[default]
    All,
    DigestOnly,
    TagOnly,
}

/// Where an image is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Places {
    /// To be asked first, in this order; only to read.
    pub(crate) mirrors: Vec<Reference>,
    /// Its own registry.
    pub(crate) own: Reference,
    /// Whether nothing is to be had from there at all.
    pub(crate) blocked: bool,
}

impl Mirrors {
    /// Reads a file's text; `path` is for messages.
    ///
    /// # Errors
    /// `Conf` when it is no TOML, has a value of another kind, or names neither prefix nor location.
    pub fn parse(path: &Path, text: &str) -> Result<Self, RegistryError> {
        let refuse = |reason: String| RegistryError::Conf { path: path.to_owned(), reason };
        let mut conf: Conf = toml::from_str(text).map_err(|error| refuse(told(text, &error)))?;
        for rule in &mut conf.registry {
            if rule.prefix.is_empty() {
                rule.prefix.clone_from(&rule.location);
            }
            if rule.prefix.is_empty() {
                return Err(refuse("a `[[registry]]` has neither `prefix` nor `location`".to_owned()));
            }
            let locations = rule.mirror.iter().map(|mirror| &mirror.location).chain([&rule.location]);
            for text in locations.chain([&rule.prefix]) {
                if text.contains("://") || text.ends_with('/') {
                    return Err(refuse(format!(
                        "`{text}` is no place as references name it: `host:5000/team`"
                    )));
                }
            }
        }
        Ok(Self { rules: conf.registry })
    }

    /// Adds the rules of a file that is read later: its rule for a prefix replaces an earlier one.
    pub fn extend(&mut self, later: Self) {
        let replaced = |rule: &Rule| later.rules.iter().any(|other| other.prefix == rule.prefix);
        self.rules.retain(|rule| !replaced(rule));
        self.rules.extend(later.rules);
    }

    /// Lists the registries whose certificate is not verified, and that may speak plain HTTP.
    pub fn insecure(&self) -> impl Iterator<Item = &str> {
        let own = self.rules.iter().filter(|rule| rule.insecure);
        let own = own.map(|rule| if rule.location.is_empty() { &rule.prefix } else { &rule.location });
        let mirrors = self.rules.iter().flat_map(|rule| &rule.mirror).filter(|mirror| mirror.insecure);
        own.chain(mirrors.map(|mirror| &mirror.location)).map(|place| host(place))
    }

    /// Finds out where an image is to be had: the rule with the longest prefix says.
    pub(crate) fn places(&self, reference: &Reference) -> Places {
        let name = format!("{}/{}", reference.registry(), reference.repository());
        let fits = |rule: &&Rule| rest(&rule.prefix, &name).is_some();
        let Some(rule) = self.rules.iter().filter(fits).max_by_key(|rule| rule.prefix.len()) else {
            return Places { mirrors: Vec::new(), own: reference.clone(), blocked: false };
        };
        let rest = rest(&rule.prefix, &name).unwrap_or_default();
        let own = match rule.location.as_str() {
            "" => reference.clone(),
            location => at(location, rest, reference).unwrap_or_else(|| reference.clone()),
        };
        let by_digest = reference.digest().is_some();
        let wanted = |mirror: &&Mirror| match mirror.pull_from_mirror {
            Pulls::All => by_digest || !rule.mirror_by_digest_only,
            Pulls::DigestOnly => by_digest,
            Pulls::TagOnly => !by_digest,
        };
        let mirrors = rule.mirror.iter().filter(wanted);
        let mirrors = mirrors.filter_map(|mirror| at(&mirror.location, rest, reference)).collect();
        Places { mirrors, own, blocked: rule.blocked }
    }
}

/// What is left of a name behind a prefix that it begins with, at one of its boundaries.
fn rest<'n>(prefix: &str, name: &'n str) -> Option<&'n str> {
    if let Some(domain) = prefix.strip_prefix('*') {
        let (host, path) = name.split_once('/')?;
        let ends = domain.starts_with('.') && host.ends_with(domain) && host.len() > domain.len();
        return ends.then(|| &name[name.len() - path.len() - 1..]);
    }
    let rest = name.strip_prefix(prefix)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

/// The same image at another place.
fn at(location: &str, rest: &str, reference: &Reference) -> Option<Reference> {
    let tag = reference.tag().map_or_else(String::new, |tag| format!(":{tag}"));
    let digest = reference.digest().map_or_else(String::new, |digest| format!("@{digest}"));
    format!("{location}{rest}{tag}{digest}").parse().ok()
}

fn host(place: &str) -> &str {
    place.split('/').next().unwrap_or(place)
}

/// What is wrong with a file, with the line.
fn told(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    match before {
        Some(before) => format!("line {}: {}", before.matches('\n').count() + 1, error.message()),
        None => error.message().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONF: &str = r#"
unqualified-search-registries = ["docker.io"]
short-name-mode = "enforcing"

[[registry]]
location = "docker.io"
[[registry.mirror]]
location = "mirror.example:5000/hub"
insecure = true
[[registry.mirror]]
location = "second.example"
pull-from-mirror = "digest-only"

[[registry]]
prefix = "docker.io/team"
location = "registry.example/ours"

[[registry]]
prefix = "*.corp.example"
blocked = true

[aliases]
"debian" = "docker.io/library/debian"
"#;

    fn places(text: &str) -> (Vec<String>, String, bool) {
        let mirrors = Mirrors::parse(Path::new("registries.conf"), CONF).unwrap();
        let places = mirrors.places(&text.parse().unwrap());
        (places.mirrors.iter().map(ToString::to_string).collect(), places.own.to_string(), places.blocked)
    }

    #[test]
    fn the_longest_prefix_says_where_an_image_is() {
        let hub = "docker.io/library/redis:7".to_owned();
        assert_eq!(places("redis:7"), (vec!["mirror.example:5000/hub/library/redis:7".into()], hub, false));
        let digest = format!("sha256:{}", "a".repeat(64));
        assert_eq!(
            places(&format!("redis@{digest}")).0,
            [
                format!("mirror.example:5000/hub/library/redis@{digest}"),
                format!("second.example/library/redis@{digest}")
            ]
        );
        assert_eq!(places("team/app:1"), (vec![], "registry.example/ours/app:1".into(), false));
        assert_eq!(places("teams/app:1").0, ["mirror.example:5000/hub/teams/app:1"]);
        assert_eq!(places("a.corp.example/app:1"), (vec![], "a.corp.example/app:1".into(), true));
        assert_eq!(places("corp.example/app:1"), (vec![], "corp.example/app:1".into(), false));
    }

    #[test]
    fn a_later_file_replaces_the_rule_for_a_prefix() {
        let read = |text| Mirrors::parse(Path::new("registries.conf"), text).unwrap();
        let mut mirrors = read(CONF);
        assert_eq!(mirrors.insecure().collect::<Vec<_>>(), ["mirror.example:5000"]);
        mirrors.extend(read("[[registry]]\nlocation = \"docker.io\"\nblocked = true\n"));
        assert!(mirrors.places(&"redis:7".parse().unwrap()).blocked);
        assert_eq!(mirrors.insecure().count(), 0);
    }

    #[test]
    fn a_file_that_cannot_be_meant_is_refused_with_the_line() {
        let refused = |text| Mirrors::parse(Path::new("r.conf"), text).unwrap_err().to_string();
        let text = "[[registry]]\nlocation = \"docker.io\"\nblocked = 1\n";
        assert_eq!(refused(text), "r.conf: line 3: invalid type: integer `1`, expected a boolean");
        assert_eq!(
            refused("[[registry]]\nblocked = true\n"),
            "r.conf: a `[[registry]]` has neither `prefix` nor `location`"
        );
        assert_eq!(
            refused("[[registry]]\nlocation = \"https://a.example\"\n"),
            "r.conf: `https://a.example` is no place as references name it: `host:5000/team`"
        );
    }
}
