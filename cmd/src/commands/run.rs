//! `sealer run`: runs a cluster image on hosts.

use std::process::ExitCode;

use sealer_runtime::cluster::{flags, hosts};

use super::cluster::{Wanted, defaults, go};
use crate::cli::RunArgs;
use crate::failure::Failure;
use crate::settings::Settings;

pub(super) fn run(args: &RunArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let masters = hosts::parse("-m", &args.masters)?;
    let nodes = args.nodes.as_ref().map(|text| hosts::parse("-n", text)).transpose()?.unwrap_or_default();
    let defaults = defaults(&args.flags, settings)?;
    let spec = flags::of_flags(&args.cluster_name, args.image.clone(), &masters, &nodes, &defaults)?;
    let wanted = if args.force { Wanted::Unasked } else { Wanted::Asked };
    go(spec, &args.flags, wanted, settings)
}
