//! The conformance kit: what sealer expects of a plugin, tried on one.
//!
//! The plugin is called for all its verbs, on a cluster that is not there. It may do well or return an
//! error; what it may not do is crash, hang, answer with something that cannot be read, or ask for
//! what it said that it does not need.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use sealer_plugin_sdk::wire::{Cluster, Host, Invocation, KubeReply, KubeRequest};
use serde_json::{Value, json};

use crate::child::Loaded;
use crate::phase::Phase;
use crate::plugin::{Error, HostError, Output, Plugin, PluginHost, Verb};
use crate::schema;
use crate::set::{Loader, SetError, of_file};

/// How long a call may take here.
const PATIENCE: Duration = Duration::from_secs(30);

/// One expectation, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What is expected, as a sentence without a full stop.
    pub expected: &'static str,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of an expectation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was met. What the plugin said by the way.
    Met(Option<String>),
    /// The plugin has no such verb.
    NotOffered,
    /// It was not met: why, and what to do about it.
    Missed {
        /// Why.
        message: String,
        /// What to do.
        hint: &'static str,
    },
}

/// Tries a plugin's file, with `data` as what its YAML would say.
///
/// # Errors
/// When the file holds no plugin for this machine.
pub fn check(file: &Path, data: &str, loader: &Loader) -> Result<Vec<Finding>, SetError> {
    let loader = Loader { timeout: PATIENCE, ..loader.clone() };
    let plugin = of_file(file, &loader)?;
    let trial = Trial { plugin, data };
    Ok(vec![
        trial.describe(),
        trial.schema(),
        trial.verb(Verb::Validate, "`validate` accepts the data", &Answering::well()).strictly(),
        trial.nonsense(),
        trial.verb(Verb::Plan, "`plan` tells without changing anything", &Answering::well()),
        trial.verb(Verb::Run, "`run` ends where every host answers", &Answering::well()),
        trial.verb(Verb::Run, "`run` ends where no host answers", &Answering::badly()),
        trial.verb(Verb::Run, "`run` ends where a stop was asked for", &Answering::stopping()),
        trial.tomorrow(),
        trial.verb(Verb::Undo, "`undo` ends after a run", &Answering::well()),
        trial.verb(Verb::Undo, "`undo` ends where there is nothing to take back", &Answering::badly()),
    ])
}

struct Trial<'a> {
    plugin: Loaded,
    data: &'a str,
}

impl Trial<'_> {
    fn invocation(&self) -> Invocation {
        let host = |number: u8, role: &str| Host {
            address: format!("192.0.2.{number}"),
            hostname: format!("host-{number}"),
            roles: vec![role.to_owned()],
            ..Host::default()
        };
        let hosts = vec![host(1, "master"), host(2, "node")];
        Invocation {
            name: "conformance".to_owned(),
            kind: self.plugin.kind().to_owned(),
            phase: self.phase().to_string(),
            data: self.data.to_owned(),
            hosts: hosts.iter().map(|host| host.address.clone()).collect(),
            cluster: Cluster {
                name: "conformance".to_owned(),
                image: "conformance:v1".to_owned(),
                hosts,
                rootfs: "/var/lib/sealer/data/conformance/rootfs".to_owned(),
                ..Cluster::default()
            },
            sealer_version: env!("CARGO_PKG_VERSION").to_owned(),
            timeout_seconds: None,
        }
    }

    /// The first phase that it accepts.
    fn phase(&self) -> Phase {
        let described = self.plugin.describe().unwrap_or_default();
        described.phases.iter().find_map(|word| word.parse().ok()).unwrap_or(Phase::PostInstall)
    }

    fn describe(&self) -> Finding {
        let expected = "`describe` says what the plugin is";
        if !self.plugin.offers(Verb::Describe) {
            return Finding { expected, outcome: Outcome::NotOffered };
        }
        let outcome = match self.plugin.describe() {
            Err(error) => missed(&error),
            Ok(described) => {
                let stranger = described.phases.iter().find(|word| word.parse::<Phase>().is_err());
                match stranger {
                    Some(word) => Outcome::Missed {
                        message: format!("its `phases` has `{word}`, which is no phase"),
                        hint: "docs/reference/plugins.md has the phases",
                    },
                    None => Outcome::Met(described.summary),
                }
            }
        };
        Finding { expected, outcome }
    }

    fn schema(&self) -> Finding {
        let expected = "the data is what the description's schema wants";
        let described = self.plugin.describe().unwrap_or_default();
        let outcome = match described.schema.map(|schema| schema::check(&schema, self.data)) {
            None => Outcome::NotOffered,
            Some(Ok(())) => Outcome::Met(None),
            Some(Err(message)) => Outcome::Missed { message, hint: "give data that is right with `--data`" },
        };
        Finding { expected, outcome }
    }

    fn verb(&self, verb: Verb, expected: &'static str, host: &Answering) -> Finding {
        if !self.plugin.offers(verb) {
            return Finding { expected, outcome: Outcome::NotOffered };
        }
        let call = self.invocation();
        let result = match verb {
            Verb::Run => self.plugin.run(&call, host),
            Verb::Undo => self.plugin.undo(&call, host),
            Verb::Validate => self.plugin.validate(&call),
            Verb::Plan => self.plugin.plan(&call, host).map(|_| ()),
            Verb::Describe => self.plugin.describe().map(|_| ()),
        };
        Finding { expected, outcome: outcome(result) }
    }

    fn nonsense(&self) -> Finding {
        let expected = "`validate` survives data that makes no sense";
        if !self.plugin.offers(Verb::Validate) {
            return Finding { expected, outcome: Outcome::NotOffered };
        }
        let data = "\u{1}\u{fffd}: [{\"'".repeat(1000);
        let call = Invocation { data, ..self.invocation() };
        Finding { expected, outcome: outcome(self.plugin.validate(&call)) }
    }

    /// A request as a later sealer may send it.
    fn tomorrow(&self) -> Finding {
        let expected = "`run` takes a later sealer's request: more fields, another phase";
        let mut request = serde_json::to_value(self.invocation()).expect("an invocation is plain data");
        request["phase"] = json!("PostSunrise");
        request["a_field_of_tomorrow"] = json!({ "nested": [1, 2, { "deep": null }] });
        request["cluster"]["another"] = json!(true);
        request["cluster"]["hosts"][0]["labels"] = json!({ "zone": "a" });
        let result = self.plugin.call_as_it_stands(Verb::Run, request, &Answering::well());
        Finding { expected, outcome: outcome(result.map(|_: Option<Value>| ())) }
    }
}

