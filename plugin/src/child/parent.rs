//! The parent's end: starts the child, answers it, and tells how it ended.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use sealer_plugin_sdk::wire::{Description, Invocation, Planned};
use serde_json::{Value, json};

use super::answer::answer;
use super::guard::Guard;
use super::line::{Line, NoMessage};
use super::message::{FromChild, ToChild};
use super::printed::Printed;
use crate::plugin::{Error, Plugin, PluginHost, Verb};
use crate::set::Loader;

/// How long a child that has answered or closed its end may take to end.
const GRACE: Duration = Duration::from_secs(2);
/// How long it may take to end all that a plugin started. A machine under load takes its time.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a verb may take that changes nothing.
const QUICK: Duration = Duration::from_secs(60);

/// How a plugin's file is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// Loaded, by the C ABI.
    SharedObject,
    /// Started with the verb as its argument, and spoken to in JSON lines.
    Executable,
}

/// A plugin that a file holds.
#[derive(Debug)]
pub struct Loaded {
    kind: String,
    file: PathBuf,
    carrier: Carrier,
    verbs: Vec<Verb>,
    loader: Loader,
    described: OnceLock<Description>,
}

impl Loaded {
    /// A plugin of the type `kind`, with these verbs, which `file` holds.
    #[must_use]
    pub fn new(kind: String, file: PathBuf, carrier: Carrier, verbs: Vec<Verb>, loader: Loader) -> Self {
        Self { kind, file, carrier, verbs, loader, described: OnceLock::new() }
    }

    /// Returns what the plugin says of itself; it is asked once.
    fn description(&self) -> Result<&Description, Error> {
        if let Some(described) = self.described.get() {
            return Ok(described);
        }
        let host = Guard { host: None, verb: Verb::Describe, needs: None };
        let described = match self.call(Verb::Describe, json!({}), &host, self.quick())? {
            Some(answer) => serde_json::from_value(answer)
                .map_err(|error| Error::Garbage { line: format!("its description: {error}") })?,
            None => Description::default(),
        };
        Ok(self.described.get_or_init(|| described))
    }

    /// Calls a verb where the plugin has it.
    fn ask(
        &self,
        verb: Verb,
        invocation: &Invocation,
        host: Option<&dyn PluginHost>,
    ) -> Result<Option<Value>, Error> {
        if !self.offers(verb) {
            return Ok(None);
        }
        let described = if self.offers(Verb::Describe) { Some(self.description()?) } else { None };
        let needs = described.and_then(|described| described.needs.as_deref());
        let seconds =
            invocation.timeout_seconds.or(described.and_then(|described| described.timeout_seconds));
        let timeout = match verb {
            Verb::Run | Verb::Undo => seconds.map_or(self.loader.timeout, Duration::from_secs),
            Verb::Describe | Verb::Validate | Verb::Plan => self.quick(),
        };
        let invocation = Invocation { timeout_seconds: Some(timeout.as_secs()), ..invocation.clone() };
        let request = serde_json::to_value(&invocation).expect("an invocation is plain data");
        self.call(verb, request, &Guard { host, verb, needs }, timeout)
    }

    /// Calls a verb with a request as it stands, of which a later sealer might have made more.
    pub(crate) fn call_as_it_stands(
        &self,
        verb: Verb,
        request: Value,
        host: &dyn PluginHost,
    ) -> Result<Option<Value>, Error> {
        self.call(verb, request, &Guard { host: Some(host), verb, needs: None }, self.quick())
    }

    fn quick(&self) -> Duration {
        self.loader.timeout.min(QUICK)
    }

