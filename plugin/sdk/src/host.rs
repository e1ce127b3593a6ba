//! What a plugin may ask of sealer.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sealer_plugin_abi as abi;
use serde::de::DeserializeOwned;

use crate::wire::{
    CancelledReply, ExecReply, HostRequest, KubeReply, KubeRequest, Nothing, ReadReply, Reply, StateReply,
};
use crate::{Error, edge};

/// Sealer, as a plugin sees it for the length of one call.
#[derive(Debug)]
pub struct Host<'a> {
    host: &'a abi::Host,
}

impl<'a> Host<'a> {
    pub(crate) fn new(host: &'a abi::Host) -> Self {
        Self { host }
    }

    /// Runs a shell command on a host as root and returns when it has ended. A command that fails
    /// is no error: look at its status.
    ///
    /// # Errors
    /// When the host is not one of the cluster's, or cannot be reached.
    pub fn exec(&self, host: &str, command: &str) -> Result<ExecReply, Error> {
        self.ask(&HostRequest::Exec { host: host.to_owned(), command: command.to_owned() })
    }

    /// Copies a file of the machine where the plugin runs to a host, whole or not at all, with the
    /// permission bits `mode`.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn copy(&self, source: &Path, host: &str, dest: &str, mode: u32) -> Result<(), Error> {
        let source = source.to_str().ok_or("the path is not UTF-8")?.to_owned();
        let request = HostRequest::Copy { source, host: host.to_owned(), dest: dest.to_owned(), mode };
        self.ask::<Nothing>(&request).map(|_| ())
    }

    /// Reads a file of a host.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(&self, host: &str, path: &str) -> Result<Vec<u8>, Error> {
        let reply: ReadReply =
            self.ask(&HostRequest::Read { host: host.to_owned(), path: path.to_owned() })?;
        Ok(STANDARD.decode(reply.content)?)
    }

    /// Sends a request to the cluster's API server. An answer that says no is no error: look at its
    /// status.
    ///
    /// # Errors
    /// When there is no cluster yet, or it does not answer.
    pub fn kube(&self, request: KubeRequest) -> Result<KubeReply, Error> {
        self.ask(&HostRequest::Kube(request))
    }

    /// Tells how far the work has come.
    ///
    /// # Errors
    /// When sealer is gone.
    pub fn progress(&self, done: u64, total: Option<u64>, unit: Option<&str>) -> Result<(), Error> {
        let unit = unit.map(str::to_owned);
        self.ask::<Nothing>(&HostRequest::Progress { done, total, unit }).map(|_| ())
    }

    /// Tells whether the operator has asked for a stop.
    ///
    /// # Errors
    /// When sealer is gone.
    pub fn cancelled(&self) -> Result<bool, Error> {
        self.ask::<CancelledReply>(&HostRequest::Cancelled).map(|reply| reply.cancelled)
    }

    /// Returns the value that this plugin kept for this cluster.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn state(&self) -> Result<Option<String>, Error> {
        self.ask::<StateReply>(&HostRequest::GetState).map(|reply| reply.value)
    }

    /// Keeps a value for this cluster until a later call, in this run or another; `None` forgets it.
    ///
    /// # Errors
    /// When it is longer than [`crate::wire::MOST_STATE`] or cannot be written.
    pub fn set_state(&self, value: Option<&str>) -> Result<(), Error> {
        self.ask::<Nothing>(&HostRequest::SetState { value: value.map(str::to_owned) }).map(|_| ())
    }

    /// Shows a line to the operator.
    ///
    /// # Errors
    /// When sealer is gone.
    pub fn log(&self, line: &str) -> Result<(), Error> {
        self.ask::<Nothing>(&HostRequest::Log { line: line.to_owned(), host: None }).map(|_| ())
    }

    /// Shows a line about a host to the operator.
    ///
    /// # Errors
    /// When sealer is gone.
    pub fn log_for(&self, host: &str, line: &str) -> Result<(), Error> {
        self.ask::<Nothing>(&HostRequest::Log { line: line.to_owned(), host: Some(host.to_owned()) })
            .map(|_| ())
    }

    fn ask<T: DeserializeOwned>(&self, request: &HostRequest) -> Result<T, Error> {
        let request = serde_json::to_vec(request)?;
        let reply = edge::call(self.host, &request).ok_or("sealer is gone")?;
        match serde_json::from_slice(&reply)? {
            Reply::Error { error } => Err(error.into()),
            Reply::Done(value) => Ok(value),
        }
    }
}
