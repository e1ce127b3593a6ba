//! Takes connections on a node and hands each to a master that is well: for the API server, and for the
//! cluster's registry.
//!
//! Whether a master is well is asked over TLS, every second: `GET` of a path that answers 200. What goes
//! through is not looked at. A connection to a master that is no longer well is cut, so that its client
//! makes another at once instead of waiting for one that nobody answers.

mod config;
mod health;
mod relay;
mod service;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, thread};

pub use config::{Config, Listen};
pub use service::Service;

/// How often servers are asked, and the file of what is wanted is looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// What keeps a balancer from its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("{0}: {1}")]
    File(String, std::io::Error),
    /// A line of the configuration makes no sense.
    #[error("line {0}: {1}")]
    Line(usize, String),
    /// An address cannot be listened on.
    #[error("cannot listen on {0}: {1}")]
    Listen(std::net::SocketAddr, std::io::Error),
}

/// Serves what a file says. Changed servers are taken up while connections go on; `say` is told of every
/// server that becomes well, or is no longer.
///
/// # Errors
/// When the file says nothing that can be served, at the beginning; later, the last good one holds.
pub fn run(path: &Path, say: &mut dyn FnMut(String)) -> Result<(), Error> {
    let read = || fs::read_to_string(path).map_err(|error| Error::File(path.display().to_string(), error));
    let mut text = read()?;
    let mut services =
        Config::parse(&text)?.listens.into_iter().map(Service::begin).collect::<Result<Vec<_>, _>>()?;
    loop {
        for service in &services {
            service.check().into_iter().for_each(&mut *say);
        }
        thread::sleep(PERIOD);
        let Ok(now) = read() else { continue };
        if now != text {
            text = now;
            match Config::parse(&text).and_then(|config| renew(&mut services, config)) {
                Ok(()) => say("the configuration has changed".to_owned()),
                Err(error) => say(format!("the new configuration is not taken up: {error}")),
            }
        }
    }
}

/// Servers of an address that is listened on already change under its connections.
fn renew(services: &mut Vec<Arc<Service>>, config: Config) -> Result<(), Error> {
    for listen in config.listens {
        match services.iter().find(|service| service.address() == listen.at) {
            Some(service) => service.set(listen),
            None => services.push(Service::begin(listen)?),
        }
    }
    Ok(())
}
