//! Image + cluster + facts → the plan of a run. Pure: no SSH, no clock, no environment.

use std::collections::BTreeMap;

use sealer_plugin::Phase;

use super::contract::Contract;
use super::kubernetes::Scripts;
use super::{Action, Amount, Effects, PluginInput, RunPlan, Step, Way, add, kubernetes, plugin_steps};
use crate::cluster::ClusterSpec;
use crate::host::quote::quote;
use crate::kubernetes::Kubernetes;

/// What a plan follows from.
pub(crate) struct RunInput<'a> {
    pub(crate) spec: &'a ClusterSpec,
    /// The image's digest.
    pub(crate) digest: String,
    /// The text of a file of the image, by its path.
    pub(crate) text: &'a dyn Fn(&str) -> Option<String>,
    /// The Kubernetes that the image brings, if any.
    pub(crate) kubernetes: Option<&'a Kubernetes>,
    /// The image's commands and the values they are run with.
    pub(crate) cmds: &'a [String],
    pub(crate) args: BTreeMap<String, String>,
    pub(crate) plugins: PluginInput<'a>,
    /// What each host lacks.
    pub(crate) sends: BTreeMap<String, Amount>,
    /// How it gets it.
    pub(crate) ways: BTreeMap<String, Way>,
}

pub(crate) fn run(input: &RunInput<'_>) -> RunPlan {
    let hosts: Vec<String> = input.spec.hosts.iter().map(crate::HostSpec::name).collect();
    let first = vec![input.spec.first_master().name()];
    let plugins = |phase| plugin_steps(phase, input.plugins);
    let sends = Action::Distribute { sends: input.sends.clone(), ways: input.ways.clone() };
    let distribute = Step::new("distribute/rootfs", hosts.clone(), sends);
    let kubeconfig = Step::new("init/kubeconfig", first.clone(), Action::Kubeconfig);
    let contract = Contract::of(input.text);
    let mut phases = Vec::new();
    add(&mut phases, Phase::Originally, plugins(Phase::Originally));
    add(&mut phases, Phase::Distribute, vec![distribute]);
    add(&mut phases, Phase::PreHostInit, plugins(Phase::PreHostInit));
    add(&mut phases, Phase::HostInit, host_init(input, contract));
    add(&mut phases, Phase::PreInit, plugins(Phase::PreInit));
    add(&mut phases, Phase::PreInstall, plugins(Phase::PreInstall));
    let (mut init, join) = match input.kubernetes {
        Some(made) => {
            let scripts = Scripts { contract, text: input.text };
            (kubernetes::init(input.spec, made, &scripts), kubernetes::join(input.spec, made))
        }
        None => (Vec::new(), Vec::new()),
    };
    init.push(kubeconfig.clone());
    add(&mut phases, Phase::Init, init);
    add(&mut phases, Phase::PreJoin, plugins(Phase::PreJoin));
    add(&mut phases, Phase::Join, join);
    add(&mut phases, Phase::PostJoin, plugins(Phase::PostJoin));
    add(&mut phases, Phase::PreGuest, plugins(Phase::PreGuest));
    let mut guest = guest(input, &first);
    if !guest.is_empty() {
        // A command of the image may have made the cluster that plugins ask next.
        guest.push(Step { id: "guest/kubeconfig".to_owned(), ..kubeconfig });
    }
    guest.extend(input.kubernetes.map(kubernetes::ready));
    add(&mut phases, Phase::Guest, guest);
    add(&mut phases, Phase::PostInstall, plugins(Phase::PostInstall));
    RunPlan {
        cluster: input.spec.name.clone(),
        image: input.spec.image.familiar(),
        digest: input.digest.clone(),
        phases,
    }
}

/// Calls the scripts that make a host ready, where the image has them.
fn host_init(input: &RunInput<'_>, contract: Option<Contract>) -> Vec<Step> {
    contract.map_or_else(Vec::new, |contract| contract.host_init((input.spec, input.text), input.kubernetes))
}

fn guest(input: &RunInput<'_>, first: &[String]) -> Vec<Step> {
    let cmds = input.spec.cmd.as_deref().unwrap_or(input.cmds);
    let mut env = input.args.clone();
    env.extend(input.spec.cmd_args.clone());
    let step = |(index, cmd): (usize, &String)| {
        let command = format!("cd {} && {cmd}", quote(&input.spec.rootfs()));
        let action = Action::Exec { command, env: env.clone() };
        let effects = Effects { permanent: true, ..Effects::of_script(cmd) };
        Step::new(format!("guest/cmd-{}", index + 1), first.to_vec(), action).with(effects)
    };
    cmds.iter().enumerate().map(step).collect()
}
