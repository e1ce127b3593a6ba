//! The parent's end: starts the child, answers it, and tells how it ended.

use std::collections::VecDeque;
use std::io::{self, PipeReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, kill_process_group};
use sealer_plugin_sdk::wire::{ExecReply, HostRequest, Invocation, Nothing, Reply};
use serde_json::Value;

use super::line::{Line, NoMessage};
use super::message::{FromChild, ToChild};
use crate::plugin::{Error, HostError, Plugin, PluginHost};
use crate::set::Loader;

/// How many of the last lines that a plugin printed an error shows.
const LAST_LINES: usize = 20;
/// What a plugin prints beyond this is not shown.
const MOST_OUTPUT: usize = 4 << 20;
/// A line is shown up to here.
const MOST_LINE: usize = 64 << 10;
/// How long a child that has answered or closed its end may take to end.
const GRACE: Duration = Duration::from_secs(2);

/// A plugin that a shared object holds.
#[derive(Debug)]
pub struct Loaded {
    kind: String,
    file: PathBuf,
    loader: Loader,
}

impl Loaded {
    /// A plugin of the type `kind`, which `file` exports.
    #[must_use]
    pub fn new(kind: String, file: PathBuf, loader: Loader) -> Self {
        Self { kind, file, loader }
    }
}

impl Plugin for Loaded {
    fn kind(&self) -> &str {
        &self.kind
    }

    fn run(&self, invocation: &Invocation, host: &dyn PluginHost) -> Result<(), Error> {
        let (ours, theirs) = UnixStream::pair().map_err(Error::Start)?;
        let (output, printed) = io::pipe().map_err(Error::Start)?;
        let child = start(&self.loader.program, &self.file, theirs, printed).map_err(Error::Start)?;
        let mut running = Running { child, ended: None };
        let last = Mutex::new(VecDeque::new());
        let over = AtomicBool::new(false);
        let result = thread::scope(|scope| {
            scope.spawn(|| show(output, host, &last, &over));
            let result = converse(&ours, invocation, host, self.loader.timeout, &mut running);
            over.store(true, Ordering::SeqCst);
            result
        });
        let output: Vec<String> = last.into_inner().expect("no holder panics").into();
        result.map_err(|end| end.into_error(output, self.loader.timeout))
    }
}

fn start(program: &Path, file: &Path, socket: UnixStream, printed: io::PipeWriter) -> io::Result<Child> {
    Command::new(program)
        .arg("plugin-host")
        .arg(file)
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LANG", "C.UTF-8")
        .process_group(0)
        .stdin(Stdio::from(OwnedFd::from(socket)))
        .stdout(printed.try_clone()?)
        .stderr(printed)
        .spawn()
}

/// A child that is killed, with all that it started, when this is dropped.
struct Running {
    child: Child,
    ended: Option<ExitStatus>,
}

impl Running {
    fn kill(&self) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It may have ended by itself meanwhile.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    /// Waits up to `GRACE` for the child to end by itself, then kills it.
    fn end(&mut self) -> Option<ExitStatus> {
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline && self.ended.is_none() {
            self.ended = self.child.try_wait().ok().flatten();
            if self.ended.is_none() {
                thread::sleep(Duration::from_millis(1));
            }
        }
        self.ended
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
        if self.ended.is_none() {
            let _ = self.child.wait();
        }
    }
}

/// How a conversation ended that did not end well.
enum End {
    Start(io::Error),
    Said(FromChild),
    Garbage(String),
    TimedOut,
    Gone(Option<ExitStatus>),
}

impl End {
    fn into_error(self, output: Vec<String>, timeout: Duration) -> Error {
        match self {
            Self::Start(error) => Error::Start(error),
            Self::Said(FromChild::Failed(message)) => Error::Returned { message },
            Self::Said(FromChild::Panicked(message)) => Error::Panicked { message },
            Self::Said(FromChild::NotLoaded(reason)) => Error::Load { reason },
            Self::Said(FromChild::Done | FromChild::Ask(_)) => {
                Error::Garbage { line: "an answer out of turn".to_owned() }
            }
            Self::Garbage(line) => Error::Garbage { line },
            Self::TimedOut => Error::TimedOut { seconds: timeout.as_secs(), output },
            Self::Gone(Some(status)) => match status.signal() {
                Some(signal) => Error::Crashed { signal, output },
                None => Error::Exited { status: status.code().unwrap_or(-1), output },
            },
            Self::Gone(None) => {
                Error::Garbage { line: "it closed its line to sealer and went on".to_owned() }
            }
        }
    }
}

