//! Answers to what plugins ask.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sealer_plugin_sdk::wire::{
    CancelledReply, ExecReply, HostRequest, Nothing, ReadReply, Reply, StateReply,
};
use serde_json::Value;

use crate::plugin::{HostError, PluginHost};

/// Does what is asked for, and returns the answer as JSON. A request that is not understood is
/// answered with that.
pub(super) fn answer(host: &dyn PluginHost, request: Value) -> Value {
    match serde_json::from_value(request) {
        Ok(request) => serve(host, request),
        Err(error) => refusal(&format!("the request is not understood: {error}")),
    }
}

/// The answer that says only why not.
pub(super) fn refusal(error: &str) -> Value {
    serde_json::json!({ "error": error })
}

fn serve(host: &dyn PluginHost, request: HostRequest) -> Value {
    match request {
        HostRequest::Exec { host: address, command } => {
            reply(host.exec(&address, &command).map(|output| ExecReply {
                status: output.status,
                stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
                stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            }))
        }
        HostRequest::Copy { source, host: address, dest, mode } => {
            done(host.copy(Path::new(&source), &address, &dest, mode))
        }
        HostRequest::Read { host: address, path } => {
            reply(host.read(&address, &path).map(|bytes| ReadReply { content: STANDARD.encode(bytes) }))
        }
        HostRequest::Kube(request) => reply(host.kube(&request)),
        HostRequest::Log { line, host: about } => {
            host.log(about.as_deref(), &line);
            done(Ok(()))
        }
        HostRequest::Progress { done: so_far, total, unit } => {
            host.progress(so_far, total, unit.as_deref());
            done(Ok(()))
        }
        HostRequest::Cancelled => reply(Ok(CancelledReply { cancelled: host.is_cancelled() })),
        HostRequest::GetState => reply(host.state().map(|value| StateReply { value })),
        HostRequest::SetState { value } => done(host.set_state(value.as_deref())),
    }
}

fn done(result: Result<(), HostError>) -> Value {
    reply(result.map(|()| Nothing {}))
}

fn reply<T: serde::Serialize>(result: Result<T, HostError>) -> Value {
    let reply = match result {
        Ok(value) => Reply::Done(value),
        Err(error) => Reply::Error { error: error.to_string() },
    };
    serde_json::to_value(reply).expect("replies are plain data")
}
