//! `ETCD`: keeps a snapshot of the cluster's etcd on this machine, and restores one on all masters.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sealer_plugin_sdk::wire::{Description, Invocation, Need};

use super::quote;
use crate::phase::Phase;
use crate::plugin::{Error, Plugin, PluginHost, Verb};

/// Shell functions that find etcd's tools on a master, and ask its member there.
pub const TOOLS: &str = include_str!("etcd/tools.sh");
/// A snapshot on a host, where etcd's container sees it too.
const ON_HOST: &str = "/var/lib/etcd/sealer-snapshot.db";

pub(super) struct Etcd;

/// What `data` says.
enum Task {
    Snapshot(PathBuf),
    Restore(PathBuf),
}

/// A member of etcd, as its static pod's manifest has it.
struct Member {
    host: String,
    name: String,
    peer: String,
}

impl Plugin for Etcd {
    fn kind(&self) -> &'static str {
        "ETCD"
    }

    fn offers(&self, verb: Verb) -> bool {
        verb != Verb::Undo
    }

    fn describe(&self) -> Result<Description, Error> {
        Ok(Description {
            summary: Some("keeps or restores a snapshot of etcd: `snapshot FILE`, `restore FILE`".to_owned()),
            phases: Phase::names_with_cluster(),
            needs: Some(vec![Need::Exec, Need::Copy, Need::Read]),
            ..Description::default()
        })
    }

    fn validate(&self, invocation: &Invocation) -> Result<(), Error> {
        read(invocation).map(|_| ())
    }

    fn plan(&self, invocation: &Invocation, _: &dyn PluginHost) -> Result<Vec<String>, Error> {
        let masters = masters(invocation);
        Ok(match read(invocation)? {
            Task::Snapshot(file) => {
                vec![format!("keep a snapshot of etcd on {} as {} here", masters[0], file.display())]
            }
            Task::Restore(file) => vec![
                format!("restore {} on {}", file.display(), masters.join(", ")),
                "the API server stops meanwhile".to_owned(),
            ],
        })
    }

    fn run(&self, invocation: &Invocation, host: &dyn PluginHost) -> Result<(), Error> {
        let masters = masters(invocation);
        match read(invocation)? {
            Task::Snapshot(file) => snapshot(host, &masters[0], &file),
            Task::Restore(file) => restore(host, &masters, &file),
        }
    }
}

fn wrong(message: String) -> Error {
    Error::Returned { message }
}

/// The masters' addresses, the first of which every cluster has.
fn masters(invocation: &Invocation) -> Vec<String> {
    let is_master = |roles: &[String]| roles.iter().any(|role| role == "master");
    let hosts = invocation.cluster.hosts.iter().filter(|host| is_master(&host.roles));
    hosts.map(|host| host.address.clone()).collect()
}

/// Reads `snapshot FILE` or `restore FILE`. The file's folder has to be there, and what is restored.
fn read(invocation: &Invocation) -> Result<Task, Error> {
    let (verb, file) = invocation.data.trim().split_once(char::is_whitespace).unwrap_or_default();
    let file = PathBuf::from(file.trim());
    if !file.is_absolute() || file.file_name().is_none() {
        return Err(wrong(format!(
            "`{}` is neither `snapshot FILE` nor `restore FILE`, with the file's path from the root",
            invocation.data.trim()
        )));
    }
    match verb {
        "snapshot" if file.parent().is_some_and(Path::is_dir) => Ok(Task::Snapshot(file)),
        "snapshot" => Err(wrong(format!("the folder of `{}` is not there", file.display()))),
        "restore" if file.is_file() => Ok(Task::Restore(file)),
        "restore" => Err(wrong(format!("there is no file `{}` to restore", file.display()))),
        other => Err(wrong(format!("`{other}` is neither `snapshot` nor `restore`"))),
    }
}

