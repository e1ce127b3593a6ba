//! Several images as one.

use std::collections::{BTreeMap, HashSet};

use oci_spec::image::Descriptor;
use sealer_stdx::task::Task;

use super::{Image, NewImage, commit};
use crate::config::SealerConfig;
use crate::error::{Error, Result};
use crate::layer::Layer;
use crate::store::Store;

/// Puts the layers of images on each other, the first one lowest, each layer once. Environment,
/// labels, arguments and annotations of later images win; commands come one after the other, each
/// once. The image has no name yet.
///
/// # Errors
/// `Platforms` when they are not all for one; when there are too many layers.
pub fn merge(task: &Task, store: &Store, images: &[Image], time: u64) -> Result<Descriptor> {
    let Some((base, others)) = images.split_first() else { return Err(Error::Layers { count: 0, most: 0 }) };
    let mut new = NewImage {
        base: Some(base.clone()),
        layers: Vec::new(),
        platform: base.platform(),
        env: BTreeMap::new(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        sealer: SealerConfig {
            sealer_version: base.sealer.sealer_version.clone(),
            kind: base.sealer.kind,
            ..SealerConfig::default()
        },
        time,
    };
    let mut there: HashSet<String> =
        base.manifest.layers().iter().map(|layer| layer.digest().to_string()).collect();
    for image in others {
        if image.platform() != new.platform {
            return Err(Error::Platforms { one: new.platform, other: image.platform() });
        }
        for (descriptor, diff_id, instruction) in image.steps(store)? {
            if there.insert(descriptor.digest().to_string()) {
                new.layers.push((Layer { descriptor, diff_id }, instruction));
            }
        }
        add(&mut new, base, image);
    }
    commit(task, store, new)
}

fn add(new: &mut NewImage, base: &Image, image: &Image) {
    let config = image.config.config().clone().unwrap_or_default();
    for pair in config.env().iter().flatten() {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        new.env.insert(name.to_owned(), value.to_owned());
    }
    new.labels.extend(config.labels().clone().unwrap_or_default());
    new.annotations.extend(image.manifest.annotations().clone().unwrap_or_default());
    let cmds = image.sealer.cmds.iter().filter(|cmd| !base.sealer.cmds.contains(cmd)).cloned();
    for cmd in cmds {
        if !new.sealer.cmds.contains(&cmd) {
            new.sealer.cmds.push(cmd);
        }
    }
    new.sealer.args.extend(image.sealer.args.clone());
    new.sealer.applications.extend(image.sealer.applications.clone());
    new.sealer.launch.extend(image.sealer.launch.clone());
}
