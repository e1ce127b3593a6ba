//! What a host's root has that this machine's has not: written into the overlay before it is mounted.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use rustix::fs::{XattrFlags, setxattr};

use crate::accounts::{Accounts, OPERATOR};
use crate::error::{Error, Result};

/// Folders of which a host sees nothing: this machine's users, its SSH keys, its own state.
const HIDDEN: [(&str, u32); 3] = [("root", 0o700), ("home", 0o755), ("etc/ssh", 0o755)];

/// Folders that are in memory.
const IN_MEMORY: [(&str, &str); 2] = [("run", "mode=755"), ("tmp", "mode=1777")];

/// On the overlay there would be an overlay on an overlay for whoever mounts one there.
const STATE: &str = "var/lib/sealer";

const SSHD: &str = "\
HostKey /etc/ssh/host_key
PermitRootLogin yes
PasswordAuthentication yes
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
PidFile none
MaxStartups 500
MaxSessions 100
PrintMotd no
PrintLastLog no
Subsystem sftp internal-sftp
";

/// One host's root, about to be made in its folder.
pub(crate) struct Root<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) name: &'a str,
    pub(crate) address: Ipv4Addr,
    pub(crate) accounts: &'a Accounts,
    /// The size of the file system for sealer's state, if it is one in memory.
    pub(crate) disk: Option<u64>,
    /// The sandbox's own folder, which hosts must not see.
    pub(crate) sandbox: &'a Path,
}

impl Root<'_> {
    /// Makes the folders, the files and the list of mounts. The host key is written by `ssh-keygen`
    /// afterwards, to [`Root::key`].
    pub(crate) fn make(&self) -> Result<()> {
        for name in ["upper", "work", "root", "data"] {
            self.folder_at(&self.folder.join(name), 0o755)?;
        }
        for name in ["etc", "var", "var/lib", STATE] {
            self.folder_at(&self.upper(name), 0o755)?;
        }
        for (name, mode) in HIDDEN {
            let path = self.upper(name);
            self.folder_at(&path, mode)?;
            // What the overlay does not look through.
            let opaque = setxattr(&path, "trusted.overlay.opaque", b"y", XattrFlags::empty());
            opaque.map_err(|error| Error::file(&path, error.into()))?;
        }
        let id = fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap_or_default().replace('-', "");
        let (name, address) = (self.name, self.address);
        self.file("etc/hostname", &format!("{name}\n"), 0o644)?;
        self.file("etc/hosts", &format!("127.0.0.1 localhost\n{address} {name}\n"), 0o644)?;
        self.file("etc/machine-id", &id, 0o444)?;
        self.file("etc/passwd", &self.accounts.passwd, 0o644)?;
        self.file("etc/group", &self.accounts.group, 0o644)?;
        self.file("etc/shadow", &self.accounts.shadow, 0o600)?;
        self.file("etc/ssh/sshd_config", SSHD, 0o644)?;
        if Path::new("/etc/sudoers.d").is_dir() {
            self.file("etc/sudoers.d/ops", &format!("{OPERATOR} ALL=(ALL:ALL) ALL\n"), 0o440)?;
        }
        let home = self.upper("home").join(OPERATOR);
        self.folder_at(&home, 0o755)?;
        let operator = self.accounts.operator;
        chown(&home, Some(operator), Some(operator)).map_err(|source| Error::file(&home, source))?;
        let mounts = self.folder.join("fstab");
        fs::write(&mounts, self.mounts()).map_err(|source| Error::file(&mounts, source))
    }

    /// Where the host's private key goes.
    pub(crate) fn key(&self) -> PathBuf {
        self.upper("etc/ssh/host_key")
    }

    fn upper(&self, name: &str) -> PathBuf {
        self.folder.join("upper").join(name)
    }

    /// What is mounted in the host's own namespace, in the form of `/etc/fstab`.
    fn mounts(&self) -> String {
        let at = |name: &str| escape(&self.folder.join(name));
        let root = self.folder.join("root");
        let below = |name: &str| escape(&root.join(name));
        let mut mounts = format!(
            "overlay {} overlay lowerdir=/,upperdir={},workdir={},index=off\n",
            at("root"),
            at("upper"),
            at("work")
        );
        let mut add = |what: &str, place: String, kind: &str, options: &str| {
            let _ = writeln!(mounts, "{what} {place} {kind} {options}");
        };
        for (name, options) in IN_MEMORY {
            add("tmpfs", below(name), "tmpfs", options);
        }
        match self.disk {
            Some(size) => add("tmpfs", below(STATE), "tmpfs", &format!("size={size},mode=755")),
            None => add(&at("data"), below(STATE), "none", "bind"),
        }
        add("proc", below("proc"), "proc", "defaults");
        add("/dev", below("dev"), "none", "rbind");
        add("sysfs", below("sys"), "sysfs", "ro");
        if let Some(seen) = self.seen() {
            // A folder on another of this machine's file systems is not there yet.
            add("tmpfs", below(&seen.to_string_lossy()), "tmpfs", "mode=755,X-mount.mkdir");
        }
        mounts
    }

    /// The sandbox's folder, from the root, if a host would see it.
    fn seen(&self) -> Option<&Path> {
        let path = self.sandbox.strip_prefix("/").ok()?;
        let folders = HIDDEN.iter().map(|(name, _)| name).chain(IN_MEMORY.iter().map(|(name, _)| name));
        let is_below = |name: &&str| path.starts_with(name);
        (!folders.chain([&STATE]).any(is_below)).then_some(path)
    }

    fn folder_at(&self, path: &Path, mode: u32) -> Result<()> {
        fs::create_dir_all(path).and_then(|()| allow(path, mode)).map_err(|source| Error::file(path, source))
    }

    fn file(&self, name: &str, text: &str, mode: u32) -> Result<()> {
        let path = self.upper(name);
        let write = || {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(&path, text)?;
            allow(&path, mode)
        };
        write().map_err(|source| Error::file(&path, source))
    }
}

fn allow(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Writes a path as `/etc/fstab` has it.
fn escape(path: &Path) -> String {
    let text = path.to_string_lossy();
    text.replace('\\', "\\134").replace(' ', "\\040").replace('\t', "\\011").replace('\n', "\\012")
}
