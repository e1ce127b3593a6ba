//! What a run leaves behind: no secret anywhere, and after a delete nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use sealer_sandbox::UpOptions;
use sealer_testkit::{Registry, RegistryOptions};
use serde_json::json;

use crate::hosts::Room;
use crate::kit::{User, files};

/// Words that stand nowhere else.
const SSH_SECRET: &str = "canary-of-ssh-4f1c";
const REGISTRY_SECRET: &str = "canary-of-registry-9b2e";

fn holds(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}

/// The files below a folder that hold a secret. Docker's own configuration may hold the registry's.
fn telling(dir: &Path) -> Vec<String> {
    let all = files(dir).into_iter().filter(|file| {
        let bytes = fs::read(file).unwrap_or_default();
        holds(&bytes, SSH_SECRET) || holds(&bytes, REGISTRY_SECRET)
    });
    all.map(|file| file.strip_prefix(dir).unwrap().display().to_string()).collect()
}

/// The command lines and environments on this machine, hosts and all, that hold a secret now.
fn told_by_processes() -> Vec<String> {
    let mut told = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        for name in ["cmdline", "environ"] {
            let bytes = fs::read(entry.path().join(name)).unwrap_or_default();
            if holds(&bytes, SSH_SECRET) || holds(&bytes, REGISTRY_SECRET) {
                told.push(String::from_utf8_lossy(&bytes).replace('\0', " "));
            }
        }
    }
    told
}

/// Runs the program, and looks at all processes for as long as it does. What it printed tells nothing.
fn watched(user: &User, args: &[&str]) {
    let mut run = user.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut looks = 0;
    while run.try_wait().unwrap().is_none() {
        assert_eq!(told_by_processes(), Vec::<String>::new(), "{args:?}");
        looks += 1;
    }
    let ended = run.wait_with_output().unwrap();
    assert!(ended.status.success(), "{args:?}: {}", String::from_utf8_lossy(&ended.stderr));
    assert!(looks > 1, "{looks} looks at the process list during {args:?}");
    for printed in [&ended.stdout, &ended.stderr] {
        assert!(!holds(printed, SSH_SECRET) && !holds(printed, REGISTRY_SECRET), "{args:?}");
    }
}

/// What is kept below a folder of a user's, hosts and all, holds no secret and is read by nobody else.
fn kept_without_secrets(user: &User) {
    let everything = user.path("");
    assert_eq!(telling(&everything), Vec::<String>::new());
    assert!(files(&everything).len() > 5);
    let modes = files(&user.path("root/clusters")).into_iter().map(|file| {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(file).unwrap().permissions().mode() & 0o077
    });
    assert_eq!(modes.max(), Some(0));
}

#[test]
fn no_secret_is_on_any_disk_in_any_process_list_log_event_or_plan() {
    let room = Room::of(&UpOptions { hosts: 2, masters: 1, password: SSH_SECRET, disk: None });
    room.build_demo();
    let user = &room.user;
    let registry = Registry::start(RegistryOptions::secured("ops", REGISTRY_SECRET));
    let (address, ca) = (registry.address().to_string(), registry.ca_file().unwrap().display().to_string());
    let login = ["login", "-u", "ops", "--password-stdin", "--ca-file", &ca, &address];
    assert_eq!(user.sealer_with_input(&login, REGISTRY_SECRET).code, Some(0));
    let image = format!("{address}/demo:v1");
    user.ok(&["tag", "demo:v1", &image]);
    user.ok(&["push", "--ca-file", &ca, &image]);
    user.ok(&["rmi", "demo:v1", &image]);
    // The files that may hold it are outside of all that is searched.
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret");
    fs::write(&secret, format!("{SSH_SECRET}\n")).unwrap();
    let clusterfile = |password: &str| {
        format!(
            "apiVersion: sealer.cloud/v2\nkind: Cluster\nmetadata:\n  name: my-cluster\nspec:\n  image: {image}\n  ssh:\n    \
             user: ops\n    passwd: {password}\n  hosts:\n  - ips: [{}]\n    roles: [master]\n  - ips: [{}]\n    roles: [node]\n",
            room.address(0),
            room.address(1)
        )
    };
    let secret = secret.display().to_string();
    user.write("Clusterfile", clusterfile(&format!("file:{secret}")));
    watched(user, &["--output", "json", "plan", "--ca-file", &ca, "-o", "plan.json"]);
    watched(user, &["--output", "json", "apply", "--ca-file", &ca, "--plan", "plan.json"]);
    // The disks of the hosts, their logs, what masters keep, and all that is kept here.
    kept_without_secrets(user);
    // What was kept says how the password is got: nothing has to be typed again.
    watched(user, &["delete", "-a", "--force"]);

    // A password that stands in the Clusterfile itself, and another machine that picks the cluster up.
    let plain = outside.path().join("Clusterfile").display().to_string();
    fs::write(&plain, clusterfile(SSH_SECRET)).unwrap();
    watched(user, &["apply", "--ca-file", &ca, "-f", &plain]);
    kept_without_secrets(user);
    let other = User::new();
    watched(
        &other,
        &["--output", "json", "adopt", "-m", &room.address(0), "-u", "ops", "--passwd-file", &secret],
    );
    kept_without_secrets(&other);
    watched(user, &["delete", "-a", "--force", "--passwd-file", &secret]);
    kept_nothing(user);
}