    fn call(
        &self,
        verb: Verb,
        request: Value,
        host: &dyn PluginHost,
        timeout: Duration,
    ) -> Result<Option<Value>, Error> {
        let (ours, theirs) = UnixStream::pair().map_err(Error::Start)?;
        let (output, printed) = io::pipe().map_err(Error::Start)?;
        let child = self.start(verb, &request, theirs, printed).map_err(Error::Start)?;
        let mut talk = Talk {
            running: Running { child, ended: None },
            socket: &ours,
            carrier: self.carrier,
            said: None,
            host,
        };
        let last = Mutex::new(VecDeque::new());
        let over = AtomicBool::new(false);
        let (sender, received) = mpsc::channel();
        let messages = (self.carrier == Carrier::Executable).then(|| sender.clone());
        let result = thread::scope(|scope| {
            let printed = Printed { host, last: &last, over: &over, messages };
            let shown = scope.spawn(move || printed.show(output));
            let end = talk.hold(&ToChild::new(verb, request), sender, &received, Instant::now() + timeout);
            over.store(true, Ordering::SeqCst);
            shown.join().expect("showing does not panic");
            talk.conclude(end, &received)
        });
        let output: Vec<String> = last.into_inner().expect("no holder panics").into();
        result.map_err(|end| end.into_error(output, timeout))
    }

    fn start(
        &self,
        verb: Verb,
        request: &Value,
        socket: UnixStream,
        printed: io::PipeWriter,
    ) -> io::Result<Child> {
        let mut command = Command::new(&self.loader.program);
        command
            .arg("plugin-host")
            .arg(&self.file)
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LANG", "C.UTF-8")
            .process_group(0)
            .stdin(Stdio::from(OwnedFd::from(socket)))
            .stdout(printed.try_clone()?)
            .stderr(printed);
        if self.carrier == Carrier::Executable {
            command.arg(verb.name()).env("SEALER", &self.loader.program);
            command.envs(environment(request));
        }
        command.spawn()
    }
}

impl Plugin for Loaded {
    fn kind(&self) -> &str {
        &self.kind
    }

    fn run(&self, invocation: &Invocation, host: &dyn PluginHost) -> Result<(), Error> {
        self.ask(Verb::Run, invocation, Some(host)).map(|_| ())
    }

    fn offers(&self, verb: Verb) -> bool {
        verb == Verb::Run || self.verbs.contains(&verb)
    }

    fn describe(&self) -> Result<Description, Error> {
        if self.offers(Verb::Describe) { self.description().cloned() } else { Ok(Description::default()) }
    }

    fn validate(&self, invocation: &Invocation) -> Result<(), Error> {
        self.ask(Verb::Validate, invocation, None).map(|_| ())
    }

    fn plan(&self, invocation: &Invocation, host: &dyn PluginHost) -> Result<Vec<String>, Error> {
        let Some(answer) = self.ask(Verb::Plan, invocation, Some(host))? else { return Ok(Vec::new()) };
        let planned: Planned = serde_json::from_value(answer)
            .map_err(|error| Error::Garbage { line: format!("its plan: {error}") })?;
        Ok(planned.steps)
    }

    fn undo(&self, invocation: &Invocation, host: &dyn PluginHost) -> Result<(), Error> {
        self.ask(Verb::Undo, invocation, Some(host)).map(|_| ())
    }
}

/// What a script would otherwise have to pick out of the request.
fn environment(request: &Value) -> Vec<(&'static str, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let cluster = &request["cluster"];
    let hosts: Vec<&str> =
        request["hosts"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut environment = vec![
        ("SEALER_PLUGIN", text(&request["name"])),
        ("SEALER_TYPE", text(&request["type"])),
        ("SEALER_PHASE", text(&request["phase"])),
        ("SEALER_DATA", text(&request["data"])),
        ("SEALER_HOSTS", hosts.join(" ")),
        ("SEALER_CLUSTER", text(&cluster["name"])),
        ("SEALER_ROOTFS", text(&cluster["rootfs"])),
    ];
    environment.extend(cluster["kubeconfig"].as_str().map(|file| ("KUBECONFIG", file.to_owned())));
    environment
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

    /// Waits for the child to end by itself.
    fn end(&mut self, patience: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + patience;
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
    Status(i32),
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
            Self::Said(FromChild::NoJson(line)) => Error::Garbage { line },
            Self::Said(FromChild::Crowded(most)) => Error::Crowded { most, output },
            Self::Said(FromChild::Ended(status)) => Self::ended(ExitStatus::from_raw(status), output),
            Self::Said(FromChild::Done | FromChild::Answer(_) | FromChild::Ask(_)) => {
                Error::Garbage { line: "an answer out of turn".to_owned() }
            }
            Self::Status(status) => Error::Status { status, output },
            Self::Garbage(line) => Error::Garbage { line },
            Self::TimedOut => Error::TimedOut { seconds: timeout.as_secs(), output },
            Self::Gone(Some(status)) => Self::ended(status, output),
            Self::Gone(None) => {
                Error::Garbage { line: "it closed its line to sealer and went on".to_owned() }
            }
        }
    }

    fn ended(status: ExitStatus, output: Vec<String>) -> Error {
        match status.signal() {
            Some(signal) => Error::Crashed { signal, output },
            None => Error::Exited { status: status.code().unwrap_or(-1), output },
        }
    }
}

