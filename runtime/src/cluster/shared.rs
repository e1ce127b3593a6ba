//! A cluster's state as its masters keep it: what another machine goes on with when this one is lost.
//!
//! One file on each master, readable by root alone, replaced at once. Its first line says which state it
//! is, each further line holds a file of the cluster's folder. No secret is in it: how a password is got
//! is, the password is not, and the kubeconfig is on every master anyway.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::host::quote::quote;

/// The file, in the cluster's folder on a master.
const FILE: &str = "state.jsonl";
/// The format's version.
const VERSION: u32 = 1;

/// Which state it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    version: u32,
    /// The cluster's name.
    pub(crate) cluster: String,
    /// The token of the lease under which it was written: a higher one is a later state.
    pub(crate) token: u64,
    /// Who wrote it.
    pub(crate) who: String,
    /// When, in RFC 3339.
    pub(crate) at: String,
    /// How long the journal is, in bytes: it only grows while a lease is held.
    pub(crate) journal: usize,
}

/// A cluster's folder, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shared {
    pub(crate) header: Header,
    /// The files' texts, by their path in the folder.
    pub(crate) files: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct FileLine {
    file: String,
    text: String,
}

impl Header {
    /// Reads a first line; nothing, where there is none that this version knows.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok().filter(|header: &Self| header.version == VERSION)
    }
}

impl Shared {
    pub(crate) fn new(
        cluster: &str,
        files: BTreeMap<String, String>,
        (token, who, at): (u64, &str, String),
    ) -> Self {
        let journal = files.get("journal.jsonl").map_or(0, String::len);
        let (cluster, who) = (cluster.to_owned(), who.to_owned());
        Self { header: Header { version: VERSION, cluster, token, who, at, journal }, files }
    }

    pub(crate) fn to_text(&self) -> String {
        let mut text = serde_json::to_string(&self.header).expect("a header is plain data");
        text.push('\n');
        for (file, content) in &self.files {
            let line = FileLine { file: file.clone(), text: content.clone() };
            text.push_str(&serde_json::to_string(&line).expect("a line is plain data"));
            text.push('\n');
        }
        text
    }

    /// Reads the file of a master.
    ///
    /// # Errors
    /// Why it cannot be understood, as a phrase.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.lines();
        let header = Header::parse(lines.next().unwrap_or_default())
            .ok_or("its first line is none that this version of sealer knows")?;
        let files = lines.map(|line| {
            let FileLine { file, text } = serde_json::from_str(line).map_err(|error| error.to_string())?;
            match is_plain(&file) {
                true => Ok((file, text)),
                false => Err(format!("`{file}` is no file of a cluster's folder")),
            }
        });
        Ok(Self { header, files: files.collect::<Result<_, String>>()? })
    }
}

/// A name, or one in a folder: what is read from a host leads nowhere else.
fn is_plain(file: &str) -> bool {
    let parts: Vec<&str> = file.split('/').collect();
    let is_name = |part: &&str| !part.is_empty() && !part.starts_with('.');
    parts.len() <= 2 && parts.iter().all(is_name)
}

/// A command that replaces a master's copy with so many bytes that come on standard input. `fence` ends it
/// before it begins where another operator has taken over. Nothing is written before all of it is there:
/// where the connection breaks, the copy is what it was, and no part of another one is left.
pub(crate) fn put(data_dir: &str, fence: &str, bytes: usize) -> String {
    let (dir, file) = (quote(data_dir), quote(&format!("{data_dir}/{FILE}")));
    format!(
        "{fence}\nLC_ALL=C; text=$(cat; echo .); text=${{text%.}}\n\
         [ ${{#text}} -eq {bytes} ] || {{ echo \"the state of the cluster broke off\" >&2; exit 1; }}\n\
         mkdir -p {dir} && umask 077 && printf %s \"$text\" > {file}.new && sync {file}.new && mv -f {file}.new {file}"
    )
}

/// A command that prints a master's copy.
pub(crate) fn get(data_dir: &str) -> String {
    format!("cat {}", quote(&format!("{data_dir}/{FILE}")))
}

/// A command that prints the first line of the copy in the folder that the shell's word `dir` names.
pub(crate) fn header(dir: &str) -> String {
    format!("head -n 1 {dir}/{FILE} 2>/dev/null")
}

/// A command that prints the names of the clusters that a host keeps the state of.
pub(crate) const NAMES: &str = "cd /var/lib/sealer/data 2>/dev/null && for f in */state.jsonl; do [ -f \"$f\" ] && dirname \"$f\"; done; true";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let files = [("journal.jsonl", "{}\n"), ("plugins/a%20b", "x"), ("Clusterfile", "a: 1\n")];
        let files = files.map(|(name, text)| (name.to_owned(), text.to_owned()));
        let shared = Shared::new("demo", files.into(), (7, "me", "2026-01-01T00:00:00Z".to_owned()));
        assert_eq!(shared.header.journal, 3);
        assert_eq!(Shared::parse(&shared.to_text()), Ok(shared));
    }

    #[test]
    fn a_file_that_leads_out_of_the_folder_is_refused() {
        let header = Shared::new("demo", BTreeMap::new(), (7, "me", String::new())).to_text();
        for file in ["../x", "/x", "a/../x", "a/b/c", ".lock", ""] {
            let text = format!("{header}{}\n", serde_json::json!({ "file": file, "text": "" }));
            assert_eq!(Shared::parse(&text), Err(format!("`{file}` is no file of a cluster's folder")));
        }
    }
}
