//! Builds the programs that hosts are given, agent and balancer, so that they need nothing of the host, and
//! hands them to the crate.
//!
//! They have a target folder of their own beside the others: cargo does not wait for itself, and all
//! profiles share it.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;

/// Leaves out of zstd what no agent calls: it compresses by the fastest way only, and every host waits for
/// its agent.
const ONLY_FAST: &str = "-DZSTD_EXCLUDE_DFAST_BLOCK_COMPRESSOR -DZSTD_EXCLUDE_GREEDY_BLOCK_COMPRESSOR \
     -DZSTD_EXCLUDE_LAZY_BLOCK_COMPRESSOR -DZSTD_EXCLUDE_LAZY2_BLOCK_COMPRESSOR -DZSTD_EXCLUDE_BTLAZY2_BLOCK_COMPRESSOR \
     -DZSTD_EXCLUDE_BTOPT_BLOCK_COMPRESSOR -DZSTD_EXCLUDE_BTULTRA_BLOCK_COMPRESSOR";

fn main() -> io::Result<()> {
    let changed =
        ["agent/src", "agent/Cargo.toml", "balancer/src", "balancer/Cargo.toml", "../Cargo.toml", "build.rs"];
    for path in changed {
        println!("cargo::rerun-if-changed={path}");
    }
    let variable = |name: &str| env::var(name).unwrap_or_default();
    let out = PathBuf::from(variable("OUT_DIR"));
    // target/PROFILE/build/sealer-runtime-HASH/out
    let place = out.ancestors().nth(4).unwrap_or(&out).join("agent");
    let target = variable("TARGET");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    cargo
        .args([
            "build",
            "--quiet",
            "--profile",
            "agent",
            "--package",
            "sealer-agent",
            "--package",
            "sealer-balancer",
            "--bins",
        ])
        .args(["--target", &target, "--target-dir"])
        .arg(&place)
        .current_dir(Path::new(&variable("CARGO_MANIFEST_DIR")).join("agent"))
        .env("RUSTFLAGS", "-C target-feature=+crt-static -C relocation-model=static")
        .env("CFLAGS", format!("{} {ONLY_FAST}", variable("CFLAGS")))
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    // What the cargo that runs us, and clippy, say to the compiler is not meant for them.
    let told = ["RUSTC_WORKSPACE_WRAPPER", "RUSTDOCFLAGS", "CLIPPY_ARGS", "CARGO_BUILD_TARGET"];
    told.iter().for_each(|name| {
        cargo.env_remove(name);
    });
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if ["CARGO_CFG_", "CARGO_FEATURE_", "CARGO_PKG_", "DEP_"].iter().any(|told| name.starts_with(told)) {
            cargo.env_remove(name);
        }
    }
    if !cargo.status()?.success() {
        return Err(io::Error::other("the agent cannot be built"));
    }
    let built = place.join(&target).join("agent");
    for name in ["sealer-agent", "sealer-balancer"] {
        let mut packed = GzEncoder::new(File::create(out.join(format!("{name}.gz")))?, Compression::best());
        io::copy(&mut File::open(built.join(name))?, &mut packed)?;
        packed.finish()?;
    }
    println!("cargo::rustc-env=SEALER_AGENT_SIZE={}", fs::metadata(built.join("sealer-agent"))?.len());
    Ok(())
}
