//! Where `registries.conf` stands: one file, and what is dropped beside it (containers-registries.conf.d(5)).

use std::fs;
use std::path::{Path, PathBuf};

use sealer_image::registry::Mirrors;
use sealer_stdx::fs::At;

use crate::failure::{Failure, Kind};

/// The system's folder; the user's own one has the same files.
const SYSTEM: &str = "/etc/containers";

/// Reads the rules: of `only` that file, which must be there; else the user's file, or the system's where
/// there is none, and all that is dropped into either's `registries.conf.d`.
pub(super) fn mirrors(only: Option<&Path>, home: Option<&Path>) -> Result<Mirrors, Failure> {
    let mut mirrors = Mirrors::default();
    if let Some(path) = only {
        let text = fs::read_to_string(path).at(path)?;
        mirrors.extend(parse(path, &text)?);
        return Ok(mirrors);
    }
    let system = PathBuf::from(SYSTEM);
    let own = home.map(|home| home.join(".config/containers"));
    let mains = own.iter().chain([&system]).map(|folder| folder.join("registries.conf"));
    let main = mains.into_iter().find(|path| path.is_file());
    let dropped = [Some(&system), own.as_ref()].into_iter().flatten();
    let dropped = dropped.flat_map(|folder| dropped_into(&folder.join("registries.conf.d")));
    for path in main.into_iter().chain(dropped) {
        // Somebody else's file that we may not read says nothing to us.
        let Ok(text) = fs::read_to_string(&path) else { continue };
        mirrors.extend(parse(&path, &text)?);
    }
    Ok(mirrors)
}

fn parse(path: &Path, text: &str) -> Result<Mirrors, Failure> {
    Mirrors::parse(path, text).map_err(|error| Failure::new(Kind::Input, error.to_string()))
}

fn dropped_into(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "conf"));
    paths.sort();
    paths
}
