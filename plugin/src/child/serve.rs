//! The child's end: `sealer plugin-host FILE`.

use std::fs::File;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::process::{Signal, set_parent_process_death_signal};
use sealer_plugin_abi as abi;
use sealer_plugin_sdk::wire::HostRequest;

use super::dylib::Dylib;
use super::line::Line;
use super::message::{FromChild, ToChild};

/// Loads the plugin, serves one call of it, and returns the exit status. Standard input is the
/// parent's socket.
///
/// # Errors
/// When standard input is no socket: a person has started this.
pub fn serve(file: &Path) -> io::Result<i32> {
    // A killed sealer leaves no plugin behind.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let mut line = private_line()?;
    let Ok(ToChild::Run(invocation)) = line.receive::<ToChild>() else {
        return Err(io::Error::other("there is no parent that speaks"));
    };
    let ended = match Dylib::open(file) {
        Err(reason) => FromChild::NotLoaded(reason),
        Ok(plugin) => {
            let request = serde_json::to_vec(&invocation)?;
            let (status, written) = plugin.run(&request, &mut |request| ask(&mut line, request));
            let message = String::from_utf8_lossy(&written).trim_end().to_owned();
            match status {
                abi::OK => FromChild::Done,
                abi::PANICKED => FromChild::Panicked(message),
                _ if message.is_empty() => FromChild::Failed(format!("status {status}, without a message")),
                _ => FromChild::Failed(message),
            }
        }
    };
    Ok(i32::from(line.send(&ended).is_err()))
}

/// Moves the socket off standard input, where the plugin could meet it.
fn private_line() -> io::Result<Line> {
    let socket = rustix::io::fcntl_dupfd_cloexec(io::stdin(), 100)?;
    rustix::net::sockopt::socket_type(&socket)?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Line::new(UnixStream::from(socket))
}

/// Passes a plugin's question on to the parent.
fn ask(line: &mut Line, request: &[u8]) -> Option<Vec<u8>> {
    let request: HostRequest = match serde_json::from_slice(request) {
        Ok(request) => request,
        Err(error) => {
            let reply = serde_json::json!({ "error": format!("the request is not understood: {error}") });
            return serde_json::to_vec(&reply).ok();
        }
    };
    line.send(&FromChild::Ask(request)).ok()?;
    match line.receive() {
        Ok(ToChild::Reply(reply)) => serde_json::to_vec(&reply).ok(),
        _ => None,
    }
}
