//! The built-in plugins that work on hosts, against a host that records.

use std::sync::Mutex;

use sealer_plugin_sdk::wire::{Cluster, Host, Invocation, KubeReply, KubeRequest};

use super::*;

#[derive(Default)]
struct Recording {
    commands: Mutex<Vec<(String, String)>>,
    lines: Mutex<Vec<String>>,
    failing: Option<&'static str>,
}

impl PluginHost for Recording {
    fn exec(&self, host: &str, command: &str) -> Result<Output, HostError> {
        self.commands.lock().unwrap().push((host.to_owned(), command.to_owned()));
        let status = i32::from(self.failing == Some(host)) * 3;
        Ok(Output { status, stdout: format!("out of {host}\n").into_bytes(), stderr: Vec::new() })
    }

    fn copy(&self, _: &std::path::Path, _: &str, _: &str, _: u32) -> Result<(), HostError> {
        unreachable!("no built-in copies")
    }

    fn read(&self, _: &str, _: &str) -> Result<Vec<u8>, HostError> {
        unreachable!("no built-in reads")
    }

    fn kube(&self, _: &KubeRequest) -> Result<KubeReply, HostError> {
        unreachable!("these ask no cluster")
    }

    fn progress(&self, _: u64, _: Option<u64>, _: Option<&str>) {}

    fn is_cancelled(&self) -> bool {
        false
    }

    fn state(&self) -> Result<Option<String>, HostError> {
        unreachable!("no built-in keeps anything")
    }

    fn set_state(&self, _: Option<&str>) -> Result<(), HostError> {
        unreachable!("no built-in keeps anything")
    }

    fn log(&self, host: Option<&str>, line: &str) {
        self.lines.lock().unwrap().push(format!("{}: {line}", host.unwrap_or_default()));
    }
}

fn invocation(kind: &str, phase: &str, data: &str) -> Invocation {
    let host = |address: &str, env: &[(&str, &str)]| Host {
        address: address.into(),
        env: env.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        ..Host::default()
    };
    Invocation {
        kind: kind.into(),
        phase: phase.into(),
        data: data.into(),
        cluster: Cluster {
            rootfs: "/data/rootfs".into(),
            hosts: vec![host("10.0.0.1", &[("A", "it's")]), host("10.0.0.2", &[])],
            ..Cluster::default()
        },
        hosts: vec!["10.0.0.1".into(), "10.0.0.2".into()],
        ..Invocation::default()
    }
}

fn run(invocation: &Invocation, host: &Recording) -> Result<Vec<(String, String)>, String> {
    let plugin = all().into_iter().find(|plugin| plugin.kind() == invocation.kind).unwrap();
    plugin.run(invocation, host).map_err(|error| error.to_string())?;
    let mut commands = host.commands.lock().unwrap().clone();
    commands.sort();
    Ok(commands)
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(one, other)| ((*one).to_owned(), (*other).to_owned())).collect()
}

#[test]
fn shell_runs_every_line_in_the_root_with_the_hosts_environment() {
    let host = Recording::default();
    let commands = run(&invocation("SHELL", "PreInit", "ls\npwd\n"), &host);
    assert_eq!(
        commands,
        Ok(pairs(&[
            ("10.0.0.1", "export A='it'\\''s'\ncd '/data/rootfs' || exit 1\nls\npwd\n"),
            ("10.0.0.2", "cd '/data/rootfs' || exit 1\nls\npwd\n"),
        ]))
    );
    assert_eq!(*host.lines.lock().unwrap(), ["10.0.0.1: out of 10.0.0.1", "10.0.0.2: out of 10.0.0.2"]);
}

#[test]
fn a_shell_command_cleans_only_where_there_is_a_root() {
    let commands = run(&invocation("SHELL", "PreClean", "ls"), &Recording::default());
    let command = "cd '/data/rootfs' 2>/dev/null || exit 0\nls";
    let expected = pairs(&[("10.0.0.1", &format!("export A='it'\\''s'\n{command}")), ("10.0.0.2", command)]);
    assert_eq!(commands, Ok(expected));
}

#[test]
fn shell_before_anything_is_distributed_goes_to_no_folder() {
    let commands = run(&invocation("SHELL", "Originally", "ls"), &Recording::default());
    assert_eq!(commands, Ok(pairs(&[("10.0.0.1", "export A='it'\\''s'\nls"), ("10.0.0.2", "ls")])));
}

#[test]
fn shell_fails_where_a_host_does() {
    let host = Recording { failing: Some("10.0.0.2"), ..Recording::default() };
    assert_eq!(
        run(&invocation("SHELL", "PreInit", "\nfalse\n"), &host),
        Err("10.0.0.2: `false` exited with 3".to_owned())
    );
}

#[test]
fn hostname_names_the_hosts_it_is_told() {
    let commands =
        run(&invocation("HOSTNAME", "PreInit", "# names\n10.0.0.2  node-1\n"), &Recording::default());
    let expected = "hostname 'node-1' && rm -f /etc/hostname && echo 'node-1' > /etc/hostname";
    assert_eq!(commands, Ok(pairs(&[("10.0.0.2", expected)])));
}

#[test]
fn a_script_that_may_take_so_long_is_ended_by_the_host() {
    let call = Invocation { timeout_seconds: Some(90), ..invocation("SHELL", "PreInit", "echo 'a b'") };
    let commands = run(&call, &Recording::default()).unwrap();
    let command = r"cd '/data/rootfs' || exit 1
timeout -k 5 90 /bin/sh -c 'echo '\''a b'\'''";
    assert_eq!(commands[1], ("10.0.0.2".to_owned(), command.to_owned()));
}

#[test]
fn hostname_refuses_lines_that_are_wrong_before_it_renames_any_host() {
    for (data, message) in [
        (
            "10.0.0.1 one\n10.0.0.2 a b\n10.0.0.2\n",
            "returned an error: line 2 of data is `10.0.0.2 a b`, not `ADDRESS NAME`; \
             line 3 of data is `10.0.0.2`, not `ADDRESS NAME`",
        ),
        ("10.0.0.9 x\n", "returned an error: line 1 of data: `10.0.0.9` is no host of the cluster"),
        ("10.0.0.1 A;reboot\n", "returned an error: line 1 of data: `A;reboot` is no host name (RFC 1123)"),
        ("10.0.0.1-10.0.0.2 a\n", "returned an error: data names `a` or 10.0.0.2 twice"),
    ] {
        let host = Recording::default();
        assert_eq!(run(&invocation("HOSTNAME", "PreInit", data), &host), Err(message.to_owned()));
        assert_eq!(*host.commands.lock().unwrap(), []);
    }
}
