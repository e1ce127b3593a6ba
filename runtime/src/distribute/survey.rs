//! What a host has of a tree already, and what it lacks.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use sealer_image::tree::{Node, NodeKind, Tree};

use super::record::{self, Trust};
use super::tree::HostTree;
use crate::error::HostFailure;
use crate::facts::Facts;
use crate::host::quote::quote;
use crate::host::{Host, must, must_with};
use crate::plan::Amount;

/// The folder that a cut transfer leaves: what is whole in it counts as had.
pub(super) const PARTIAL: &str = ".partial";
/// The link to the tree that is in use.
pub(super) const CURRENT: &str = "rootfs";

/// Entries of a tree: one mark for each, in the tree's order. Hundreds of hosts are surveyed at
/// once, and a set of paths for each would be most of the memory that a run takes.
pub(super) type Marks = Vec<bool>;

/// What has to be done for a host to have a tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Lack {
    /// Whether the host has all of it.
    pub(crate) nothing: bool,
    /// Whether there is no tree in use: what a run did there once is gone with it.
    pub(crate) fresh: bool,
    /// Files that go over the wire.
    pub(super) send: Marks,
    /// Files that the present tree has.
    pub(super) link: Marks,
    /// What is in the way in the partial folder.
    pub(super) stale: BTreeSet<PathBuf>,
    /// What the root looked like before it was hashed: it has no record, or an old one.
    pub(crate) seen: Option<String>,
    /// Whether a cut run has left something beside the root, which lacks nothing.
    pub(crate) strays: bool,
}

/// What stands at a path of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    Dir { mode: u32 },
    File { mode: u32, size: u64 },
    Symlink { target: PathBuf },
}

pub(super) type Listing = BTreeMap<PathBuf, Found>;

impl Lack {
    /// The files that the present root has.
    pub(super) fn linked(&self) -> &Marks {
        &self.link
    }

    /// How much goes over the wire, uncompressed.
    pub(crate) fn amount(&self, tree: &Tree) -> Amount {
        let mut amount = Amount::default();
        for node in marked(tree, &self.send).map(|(_, node)| node) {
            if let NodeKind::File { size, .. } = node.kind {
                amount.files += 1;
                amount.bytes += size;
            }
        }
        amount
    }
}

/// The entries of a tree that are marked.
pub(super) fn marked<'a>(tree: &'a Tree, marks: &'a Marks) -> impl Iterator<Item = (&'a PathBuf, &'a Node)> {
    tree.iter().zip(marks).filter(|(_, mark)| **mark).map(|(entry, _)| entry)
}

/// Asks a host what it has of a tree in the cluster's folder `dir`. Changes nothing.
pub(crate) fn survey(
    host: &dyn Host,
    dir: &str,
    HostTree { tree, digest, .. }: &HostTree,
    (facts, trust): (&Facts, Trust),
) -> Result<Lack, HostFailure> {
    if trust == Trust::Record && record::holds(host, dir, digest)? {
        return Ok(Lack { nothing: true, strays: record::has_strays(host, dir)?, ..Lack::default() });
    }
    let mut there = list(host, dir, &[CURRENT, PARTIAL])?;
    let (current, partial) =
        (there.remove(CURRENT).unwrap_or_default(), there.remove(PARTIAL).unwrap_or_default());
    let seen = if current.is_empty() { None } else { Some(record::glimpse(host, dir, digest)?) };
    let same_current = matching(host, &format!("{dir}/{CURRENT}"), tree, &current, facts)?;
    if same_current.iter().all(|same| *same) {
        return Ok(Lack { nothing: true, seen, strays: record::has_strays(host, dir)?, ..Lack::default() });
    }
    let same_partial = matching(host, &format!("{dir}/{PARTIAL}"), tree, &partial, facts)?;
    let mut lack = Lack { fresh: current.is_empty(), ..Lack::default() };
    let mut in_the_way: BTreeSet<PathBuf> = partial.keys().cloned().collect();
    for (index, (path, node)) in tree.iter().enumerate() {
        let is_file = matches!(node.kind, NodeKind::File { .. });
        let (current, partial_has) = (same_current[index], same_partial[index]);
        lack.link.push(is_file && !partial_has && current);
        lack.send.push(is_file && !partial_has && !current);
        let is_dir = matches!((&node.kind, partial.get(path)), (NodeKind::Dir, Some(Found::Dir { .. })));
        if is_dir || (is_file && partial_has) {
            in_the_way.remove(path);
        }
    }
    lack.stale = in_the_way;
    Ok(lack)
}

