//! `sealer check --pre`: whether hosts are fit for a cluster.

use std::process::ExitCode;

use sealer_runtime::ClusterSpec;
use sealer_runtime::cluster::{clusterfile, flags, hosts};
use sealer_runtime::preflight::{Checked, Finding, PreflightRequest, Severity, preflight};

use super::apply::read;
use super::cluster::login;
use crate::cli::CheckArgs;
use crate::failure::{Failure, Kind};
use crate::render::{self, table};
use crate::settings::Settings;

pub(super) fn run(args: &CheckArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let spec = spec(args, settings)?;
    let pinned = settings.root.join("clusters").join(&spec.name).join("known_hosts");
    let request = PreflightRequest {
        spec,
        fix: args.fix,
        parallel: args.parallel.get(),
        known_hosts: args.ssh.known_hosts.clone(),
        pinned,
    };
    let checked = preflight(settings.task(), &request)?;
    render::result(settings, &text(&checked), &checked)?;
    let is_bad = |found: &&Finding| found.severity == Severity::Error && !found.fixed;
    let bad = checked.findings.iter().filter(is_bad).count();
    if bad == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    let of = checked.hosts.len();
    let unfit = checked
        .hosts
        .iter()
        .filter(|host| checked.findings.iter().filter(is_bad).any(|found| found.host == **host));
    let message = format!("{} of {of} hosts are not fit for a cluster", unfit.count());
    let failure = Failure::new(Kind::Hosts, message);
    let can_fix = checked.findings.iter().any(|found| found.fixable && !found.fixed);
    Err(if can_fix && !args.fix { failure.hint("`--fix` mends what is marked so") } else { failure })
}

fn spec(args: &CheckArgs, settings: &Settings) -> Result<ClusterSpec, Failure> {
    let defaults = login(&args.ssh, settings)?;
    if let Some(file) = &args.file {
        return Ok(clusterfile::parse(&file.display().to_string(), &read(file)?, &defaults)?);
    }
    let parse = |flag, text: &Option<String>| {
        text.as_ref().map(|text| hosts::parse(flag, text)).transpose().map(Option::unwrap_or_default)
    };
    let (masters, nodes) = (parse("-m", &args.masters)?, parse("-n", &args.nodes)?);
    let image = "scratch".parse().map_err(Failure::from)?;
    Ok(flags::of_flags("my-cluster", image, &masters, &nodes, &defaults)?)
}

fn text(checked: &Checked) -> String {
    if checked.findings.is_empty() {
        return format!("{} hosts are fit for a cluster", checked.hosts.len());
    }
    let row = |found: &Finding| {
        let state = match (found.fixed, found.severity) {
            (true, _) => "fixed",
            (false, Severity::Error) => "error",
            (false, Severity::Warning) => "warning",
        };
        let remedy = if found.fixable && !found.fixed { " (`--fix`)" } else { "" };
        vec![
            found.host.clone(),
            state.to_owned(),
            found.id.to_owned(),
            format!("{}: {}{remedy}", found.evidence, found.remedy),
        ]
    };
    table::table(&["HOST", "STATE", "CHECK", "WHAT"], checked.findings.iter().map(row).collect())
}
