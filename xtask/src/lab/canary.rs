//! Looks for secrets where they must not be: on the disks of all hosts and in what they hold in memory, in
//! process lists, in the cluster's objects and its etcd, in journals, and in all that the operator has.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::check::{kubectl, wrong_unless};
use super::hosts::Hosts;
use super::{Lab, PASSWD_FILE, PASSWORD, REGISTRY_PASSWD_FILE, build};
use crate::command::{self, Failure, Result};

/// How long process lists are not looked at between two looks: less would take the cluster's processor.
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);
/// The authorities, below `/etc/kubernetes/pki`, and what signs the tokens of pods.
const KEYS: [&str; 4] = ["ca", "front-proxy-ca", "etcd/ca", "sa"];
/// How long a line of PEM is at least that one key alone has.
const LINE: usize = 40;
/// What of etcd's files holds a bootstrap token's secret: its field in a Secret, then 16 letters.
const TOKEN_FIELD: &[u8] = b"token-secret\x12\x10";
const TOKEN_LENGTH: usize = 16;

/// Every command line and environment that there was on this machine, hosts and all.
pub(super) struct Processes {
    is_over: Arc<AtomicBool>,
    seen: JoinHandle<HashSet<Vec<u8>>>,
}

impl Processes {
    /// Looks at them from now on.
    pub(super) fn watch() -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_over);
        let seen = thread::spawn(move || {
            let mut seen = HashSet::new();
            while !told.load(Ordering::Relaxed) {
                for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
                    let read =
                        |name: &&str| fs::read(entry.path().join(name)).ok().filter(|text| !text.is_empty());
                    seen.extend(["cmdline", "environ"].iter().filter_map(read));
                }
                thread::sleep(BETWEEN_LOOKS);
            }
            seen
        });
        Self { is_over, seen }
    }

    fn end(self) -> HashSet<Vec<u8>> {
        self.is_over.store(true, Ordering::Relaxed);
        self.seen.join().expect("nothing that it does panics")
    }
}

/// A secret, and the only places that may hold it: as they are, or all that is below them where they end in `/`.
struct Secret {
    name: String,
    text: String,
    places: Vec<String>,
}

impl Secret {
    fn may_be(&self, place: &str) -> bool {
        let covers =
            |wanted: &String| place == wanted || (wanted.ends_with('/') && place.starts_with(wanted));
        self.places.iter().any(covers)
    }

    /// What is looked for: the text, and its base64 wherever in a text it begins.
    fn forms(&self) -> Vec<Vec<u8>> {
        let text = self.text.as_bytes();
        // The last letters would tell of what comes behind.
        let shifted = (0..3).map(|shift| STANDARD.encode(&text[shift..shift + (text.len() - shift) / 3 * 3]));
        // A line of PEM is base64 already.
        let bare = STANDARD.decode(text).ok().filter(|bare| bare.len() > LINE / 2);
        shifted.map(String::into_bytes).chain([text.to_vec()]).chain(bare).collect()
    }
}

/// Looks everywhere; says where which secret is that must not be there.
pub(super) fn look(lab: &mut Lab, hosts: &Hosts, parts: &build::Parts, processes: Processes) -> Result<()> {
    let seen = processes.end();
    let secrets = secrets(lab, hosts)?;
    let mut search = Search::of(&secrets);
    for text in &seen {
        search.text("process list", text);
    }
    search.text("objects of the cluster", &quiet(lab, &objects(parts))?);
    search.text("etcd", &quiet(lab, &Hosts::ssh(&hosts.masters[0], ETCD))?);
    for host in hosts.all() {
        search.text(&format!("{host}: journal"), &quiet(lab, &Hosts::ssh(&host, JOURNAL))?);
        for (below, folder) in disks(lab, &host)? {
            search.folder(&format!("{host}:{below}"), &folder, &[])?;
        }
    }
    let stage = lab.stage.dir();
    search.folder("here:", stage, &[stage.join("hosts")])?;
    search.folder("printed:", &lab.output, &[])?;
    println!("# canary: {} files, {} bytes, {} processes\n", search.files, search.bytes, seen.len());
    verdict(&secrets, &search.found)?;
    modes(lab, hosts)
}

