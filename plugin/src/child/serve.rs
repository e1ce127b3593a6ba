//! The child's end: `sealer plugin-host FILE`, and `sealer plugin-host FILE VERB` for an executable.

use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::process::{Signal, set_parent_process_death_signal};
use sealer_plugin_abi as abi;
use serde_json::Value;

use super::answer::refusal;
use super::cage::{self, Role};
use super::dylib::Dylib;
use super::line::Line;
use super::message::{FromChild, ToChild};
use crate::plugin::Verb;

/// Serves one call of a plugin, and returns the exit status. Standard input is the parent's socket.
/// With a verb, the file is an executable, which becomes this process.
///
/// # Errors
/// When standard input is no socket: a person has started this.
pub fn serve(file: &Path, verb: Option<&str>) -> io::Result<i32> {
    // A killed sealer leaves no plugin behind.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let socket = rustix::io::fcntl_dupfd_cloexec(io::stdin(), 100)?;
    rustix::net::sockopt::socket_type(&socket)?;
    // A plugin may have closed what is not its own; closing it once more would end the process by
    // another name.
    let mut line = ManuallyDrop::new(Line::new(UnixStream::from(socket))?);
    if let Role::Over(status) = cage::enter(&mut line)? {
        return Ok(status);
    }
    match verb {
        Some(verb) => {
            // For `sealer plugin ask`, wherever the script sends its standard input.
            let socket = rustix::io::fcntl_dupfd_cloexec(io::stdin(), 3)?;
            rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::empty())?;
            let number = socket.into_raw_fd().to_string();
            let error = Command::new(file).arg(verb).env("SEALER_FD", number).exec();
            let sent = line.send(&FromChild::NotLoaded(error.to_string()));
            Ok(i32::from(sent.is_err()))
        }
        None => {
            // The plugin is not to meet the socket.
            rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
            load(file, &mut line)
        }
    }
}

/// Loads a shared object and calls it.
fn load(file: &Path, line: &mut Line) -> io::Result<i32> {
    let Ok(request) = line.receive::<ToChild>() else {
        return Err(io::Error::other("there is no parent that speaks"));
    };
    let ended = match Dylib::open(file) {
        Err(reason) => FromChild::NotLoaded(reason),
        Ok(plugin) => call(&plugin, &request, line)?,
    };
    Ok(i32::from(line.send(&ended).is_err()))
}

fn call(plugin: &Dylib, request: &ToChild, line: &mut Line) -> io::Result<FromChild> {
    let Some((verb, request)) = request.call() else {
        return Err(io::Error::other("the parent speaks out of turn"));
    };
    let request = serde_json::to_vec(request)?;
    let Some((status, written)) = plugin.call(verb, &request, &mut |request| ask(line, request)) else {
        return Ok(FromChild::Done);
    };
    let message = || String::from_utf8_lossy(&written).trim_end().to_owned();
    Ok(match status {
        abi::OK if matches!(verb, Verb::Describe | Verb::Plan) && !written.is_empty() => {
            match serde_json::from_slice(&written) {
                Ok(answer) => FromChild::Answer(answer),
                Err(_) => FromChild::NoJson(message()),
            }
        }
        abi::OK => FromChild::Done,
        abi::PANICKED => FromChild::Panicked(message()),
        _ if message().is_empty() => FromChild::Failed(format!("status {status}, without a message")),
        _ => FromChild::Failed(message()),
    })
}

/// Passes a plugin's question on to the parent.
fn ask(line: &mut Line, request: &[u8]) -> Option<Vec<u8>> {
    let request: Value = match serde_json::from_slice(request) {
        Ok(request) => request,
        Err(error) => {
            let reply = refusal(&format!("the request is not understood: {error}"));
            return serde_json::to_vec(&reply).ok();
        }
    };
    line.send(&FromChild::Ask(request)).ok()?;
    match line.receive() {
        Ok(ToChild::Reply(reply)) => serde_json::to_vec(&reply).ok(),
        _ => None,
    }
}
