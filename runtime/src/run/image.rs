//! What an image brings: itself, and its plugins' hosts.

use std::collections::{BTreeMap, BTreeSet};

use sealer_image::{Image, Platform, Reference};
use sealer_plugin::{PluginSet, PluginSpec, Verb};
use sealer_stdx::task::Task;

use super::World;
use crate::cluster::ClusterSpec;
use crate::error::{Error, InputError, Result};
use crate::execute::cluster;
use crate::plan;

pub(crate) fn open_image(task: &Task, world: &World<'_>, reference: &Reference) -> Result<Image> {
    let descriptor = match world.store.resolve(reference) {
        Err(sealer_image::Error::NotFound { .. }) => (world.pull)(task, reference)?,
        found => found?,
    };
    Ok(Image::open(world.store, &descriptor, &Platform::host())?)
}

/// The types whose plugins take back what they did.
pub(crate) fn undone(plugins: &PluginSet, specs: &[PluginSpec]) -> BTreeSet<String> {
    let kinds = specs.iter().map(|spec| &spec.kind);
    let can = |kind: &&String| plugins.find(kind).is_some_and(|plugin| plugin.offers(Verb::Undo));
    kinds.filter(can).cloned().collect()
}

/// Returns the hosts of each plugin; a plugin that there is not, or that has no host, is refused.
pub(crate) fn targets(
    spec: &ClusterSpec,
    plugins: &PluginSet,
    specs: &[PluginSpec],
) -> Result<BTreeMap<String, Vec<String>>> {
    let view = cluster(spec, &[]);
    let (mut targets, mut errors) = (BTreeMap::new(), Vec::new());
    for plugin in specs {
        let place = format!("{}:{}", plugin.file, plugin.line);
        if plugins.find(&plugin.kind).is_none() {
            errors.push(InputError {
                place: place.clone(),
                message: format!("no plugin has the type `{}`", plugin.kind),
                hint: Some(format!("this image and sealer have {}", plugins.kinds().join(", "))),
            });
        }
        let hosts = match &plugin.on {
            None => Ok(view.hosts.iter().map(|host| host.address.clone()).collect()),
            Some(selector) => selector.select(&view),
        };
        match hosts {
            Ok(hosts) => {
                targets.insert(plan::target_key(plugin), hosts);
            }
            Err(message) => errors.push(InputError { place, message, hint: None }),
        }
    }
    if errors.is_empty() { Ok(targets) } else { Err(Error::Input(errors)) }
}
