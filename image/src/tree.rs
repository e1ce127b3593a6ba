//! A file tree as data: what an image's root holds, path by path.

use std::collections::BTreeMap;
use std::path::PathBuf;

use oci_spec::image::Digest;
use serde::{Deserialize, Serialize};

/// The entries of a root folder by their relative path, without the root itself. Parents sort
/// before what is in them.
pub type Tree = BTreeMap<PathBuf, Node>;

/// One entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// The permission bits, with setuid, setgid and sticky: `0o7777` at most.
    pub mode: u32,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// A folder.
    Dir,
    /// A regular file. A hard link is one too, with the content of what it links to.
    File {
        /// In bytes.
        size: u64,
        /// Of the content, SHA-256.
        digest: Digest,
    },
    /// A symbolic link and where it points, as it stands.
    Symlink {
        /// The target.
        target: PathBuf,
    },
}
