//! `kind: Plugin`: what a plugin's YAML says.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use sealer_plugin_sdk::wire::{Cluster, Host};
use serde::{Deserialize, Serialize};

use crate::phase::{self, Phase, Place};
use crate::yaml::{self, documents};

/// One `kind: Plugin` document, checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginSpec {
    /// `metadata.name`.
    pub name: String,
    /// `spec.type`: which plugin runs.
    pub kind: String,
    /// `spec.action`: when it runs, in the order of a run.
    pub phases: Vec<Phase>,
    /// `spec.on`: where. `None` is every host.
    pub on: Option<Selector>,
    /// `spec.data`: what it is told. Its meaning is the plugin's.
    #[serde(default)]
    pub data: String,
    /// `spec.order`: among the plugins of a phase the lower comes first.
    #[serde(default)]
    pub order: i32,
    /// `spec.onFailure`: what becomes of the run.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// `spec.timeout`: how long a call may take, in seconds.
    #[serde(default)]
    pub timeout: Option<u64>,
    /// The file it was read from, for messages: `plugin/list_nodes.yaml`.
    pub file: String,
    /// The line that `kind: Plugin`'s document begins at, counted from 1.
    pub line: usize,
}

/// What a plugin's failure does to a run: `spec.onFailure`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Ends it.
    #[default]
    Abort,
    /// Is warned of.
    Continue,
    /// Is tried again twice, then ends it.
    Retry,
}

/// The hosts that a plugin is for: `spec.on`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selector {
    /// Every host with one of these roles: `master`, `node`, or one of the cluster's own.
    Roles(Vec<String>),
    /// `master0`: the first master.
    FirstMaster,
    /// These addresses: ranges (`10.0.0.2-10.0.0.4`) are spelled out.
    Addresses(Vec<String>),
    /// Kubernetes nodes with these labels: `key=value`, `key=`. Needs a cluster.
    Labels(String),
}

/// What is wrong with a plugin's YAML, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {message}")]
pub struct SpecError {
    /// The file.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong, as a phrase.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Selector {
    /// Reads `spec.on`.
    ///
    /// # Errors
    /// What is wrong with it, as a phrase.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.contains('=') {
            return Ok(Self::Labels(text.to_owned()));
        }
        if text == "master0" {
            return Ok(Self::FirstMaster);
        }
        let words: Vec<&str> = text.split(',').map(str::trim).filter(|word| !word.is_empty()).collect();
        if words.is_empty() {
            return Err("`on` is empty; leave it out to mean every host".to_owned());
        }
        let is_address = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit()) || word.contains(':');
        if words.iter().all(|word| !is_address(word)) {
            return Ok(Self::Roles(words.into_iter().map(str::to_owned).collect()));
        }
        let mut addresses = Vec::new();
        for word in words {
            addresses.extend(range(word)?);
        }
        Ok(Self::Addresses(addresses))
    }

    /// Returns the addresses of the cluster's hosts that are selected, in the cluster's order.
    ///
    /// # Errors
    /// When none has the role (other than `node`), an address is no host of the cluster.
    pub fn select(&self, cluster: &Cluster) -> Result<Vec<String>, String> {
        let of = |wanted: &dyn Fn(&Host) -> bool| -> Vec<String> {
            cluster.hosts.iter().filter(|host| wanted(host)).map(|host| host.address.clone()).collect()
        };
        match self {
            // Which of them, the cluster says when the time has come.
            Self::Labels(_) => Ok(of(&|_| true)),
            Self::FirstMaster => {
                Ok(of(&|host| host.roles.iter().any(|role| role == "master")).into_iter().take(1).collect())
            }
            Self::Roles(roles) => {
                let found = of(&|host| host.roles.iter().any(|role| roles.contains(role)));
                // A cluster of masters alone is as good as any; another role is a slip of the pen.
                if found.is_empty() && !roles.iter().any(|role| role == "node") {
                    Err(format!("no host of the cluster has the role `{}`", roles.join("` or `")))
                } else {
                    Ok(found)
                }
            }
            Self::Addresses(addresses) => {
                let stranger = addresses
                    .iter()
                    .find(|address| !cluster.hosts.iter().any(|host| host.address == **address));
                match stranger {
                    Some(stranger) => Err(format!("`{stranger}` is no host of the cluster")),
                    None => Ok(of(&|host| addresses.contains(&host.address))),
                }
            }
        }
    }
}

