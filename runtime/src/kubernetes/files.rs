//! Files with secrets, to and from hosts: through the connection only, never an argument or a disk here.

use std::collections::BTreeMap;
use std::io::Read;

use crate::error::HostFailure;
use crate::host::quote::quote;
use crate::host::{Host, must, must_with};

/// A file that a host is to have.
pub(crate) struct FileOut {
    /// Its path, from the root.
    pub(crate) path: String,
    /// Its mode.
    pub(crate) mode: u32,
    /// Its content.
    pub(crate) text: String,
}

impl FileOut {
    pub(crate) fn new(path: impl Into<String>, mode: u32, text: impl Into<String>) -> Self {
        Self { path: path.into(), mode, text: text.into() }
    }
}

/// Writes files on a host, each replaced at once.
pub(crate) fn put(host: &dyn Host, files: &[FileOut]) -> Result<(), HostFailure> {
    let mut archive = tar::Builder::new(Vec::new());
    for file in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(file.mode);
        header.set_size(file.text.len() as u64);
        header.set_mtime(0);
        let path = file.path.trim_start_matches('/');
        archive.append_data(&mut header, path, file.text.as_bytes()).expect("memory can be written");
    }
    let archive = archive.into_inner().expect("memory can be written");
    let command = "umask 077; tar -xpf - -m --no-same-owner --no-overwrite-dir -C /";
    must_with(host, command, &mut archive.as_slice()).map(|_| ())
}

/// Reads those of the files that a host has.
pub(crate) fn get(host: &dyn Host, paths: &[String]) -> Result<BTreeMap<String, String>, HostFailure> {
    let list = paths.iter().map(|path| quote(path.trim_start_matches('/'))).collect::<Vec<_>>().join(" ");
    let command = format!(
        "cd / && for file in {list}; do if [ -f \"$file\" ]; then printf '%s\\n' \"$file\"; fi; done | tar -cf - -T -"
    );
    let bytes = must(host, &command)?;
    let unreadable = |error: std::io::Error| {
        HostFailure::Connection(format!("gave an archive that cannot be read: {error}"))
    };
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(bytes.as_slice()).entries().map_err(unreadable)? {
        let mut entry = entry.map_err(unreadable)?;
        let path = format!("/{}", entry.path().map_err(unreadable)?.display());
        let mut text = String::new();
        entry.read_to_string(&mut text).map_err(unreadable)?;
        files.insert(path, text);
    }
    Ok(files)
}