/// Lists trees below `dir`, those that are there.
pub(super) fn list(
    host: &dyn Host,
    dir: &str,
    names: &[&str],
) -> Result<BTreeMap<String, Listing>, HostFailure> {
    let mut command = String::new();
    for name in names {
        let path = quote(&format!("{dir}/{name}/"));
        command.push_str(&format!(
            "if [ -d {path} ]; then printf 'tree {name}\\0' && cd {path} && find . -mindepth 1 \\( -type d -printf 'd %m 0 %P\\0' \
             -o -type l -printf 'l 777 0 %P\\0%l\\0' -o -type f -printf 'f %m %s %P\\0' \\) || exit 1; fi\n"
        ));
    }
    Ok(parse(&must(host, &command)?))
}

fn parse(bytes: &[u8]) -> BTreeMap<String, Listing> {
    let mut listings: BTreeMap<String, Listing> = BTreeMap::new();
    let mut name = String::new();
    let mut records = bytes.split(|byte| *byte == 0);
    while let Some(record) = records.next() {
        if let Some(begun) = record.strip_prefix(b"tree ") {
            name = String::from_utf8_lossy(begun).into_owned();
            listings.entry(name.clone()).or_default();
            continue;
        }
        let fields: Vec<&[u8]> = record.splitn(4, |byte| *byte == b' ').collect();
        let [kind, mode, size, path] = fields[..] else { continue };
        let number = |text: &[u8], radix| {
            u64::from_str_radix(&String::from_utf8_lossy(text), radix).unwrap_or_default()
        };
        let mode = u32::try_from(number(mode, 8)).unwrap_or_default();
        let found = match kind {
            b"d" => Found::Dir { mode },
            b"l" => Found::Symlink { target: path_of(records.next().unwrap_or_default()) },
            _ => Found::File { mode, size: number(size, 10) },
        };
        listings.entry(name.clone()).or_default().insert(path_of(path), found);
    }
    listings
}

fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

/// Marks the entries of `tree` that `there`, which stands at `dir`, has just as they are.
pub(super) fn matching(
    host: &dyn Host,
    dir: &str,
    tree: &Tree,
    there: &Listing,
    facts: &Facts,
) -> Result<Marks, HostFailure> {
    let (mut same, mut candidates) = (Marks::new(), Vec::new());
    for (index, (path, node)) in tree.iter().enumerate() {
        same.push(match (&node.kind, there.get(path)) {
            (NodeKind::Dir, Some(Found::Dir { mode })) => *mode == node.mode,
            (NodeKind::Symlink { target }, Some(Found::Symlink { target: there })) => target == there,
            (NodeKind::File { size, digest }, Some(Found::File { mode, size: there })) => {
                if size == there && *mode == node.mode {
                    candidates.push((index, path, digest.digest()));
                }
                false
            }
            _ => false,
        });
    }
    let paths: Vec<&PathBuf> = candidates.iter().map(|(_, path, _)| *path).collect();
    let mut digests = hash(host, dir, &paths, facts)?.into_iter();
    for (index, _, expected) in &candidates {
        same[*index] = digests.next().is_some_and(|digest| digest == expected.as_bytes());
    }
    Ok(same)
}

/// Hashes files below `dir` on the host and returns hexadecimal SHA-256, in the order of `paths`.
pub(super) fn hash(
    host: &dyn Host,
    dir: &str,
    paths: &[&PathBuf],
    facts: &Facts,
) -> Result<Vec<[u8; 64]>, HostFailure> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    // OpenSSL hashes with the processor's own instructions, coreutils mostly does not; only
    // coreutils writes a name with a line break on one line.
    let plain = !paths.iter().any(|path| path.as_os_str().as_bytes().contains(&b'\n'));
    let tool = if plain && facts.tools.contains("openssl") { "openssl dgst -sha256 -r" } else { "sha256sum" };
    let mut input = Vec::new();
    for path in paths {
        input.extend_from_slice(b"./");
        input.extend_from_slice(path.as_os_str().as_bytes());
        input.push(0);
    }
    let command = format!("cd {} && xargs -0 -r {tool}", quote(&format!("{dir}/")));
    let output = must_with(host, &command, &mut input.as_slice())?;
    let digest = |line: &[u8]| line.strip_prefix(b"\\").unwrap_or(line).first_chunk().copied();
    let digests: Vec<[u8; 64]> = output.split(|byte| *byte == b'\n').filter_map(digest).collect();
    if digests.len() == paths.len() {
        return Ok(digests);
    }
    let detail = format!("{} files were hashed of {}", digests.len(), paths.len());
    Err(HostFailure::Corrupt { path: dir.to_owned(), detail })
}