impl Finding {
    /// An error that the plugin returns is one here too.
    fn strictly(self) -> Self {
        match self.outcome {
            Outcome::Met(Some(message)) => {
                let hint = "give data that is right with `--data`";
                Self { outcome: Outcome::Missed { message, hint }, ..self }
            }
            outcome => Self { outcome, ..self },
        }
    }
}

fn outcome(result: Result<(), Error>) -> Outcome {
    match result {
        Ok(()) => Outcome::Met(None),
        Err(error @ Error::Returned { .. }) => Outcome::Met(Some(format!("it {error}"))),
        // A script that ends with a status says no in its own way.
        Err(error @ Error::Status { .. }) => Outcome::Met(Some(format!("it {error}"))),
        Err(error) => missed(&error),
    }
}

fn missed(error: &Error) -> Outcome {
    let hint = match error {
        Error::Panicked { .. } => "return an error instead",
        Error::Crashed { .. } => "it runs in a process of its own: attach a debugger to `sealer plugin-host`",
        Error::Exited { .. } => "a plugin returns; it never calls exit()",
        Error::TimedOut { .. } => "ask `cancelled` now and then, and give every wait of its own an end",
        Error::Garbage { .. } => "docs/reference/plugin-abi.md has what each verb answers",
        Error::Crowded { .. } => "wait for the processes and threads that it starts",
        Error::Load { .. } => "build it on the oldest system that it is to load on",
        _ => "docs/reference/plugins.md says what is expected",
    };
    Outcome::Missed { message: format!("it {error}"), hint }
}

/// Hosts that are not there.
struct Answering {
    well: bool,
    stop: bool,
    state: Mutex<Option<String>>,
}

impl Answering {
    fn well() -> Self {
        Self { well: true, stop: false, state: Mutex::default() }
    }

    fn badly() -> Self {
        Self { well: false, stop: false, state: Mutex::default() }
    }

    fn stopping() -> Self {
        Self { well: false, stop: true, state: Mutex::default() }
    }

    fn reach<T>(&self, subject: &str, answer: T) -> Result<T, HostError> {
        if self.well {
            return Ok(answer);
        }
        Err(HostError { host: subject.to_owned(), reason: "does not answer".to_owned() })
    }
}

impl PluginHost for Answering {
    fn exec(&self, host: &str, _: &str) -> Result<Output, HostError> {
        self.reach(host, Output::default())
    }

    fn copy(&self, _: &Path, host: &str, _: &str, _: u32) -> Result<(), HostError> {
        self.reach(host, ())
    }

    fn read(&self, host: &str, _: &str) -> Result<Vec<u8>, HostError> {
        self.reach(host, Vec::new())
    }

    fn kube(&self, _: &KubeRequest) -> Result<KubeReply, HostError> {
        let body = r#"{"kind":"List","apiVersion":"v1","metadata":{},"items":[]}"#.to_owned();
        self.reach("the cluster", KubeReply { status: 200, body })
    }

    fn log(&self, _: Option<&str>, _: &str) {}

    fn progress(&self, _: u64, _: Option<u64>, _: Option<&str>) {}

    fn is_cancelled(&self) -> bool {
        self.stop
    }

    fn state(&self) -> Result<Option<String>, HostError> {
        Ok(self.state.lock().expect("no holder panics").clone())
    }

    fn set_state(&self, value: Option<&str>) -> Result<(), HostError> {
        *self.state.lock().expect("no holder panics") = value.map(str::to_owned);
        Ok(())
    }
}