/// After a delete there is no cluster here.
fn kept_nothing(user: &User) {
    assert_eq!(files(&user.path("root/clusters")), Vec::<std::path::PathBuf>::new());
    assert_eq!(telling(&user.path("")), Vec::<String>::new());
}

#[test]
fn a_reference_that_leads_nowhere_is_told_with_its_line() {
    let room = crate::kit::User::new();
    let text = "apiVersion: sealer.cloud/v2\nkind: Cluster\nmetadata:\n  name: my-cluster\nspec:\n  image: demo:v1\n  ssh:\n    \
                passwd: env:NO_SUCH_VARIABLE\n    pkPasswd: cmd:exit 3\n  hosts:\n  - ips: [10.0.0.1]\n    roles: [master]\n";
    room.write("Clusterfile", text);
    room.refused(
        &["apply"],
        3,
        "error: 2 mistakes\n  Clusterfile:8: there is no environment variable `NO_SUCH_VARIABLE`\n  \
         Clusterfile:9: `exit 3` failed (exit status: 3)\n",
    );
}

/// What stands on a host's disk beyond what all hosts have: contents by path, but for logs.
pub(crate) fn disk(room: &Room, host: usize) -> BTreeMap<String, Vec<u8>> {
    let folder = room.user.path(&format!("sandbox/hosts/{}", room.hosts()[host].name));
    let mut found = BTreeMap::new();
    for part in ["upper", "data"] {
        for file in files(&folder.join(part)) {
            let name = file.strip_prefix(&folder).unwrap().display().to_string();
            if !name.starts_with("upper/var/log/") {
                found.insert(name, fs::read(&file).unwrap_or_default());
            }
        }
    }
    found
}

#[test]
fn after_a_delete_a_host_has_the_files_that_it_had_before() {
    let room = Room::with(2);
    room.build_demo();
    let before = [disk(&room, 0), disk(&room, 1)];
    room.run("demo:v1", &["-u", "ops"]);
    let with = disk(&room, 0);
    assert!(with.len() > before[0].len() + 5);
    room.user.ok(&["delete", "-a", "--force", "-u", "ops", "-p", crate::hosts::PASSWORD]);
    assert_eq!([disk(&room, 0), disk(&room, 1)], before);
}

/// Makes files, a folder, a link and a unit, changes a file and removes one; nothing in the image undoes it.
const MAKER: &str = "mkdir -p /etc/made/deep /usr/local/bin; echo one > /etc/made/deep/one; ln -s one /etc/made/deep/link\n\
                     echo more >> /etc/there.conf; rm /etc/going.conf; echo tool > /usr/local/bin/made-tool\n\
                     printf '[Unit]\\nDescription=made\\n' > /etc/systemd/system/made.service\n";

#[test]
fn what_commands_made_is_taken_back_and_what_was_changed_since_is_left_and_told() {
    let room = Room::with(2);
    let user = &room.user;
    user.write("maker/Kubefile", "FROM scratch\nCOPY scripts .\nCMD echo once > /etc/made/cmd\n");
    user.write("maker/scripts/init.sh", MAKER);
    user.ok(&["build", "-t", "maker:v1", "maker"]);
    room.on_all(
        "mkdir -p /etc/systemd/system /usr/local/bin; echo before | tee /etc/there.conf > /etc/going.conf",
    );
    let before = [disk(&room, 0), disk(&room, 1)];
    room.run("maker:v1", &[]);
    assert_eq!(room.on_all("cat /etc/there.conf /etc/made/deep/link /etc/made/cmd 2>/dev/null; ls /etc/going.conf 2>/dev/null"), ["before\nmore\none\nonce\n", "before\nmore\none\n"]);
    room.on(1, "echo mine >> /etc/made/deep/one");
    let deleted = user.result(&["delete", "-a", "--force", "-p", crate::hosts::PASSWORD]);
    let left = |path: &str, reason: &str| json!({ "host": room.address(1), "path": path, "reason": reason });
    assert_eq!(
        deleted["left"],
        json!([
            left("/etc/made/deep/one", "it was changed since"),
            left("/etc/made/deep", "it is not empty"),
            left("/etc/made", "it is not empty"),
        ])
    );
    assert_eq!(disk(&room, 0), before[0]);
    let mut after = disk(&room, 1);
    assert_eq!(after.remove("upper/etc/made/deep/one").as_deref(), Some(&b"one\nmine\n"[..]));
    assert_eq!(after, before[1]);
}