fn verdict(secrets: &[Secret], found: &BTreeMap<usize, BTreeSet<String>>) -> Result<()> {
    let mut wrong = Vec::new();
    for (at, secret) in secrets.iter().enumerate() {
        let places = found.get(&at).cloned().unwrap_or_default();
        let astray: Vec<&String> = places.iter().filter(|place| !secret.may_be(place)).collect();
        wrong.extend(astray.iter().map(|place| format!("{} is in {place}", secret.name)));
        // Whoever finds it nowhere has not looked.
        if places.len() == astray.len() {
            wrong.push(format!("{} is not where it has to be: {}", secret.name, secret.places.join(", ")));
        }
    }
    wrong_unless(wrong.is_empty(), || format!("secrets astray:\n  {}", wrong.join("\n  ")))
}

/// Passwords are known beforehand; keys and tokens are read where they have to be.
fn secrets(lab: &Lab, hosts: &Hosts) -> Result<Vec<Secret>> {
    let secret = |name: &str, text: &str, places: Vec<String>| Secret {
        name: name.to_owned(),
        text: text.to_owned(),
        places,
    };
    let mut secrets =
        vec![secret("the password of hosts", PASSWORD, vec![format!("here:home/{PASSWD_FILE}")])];
    // `login` keeps it as docker does.
    let kept = vec![format!("here:home/{REGISTRY_PASSWD_FILE}"), "here:docker/config.json".to_owned()];
    let path = lab.stage.place().join(REGISTRY_PASSWD_FILE);
    let password = fs::read_to_string(&path).map_err(Failure::file(&path))?;
    secrets.push(secret("the registry's password", &password, kept));
    for key in KEYS {
        let path = format!("/etc/kubernetes/pki/{key}.key");
        let file = host_dir(lab, &hosts.masters[0]).join("upper").join(&path[1..]);
        let text = fs::read_to_string(&file).map_err(Failure::file(&file))?;
        // Of PEM, a line that only this key has.
        let line = text.lines().nth(2).filter(|line| line.len() > LINE);
        let line = line.ok_or_else(|| Failure::wrong(format!("{path} is no key")))?;
        let places = hosts.masters.iter().map(|host| format!("{host}:{path}")).collect();
        secrets.push(secret(&format!("{key}.key"), line, places));
    }
    let mut tokens = BTreeSet::new();
    for host in &hosts.masters {
        tokens.extend(tokens_of(&host_dir(lab, host).join("etcd"))?);
    }
    // kubeadm's own, and that by which hosts joined.
    wrong_unless(tokens.len() >= 2, || format!("etcd has seen {} tokens, not two", tokens.len()))?;
    for token in tokens {
        // What was written is there until etcd writes over it. It is void: the API server has forgotten it.
        let places = hosts.masters.iter().map(|host| format!("{host}:/var/lib/etcd/")).collect();
        secrets.push(secret("a join token", &token, places));
    }
    Ok(secrets)
}

/// The secrets of all bootstrap tokens that a member of etcd has been told of.
fn tokens_of(etcd: &Path) -> Result<BTreeSet<String>> {
    let (mut tokens, mut files) = (BTreeSet::new(), Vec::new());
    list(etcd, &[], &mut files)?;
    for file in files {
        let bytes = fs::read(&file).map_err(Failure::file(&file))?;
        let begins =
            bytes.windows(TOKEN_FIELD.len()).enumerate().filter(|(_, window)| *window == TOKEN_FIELD);
        for (at, field) in begins {
            let token = bytes.get(at + field.len()..at + field.len() + TOKEN_LENGTH).unwrap_or_default();
            let is_one = !token.is_empty() && token.iter().all(u8::is_ascii_alphanumeric);
            tokens.extend(is_one.then(|| String::from_utf8_lossy(token).into_owned()));
        }
    }
    Ok(tokens)
}

/// Every object of every kind, also of kinds that are not part of `get all`.
fn objects(parts: &build::Parts) -> String {
    let kubectl = kubectl(parts);
    format!(
        "kinds=$({kubectl} api-resources --verbs=list -o name | paste -sd,) && {kubectl} get \"$kinds\" -A -o yaml"
    )
}

/// What etcd has now, by its own client.
const ETCD: &str = "crictl exec $(crictl ps --name etcd -q | head -n 1) etcdctl --endpoints=https://127.0.0.1:2379 \
    --cacert=/etc/kubernetes/pki/etcd/ca.crt --cert=/etc/kubernetes/pki/etcd/server.crt \
    --key=/etc/kubernetes/pki/etcd/server.key get --prefix ''";
const JOURNAL: &str = "journalctl --no-pager --all -o export";

