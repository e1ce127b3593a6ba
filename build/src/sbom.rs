//! What an image is made of, as a bill of materials that other tools read: SPDX 2.3.
//!
//! The same image gives the same document, byte for byte.

mod program;
mod spdx;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use sealer_image::tree::NodeKind;
use sealer_image::{Digest, Image, Reference, Store, layer};
use sealer_stdx::fs::At;
use sealer_stdx::task::Task;

use crate::error::Result;
use crate::images::{LOCK_ANNOTATION, Lock, held};
use program::Module;
pub use spdx::Document;

/// The media type of a bill of materials, in cosign's words.
pub const MEDIA_TYPE: &str = "text/spdx+json";

/// What an image holds.
struct Contents {
    programs: Vec<Program>,
    images: Vec<held::HeldImage>,
}

/// A program of an image.
struct Program {
    /// Where it stands in the image.
    path: String,
    digest: Digest,
    /// What it says of itself.
    says: program::Says,
}

/// Looks through an image, which is unpacked below `work_dir`, for programs and container images.
///
/// # Errors
/// When the image cannot be unpacked or read.
pub fn sbom(
    task: &Task,
    store: &Store,
    (reference, image): (&Reference, &Image),
    work_dir: &Path,
    version: &str,
) -> Result<Document> {
    let task = task.child("sbom", image.descriptor.digest().to_string(), None)?;
    let unpacked = layer::unpacked(&task, store, image, &work_dir.join("rootfs"))?;
    let mut programs = Vec::new();
    for (path, node) in &unpacked.tree {
        let NodeKind::File { digest, .. } = &node.kind else { continue };
        task.check()?;
        let file = unpacked.dir.join(path);
        if !program::is_one(&file).at(&file)? {
            continue;
        }
        let says = program::read(&fs::read(&file).at(&file)?);
        programs.push(Program { path: path.display().to_string(), digest: digest.clone(), says });
    }
    let annotations = image.manifest.annotations().as_ref();
    let lock = annotations.and_then(|all| all.get(LOCK_ANNOTATION)).map_or("{}", String::as_str);
    let images = held::images(&unpacked.dir, &Lock::of_annotation(lock))?;
    task.finish();
    Ok(spdx::document((reference, image), &Contents { programs, images }, version))
}

impl Contents {
    /// What the programs are built from, each once.
    fn modules(&self) -> BTreeSet<&Module> {
        self.programs.iter().flat_map(|program| &program.says.modules).collect()
    }
}
