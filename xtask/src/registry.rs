//! A registry on loopback, in a process of its own.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use crate::command::{self, Failure, Result};
use crate::stage::Stage;

/// Ended when it is dropped, or when we are.
pub(crate) struct Registry {
    process: Child,
    pub(crate) address: String,
    pub(crate) authority: PathBuf,
    pub(crate) user: String,
    pub(crate) password: String,
}

impl Registry {
    pub(crate) fn start(stage: &Stage) -> Result<Self> {
        let mut command = stage.command(&stage.programs().join("demo-registry"));
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let name = command::line(&command);
        let mut process =
            command.spawn().map_err(|source| Failure::Start { command: name.clone(), source })?;
        let printed = process.stdout.take().expect("its output is piped");
        let mut lines = BufReader::new(printed).lines().map_while(std::io::Result::ok);
        let mut next = || lines.next().ok_or_else(|| Failure::wrong(format!("`{name}` says nothing")));
        let (address, authority, user, password) = (next()?, next()?.into(), next()?, next()?);
        Ok(Self { process, address, authority, user, password })
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