/// Sends the request and answers questions until the child says how it ended, or time is over.
fn converse(
    socket: &UnixStream,
    invocation: &Invocation,
    host: &dyn PluginHost,
    timeout: Duration,
    running: &mut Running,
) -> Result<(), End> {
    let deadline = Instant::now() + timeout;
    let mut line = socket.try_clone().and_then(Line::new).map_err(End::Start)?;
    let mut reader = socket.try_clone().and_then(Line::new).map_err(End::Start)?;
    let (sender, received) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(move || {
            loop {
                let message = reader.receive::<FromChild>();
                let is_last = !matches!(message, Ok(FromChild::Ask(_)));
                if sender.send(message).is_err() || is_last {
                    return;
                }
            }
        });
        // A child that is gone already shows as a closed line.
        let _ = line.send(&ToChild::Run(Box::new(invocation.clone())));
        let end = loop {
            match received.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Ok(FromChild::Ask(request))) => {
                    let _ = line.send(&ToChild::Reply(answer(host, request)));
                }
                Ok(Ok(FromChild::Done)) => break Ok(()),
                Ok(Ok(said)) => break Err(End::Said(said)),
                Ok(Err(NoMessage::Garbage(line))) => break Err(End::Garbage(line)),
                Ok(Err(NoMessage::Closed)) | Err(RecvTimeoutError::Disconnected) => {
                    break Err(End::Gone(running.end()));
                }
                Err(RecvTimeoutError::Timeout) => break Err(End::TimedOut),
            }
        };
        if end.is_ok() {
            running.end();
        }
        running.kill();
        // Nobody holds the other end now, so the reader ends.
        let _ = socket.shutdown(std::net::Shutdown::Both);
        end
    })
}

fn answer(host: &dyn PluginHost, request: HostRequest) -> Value {
    let nothing = |result: Result<(), HostError>| to_value(result.map(|()| Nothing {}));
    match request {
        HostRequest::Exec { host: address, command } => {
            to_value(host.exec(&address, &command).map(|output| ExecReply {
                status: output.status,
                stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
                stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            }))
        }
        HostRequest::Copy { source, host: address, dest, mode } => {
            nothing(host.copy(Path::new(&source), &address, &dest, mode))
        }
        HostRequest::Log { line, host: about } => {
            host.log(about.as_deref(), &line);
            nothing(Ok(()))
        }
    }
}

fn to_value<T: serde::Serialize>(result: Result<T, HostError>) -> Value {
    let reply = match result {
        Ok(value) => Reply::Done(value),
        Err(error) => Reply::Error { error: error.to_string() },
    };
    serde_json::to_value(reply).expect("replies are plain data")
}

/// Shows what the plugin prints, line by line, until it is over and nothing is left to read.
/// Somebody else may hold the pipe's other end for ever; that is not waited for.
fn show(mut output: PipeReader, host: &dyn PluginHost, last: &Mutex<VecDeque<String>>, over: &AtomicBool) {
    let mut shown = 0;
    let mut pending = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let ending = over.load(Ordering::SeqCst);
        let wait = rustix::event::Timespec { tv_sec: 0, tv_nsec: if ending { 0 } else { 20_000_000 } };
        let ready = poll(&mut [PollFd::new(&output, PollFlags::IN)], Some(&wait)).unwrap_or(0);
        if ready == 0 {
            if ending {
                break;
            }
            continue;
        }
        let count = output.read(&mut buffer).unwrap_or(0);
        if count == 0 {
            break;
        }
        pending.extend_from_slice(&buffer[..count]);
        while let Some(at) = pending
            .iter()
            .position(|byte| *byte == b'\n')
            .or((pending.len() > MOST_LINE).then_some(MOST_LINE))
        {
            let line: Vec<u8> = pending.drain(..=at).collect();
            shown = tell(&line, shown, host, last);
        }
    }
    if !pending.is_empty() {
        tell(&pending, shown, host, last);
    }
}

fn tell(line: &[u8], shown: usize, host: &dyn PluginHost, last: &Mutex<VecDeque<String>>) -> usize {
    let text = String::from_utf8_lossy(line).trim_end_matches(['\n', '\r']).to_owned();
    let after = shown + line.len();
    if after <= MOST_OUTPUT {
        host.log(None, &text);
    } else if shown <= MOST_OUTPUT {
        host.log(None, "… what the plugin prints from here on is not shown");
    }
    let mut last = last.lock().expect("no holder panics");
    if last.len() == LAST_LINES {
        last.pop_front();
    }
    last.push_back(text);
    after
}
