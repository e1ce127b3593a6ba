//! Compiled plugins, and a host that only listens.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use sealer_plugin::child::{Carrier, Loaded};
use sealer_plugin::set::Loader;
use sealer_plugin::{Cluster, HostError, Invocation, KubeReply, KubeRequest, Output, PluginHost, Verb};

/// The workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Compiles `testdata/plugins/hostile.c` with more flags.
pub(crate) fn compile(dir: &Path, name: &str, flags: &[&str]) -> PathBuf {
    let file = dir.join(name);
    let output = Command::new("cc")
        .args(["-std=gnu99", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-D_GNU_SOURCE", "-I"])
        .arg(root().join("plugin/abi/include"))
        .args(flags)
        .arg("-o")
        .arg(&file)
        .arg(root().join("testdata/plugins/hostile.c"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    file
}

/// Loads plugins by the real program.
pub(crate) fn loader(timeout: Duration) -> Loader {
    Loader { program: env!("CARGO_BIN_EXE_sealer").into(), timeout }
}

/// A call with this `data`.
pub(crate) fn call(data: &str) -> Invocation {
    Invocation {
        name: "hostile".to_owned(),
        kind: "HOSTILE".to_owned(),
        phase: "PostInstall".to_owned(),
        data: data.to_owned(),
        cluster: Cluster { name: "my-cluster".to_owned(), ..Cluster::default() },
        hosts: vec!["10.0.0.1".to_owned()],
        sealer_version: "0.0.0".to_owned(),
        timeout_seconds: None,
    }
}

/// The plugin that a shared object holds, with `run` alone.
pub(crate) fn loaded(file: &Path, timeout: Duration) -> Loaded {
    let (carrier, verbs) = (Carrier::SharedObject, vec![Verb::Run]);
    Loaded::new("HOSTILE".to_owned(), file.to_owned(), carrier, verbs, loader(timeout))
}

/// Keeps what is logged; knows no host.
#[derive(Default)]
pub(crate) struct Listener {
    pub(crate) lines: Mutex<Vec<String>>,
    state: Mutex<Option<String>>,
}

fn no_host<T>(host: &str) -> Result<T, HostError> {
    Err(HostError { host: host.to_owned(), reason: "is no host of the cluster".to_owned() })
}

impl PluginHost for Listener {
    fn exec(&self, host: &str, _: &str) -> Result<Output, HostError> {
        no_host(host)
    }

    fn copy(&self, _: &Path, host: &str, _: &str, _: u32) -> Result<(), HostError> {
        no_host(host)
    }

    fn read(&self, host: &str, _: &str) -> Result<Vec<u8>, HostError> {
        no_host(host)
    }

    fn kube(&self, _: &KubeRequest) -> Result<KubeReply, HostError> {
        Err(HostError { host: "the cluster".to_owned(), reason: "there is no kubeconfig yet".to_owned() })
    }

    fn log(&self, host: Option<&str>, line: &str) {
        let line = host.map_or_else(|| line.to_owned(), |host| format!("{host}: {line}"));
        self.lines.lock().unwrap().push(line);
    }

    fn progress(&self, done: u64, total: Option<u64>, unit: Option<&str>) {
        self.log(None, &format!("progress {done} of {total:?} {unit:?}"));
    }

    fn is_cancelled(&self) -> bool {
        false
    }

    fn state(&self) -> Result<Option<String>, HostError> {
        Ok(self.state.lock().unwrap().clone())
    }

    fn set_state(&self, value: Option<&str>) -> Result<(), HostError> {
        *self.state.lock().unwrap() = value.map(str::to_owned);
        Ok(())
    }
}

/// A host that does all that is asked of 10.0.0.1, and keeps what is logged.
#[derive(Default)]
pub(crate) struct Answering {
    pub(crate) lines: Mutex<Vec<String>>,
    state: Mutex<Option<String>>,
}

impl Answering {
    fn on<T>(host: &str, answer: T) -> Result<T, HostError> {
        if host == "10.0.0.1" { Ok(answer) } else { no_host(host) }
    }
}

impl PluginHost for Answering {
    fn exec(&self, host: &str, command: &str) -> Result<Output, HostError> {
        let stdout = format!("out of {command}\n").into_bytes();
        Self::on(host, Output { status: 3, stdout, stderr: b"err\n".to_vec() })
    }

    fn copy(&self, _: &Path, host: &str, _: &str, _: u32) -> Result<(), HostError> {
        Self::on(host, ())
    }

    fn read(&self, host: &str, _: &str) -> Result<Vec<u8>, HostError> {
        Self::on(host, vec![0, 255, b'a'])
    }

    fn kube(&self, request: &KubeRequest) -> Result<KubeReply, HostError> {
        let body = serde_json::to_string(request).unwrap();
        Ok(KubeReply { status: 201, body })
    }

    fn log(&self, host: Option<&str>, line: &str) {
        let line = host.map_or_else(|| line.to_owned(), |host| format!("{host}: {line}"));
        self.lines.lock().unwrap().push(line);
    }

    fn progress(&self, done: u64, total: Option<u64>, unit: Option<&str>) {
        self.log(None, &format!("progress {done} of {total:?} {unit:?}"));
    }

    fn is_cancelled(&self) -> bool {
        true
    }

    fn state(&self) -> Result<Option<String>, HostError> {
        Ok(self.state.lock().unwrap().clone())
    }

    fn set_state(&self, value: Option<&str>) -> Result<(), HostError> {
        *self.state.lock().unwrap() = value.map(str::to_owned);
        Ok(())
    }
}
