//! {{name}}: asks every host for its kernel, and reports a line each.

use sealer_plugin_sdk::{Description, Error, Host, Invocation, Need, Plugin};

#[derive(Default)]
struct Reporter;

impl Plugin for Reporter {
    /// Called at the phases that {{name}}.yaml names. An error ends the run.
    fn run(&self, invocation: &Invocation, host: &Host<'_>) -> Result<(), Error> {
        for address in &invocation.hosts {
            let output = host.exec(address, "uname -r")?;
            if output.status != 0 {
                return Err(format!("{address}: {}", output.stderr.trim()).into());
            }
            host.log_for(address, output.stdout.trim())?;
        }
        Ok(())
    }

    /// Says what `run` would do; leave it out if that cannot be said.
    fn plan(&self, invocation: &Invocation, _host: &Host<'_>) -> Result<Vec<String>, Error> {
        Ok(vec![format!("ask {} hosts for their kernels", invocation.hosts.len())])
    }

    /// Says what the plugin needs; all of it may be left out.
    fn describe(&self) -> Description {
        Description {
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            summary: Some("asks every host for its kernel".to_owned()),
            needs: Some(vec![Need::Exec]),
            idempotent: Some(true),
            ..Description::default()
        }
    }
}

sealer_plugin_sdk::export!("{{TYPE}}", Reporter);
