//! `sealer join`: adds hosts to a cluster.

use std::process::ExitCode;

use sealer_runtime::cluster::hosts;
use sealer_runtime::joined;

use super::cluster::{Wanted, defaults, go, world};
use crate::cli::JoinArgs;
use crate::failure::Failure;
use crate::settings::Settings;

pub(super) fn run(args: &JoinArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let parse = |flag, text: &Option<String>| {
        text.as_ref().map(|text| hosts::parse(flag, text)).transpose().map(Option::unwrap_or_default)
    };
    let (masters, nodes) = (parse("-m", &args.masters)?, parse("-n", &args.nodes)?);
    let defaults = defaults(&args.flags, settings)?;
    let store = settings.store()?;
    let spec = world(settings, &store, &args.flags.reach.registry, |world| {
        Ok(joined(world, args.cluster.name.as_deref(), (&masters, &nodes), &defaults)?)
    })?;
    go(spec, &args.flags, Wanted::Unasked, settings)
}
