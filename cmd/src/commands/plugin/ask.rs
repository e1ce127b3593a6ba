//! `sealer plugin ask`: what a script that is a plugin asks of the sealer that started it.

use std::io::{Write, stderr, stdout};
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sealer_plugin::wire::{
    CancelledReply, ExecReply, HostRequest, KubeReply, KubeRequest, ReadReply, StateReply,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cli::PluginAsk;
use crate::failure::{Failure, Kind};
use crate::settings::Settings;

pub(super) fn run(question: &PluginAsk, settings: &Settings) -> Result<ExitCode, Failure> {
    let nobody = || {
        Failure::new(Kind::Usage, "there is no sealer to ask")
            .hint("this command is for scripts that sealer runs as plugins")
    };
    let socket = settings.plugin_socket.ok_or_else(nobody)?;
    let reply =
        sealer_plugin::child::ask(socket, &request(question)?).map_err(|error| nobody().because(error))?;
    if let Some(error) = reply["error"].as_str() {
        return Err(Failure::new(Kind::Failed, error));
    }
    show(question, reply)
}

fn request(question: &PluginAsk) -> Result<HostRequest, Failure> {
    Ok(match question.clone() {
        PluginAsk::Exec { host, command } => HostRequest::Exec { host, command },
        PluginAsk::Copy { source, host, dest, mode } => {
            let source = std::path::absolute(&source)
                .map_err(|error| Failure::new(Kind::Usage, "cannot copy").because(error))?;
            HostRequest::Copy { source: source.display().to_string(), host, dest, mode }
        }
        PluginAsk::Read { host, path } => HostRequest::Read { host, path },
        PluginAsk::Kube { method, path, body, content_type } => {
            HostRequest::Kube(KubeRequest { method, path, body, content_type })
        }
        PluginAsk::Log { line, host } => HostRequest::Log { line, host },
        PluginAsk::Progress { done, total, unit } => HostRequest::Progress { done, total, unit },
        PluginAsk::Cancelled => HostRequest::Cancelled,
        PluginAsk::State => HostRequest::GetState,
        PluginAsk::SetState { value } => HostRequest::SetState { value },
    })
}

/// Prints the answer as a script wants it: bytes, and a status.
fn show(question: &PluginAsk, reply: Value) -> Result<ExitCode, Failure> {
    let status = match question {
        PluginAsk::Exec { .. } => {
            let reply: ExecReply = read(reply)?;
            print(&mut stdout(), reply.stdout.as_bytes())?;
            print(&mut stderr(), reply.stderr.as_bytes())?;
            u8::try_from(reply.status).unwrap_or(u8::MAX)
        }
        PluginAsk::Read { .. } => {
            let reply: ReadReply = read(reply)?;
            let bytes = STANDARD
                .decode(reply.content)
                .map_err(|error| Failure::internal("the answer is no base64").because(error))?;
            print(&mut stdout(), &bytes)?;
            0
        }
        PluginAsk::Kube { .. } => {
            let reply: KubeReply = read(reply)?;
            print(&mut stdout(), reply.body.as_bytes())?;
            u8::from(!(200..300).contains(&reply.status))
        }
        PluginAsk::Cancelled => u8::from(!read::<CancelledReply>(reply)?.cancelled),
        PluginAsk::State => {
            let value = read::<StateReply>(reply)?.value;
            print(&mut stdout(), value.as_deref().unwrap_or_default().as_bytes())?;
            u8::from(value.is_none())
        }
        PluginAsk::Copy { .. }
        | PluginAsk::Log { .. }
        | PluginAsk::Progress { .. }
        | PluginAsk::SetState { .. } => 0,
    };
    Ok(ExitCode::from(status))
}

fn read<T: DeserializeOwned>(reply: Value) -> Result<T, Failure> {
    serde_json::from_value(reply)
        .map_err(|error| Failure::internal("the answer is not understood").because(error))
}

fn print(to: &mut impl Write, bytes: &[u8]) -> Result<(), Failure> {
    to.write_all(bytes)
        .and_then(|()| to.flush())
        .map_err(|error| Failure::new(Kind::Failed, "cannot print the answer").because(error))
}
