//! Throwaway hosts for the length of a test, and an image that leaves its marks on them.

use sealer_sandbox::{Guard, Host, UpOptions};
use serde_json::Value;

use crate::kit::User;

/// The password of the hosts.
pub(crate) const PASSWORD: &str = "t0p secret";

/// A user with hosts.
pub(crate) struct Room {
    // Before the user, whose folder holds what is known of the hosts: fields go in this order.
    guard: Guard,
    pub(crate) user: User,
}

impl Room {
    /// Makes hosts, the first of which is the master.
    pub(crate) fn with(hosts: u16) -> Self {
        Self::of(&UpOptions { hosts, masters: 1, password: PASSWORD, disk: None })
    }

    pub(crate) fn of(options: &UpOptions<'_>) -> Self {
        let user = User::new();
        let guard = Guard::up(&user.path("sandbox"), options).unwrap();
        Self { guard, user }
    }

    pub(crate) fn hosts(&self) -> &[Host] {
        &self.guard.hosts
    }

    pub(crate) fn sandbox(&self) -> &sealer_sandbox::Sandbox {
        self.guard.sandbox()
    }

    pub(crate) fn address(&self, index: usize) -> String {
        self.hosts()[index].address.to_string()
    }

    /// `-m … -n …` and the password, as `run` takes them.
    pub(crate) fn flags(&self) -> Vec<String> {
        let mut flags: Vec<String> =
            sealer_sandbox::paste(self.hosts()).split(' ').map(str::to_owned).collect();
        flags.extend(["-p".to_owned(), PASSWORD.to_owned()]);
        flags
    }

    /// Runs an image on all hosts and returns the report for programs.
    pub(crate) fn run(&self, image: &str, more: &[&str]) -> Value {
        let flags = self.flags();
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        self.user.result(&[&["run", image], &flags[..], more].concat())
    }

    /// What a shell command prints on each host.
    pub(crate) fn on_all(&self, command: &str) -> Vec<String> {
        (0..self.hosts().len()).map(|index| self.on(index, command)).collect()
    }

    /// What a shell command prints on a host.
    pub(crate) fn on(&self, index: usize, command: &str) -> String {
        let output = self.sandbox().exec(&self.address(index), &["sh", "-c", command]).unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// All that sealer has on the hosts, with its digests, but for the state that masters keep: there are
    /// times in it.
    pub(crate) fn files(&self) -> Vec<String> {
        // What a root looked like when it was verified, and what commands made, differ from host to host.
        let list = "cd /var/lib/sealer && find . -type f ! -name .verified ! -name state.jsonl ! -path '*/.made/*' | sort | xargs -r sha256sum";
        self.on_all(&format!("{list} | sed 's,/.rootfs-[^/]*/,/rootfs/,'"))
    }

    /// Builds the image `tally:v1`, which leaves a line below `/marks` each time that something of it is done.
    pub(crate) fn build_tally(&self) {
        let user = &self.user;
        user.write(
            "tally/Kubefile",
            "FROM scratch\nENV MODE=fast\nCOPY scripts etc ./\nCMD echo ran >> /marks/cmd\n",
        );
        user.write("tally/scripts/init.sh", "mkdir -p /marks; echo ran >> /marks/init\n");
        user.write("tally/scripts/clean.sh", "rm -rf /marks\n");
        user.write("tally/etc/app.conf.tmpl", "mode={{ .MODE }}\n");
        user.ok(&["build", "-t", "tally:v1", "tally"]);
    }

    /// Writes a Clusterfile of `tally:v1`: these hosts are masters, those are nodes.
    pub(crate) fn clusterfile(&self, masters: &[usize], nodes: &[usize], more: &str) {
        let list =
            |hosts: &[usize]| hosts.iter().map(|host| self.address(*host)).collect::<Vec<_>>().join(", ");
        let mut text = format!(
            "apiVersion: sealer.cloud/v2\nkind: Cluster\nmetadata:\n  name: my-cluster\nspec:\n  image: tally:v1\n  \
             {more}ssh:\n    passwd: {PASSWORD}\n  hosts:\n  - ips: [{}]\n    roles: [master]\n",
            list(masters)
        );
        if !nodes.is_empty() {
            text.push_str(&format!("  - ips: [{}]\n    roles: [node]\n", list(nodes)));
        }
        self.user.write("Clusterfile", text);
    }

    /// Builds the image `demo:v1`, which leaves marks below `/marks` on every host.
    pub(crate) fn build_demo(&self) {
        let user = &self.user;
        user.write("demo/Kubefile", DEMO);
        user.write("demo/scripts/init.sh", "mkdir -p /marks; echo \"$1 $MODE\" > /marks/init\n");
        user.write("demo/scripts/clean.sh", "rm -rf /marks\n");
        user.write("demo/etc/app.conf.tmpl", "mode={{ .MODE }}\nzone={{ .ZONE }}\n");
        user.write("demo/etc/plain.yaml", "keep: 1\nchange: 1\n");
        user.write("demo/registry/blob", "only for the first master\n");
        user.write("demo/mark.yaml", MARK);
        user.ok(&["build", "-t", "demo:v1", "demo"]);
    }
}

const DEMO: &str = "\
FROM scratch
ENV MODE=fast ZONE=none
ARG GREETING=hello
COPY scripts etc registry ./
COPY mark.yaml plugin
CMD echo ${GREETING} > /marks/cmd
";

const MARK: &str = "\
apiVersion: sealer.aliyun.com/v1alpha1
kind: Plugin
metadata:
  name: mark
spec:
  type: SHELL
  action: PostInstall
  on: node
  data: echo $ZONE > /marks/plugin
";
