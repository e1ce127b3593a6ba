//! What a plugin may do, over the run's own sessions. Each call is a task with the plugin's as parent.

use std::fmt::Display;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use sealer_plugin::{HostError, KubeReply, KubeRequest, MOST_STATE, Output, PluginHost};
use sealer_stdx::fs::write_atomic;
use sealer_stdx::task::{Stream, Task};

use super::Member;
use crate::host::quote::quote;
use crate::host::{exec, must, must_with};
use crate::kube;

type Result<T> = std::result::Result<T, HostError>;

/// A cluster, as far as one plugin reaches into it.
pub(crate) struct Reach<'a> {
    pub(crate) members: &'a [Member],
    /// Where the cluster's kubeconfig is kept on this machine, once there is one.
    pub(crate) kubeconfig: &'a Path,
    /// Where the plugin's state is kept.
    pub(crate) state: PathBuf,
    /// The plugin's task.
    pub(crate) task: &'a Task,
}

impl Reach<'_> {
    fn member(&self, host: &str) -> Result<&Member> {
        let found = self.members.iter().find(|member| member.name == host);
        found.ok_or_else(|| failed(host, &"is no host of the cluster"))
    }

    /// Does something that stands among the run's events.
    fn call<T>(&self, name: String, f: impl FnOnce() -> Result<T>) -> Result<T> {
        let task = self.task.child("call", name, None).map_err(|error| failed("sealer", &error))?;
        let done = f()?;
        task.finish();
        Ok(done)
    }
}

impl PluginHost for Reach<'_> {
    fn exec(&self, host: &str, command: &str) -> Result<Output> {
        self.call(format!("exec {host} {command}"), || {
            let member = self.member(host)?;
            let output = exec(&*member.host, command).map_err(|failure| failed(host, &failure))?;
            Ok(Output { status: output.status, stdout: output.stdout, stderr: output.stderr })
        })
    }

    fn copy(&self, source: &Path, host: &str, dest: &str, mode: u32) -> Result<()> {
        self.call(format!("copy {} {host} {dest}", source.display()), || {
            let member = self.member(host)?;
            let mut file = File::open(source)
                .map_err(|error| failed(host, &format!("{}: {error}", source.display())))?;
            let (aside, dest) = (quote(&format!("{dest}.sealer-new")), quote(dest));
            let command = format!(
                "mkdir -p \"$(dirname {dest})\" && cat > {aside} && chmod {mode:o} {aside} && sync {aside} && mv -T {aside} {dest}"
            );
            must_with(&*member.host, &command, &mut file).map_err(|failure| failed(host, &failure))?;
            Ok(())
        })
    }

    fn read(&self, host: &str, path: &str) -> Result<Vec<u8>> {
        self.call(format!("read {host} {path}"), || {
            let member = self.member(host)?;
            must(&*member.host, &format!("cat {}", quote(path))).map_err(|failure| failed(host, &failure))
        })
    }

    fn kube(&self, request: &KubeRequest) -> Result<KubeReply> {
        self.call(format!("kube {} {}", request.method, request.path), || {
            kube::request(self.kubeconfig, request).map_err(|reason| failed("the cluster", &reason))
        })
    }

    fn log(&self, host: Option<&str>, line: &str) {
        let line = host.map_or_else(|| line.to_owned(), |host| format!("{host}: {line}"));
        self.task.output(Stream::Stdout, line);
    }

    fn progress(&self, done: u64, total: Option<u64>, unit: Option<&str>) {
        let total = total.map_or_else(String::new, |total| format!(" of {total}"));
        let unit = unit.map_or_else(String::new, |unit| format!(" {unit}"));
        self.task.output(Stream::Stdout, format!("{done}{total}{unit}"));
    }

    fn is_cancelled(&self) -> bool {
        self.task.check().is_err()
    }

    fn state(&self) -> Result<Option<String>> {
        match fs::read_to_string(&self.state) {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(STATE, &error)),
        }
    }

    fn set_state(&self, value: Option<&str>) -> Result<()> {
        self.call("set_state".to_owned(), || match value {
            Some(value) if value.len() > MOST_STATE => {
                Err(failed(STATE, &format!("{} bytes are more than {MOST_STATE}", value.len())))
            }
            Some(value) => {
                let folder = self.state.parent().unwrap_or(&self.state);
                fs::create_dir_all(folder).map_err(|error| failed(STATE, &error))?;
                write_atomic(&self.state, value.as_bytes(), 0o600).map_err(|error| failed(STATE, &error))
            }
            None => match fs::remove_file(&self.state) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(STATE, &error)),
                _ => Ok(()),
            },
        })
    }
}

const STATE: &str = "the plugin's state";

fn failed(subject: &str, reason: &dyn Display) -> HostError {
    HostError { host: subject.to_owned(), reason: reason.to_string() }
}
