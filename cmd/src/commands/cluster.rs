//! What `run`, `apply` and `delete` share: logins, and the world that a run stands on.

use std::io::{IsTerminal, Write, stderr, stdin};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use sealer_image::{Platform, Store};
use sealer_plugin::set::Loader;
use sealer_runtime::cluster::Jump;
use sealer_runtime::cluster::flags::Defaults;
use sealer_runtime::{
    ClusterSpec, Course, Distributor, Error, PlanFile, Report, RunOptions, SshSpec, Trust, World, prepare,
};

use crate::cli::{DistributionArgs, DistributorArg, RegistryArgs, RunFlags, SshArgs};
use crate::failure::{Failure, Kind};
use crate::render::{self, size};
use crate::settings::Settings;
use crate::{given, secret, trust};

/// How long one call of a plugin may take.
const PLUGIN_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// What flags say of a run, where a Clusterfile does not.
pub(super) fn defaults(flags: &RunFlags, settings: &Settings) -> Result<Defaults, Failure> {
    Ok(Defaults {
        env: flags.env.clone(),
        cmd_args: flags.cmd_args.clone(),
        ..login(&flags.reach.ssh, settings)?
    })
}

/// How to log in: what was given, else the user's own keys, else what is asked for at the terminal.
pub(super) fn login(args: &SshArgs, settings: &Settings) -> Result<Defaults, Failure> {
    let keys = keys(args, settings)?;
    if let Some(known) = &args.known_hosts {
        given::there("--known-hosts", known)?;
    }
    let given = match (&args.passwd, &args.passwd_file) {
        (Some(password), _) => Some(password.clone().into()),
        (None, Some(file)) => Some(secret::of_file("--passwd-file", file)?),
        (None, None) => None,
    };
    let password = match given {
        None if keys.is_empty() && !args.local => secret::ask("Password of the hosts: ")?,
        given => given,
    };
    let default = SshSpec::default();
    let wrong = |message| Failure::new(Kind::Usage, format!("--jump: {message}"));
    let jump = args.jump.as_deref().map(Jump::chain).transpose().map_err(wrong)?;
    Ok(Defaults {
        ssh: SshSpec {
            user: args.user.clone().unwrap_or(default.user),
            port: args.port.unwrap_or(default.port),
            password,
            keys,
            passphrase: args.pk_passwd.clone().map(Into::into),
            jump: jump.unwrap_or_default(),
            local: args.local,
            ..default
        },
        ssh_user: args.user.is_some(),
        ssh_port: args.port.is_some(),
        ssh_jump: args.jump.is_some(),
        ssh_key: args.pk.is_some(),
        // Keys are the agent's to open, where there is one.
        passphrases: (args.pk.is_some() || !settings.has_agent).then_some(secret::passphrase),
        config: settings.ssh_config(),
        secrets: Some(secret::referred),
        home: settings.home.clone(),
        ..Defaults::default()
    })
}

fn keys(args: &SshArgs, settings: &Settings) -> Result<Vec<PathBuf>, Failure> {
    if let Some(key) = &args.pk {
        return Ok(vec![given::there("--pk", key)?.to_owned()]);
    }
    let folder = settings.home.as_ref().map(|home| home.join(".ssh"));
    let own = folder.iter().flat_map(|folder| ["id_ed25519", "id_rsa"].map(|name| folder.join(name)));
    Ok(own.filter(|key| key.is_file()).collect())
}

