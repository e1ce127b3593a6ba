//! `sealer mount`, `sealer umount`: an image's files, to look at.

use std::path::Path;
use std::process::ExitCode;

use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount_bind, mount_change, mount_remount, unmount,
};
use sealer_image::{Image, layer};
use serde::Serialize;

use crate::cli::{MountArgs, UmountArgs};
use crate::failure::{Failure, Kind};
use crate::render;
use crate::settings::{Settings, platform};

#[derive(Serialize)]
struct Mounted {
    dir: String,
}

pub(super) fn run(args: &MountArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let store = settings.store()?;
    let image = Image::open(&store, &store.resolve(&args.image)?, &platform(args.platform.clone()))?;
    if args.dir.is_some() && !rustix::process::geteuid().is_root() {
        return Err(Failure::new(Kind::Failed, "only root can mount").hint(format!(
            "`sealer mount {}` without a folder unpacks it and says where",
            args.image.familiar()
        )));
    }
    let unpacked = layer::unpacked(settings.task(), &store, &image, &settings.root.join("rootfs"))?;
    if let Some(dir) = &args.dir {
        read_only(&unpacked.dir, dir).map_err(|error| {
            Failure::new(
                Kind::Failed,
                format!("cannot mount `{}` at `{}`", args.image.familiar(), dir.display()),
            )
            .because(error)
            .hint("the folder has to be there")
        })?;
    }
    let dir = args.dir.as_ref().unwrap_or(&unpacked.dir).display().to_string();
    render::result(settings, &dir.clone(), &Mounted { dir })
}

fn read_only(source: &Path, dir: &Path) -> Result<(), rustix::io::Errno> {
    mount_bind(source, dir)?;
    // What others mount or unmount elsewhere is nothing to this one.
    let _ = mount_change(dir, MountPropagationFlags::PRIVATE);
    mount_remount(dir, MountFlags::BIND | MountFlags::RDONLY, "")
}

pub(super) fn umount(args: &UmountArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    for dir in &args.dirs {
        unmount(dir, UnmountFlags::NOFOLLOW).map_err(|error| {
            let hint = match error {
                rustix::io::Errno::INVAL | rustix::io::Errno::NOENT => {
                    "nothing is mounted there: `findmnt` lists what is"
                }
                rustix::io::Errno::BUSY => "somebody works in it: `fuser -m DIR` says who",
                _ => "only root can unmount",
            };
            Failure::new(Kind::Failed, format!("cannot unmount `{}`", dir.display()))
                .because(error)
                .hint(hint)
        })?;
    }
    render::result(settings, "", &args.dirs)
}
