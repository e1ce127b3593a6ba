//! Where an unpacked tree stands: in a folder, or nowhere, when only the list of it is wanted.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use sealer_stdx::fs::At;

use crate::error::Result;

/// A folder that everything is done below, or none.
#[derive(Clone)]
pub(super) struct Disk(Option<PathBuf>);

impl Disk {
    /// The folder, which is made if it is missing.
    pub(super) fn folder(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir).at(dir)?;
        fs::set_permissions(dir, Permissions::from_mode(0o700)).at(dir)?;
        Ok(Self(Some(dir.to_owned())))
    }

    /// Nothing is written at all.
    pub(super) fn nowhere() -> Self {
        Self(None)
    }

    fn at(&self, path: &Path, act: impl FnOnce(&Path) -> io::Result<()>) -> Result<()> {
        let Some(dir) = &self.0 else { return Ok(()) };
        let place = dir.join(path);
        Ok(act(&place).at(&place)?)
    }

    /// Makes a folder that only we can look into, for now.
    pub(super) fn make_dir(&self, path: &Path) -> Result<()> {
        self.at(path, |place| {
            fs::create_dir(place)?;
            fs::set_permissions(place, Permissions::from_mode(0o700))
        })
    }

    /// Makes a file that must not be there, and returns it with its place.
    pub(super) fn make_file(&self, path: &Path) -> Result<Option<(File, PathBuf)>> {
        let Some(dir) = &self.0 else { return Ok(None) };
        let place = dir.join(path);
        let file = File::options().write(true).create_new(true).open(&place).at(&place)?;
        Ok(Some((file, place)))
    }

    pub(super) fn make_symlink(&self, path: &Path, target: &Path) -> Result<()> {
        self.at(path, |place| symlink(target, place))
    }

    pub(super) fn make_hardlink(&self, path: &Path, target: &Path) -> Result<()> {
        let Some(dir) = &self.0 else { return Ok(()) };
        self.at(path, |place| fs::hard_link(dir.join(target), place))
    }

    pub(super) fn set_mode(&self, path: &Path, mode: u32) -> Result<()> {
        self.at(path, |place| fs::set_permissions(place, Permissions::from_mode(mode)))
    }

    pub(super) fn set_attribute(&self, path: &Path, name: &str, value: &[u8]) -> Result<()> {
        self.at(path, |place| match xattr::set(place, name, value) {
            // Only root may set capabilities, and not every file system keeps attributes.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported) =>
            {
                Ok(())
            }
            set => set,
        })
    }

    pub(super) fn remove_dir(&self, path: &Path) -> Result<()> {
        self.at(path, |place| fs::remove_dir(place))
    }

    pub(super) fn remove_file(&self, path: &Path) -> Result<()> {
        self.at(path, |place| fs::remove_file(place))
    }
}
