//! Debian's `docker-registry` on loopback, for the length of a benchmark: plain HTTP, open to all.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::command::{self, Failure, Result};
use crate::stage::Stage;

/// The namespace is ours, and so are all ports.
const PORT: u16 = 5000;

/// Ended when it is dropped.
pub(super) struct Registry {
    process: Child,
    pub(super) address: String,
    /// Where it keeps what it is sent.
    pub(super) storage: PathBuf,
}

impl Registry {
    pub(super) fn start(stage: &Stage) -> Result<Self> {
        let (config, storage) = (stage.place().join("registry.yml"), stage.place().join("registry"));
        let address = format!("127.0.0.1:{PORT}");
        let text = format!(
            "version: 0.1\nlog:\n  level: error\n  accesslog:\n    disabled: true\nstorage:\n  \
             filesystem:\n    rootdirectory: {}\nhttp:\n  addr: {address}\n",
            storage.display()
        );
        fs::write(&config, text).map_err(Failure::file(&config))?;
        let mut command = stage.command("docker-registry".as_ref());
        command.arg("serve").arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let name = command::line(&command);
        let process = command.spawn().map_err(|source| Failure::Start { command: name, source })?;
        let registry = Self { process, address, storage };
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, PORT)).is_err() {
            if begun.elapsed() > Duration::from_secs(30) {
                return Err(Failure::wrong("docker-registry does not come up"));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(registry)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