type Received = Result<FromChild, NoMessage>;

/// A conversation with a child.
struct Talk<'a> {
    running: Running,
    socket: &'a UnixStream,
    carrier: Carrier,
    /// What an executable said that is to be its answer.
    said: Option<FromChild>,
    host: &'a dyn PluginHost,
}

impl Talk<'_> {
    /// Sends the request and answers questions until the child says how it ended, or time is over.
    /// Nothing is left of it then.
    fn hold(
        &mut self,
        request: &ToChild,
        sender: mpsc::Sender<Received>,
        received: &mpsc::Receiver<Received>,
        deadline: Instant,
    ) -> Result<FromChild, End> {
        let mut line = self.socket.try_clone().and_then(Line::new).map_err(End::Start)?;
        let mut reader = self.socket.try_clone().and_then(Line::new).map_err(End::Start)?;
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
            let _ = line.send(request);
            let end = self.answer_until_it_ends(&mut line, received, deadline);
            if end.is_ok() {
                self.running.end(GRACE);
            }
            // The reader ends by this, and whoever watches the plugin ends that.
            let _ = self.socket.shutdown(std::net::Shutdown::Both);
            self.running.end(PATIENCE);
            end
        })
    }

    fn answer_until_it_ends(
        &mut self,
        line: &mut Line,
        received: &mpsc::Receiver<Received>,
        deadline: Instant,
    ) -> Result<FromChild, End> {
        loop {
            match received.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Ok(FromChild::Ask(request))) => {
                    let _ = line.send(&ToChild::Reply(answer(self.host, request)));
                }
                Ok(Ok(message)) if self.carrier == Carrier::Executable && is_answer(&message) => {
                    self.said.get_or_insert(message);
                }
                Ok(Ok(message)) => return Ok(message),
                Ok(Err(NoMessage::Garbage(line))) => return Err(End::Garbage(line)),
                Ok(Err(NoMessage::Closed)) | Err(RecvTimeoutError::Disconnected) => {
                    return Err(End::Gone(self.running.end(GRACE)));
                }
                Err(RecvTimeoutError::Timeout) => return Err(End::TimedOut),
            }
        }
    }

    /// What came of it, once all is read that was printed.
    fn conclude(
        &mut self,
        end: Result<FromChild, End>,
        received: &mpsc::Receiver<Received>,
    ) -> Result<Option<Value>, End> {
        let status = match end? {
            FromChild::Done => return Ok(None),
            FromChild::Answer(answer) => return Ok(Some(answer)),
            FromChild::Ended(status) if self.carrier == Carrier::Executable => ExitStatus::from_raw(status),
            said => return Err(End::Said(said)),
        };
        let mut late = received.try_iter().filter_map(Result::ok).filter(is_answer);
        match (self.said.take().or_else(|| late.next()), status.code()) {
            (Some(FromChild::Failed(message)), _) => Err(End::Said(FromChild::Failed(message))),
            (_, None) => Err(End::Gone(Some(status))),
            (Some(FromChild::Answer(answer)), Some(0)) => Ok(Some(answer)),
            (_, Some(0)) => Ok(None),
            (_, Some(status)) => Err(End::Status(status)),
        }
    }
}

fn is_answer(message: &FromChild) -> bool {
    matches!(message, FromChild::Answer(_) | FromChild::Done | FromChild::Failed(_))
}
