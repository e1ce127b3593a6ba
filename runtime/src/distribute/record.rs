//! A host's own record of a root that was verified: what a walk over it showed then. A later run
//! compares the walks, and reads no file (docs/adr/0006-relay.md).

use super::survey::CURRENT;
use crate::error::HostFailure;
use crate::host::quote::quote;
use crate::host::{Host, exec, must};

/// The file, in the cluster's folder.
const RECORD: &str = ".verified";
/// The record while it is made.
const ASIDE: &str = ".verified-new";

/// How much of a host is believed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Trust {
    /// Its record of a root that was verified, as long as no file's inode has changed since.
    #[default]
    Record,
    /// Nothing: every file is hashed.
    Nothing,
}

/// What the record of the tree with a digest holds: a line for everything below the root, sorted, and
/// a first and a last one that tell that it is whole. Whatever is done to a file, its line changes, for
/// nobody can set the time of an inode's last change. Folders' times do not count: what a command adds
/// takes nothing from what the image brought.
fn lines(dir: &str, digest: &str) -> String {
    let root = quote(&format!("{dir}/{CURRENT}/"));
    // Names may hold line breaks, which change places with the records' ends.
    format!(
        "{{ echo '#{digest}' && (cd {root} && find . -mindepth 1 \\( -type d -printf 'd %m %P\\0' \
         -o -type l -printf 'l %P\\t%l\\0' -o -printf 'f %m %s %T@ %C@ %i %P\\0' \\)) \
         | tr '\\n\\0' '\\0\\n' | LC_ALL=C sort && echo '~'; }}"
    )
}

/// What a cut run may have left beside the root, and a finished one does not: prints something, if any is there.
const STRAYS: &str = "for stray in .partial .agent-* .link .verified-new .rootfs-before; do \
     if [ -e \"$stray\" ] || [ -L \"$stray\" ]; then echo \"$stray\"; fi; done; set -- .rootfs-*; [ $# -le 1 ] || echo old";

/// Tells whether a cut run has left something in the cluster's folder.
pub(super) fn has_strays(host: &dyn Host, dir: &str) -> Result<bool, HostFailure> {
    Ok(!must(host, &format!("cd {} && {{ {STRAYS}; }}", quote(dir)))?.is_empty())
}

/// Removes what a cut run left. Only for who may work on the cluster.
pub(crate) fn tidy(host: &dyn Host, dir: &str) -> Result<(), HostFailure> {
    let command = format!(
        "{}\nrm -rf .partial .link .verified-new\nused=$(readlink {CURRENT})\n\
         for old in .rootfs-*; do [ \"$old\" = \"$used\" ] || rm -rf \"$old\"; done",
        super::relay::end(dir)
    );
    must(host, &command).map(|_| ())
}

/// Tells whether the host's root is, by its record, the tree with this digest.
pub(super) fn holds(host: &dyn Host, dir: &str, digest: &str) -> Result<bool, HostFailure> {
    let (lines, dir) = (lines(dir, digest), quote(dir));
    let command = format!(
        "cd {dir} 2>/dev/null && [ -f {RECORD} ] && [ -d {CURRENT} ] || exit 1\n\
         [ \"$(head -n 1 {RECORD})\" = '#{digest}' ] && [ \"$(tail -n 1 {RECORD})\" = '~' ] || exit 1\n\
         gone=$({lines} | LC_ALL=C comm -23 {RECORD} - | head -c 1 | wc -c) && [ \"$gone\" -eq 0 ]",
    );
    Ok(exec(host, &command)?.status == 0)
}

/// The digest of what a record would hold now.
pub(super) fn glimpse(host: &dyn Host, dir: &str, digest: &str) -> Result<String, HostFailure> {
    let seen = must(host, &format!("{} | sha256sum", lines(dir, digest)))?;
    Ok(String::from_utf8_lossy(&seen).split_whitespace().next().unwrap_or_default().to_owned())
}

/// Writes the record of a tree that was just verified; where it was `seen` before it was, only if
/// nothing has changed since. Where it cannot be written, there is none, and the next run hashes.
pub(crate) fn keep(host: &dyn Host, dir: &str, digest: &str, seen: Option<&str>) -> Result<(), HostFailure> {
    let unchanged = seen.map_or_else(String::new, |seen| {
        format!("[ \"$(sha256sum < {ASIDE} | cut -c 1-64)\" = '{seen}' ] && ")
    });
    let command = format!(
        "cd {} && {} > {ASIDE} && {unchanged}mv -T {ASIDE} {RECORD} || rm -f {ASIDE}",
        quote(dir),
        lines(dir, digest)
    );
    exec(host, &command).map(|_| ())
}