/// An address, or the addresses from one to another.
pub(crate) fn range(word: &str) -> Result<Vec<String>, String> {
    let address = |text: &str| -> Result<Ipv4Addr, String> {
        text.trim().parse().map_err(|_| format!("`{text}` is no address, and `{word}` no role"))
    };
    let Some((first, last)) = word.split_once('-') else {
        return word
            .parse::<IpAddr>()
            .map(|address| vec![address.to_string()])
            .map_err(|_| format!("`{word}` is no address"));
    };
    let (first, last) = (u32::from(address(first)?), u32::from(address(last)?));
    if first > last || last - first > 65_535 {
        return Err(format!("the range `{word}` ends before it begins, or is too long"));
    }
    Ok((first..=last).map(|number| Ipv4Addr::from(number).to_string()).collect())
}

/// Only which kind of document it is.
#[derive(Deserialize)]
struct Header {
    #[serde(default)]
    kind: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Document {
    #[expect(dead_code, reason = "any version is taken, as in the original")]
    #[serde(default)]
    api_version: String,
    #[expect(dead_code, reason = "it was read before")]
    kind: String,
    metadata: Metadata,
    spec: Spec,
    #[expect(dead_code, reason = "the original writes an empty one")]
    #[serde(default)]
    status: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    #[serde(rename = "type")]
    kind: String,
    action: serde_saphyr::Spanned<String>,
    on: Option<serde_saphyr::Spanned<String>>,
    scope: Option<serde_saphyr::Spanned<String>>,
    #[serde(default)]
    data: String,
    #[serde(default)]
    order: i32,
    #[serde(rename = "onFailure", default)]
    on_failure: OnFailure,
    timeout: Option<serde_saphyr::Spanned<String>>,
}

/// Reads all `kind: Plugin` documents of a YAML file; documents of other kinds are passed over.
///
/// # Errors
/// Everything that is wrong in the file: an unknown field, a phase that does not exist or takes no
/// plugins, a selector that cannot be read.
pub fn parse(file: &str, text: &str) -> Result<Vec<PluginSpec>, Vec<SpecError>> {
    let (mut specs, mut errors) = (Vec::new(), Vec::new());
    for (first, document) in documents(text) {
        let reader = Reader { file, first };
        match reader.read(document) {
            Ok(spec) => specs.extend(spec),
            Err(found) => errors.extend(found),
        }
    }
    if errors.is_empty() { Ok(specs) } else { Err(errors) }
}

struct Reader<'a> {
    file: &'a str,
    first: usize,
}

