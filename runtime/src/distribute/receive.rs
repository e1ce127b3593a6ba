//! Making a host have a tree: aside, verified, then switched to by one rename.

use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use sealer_agent::Pace;
use sealer_image::tree::Tree;
use sealer_stdx::task::Task;

use super::bundle::{Bundles, Packing, parts};
use super::record;
use super::survey::{CURRENT, Lack, PARTIAL, list, marked, matching};
use super::tree::HostTree;
use crate::error::HostFailure;
use crate::facts::Facts;
use crate::host::quote::quote;
use crate::host::{Host, failed, must, must_with};

/// Sends a host what it lacks, and switches it to the tree. Returns the bytes that went over the wire.
pub(crate) fn receive(
    task: &Task,
    host: &dyn Host,
    dir: &str,
    (tree, lack, facts): (&HostTree, &Lack, &Facts),
    bundles: &Bundles<'_, '_>,
) -> Result<u64, HostFailure> {
    let partial = quote(&format!("{dir}/{PARTIAL}"));
    must(host, &format!("mkdir -p {partial} && chmod 700 {partial}\n{}", super::relay::end(dir)))?;
    if !lack.stale.is_empty() {
        must_with(
            host,
            &format!("cd {partial} && xargs -0 -r rm -rf --"),
            &mut names(lack.stale.iter()).as_slice(),
        )?;
    }
    let link = names(marked(&tree.tree, &lack.link).map(|(path, _)| path));
    if !link.is_empty() {
        let current = quote(&format!("{dir}/{CURRENT}/"));
        let command = format!("cd {current} && xargs -0 -r cp -al --parents -t {partial} --");
        must_with(host, &command, &mut link.as_slice())?;
    }
    let packing = if facts.tools.contains("zstd") { Packing::Zstd } else { Packing::Gzip };
    let mut sent = 0;
    for part in parts(tree, &lack.send) {
        task.check()?;
        let mut stream =
            Counted { source: bundles.stream(part, packing)?, task, pace: bundles.pace, count: 0 };
        let command = format!("{} | tar -x -p --no-same-owner -C {partial} -f -", packing.unpack());
        let output = host.run(&command, &mut stream, &mut |_, _| {})?;
        sent += stream.count;
        if output.status != 0 {
            return Err(unpack_failed(host, dir, tree, lack, &command, &output));
        }
    }
    verify(host, dir, &tree.tree, facts)?;
    switch(host, dir)?;
    record::keep(host, dir, &tree.digest, None)?;
    Ok(sent)
}

fn names<'a>(paths: impl Iterator<Item = &'a PathBuf>) -> Vec<u8> {
    let mut names = Vec::new();
    for path in paths {
        names.extend_from_slice(b"./");
        names.extend_from_slice(path.as_os_str().as_bytes());
        names.push(0);
    }
    names
}

fn unpack_failed(
    host: &dyn Host,
    dir: &str,
    tree: &HostTree,
    lack: &Lack,
    command: &str,
    output: &crate::host::Output,
) -> HostFailure {
    if !String::from_utf8_lossy(&output.stderr).contains("No space left on device") {
        return failed(command, output);
    }
    let free = must(host, &format!("df -Pk {} | awk 'NR == 2 {{ print $4 }}'", quote(dir)));
    let free = free.ok().and_then(|bytes| String::from_utf8_lossy(&bytes).trim().parse::<u64>().ok());
    HostFailure::NoSpace {
        path: dir.to_owned(),
        needed: lack.amount(&tree.tree).bytes,
        available: free.unwrap_or_default() * 1024,
    }
}

/// Checks every file, folder and link of the tree on the host.
fn verify(host: &dyn Host, dir: &str, tree: &Tree, facts: &Facts) -> Result<(), HostFailure> {
    let there = list(host, dir, &[PARTIAL])?.remove(PARTIAL).unwrap_or_default();
    let same = matching(host, &format!("{dir}/{PARTIAL}"), tree, &there, facts)?;
    let differs = tree.iter().zip(same).find(|(_, same)| !same);
    let Some(((path, node), _)) = differs else { return Ok(()) };
    let detail = match there.get(path) {
        None => "it is not there".to_owned(),
        Some(found) => format!("{node:?} was sent, {found:?} is there"),
    };
    Err(HostFailure::Corrupt { path: Path::new(dir).join(CURRENT).join(path).display().to_string(), detail })
}

/// Renames the link to the new tree over that to the old one, then removes the old one.
fn switch(host: &dyn Host, dir: &str) -> Result<(), HostFailure> {
    let command = format!(
        r#"set -e
cd {dir}
new=.rootfs-$(date +%s%N)-$$
chmod 755 {PARTIAL}
sync -f {PARTIAL} 2>/dev/null || sync
mv {PARTIAL} "$new"
if [ -d {CURRENT} ] && [ ! -L {CURRENT} ]; then mv {CURRENT} .rootfs-before; fi
ln -sfn "$new" .link
mv -T .link {CURRENT}
for old in .rootfs-*; do [ "$old" = "$new" ] || rm -rf "$old"; done"#,
        dir = quote(dir)
    );
    must(host, &command).map(|_| ())
}

/// Counts what is read through it, as a task's progress.
struct Counted<'a, R> {
    source: R,
    task: &'a Task,
    pace: &'a Pace,
    count: u64,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.task.check().is_err() {
            return Err(std::io::Error::other("interrupted"));
        }
        let count = self.source.read(buffer)?;
        self.pace.take(count);
        self.count += count as u64;
        self.task.advance(count as u64);
        Ok(count)
    }
}