/// Where a host's files are on this machine: its disk, and what it has in memory.
fn disks(lab: &Lab, host: &str) -> Result<Vec<(&'static str, PathBuf)>> {
    let dir = host_dir(lab, host);
    let mut disks: Vec<(&str, PathBuf)> = vec![("/", dir.join("upper"))];
    for (below, name) in
        [("/var/lib/containerd/", "containerd"), ("/var/lib/kubelet/", "kubelet"), ("/var/lib/etcd/", "etcd")]
    {
        disks.push((below, dir.join(name)));
    }
    let root = PathBuf::from(format!("/proc/{}/root", init_of(&dir)?));
    disks.extend([
        ("/run/", root.join("run")),
        ("/dev/shm/", root.join("dev/shm")),
        ("/tmp/", root.join("tmp")),
    ]);
    Ok(disks)
}

/// The process that is a host's first: a child of systemd-nspawn, which is a child of the loop that boots it.
fn init_of(dir: &Path) -> Result<String> {
    let path = dir.join("pid");
    let mut pid = fs::read_to_string(&path).map_err(Failure::file(&path))?.trim().to_owned();
    for _ in 0..2 {
        let path = PathBuf::from(format!("/proc/{pid}/task/{pid}/children"));
        let children = fs::read_to_string(&path).map_err(Failure::file(&path))?;
        let child = children.split_whitespace().next();
        pid = child.ok_or_else(|| Failure::wrong(format!("{} has no process", dir.display())))?.to_owned();
    }
    Ok(pid)
}

fn host_dir(lab: &Lab, host: &str) -> PathBuf {
    lab.stage.dir().join("hosts/hosts").join(host.rsplit('.').next().unwrap_or_default())
}

/// Keys are root's alone.
fn modes(lab: &Lab, hosts: &Hosts) -> Result<()> {
    for host in &hosts.masters {
        for key in KEYS {
            let path = host_dir(lab, host).join(format!("upper/etc/kubernetes/pki/{key}.key"));
            let about = fs::metadata(&path).map_err(Failure::file(&path))?;
            let (mode, owner) = (about.mode() & 0o7777, about.uid());
            wrong_unless((mode, owner) == (0o600, 0), || {
                format!("{host}: {key}.key has the mode {mode:o} and the owner {owner}")
            })?;
        }
    }
    Ok(())
}

/// What a command prints, which is not shown.
fn quiet(lab: &Lab, line: &str) -> Result<Vec<u8>> {
    let output = command::output(lab.stage.command(Path::new("sh")).args(["-c", line]))?;
    let (status, said) = (output.status, String::from_utf8_lossy(&output.stderr).into_owned());
    wrong_unless(status.success(), || format!("`{line}` failed: {status}\n{said}"))?;
    Ok(output.stdout)
}

/// Where which secret was found.
struct Search {
    needles: AhoCorasick,
    /// The secret of each needle.
    of: Vec<usize>,
    found: BTreeMap<usize, BTreeSet<String>>,
    files: usize,
    bytes: usize,
}

impl Search {
    fn of(secrets: &[Secret]) -> Self {
        let forms = secrets
            .iter()
            .enumerate()
            .flat_map(|(at, secret)| secret.forms().into_iter().map(move |form| (at, form)));
        let (of, forms): (Vec<usize>, Vec<Vec<u8>>) = forms.unzip();
        let needles = AhoCorasick::new(forms).expect("a few short needles");
        Self { needles, of, found: BTreeMap::new(), files: 0, bytes: 0 }
    }

    fn text(&mut self, place: &str, text: &[u8]) {
        self.bytes += text.len();
        for hit in self.needles.find_iter(text) {
            self.found.entry(self.of[hit.pattern().as_usize()]).or_default().insert(place.to_owned());
        }
    }

    /// Looks at all files of a folder, but for what is below others.
    fn folder(&mut self, place: &str, folder: &Path, without: &[PathBuf]) -> Result<()> {
        let mut files = Vec::new();
        list(folder, without, &mut files)?;
        for file in files {
            let below = file.strip_prefix(folder).unwrap_or(&file);
            // What ends meanwhile takes its files along.
            let Ok(bytes) = fs::read(&file) else { continue };
            self.files += 1;
            self.text(&format!("{place}{}", below.display()), &bytes);
        }
        Ok(())
    }
}

/// The regular files below a folder, on the same device.
fn list(folder: &Path, without: &[PathBuf], files: &mut Vec<PathBuf>) -> Result<()> {
    let device = fs::metadata(folder).map_err(Failure::file(folder))?.dev();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let Ok(about) = fs::symlink_metadata(&path) else { continue };
            if about.is_dir() && about.dev() == device && !without.contains(&path) {
                folders.push(path);
            } else if about.is_file() {
                files.push(path);
            }
        }
    }
    Ok(())
}