/// Calls `f` with what a run stands on.
pub(super) fn world<T>(
    settings: &Settings,
    store: &Store,
    registry: &RegistryArgs,
    f: impl FnOnce(&World<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let registry = settings.registry(registry)?;
    f(&World {
        root: settings.root.clone(),
        store,
        pull: &|task, reference| trust::pull(task, store, &registry, reference, &Platform::host()),
        loader: Loader { program: settings.program.clone(), timeout: PLUGIN_TIMEOUT },
        version: env!("CARGO_PKG_VERSION"),
        who: settings.who.clone(),
    })
}

/// Runs a cluster, or shows what that would do.
pub(super) fn go(
    spec: ClusterSpec,
    flags: &RunFlags,
    wanted: Wanted<'_>,
    settings: &Settings,
) -> Result<ExitCode, Failure> {
    let options = options(flags);
    let wanted = if flags.dry_run { Wanted::Plan(&|_| Ok(())) } else { wanted };
    let store = settings.store()?;
    world(settings, &store, &flags.reach.registry, |world| {
        trust::admit(&flags.policy, settings.task(), world, &spec.image)?;
        execute(world, spec, options, wanted, settings)
    })
}

pub(super) fn options(flags: &RunFlags) -> RunOptions {
    RunOptions {
        parallel: flags.reach.parallel.get(),
        known_hosts: flags.reach.ssh.known_hosts.clone(),
        course: match (flags.again, flags.abandon) {
            (true, _) => Course::Again,
            (_, true) => Course::Abandon,
            _ => Course::GoOn,
        },
        dry_run: false,
        distributor: distributor(flags.distribution),
        bandwidth: flags.distribution.bandwidth.unwrap_or_default(),
        trust: trust(flags.distribution.verify),
        max_failures: flags.distribution.max_failures,
    }
}

/// What is wanted of a run.
pub(super) enum Wanted<'a> {
    /// That it is done; the person is asked before hosts are taken out of the cluster.
    Asked,
    /// That it is done.
    Unasked,
    /// That it is done just as it was planned.
    Just(Box<PlanFile>),
    /// Its plan, which is handed to the function.
    Plan(&'a dyn Fn(&PlanFile) -> Result<(), Failure>),
}

/// How much of the hosts' own records is believed.
pub(super) fn trust(verify: bool) -> Trust {
    if verify { Trust::Nothing } else { Trust::Record }
}

/// How the image gets to hosts.
pub(super) fn distributor(args: DistributionArgs) -> Distributor {
    match args.distributor {
        DistributorArg::Auto => Distributor::Auto,
        DistributorArg::Ssh => Distributor::Ssh,
        DistributorArg::Relay => Distributor::Relay,
    }
}

/// Does a run as its options say.
pub(super) fn execute(
    world: &World<'_>,
    spec: ClusterSpec,
    options: RunOptions,
    wanted: Wanted<'_>,
    settings: &Settings,
) -> Result<ExitCode, Failure> {
    let image = spec.image.familiar();
    let failed = |error: Error| match error {
        Error::Image(error) => Failure::from(error).doing(format!("cannot run `{image}`")),
        error => error.into(),
    };
    let options = RunOptions { dry_run: matches!(wanted, Wanted::Plan(_)), ..options };
    let prepared = prepare(settings.task(), spec, world, options).map_err(failed)?;
    match wanted {
        Wanted::Plan(keep) => {
            let plan = prepared.plan_file();
            prepared.abandon()?;
            keep(&plan)?;
            return render::result(settings, &plan.plan.to_string(), &plan.plan);
        }
        Wanted::Just(plan) => {
            if let Err(error) = prepared.check(&plan) {
                prepared.abandon()?;
                return Err(error.into());
            }
        }
        Wanted::Asked if !prepared.leaving().is_empty() => {
            let question = format!(
                "take {} out of cluster `{}`",
                prepared.leaving().join(", "),
                prepared.plan().cluster
            );
            if let Err(refused) = confirm(&question, "nothing was changed") {
                prepared.abandon()?;
                return Err(refused);
            }
        }
        Wanted::Asked | Wanted::Unasked => {}
    }
    settings.log_with(&prepared.plan().cluster)?;
    let report = prepared.execute(settings.task()).map_err(failed)?;
    render::result(settings, &text(&report), &report)
}

/// Asks the person at the terminal; where nobody is there, the answer is no.
pub(super) fn confirm(question: &str, refused: &str) -> Result<(), Failure> {
    if !stdin().is_terminal() {
        let message = format!("will not {question} unasked");
        return Err(Failure::new(Kind::Usage, message).hint("`--force` does it without asking"));
    }
    let cannot = |error| Failure::new(Kind::Failed, "cannot ask").because(error);
    write!(stderr(), "{question}? [y/N] ").map_err(cannot)?;
    let mut answer = String::new();
    stdin().read_line(&mut answer).map_err(cannot)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::new(Kind::Failed, refused)),
    }
}

fn text(report: &Report) -> String {
    let Report { cluster, image, hosts, steps, steps_before } = report;
    let count = hosts.len();
    if *steps == 0 {
        return format!("cluster {cluster} runs {image} on {count} hosts already: nothing to do");
    }
    let relayed: u64 = hosts.iter().map(|host| host.relayed_bytes).sum();
    let mut done = match hosts.iter().map(|host| host.sent_bytes).sum() {
        0 => "nothing had to be sent".to_owned(),
        sent if relayed > 0 => {
            format!("{} sent, {} passed on from host to host", size::bytes(sent), size::bytes(relayed))
        }
        sent => format!("{} sent", size::bytes(sent)),
    };
    if *steps_before > 0 {
        done.push_str(&format!("; {steps_before} of {} steps were done before", steps + steps_before));
    }
    format!("cluster {cluster} runs {image} on {count} hosts ({done})")
}