/// Runs a script behind the tools; returns what it printed.
fn script(host: &dyn PluginHost, address: &str, shown: &str, text: &str) -> Result<String, Error> {
    let output = host.exec(address, &format!("{TOOLS}\n{text}"))?;
    if output.status != 0 {
        return Err(Error::Command { host: address.to_owned(), command: shown.to_owned(), output });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn snapshot(host: &dyn PluginHost, master: &str, file: &Path) -> Result<(), Error> {
    // Of a snapshot the last 32 bytes are the SHA-256 of what stands before them.
    let take = format!(
        "rm -f {ON_HOST}\nctl snapshot save {ON_HOST} > /dev/null\nchmod 600 {ON_HOST}\n\
         [ \"$(head -c -32 {ON_HOST} | sha256sum | cut -c1-64)\" = \
         \"$(tail -c 32 {ON_HOST} | od -An -v -tx1 | tr -d ' \\n')\" ] || {{ echo 'the snapshot is damaged' >&2; exit 1; }}"
    );
    script(host, master, "etcdctl snapshot save", &take)?;
    let content = host.read(master, ON_HOST);
    script(host, master, "rm", &format!("rm -f {ON_HOST}"))?;
    let content = content?;
    write(file, &content)
        .map_err(|error| wrong(format!("the snapshot cannot be written to `{}`: {error}", file.display())))?;
    host.log(Some(master), &format!("a snapshot of {} bytes is in {}", content.len(), file.display()));
    Ok(())
}

/// Writes a file whole or not at all, for its owner alone: the cluster's secrets are in it.
fn write(file: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".sealer-new");
    let aside = file.with_file_name(name);
    let mut open = OpenOptions::new();
    let mut new: File = open.write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    new.write_all(content)?;
    new.sync_all()?;
    fs::rename(&aside, file)
}

fn restore(host: &dyn PluginHost, masters: &[String], file: &Path) -> Result<(), Error> {
    let members: Vec<Member> =
        masters.iter().map(|master| member(host, master)).collect::<Result<_, Error>>()?;
    let all: Vec<String> = members.iter().map(|member| format!("{}={}", member.name, member.peer)).collect();
    for member in &members {
        host.copy(file, &member.host, ON_HOST, 0o600)?;
        prepare(host, member, &all.join(","))?;
        host.log(Some(&member.host), "the snapshot is unpacked");
    }
    // Until here etcd has been at work. No member may go on by the old data while another has the new.
    let replaced = stop(host, masters)
        .and_then(|()| masters.iter().try_for_each(|master| script(host, master, "mv", SWAP).map(|_| ())));
    // Whatever came of it: the static pods go back.
    let started: Result<Vec<String>, Error> =
        masters.iter().map(|master| script(host, master, "mv", START)).collect();
    replaced?;
    started?;
    for master in masters {
        script(host, master, "etcdctl endpoint health", HEALTH)?;
        host.log(Some(master), "etcd is healthy again");
    }
    Ok(())
}

fn member(host: &dyn PluginHost, address: &str) -> Result<Member, Error> {
    let text = script(host, address, "cat etcd.yaml", "cat \"$manifests/etcd.yaml\"")?;
    let flag = |name: &str| -> Result<String, Error> {
        let found = text.lines().find_map(|line| line.trim().trim_start_matches("- ").strip_prefix(name));
        let missing = || wrong(format!("{address}: /etc/kubernetes/manifests/etcd.yaml has no `{name}`"));
        found.map(|value| value.trim_matches('"').to_owned()).ok_or_else(missing)
    };
    Ok(Member {
        host: address.to_owned(),
        name: flag("--name=")?,
        peer: flag("--initial-advertise-peer-urls=")?,
    })
}

/// Unpacks the snapshot beside the data that is in use.
fn prepare(host: &dyn PluginHost, member: &Member, all: &str) -> Result<(), Error> {
    // etcd 3.6 has this in etcdutl alone, before 3.5 there is only etcdctl.
    let arguments = format!(
        "snapshot restore {ON_HOST} --data-dir $data/sealer-restored --name {} --initial-cluster {} \
         --initial-cluster-token sealer-restored --initial-advertise-peer-urls {}",
        quote(&member.name),
        quote(all),
        quote(&member.peer)
    );
    let text = format!(
        "rm -rf \"$data/sealer-restored\"\n\
         tool etcdutl {arguments} > \"$data/sealer-log\" 2>&1 || {{ rm -rf \"$data/sealer-restored\"; tool etcdctl {arguments} >> \"$data/sealer-log\" 2>&1; }} || {{ cat \"$data/sealer-log\" >&2; exit 1; }}\n\
         rm -f {ON_HOST} \"$data/sealer-log\""
    );
    script(host, &member.host, "etcdutl snapshot restore", &text).map(|_| ())
}

/// Takes the static pods away, and waits until etcd has ended everywhere.
fn stop(host: &dyn PluginHost, masters: &[String]) -> Result<(), Error> {
    for master in masters {
        script(host, master, "mv", AWAY)?;
    }
    masters.iter().try_for_each(|master| script(host, master, "crictl ps", ENDED).map(|_| ()))
}

const AWAY: &str = r#"mkdir -p "$aside"
for pod in kube-apiserver etcd; do
    if [ -f "$manifests/$pod.yaml" ]; then mv "$manifests/$pod.yaml" "$aside/"; fi
done"#;

const ENDED: &str = r#"for _ in $(seq 600); do
    runs || exit 0
    sleep 0.5
done
echo 'etcd still runs after 5 minutes' >&2
exit 1"#;

/// The data that was there is kept until the next restore.
const SWAP: &str = r#"[ -d "$data/sealer-restored/member" ]
rm -rf "$data/member.before-restore"
mv "$data/member" "$data/member.before-restore"
mv "$data/sealer-restored/member" "$data/member" || { mv "$data/member.before-restore" "$data/member"; exit 1; }
rm -rf "$data/sealer-restored""#;

const START: &str = r#"for pod in etcd kube-apiserver; do
    if [ -f "$aside/$pod.yaml" ]; then mv "$aside/$pod.yaml" "$manifests/"; fi
done
rmdir "$aside" 2> /dev/null || true"#;

const HEALTH: &str = r#"for _ in $(seq 600); do
    if ctl endpoint health > /dev/null 2>&1; then exit 0; fi
    sleep 0.5
done
ctl endpoint health >&2
exit 1"#;
