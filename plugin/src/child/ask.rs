//! The end of a script: `sealer plugin ask`, started by it, asks what the script wants to know.
#![allow(unsafe_code, reason = "a descriptor is handed down by its number")]

use std::io::{self, Read, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use sealer_plugin_sdk::wire::HostRequest;
use serde_json::Value;

use super::message::{FromChild, ToChild};

/// Asks sealer over the socket with this number, which the script was started with, and returns the
/// answer. One question at a time may be under way.
///
/// # Errors
/// When nobody answers: the script was not started by sealer.
pub fn ask(number: i32, request: &HostRequest) -> io::Result<Value> {
    if number < 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: it is looked at only for as long as it takes to copy it, and nobody closes it meanwhile.
    let socket = unsafe { BorrowedFd::borrow_raw(number) };
    rustix::net::sockopt::socket_type(socket)?;
    let socket: OwnedFd = socket.try_clone_to_owned()?;
    let mut socket = UnixStream::from(socket);
    let mut line = serde_json::to_vec(&FromChild::Ask(serde_json::to_value(request)?))?;
    line.push(b'\n');
    socket.write_all(&line)?;
    loop {
        // The call itself may not have been read yet: whoever reads it need not be us.
        let line = read_line(&mut socket)?;
        if let Ok(ToChild::Reply(reply)) = serde_json::from_slice(&line) {
            return Ok(reply);
        }
    }
}

/// Reads a line, and nothing of what follows it.
fn read_line(socket: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let (count, _) = rustix::net::recv(&*socket, &mut buffer[..], rustix::net::RecvFlags::PEEK)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let end = buffer[..count].iter().position(|byte| *byte == b'\n').map(|at| at + 1);
        let take = end.unwrap_or(count);
        socket.read_exact(&mut buffer[..take])?;
        line.extend_from_slice(&buffer[..take]);
        if end.is_some() {
            return Ok(line);
        }
    }
}
