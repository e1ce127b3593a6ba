//! How an image's scripts are called: the contracts of the original, told apart by what an image has.
//!
//! `scripts/init.sh` is that of 0.7 and 0.8, which calls the others itself; `scripts/init-kube.sh` beside a
//! script that is called like a container runtime is that of 0.9 and later (docs/reference/plugins.md).

use std::collections::BTreeMap;

use super::kubernetes::{REGISTRY_DOMAIN, REGISTRY_PORT, networks};
use super::{Action, Effects, Step};
use crate::cluster::ClusterSpec;
use crate::host::quote::quote;
use crate::kubernetes::Kubernetes;

/// The container runtimes that 0.9 has scripts for; the first that an image has is taken.
const RUNTIMES: [&str; 2] = ["containerd", "docker"];

/// The text of a file of the image, by its path.
pub(super) type Text<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Contract {
    /// 0.7 and 0.8.
    Init,
    /// 0.9 and later, with the container runtime's name.
    Parts(&'static str),
}

impl Contract {
    /// Which an image's scripts are written for; none, where it has neither.
    pub(super) fn of(text: Text<'_>) -> Option<Self> {
        if text("scripts/init.sh").is_some() {
            return Some(Self::Init);
        }
        text("scripts/init-kube.sh")?;
        RUNTIMES.into_iter().find(|name| text(&format!("scripts/{name}.sh")).is_some()).map(Self::Parts)
    }

    /// Makes hosts ready, before anything of Kubernetes.
    pub(super) fn host_init(
        self,
        (spec, text): (&ClusterSpec, Text<'_>),
        made: Option<&Kubernetes>,
    ) -> Vec<Step> {
        let rootfs = quote(&spec.rootfs());
        match self {
            Self::Init => {
                let command = format!(
                    "cd {rootfs}/scripts && bash init.sh /var/lib/docker {REGISTRY_DOMAIN} {REGISTRY_PORT}"
                );
                let env = made.map(networks).unwrap_or_default();
                vec![step("host-init", "init.sh", spec, (text, command, env))]
            }
            Self::Parts(runtime) => {
                let script = format!("{runtime}.sh");
                let path = quote(&format!("{}/scripts/{script}", spec.rootfs()));
                let env = self.env(made);
                let mut steps = vec![step("host-init", &script, spec, (text, format!("bash {path}"), env))];
                if made.is_none() {
                    steps.push(self.kube("host-init", (spec, text), None));
                }
                steps
            }
        }
    }

    /// Makes hosts ready for Kubernetes, once the registry is there: for 0.9 only, where it is a part.
    pub(super) fn init_kube(self, at: (&ClusterSpec, Text<'_>), made: &Kubernetes) -> Option<Step> {
        (self != Self::Init).then(|| self.kube("init", at, Some(made)))
    }

    fn kube(self, phase: &str, (spec, text): (&ClusterSpec, Text<'_>), made: Option<&Kubernetes>) -> Step {
        let command = format!(
            "cd {} && export RegistryURL={REGISTRY_DOMAIN}:{REGISTRY_PORT} && bash init-kube.sh",
            quote(&format!("{}/scripts", spec.rootfs()))
        );
        step(phase, "init-kube.sh", spec, (text, command, self.env(made)))
    }

    /// Serves the registry.
    pub(super) fn registry(self, spec: &ClusterSpec, made: &Kubernetes) -> Action {
        let (rootfs, shell) = (spec.rootfs(), if self == Self::Init { "sh" } else { "bash" });
        let command = format!(
            "cd {} && {shell} init-registry.sh {REGISTRY_PORT} {} {REGISTRY_DOMAIN}",
            quote(&format!("{rootfs}/scripts")),
            quote(&format!("{rootfs}/registry")),
        );
        let env = if self == Self::Init { BTreeMap::new() } else { self.env(Some(made)) };
        Action::Exec { command, env }
    }

    /// What scripts of 0.9 are told besides the host's own environment.
    fn env(self, made: Option<&Kubernetes>) -> BTreeMap<String, String> {
        let mut env = made.map(networks).unwrap_or_default();
        if let Self::Parts(runtime) = self {
            let told = [
                ("ContainerRuntime", runtime.to_owned()),
                ("RegistryDomain", REGISTRY_DOMAIN.to_owned()),
                ("RegistryPort", REGISTRY_PORT.to_string()),
                ("RegistryURL", format!("{REGISTRY_DOMAIN}:{REGISTRY_PORT}")),
            ];
            env.extend(told.map(|(name, value)| (name.to_owned(), value)));
        }
        env
    }
}

/// Takes back what the scripts did, on whatever image the host has: `clean.sh` as 0.7 and 0.8 called it,
/// else 0.9's `uninstall-RUNTIME.sh`.
pub(super) fn clean(spec: &ClusterSpec) -> String {
    let scripts = format!("{}/scripts", spec.rootfs());
    let at = |name: &str| quote(&format!("{scripts}/{name}"));
    let uninstall: String = RUNTIMES
        .iter()
        .map(|name| {
            let script = at(&format!("uninstall-{name}.sh"));
            let kube = at("init-kube.sh");
            format!("elif [ -f {script} ] && [ -f {kube} ]; then cd {} && bash {script}\n", quote(&scripts))
        })
        .collect();
    format!(
        "if [ -f {0} ]; then chmod +x {0} && cd {1} && /bin/bash -c {0}\n{uninstall}fi",
        at("clean.sh"),
        quote(&scripts)
    )
}

fn step(
    phase: &str,
    script: &str,
    spec: &ClusterSpec,
    (text, command, env): (Text<'_>, String, BTreeMap<String, String>),
) -> Step {
    let read = text(&format!("scripts/{script}")).unwrap_or_default();
    let is_undone = ["clean.sh", "uninstall-containerd.sh", "uninstall-docker.sh"]
        .iter()
        .any(|name| text(&format!("scripts/{name}")).is_some());
    let effects = Effects { permanent: !is_undone, ..Effects::of_script(&read) };
    let hosts = spec.hosts.iter().map(crate::HostSpec::name).collect();
    Step::new(format!("{phase}/{script}"), hosts, Action::Exec { command, env }).with(effects)
}
