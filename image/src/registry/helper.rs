//! Credential helpers: programs named `docker-credential-NAME` that keep secrets for docker.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use crate::registry::auth::Credentials;
use crate::registry::error::RegistryError;

/// A credential helper. It is a program of the user's choice: it can be slow, hang or fail.
#[derive(Debug)]
pub(crate) struct Helper {
    program: String,
    timeout: Duration,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

impl Helper {
    pub(crate) fn new(name: &str, timeout: Duration) -> Self {
        Self { program: format!("docker-credential-{name}"), timeout }
    }

    #[cfg(test)]
    pub(crate) fn at(path: &str, timeout: Duration) -> Self {
        Self { program: path.to_owned(), timeout }
    }

    /// Returns what the helper keeps for a server.
    pub(crate) fn get(&self, server: &str) -> Result<Option<Credentials>, RegistryError> {
        let output = self.run("get", server.as_bytes())?;
        if !output.success {
            let said = String::from_utf8_lossy(&output.stdout);
            let said = said.lines().next().unwrap_or_default().trim();
            // The words of docker-credential-helpers, which every helper uses.
            if said.contains("credentials not found") {
                return Ok(None);
            }
            return Err(
                self.error(format!("fails: {}", if said.is_empty() { "it says nothing" } else { said }))
            );
        }
        let answer: Answer = serde_json::from_slice(&output.stdout)
            .map_err(|_| self.error("answers with something that is no credentials".into()))?;
        if answer.username == "<token>" {
            return Ok(Some(Credentials::IdentityToken(answer.secret.into())));
        }
        Ok(Some(Credentials::Password { user: answer.username, password: answer.secret.into() }))
    }

    pub(crate) fn store(
        &self,
        server: &str,
        user: &str,
        password: &SecretString,
    ) -> Result<(), RegistryError> {
        let entry = json!({ "ServerURL": server, "Username": user, "Secret": password.expose_secret() });
        self.must("store", entry.to_string().as_bytes())
    }

    pub(crate) fn erase(&self, server: &str) -> Result<(), RegistryError> {
        self.must("erase", server.as_bytes())
    }

    /// Runs a verb whose output is not repeated: it could hold what went in.
    fn must(&self, verb: &str, input: &[u8]) -> Result<(), RegistryError> {
        match self.run(verb, input)?.success {
            true => Ok(()),
            false => Err(self.error(format!("cannot {verb} the credentials"))),
        }
    }

    fn run(&self, verb: &str, input: &[u8]) -> Result<Output, RegistryError> {
        let mut child = Command::new(&self.program)
            .arg(verb)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| match error.kind() {
                ErrorKind::NotFound => self.error("is not installed".into()),
                _ => self.error(format!("does not start: {error}")),
            })?;
        let mut stdin = child.stdin.take().expect("it is piped");
        let mut stdout = child.stdout.take().expect("it is piped");
        // The input is smaller than a pipe, so this does not block; a helper that does not read it
        // says what is wrong by its exit status.
        let _ = stdin.write_all(input);
        drop(stdin);
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = stdout.read_to_end(&mut bytes);
            let _ = sender.send(bytes);
        });
        let started = Instant::now();
        let stdout = receiver.recv_timeout(self.timeout).ok();
        let left = self.timeout.saturating_sub(started.elapsed());
        match stdout.and_then(|stdout| Some((stdout, wait(&mut child, left)?))) {
            Some((stdout, success)) => Ok(Output { success, stdout }),
            None => {
                end(&mut child);
                Err(self.error(format!("does not answer within {} s", self.timeout.as_secs_f32())))
            }
        }
    }

    fn error(&self, reason: String) -> RegistryError {
        RegistryError::Helper { helper: self.program.clone(), reason }
    }
}

struct Output {
    success: bool,
    stdout: Vec<u8>,
}

/// Waits for the end of a child that has closed its output: `None` when it does not come.
fn wait(child: &mut Child, limit: Duration) -> Option<bool> {
    let started = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status.success()),
            Ok(None) if started.elapsed() < limit => thread::sleep(Duration::from_millis(5)),
            _ => return None,
        }
    }
}

/// Kills the child with everything that it has started.
fn end(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
}
