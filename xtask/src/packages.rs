//! What tests, demo and benchmarks need of Debian's packages and of rustup.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use crate::command::{self, Failure, Result};

/// What the program is compiled with, makes hosts with, and the registry.
const ALWAYS: [&str; 14] = [
    "ca-certificates",
    "docker-registry",
    "gcc",
    "iproute2",
    "iputils-ping",
    "libc6-dev",
    "libssl-dev",
    "mount",
    "openssh-client",
    "openssh-server",
    "pkg-config",
    "sudo",
    "util-linux",
    "zlib1g-dev",
];

/// The tools that tests compare with, or take from.
pub(crate) const PEERS: [&str; 14] = [
    "age",
    "apache2-utils",
    "buildah",
    "etcd-client",
    "etcd-server",
    "git",
    "golang-go",
    "iptables",
    "oci-image-tool",
    "openssl",
    "podman",
    "skopeo",
    "sshpass",
    "umoci",
];

/// What the benchmarks measure against.
pub(crate) const BENCH: [&str; 3] = ["golang-go", "rsync", "sshpass"];

/// What the benchmark of images measures against.
pub(crate) const IMAGE_PEERS: [&str; 3] = ["buildah", "skopeo", "umoci"];

/// What Helm's engine is run with.
pub(crate) const CHARTS: [&str; 2] = ["python3", "python3-venv"];

/// What the fuzzer is compiled with.
pub(crate) const FUZZ: [&str; 1] = ["g++"];

/// What the lab builds Kubernetes with, and makes hosts of.
pub(crate) const LAB: [&str; 8] = [
    "dpkg-dev",
    "golang-1.19-go",
    "golang-github-modern-go-reflect2-dev",
    "mmdebstrap",
    "nftables",
    "skopeo",
    "sshpass",
    "systemd-container",
];

/// Packages with a service that nobody asked for, and its name.
const SERVICES: [(&str, &str); 3] =
    [("docker-registry", "docker-registry"), ("etcd-server", "etcd"), ("openssh-server", "ssh")];

/// Asked by Debian's packages whether they may start their services.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Installs those of the packages that are missing. Starts no service.
pub(crate) fn ensure(more: &[&'static str]) -> Result<()> {
    let mut missing = Vec::new();
    for package in ALWAYS.iter().chain(more) {
        if !is_installed(package)? {
            missing.push(*package);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    if !is_root() {
        let names = missing.join(" ");
        return Err(Failure::wrong(format!("packages are missing: apt-get install {names}")));
    }
    let _policy = Policy::refuse_starts()?;
    command::step("package lists", apt().arg("update"))?;
    command::step("packages", apt().args(["install", "--no-install-recommends", "-y"]).args(&missing))?;
    for (_, service) in SERVICES.iter().filter(|(package, _)| missing.contains(package)) {
        command::run(Command::new("update-rc.d").args([service, "disable"]))?;
    }
    Ok(())
}

/// Adds the components of the toolchain that are missing, where rustup keeps it.
pub(crate) fn ensure_components() -> Result<()> {
    for (component, program) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        let answer = command::output(command::cargo().args([program, "--version"]))?;
        if !answer.status.success() {
            let mut add = Command::new("rustup");
            command::step(component, add.current_dir(command::root()).args(["component", "add", component]))?;
        }
    }
    Ok(())
}

/// Refuses to go on without root: only root can make hosts.
pub(crate) fn need_root() -> Result<()> {
    if is_root() {
        Ok(())
    } else {
        Err(Failure::wrong("this makes hosts, which only root can: sudo -E cargo xtask …"))
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

fn is_installed(package: &str) -> Result<bool> {
    let mut query = Command::new("dpkg-query");
    let answer = command::output(query.args(["--show", "--showformat=${db:Status-Status}", package]))?;
    Ok(answer.status.success() && answer.stdout == b"installed")
}

fn apt() -> Command {
    let mut apt = Command::new("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive");
    // Somebody else on this machine may be installing something.
    apt.args(["-o", "DPkg::Lock::Timeout=600"]);
    apt
}

/// While it lives, no package starts its service.
struct Policy {
    is_ours: bool,
}

impl Policy {
    fn refuse_starts() -> Result<Self> {
        let path = Path::new(POLICY);
        if path.exists() {
            return Ok(Self { is_ours: false });
        }
        let write = || -> io::Result<()> {
            fs::write(path, "#!/bin/sh\nexit 101\n")?;
            fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        };
        write().map_err(Failure::file(path))?;
        Ok(Self { is_ours: true })
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if self.is_ours {
            let _ = fs::remove_file(POLICY);
        }
    }
}