impl Reader<'_> {
    fn read(&self, document: &str) -> Result<Option<PluginSpec>, Vec<SpecError>> {
        let header: Header = serde_saphyr::from_str(document).map_err(|error| vec![self.syntax(&error)])?;
        if header.kind != "Plugin" {
            return Ok(None);
        }
        let parsed: Document = serde_saphyr::from_str(document).map_err(|error| vec![self.syntax(&error)])?;
        let mut errors = Vec::new();
        if parsed.spec.kind.trim().is_empty() {
            errors.push(self.error(1, "`type` is empty".to_owned(), None));
        }
        let (phases, place) =
            self.phases(&parsed.spec.action).map_err(|found| errors.extend(found)).unwrap_or_default();
        let mut parsed = parsed;
        snapshot_of_on(&mut parsed.spec);
        let on = self.on(&parsed.spec, place).map_err(|error| errors.push(*error)).unwrap_or_default();
        if let (Some(Selector::Labels(labels)), Some(phase)) =
            (&on, phases.iter().find(|phase| !phase.has_cluster()))
        {
            let message = format!("`on: {labels}` selects by label, and at {phase} there is no cluster");
            errors.push(self.error(line_of(&parsed.spec.action), message, None));
        }
        let timeout = self.timeout(&parsed.spec).map_err(|error| errors.push(*error)).unwrap_or_default();
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Some(PluginSpec {
            name: parsed.metadata.name,
            // As the original's 0.7 wrote it.
            kind: if parsed.spec.kind == "Taint" { "TAINT".to_owned() } else { parsed.spec.kind },
            phases,
            on,
            data: parsed.spec.data,
            order: parsed.spec.order,
            on_failure: parsed.spec.on_failure,
            timeout,
            file: self.file.to_owned(),
            line: self.first,
        }))
    }

    /// `on`; else `scope`, by which v0.9 and later said the roles; else what the phase implies.
    fn on(&self, spec: &Spec, place: Option<Place>) -> Result<Option<Selector>, Box<SpecError>> {
        if let Some(on) = spec.on.as_ref().or(spec.scope.as_ref()) {
            let text = if spec.on.is_some() { on.value.clone() } else { on.value.replace('|', ",") };
            let read = Selector::parse(&text).map(Some);
            return read.map_err(|message| Box::new(self.error(line_of(on), message, None)));
        }
        match place.unwrap_or(Place::Everywhere) {
            Place::Everywhere => Ok(None),
            Place::FirstMaster => Ok(Some(Selector::FirstMaster)),
            Place::Scope => {
                let message = format!("`{}` needs a `scope`", spec.action.value);
                let hint = "say on which hosts: `scope: master|node`".to_owned();
                Err(Box::new(self.error(line_of(&spec.action), message, Some(hint))))
            }
        }
    }

    /// `90`, `90s`, `10m`, `2h`.
    fn timeout(&self, spec: &Spec) -> Result<Option<u64>, Box<SpecError>> {
        let Some(timeout) = &spec.timeout else { return Ok(None) };
        let text = timeout.value.trim();
        let (number, unit) = match text.char_indices().last() {
            Some((at, 's')) => (&text[..at], 1),
            Some((at, 'm')) => (&text[..at], 60),
            Some((at, 'h')) => (&text[..at], 3600),
            _ => (text, 1),
        };
        let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
        let seconds = seconds.filter(|seconds| *seconds > 0);
        seconds.map(Some).ok_or_else(|| {
            let message = format!("`{text}` is no timeout");
            Box::new(self.error(line_of(timeout), message, Some("write `90s`, `10m` or `2h`".to_owned())))
        })
    }

    /// `A|B`, in the order of a run.
    fn phases(
        &self,
        action: &serde_saphyr::Spanned<String>,
    ) -> Result<(Vec<Phase>, Option<Place>), Vec<SpecError>> {
        let line = line_of(action);
        let (mut phases, mut errors, mut place) = (Vec::new(), Vec::new(), None);
        for word in action.value.split('|').map(str::trim) {
            match phase::parse(word) {
                Ok((phase, of_phase)) => {
                    phases.push(phase);
                    if of_phase != Place::Everywhere {
                        place = Some(of_phase);
                    }
                }
                Err(unknown) => {
                    let hint = match unknown.nearest {
                        Some(phase) => {
                            format!("did you mean `{phase}`? phases that take plugins: {}", Phase::names())
                        }
                        None => format!("phases that take plugins: {}", Phase::names()),
                    };
                    errors.push(self.error(line, unknown.to_string(), Some(hint)));
                }
            }
        }
        phases.sort_unstable();
        phases.dedup();
        if errors.is_empty() { Ok((phases, place)) } else { Err(errors) }
    }

    fn syntax(&self, error: &serde_saphyr::Error) -> SpecError {
        let (line, message, hint) = yaml::explain(error);
        self.error(line, message, hint)
    }

    fn error(&self, line: usize, message: String, hint: Option<String>) -> SpecError {
        SpecError { file: self.file.to_owned(), line: self.first + line - 1, message, hint }
    }
}

/// The original's `ETCD` has the path of its snapshot in `on`: `data: snapshot PATH`.
fn snapshot_of_on(spec: &mut Spec) {
    if spec.kind == "ETCD"
        && spec.data.trim().is_empty()
        && let Some(path) = spec.on.take_if(|on| on.value.trim().starts_with('/'))
    {
        spec.data = format!("snapshot {}", path.value.trim());
    }
}

fn line_of<T>(value: &serde_saphyr::Spanned<T>) -> usize {
    usize::try_from(value.referenced.line()).unwrap_or(1)
}

#[cfg(test)]
mod tests;
