//! `SHELL`: runs `data` on every selected host, in the image's root.

use sealer_plugin_sdk::wire::{Description, Host, Invocation, Need};

use super::{exec_on, quote};
use crate::phase::Phase;
use crate::plugin::{Error, Plugin, PluginHost, Verb};

pub(super) struct Shell;

impl Plugin for Shell {
    fn kind(&self) -> &'static str {
        "SHELL"
    }

    fn offers(&self, verb: Verb) -> bool {
        matches!(verb, Verb::Run | Verb::Describe | Verb::Validate)
    }

    fn describe(&self) -> Result<Description, Error> {
        Ok(Description {
            summary: Some("runs a shell script in the image's root on hosts".to_owned()),
            needs: Some(vec![Need::Exec]),
            ..Description::default()
        })
    }

    fn validate(&self, invocation: &Invocation) -> Result<(), Error> {
        if invocation.data.trim().is_empty() {
            return Err(Error::Returned { message: "there is no script in it".to_owned() });
        }
        Ok(())
    }

    fn run(&self, invocation: &Invocation, host: &dyn PluginHost) -> Result<(), Error> {
        let commands: Vec<(String, String)> = invocation
            .hosts
            .iter()
            .map(|address| {
                let of = invocation.cluster.hosts.iter().find(|host| host.address == *address);
                (address.clone(), script(invocation, of))
            })
            .collect();
        let shown = invocation.data.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        exec_on(host, &commands, shown.trim())
    }
}

/// The data behind the host's environment, which is exported, and a `cd` into the image's root. Before
/// the root is there it runs without; where it is gone, or never came, there is nothing to clean.
fn script(invocation: &Invocation, host: Option<&Host>) -> String {
    let mut script = String::new();
    for (name, value) in host.map_or(&invocation.cluster.env, |host| &host.env) {
        script.push_str(&format!("export {name}={}\n", quote(value)));
    }
    let rootfs = quote(&invocation.cluster.rootfs);
    match invocation.phase.parse() {
        Ok(Phase::Originally) => {}
        Ok(Phase::PreClean | Phase::PostClean) => {
            script.push_str(&format!("cd {rootfs} 2>/dev/null || exit 0\n"));
        }
        _ => script.push_str(&format!("cd {rootfs} || exit 1\n")),
    }
    match invocation.timeout_seconds {
        None => script.push_str(&invocation.data),
        // One that does not end for that either is killed.
        Some(seconds) => {
            script.push_str(&format!("timeout -k 5 {seconds} /bin/sh -c {}", quote(&invocation.data)));
        }
    }
    script
}
