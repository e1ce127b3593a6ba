//! What the lab builds once and keeps: Kubernetes, the root of hosts, and the parts of the base image.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{self, Failure, Result};

/// What a lab is made of.
pub(crate) struct Parts {
    /// What `fetch.sh --from` takes.
    pub(crate) dir: PathBuf,
    /// The root that hosts share.
    pub(crate) root: PathBuf,
    /// The folder of programs: kubectl is among them.
    pub(crate) programs: PathBuf,
    /// The lab's scripts.
    pub(crate) scripts: PathBuf,
}

/// Builds what is missing or older than the scripts that make it.
pub(crate) fn parts(cache: &Path, version: &str) -> Result<Parts> {
    let scripts = command::root().join("xtask/lab");
    let kubernetes = cache.join("kubernetes");
    fs::create_dir_all(&kubernetes).map_err(Failure::file(&kubernetes))?;
    let programs = kubernetes.join(version);
    let root = cache.join("root");
    let dir = cache.join("parts").join(version);
    let mut is_new = build(&programs, &scripts, &["kubernetes.sh", "crictl", "addons"], |script| {
        script.arg(version).arg(kubernetes.join("work")).arg(&programs);
    })?;
    is_new |= build(&root, &scripts, &["root.sh", "host-init.sh", "host-init.service"], |script| {
        script.arg(&root);
    })?;
    if is_new {
        let _ = fs::remove_dir_all(&dir);
    }
    let inputs = ["parts.sh", "oci-image.sh", "network.yaml", "pause.c"];
    build(&dir, &scripts, &inputs, |script| {
        script.arg(version).arg(&programs).arg(&root).arg(&dir);
    })?;
    Ok(Parts { dir, root, programs, scripts })
}

/// Runs the first of the inputs, unless what it makes was made by the same inputs.
fn build(out: &Path, scripts: &Path, inputs: &[&str], with: impl FnOnce(&mut Command)) -> Result<bool> {
    // Behind the whole name: a version's last part is no extension.
    let mut stamp = out.as_os_str().to_owned();
    stamp.push(".stamp");
    let stamp = PathBuf::from(stamp);
    let key = key(scripts, inputs)?;
    if out.exists() && fs::read_to_string(&stamp).is_ok_and(|made| made == key) {
        return Ok(false);
    }
    let mut script = Command::new("sh");
    script.arg(scripts.join(inputs[0])).process_group(0);
    with(&mut script);
    command::step(inputs[0], &mut script)?;
    fs::write(&stamp, key).map_err(Failure::file(&stamp))?;
    Ok(true)
}

/// All that the inputs hold.
fn key(scripts: &Path, inputs: &[&str]) -> Result<String> {
    let mut key = String::new();
    for input in inputs {
        let path = scripts.join(input);
        let mut files = vec![path.clone()];
        if path.is_dir() {
            let entries = fs::read_dir(&path).map_err(Failure::file(&path))?;
            files = entries.flatten().map(|entry| entry.path()).collect();
            files.sort();
        }
        for file in files {
            key += &fs::read_to_string(&file).map_err(Failure::file(&file))?;
        }
    }
    Ok(key)
}
