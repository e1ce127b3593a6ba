//! The secrets of a Kubernetes: the keys of its authorities and the token by which hosts join are where they
//! have to be, and nowhere else.
//!
//! kubeadm and the API server are stand-ins; what they are given is the real thing. What a real Kubernetes does
//! with it is looked at in the lab.

use std::collections::HashSet;
use std::fs;
use std::process::Stdio;

use sealer_sandbox::UpOptions;

use crate::hosts::{PASSWORD, Room};
use crate::kit::{User, files};
use crate::plugins::built;

const KUBEFILE: &str = "FROM scratch\nCOPY scripts etc bin ./\nCMD echo installed\n";
const CONFIG: &str = "\
apiVersion: kubeadm.k8s.io/v1beta2
kind: ClusterConfiguration
kubernetesVersion: v1.20.2
";
/// Does what kubeadm leaves to others: it starts an API server, and remembers, in memory alone, the token that a
/// host joins with.
const KUBEADM: &str = "#!/bin/sh
case $1 in
init)
    api=https://FIRST:6443
    setsid /usr/local/bin/nodes-api FIRST:6443 /etc/kubernetes/admin.conf NAMES >/dev/null 2>&1 </dev/null &
    until grep -q stand-in /etc/kubernetes/admin.conf; do :; done
    (umask 077; echo 'a key of no authority' > /etc/kubernetes/pki/sa.key; echo public > /etc/kubernetes/pki/sa.pub) ;;
join) sed -n 's/.*token: *//p' \"$3\" | head -n 1 > /run/joined-with ;;
esac
";
/// Hosts of tests have no systemd, no containers and no kubectl.
const INIT: &str = "install -m 755 ../bin/* /usr/local/bin\ncd /usr/local/bin\n\
                    for name in systemctl crictl kubectl; do printf '#!/bin/sh\\n' > $name; chmod 755 $name; done\n";
const CLEAN: &str = "cd /usr/local/bin && rm -f kubeadm nodes-api systemctl crictl kubectl\n";

fn image(room: &Room) {
    let user = &room.user;
    let names: Vec<String> = room.on_all("hostname").iter().map(|name| name.trim().to_lowercase()).collect();
    let kubeadm = KUBEADM.replace("FIRST", &room.address(0)).replace("NAMES", &names.join(" "));
    user.write("kube/Kubefile", KUBEFILE);
    user.write("kube/etc/kubeadm.yml", CONFIG);
    user.script("kube/bin/kubeadm", &kubeadm);
    fs::copy(built("nodes-api"), user.path("kube/bin/nodes-api")).unwrap();
    user.write("kube/scripts/init.sh", INIT);
    user.write("kube/scripts/clean.sh", CLEAN);
    user.ok(&["build", "--allow-missing", "-t", "kube:v1", "kube"]);
}

/// Runs the program and returns every command line and environment that there was on this machine meanwhile,
/// hosts and all, and what it printed.
fn watched(user: &User, args: &[&str]) -> HashSet<Vec<u8>> {
    let mut seen = HashSet::new();
    let printed = [user.path("printed.out"), user.path("printed.err")];
    let [out, err] = printed.each_ref().map(|path| Stdio::from(fs::File::create(path).unwrap()));
    let mut run = user.command(args).stdout(out).stderr(err).spawn().unwrap();
    while run.try_wait().unwrap().is_none() {
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            seen.extend(
                ["cmdline", "environ"].map(|name| fs::read(entry.path().join(name)).unwrap_or_default()),
            );
        }
    }
    let texts = printed.map(|path| fs::read(path).unwrap());
    assert!(run.wait().unwrap().success(), "{args:?}: {}", String::from_utf8_lossy(&texts[1]));
    seen.extend(texts);
    seen
}

fn holds(bytes: &[u8], word: &str) -> bool {
    memchr::memmem::find(bytes, word.as_bytes()).is_some()
}

/// The files of everybody that hold a word: `HOST:PATH` of hosts, else the path here.
fn where_it_is(room: &Room, word: &str) -> Vec<String> {
    let all = files(&room.user.path(""));
    let telling = all.into_iter().filter(|file| holds(&fs::read(file).unwrap_or_default(), word));
    let name = |file: std::path::PathBuf| {
        let path = file.strip_prefix(room.user.path("")).unwrap().display().to_string();
        let host =
            room.hosts().iter().position(|host| path.starts_with(&format!("sandbox/hosts/{}/", host.name)));
        match host {
            Some(at) => format!("{at}:{}", path.split('/').skip(3).collect::<Vec<_>>().join("/")),
            None => path,
        }
    };
    telling.map(name).collect()
}

/// The Secrets of `kube-system`, as the stand-in lists them.
fn secrets(room: &Room) -> String {
    let ask = "token=$(sed 's/.*\"token\":\"\\([^\"]*\\).*/\\1/' /etc/kubernetes/admin.conf); \
        curl -sk -H \"Authorization: Bearer $token\" https://ADDRESS:6443/api/v1/namespaces/kube-system/secrets";
    let answer = room.on(0, &ask.replace("ADDRESS", &room.address(0)));
    let list: serde_json::Value = serde_json::from_str(&answer).unwrap();
    list["items"].to_string()
}

#[test]
fn keys_of_authorities_are_on_masters_for_root_alone_and_a_join_token_is_on_no_disk() {
    let room = Room::of(&UpOptions { hosts: 3, masters: 2, password: PASSWORD, disk: None });
    image(&room);
    let flags = room.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let seen = watched(&room.user, &[&["--output", "json", "run", "kube:v1"], &flags[..]].concat());

    let tokens = room.on_all("cat /run/joined-with 2>/dev/null");
    let token = tokens[1].trim().to_owned();
    assert_eq!(tokens, [String::new(), format!("{token}\n"), format!("{token}\n")]);
    assert_eq!((token.len(), token.find('.')), (23, Some(6)), "{token}");
    for word in [&token, token.split_once('.').unwrap().1] {
        assert_eq!(where_it_is(&room, word), Vec::<String>::new());
        assert!(!seen.iter().any(|bytes| holds(bytes, word)), "{word} was in a process list or printed");
    }

    assert_eq!(secrets(&room), "[]", "the token is known to the cluster still");

    let masters = ["ca", "front-proxy-ca", "etcd/ca"];
    for authority in masters {
        let path = format!("etc/kubernetes/pki/{authority}.key");
        let key = room.on(0, &format!("cat /{path}"));
        // Of PEM, the line that only this key has.
        let word = key.lines().nth(2).unwrap();
        assert!(word.len() > 40, "{key}");
        assert_eq!(where_it_is(&room, word), [format!("0:upper/{path}"), format!("1:upper/{path}")]);
        assert!(!seen.iter().any(|bytes| holds(bytes, word)), "a key was in a process list or printed");
    }
    let modes = room.on_all("find /etc/kubernetes/pki -name '*.key' ! \\( -perm 600 -user root \\); find /etc/kubernetes/pki -name '*.key' 2>/dev/null | wc -l");
    assert_eq!(modes, ["11\n", "11\n", "0\n"]);

    room.user.ok(&["delete", "-a", "--force", "-p", PASSWORD]);
}
