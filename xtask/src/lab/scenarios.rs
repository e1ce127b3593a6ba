//! What is done with a cluster once it stands: each a scenario with its checks.

use std::path::Path;

use clap::ValueEnum;

use super::hosts::{self, Hosts};
use super::{Lab, NEXT, PASSWD_FILE, VERSION, build, check};
use crate::command::{Failure, Result};

/// A scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Scenario {
    /// A node joins, is asked as all others, and leaves again
    Node,
    /// A master joins
    Master,
    /// The first master leaves a cluster that goes on
    FirstMaster,
    /// A master dies; the cluster goes on, and forgets it
    DeadMaster,
    /// The operator's folder is lost and the first master with it: another machine takes the cluster over
    Adopt,
    /// Certificates are renewed, with a further name
    Certificates,
    /// etcd is put back to a snapshot
    Etcd,
    /// Kubernetes is upgraded, with a host that does not take it, and goes back
    Upgrade,
    /// The cluster is deleted, and run again on the same hosts
    Again,
}

impl Scenario {
    /// All of them, in the order in which `--all` plays them.
    pub(crate) const ALL: [Self; 9] = [
        Self::Node,
        Self::Upgrade,
        Self::Certificates,
        Self::Etcd,
        Self::Master,
        Self::FirstMaster,
        Self::Adopt,
        Self::DeadMaster,
        Self::Again,
    ];

    /// How many hosts it wants beside the cluster's.
    pub(super) fn spares(self) -> u8 {
        u8::from(matches!(self, Self::Node | Self::Master | Self::Adopt))
    }

    /// How many masters it wants at least.
    pub(super) fn masters(self) -> u8 {
        match self {
            Self::FirstMaster | Self::DeadMaster | Self::Adopt => 3,
            _ => 1,
        }
    }
}

/// A cluster that stands.
pub(super) struct Cluster<'a> {
    pub(super) hosts: Hosts,
    pub(super) spares: Vec<String>,
    pub(super) parts: &'a build::Parts,
    /// Where builds are kept.
    pub(super) cache: &'a Path,
    /// How the registry is trusted.
    pub(super) trust: &'a str,
    /// The command that made it.
    pub(super) run: String,
}

impl Cluster<'_> {
    /// Plays a scenario.
    pub(super) fn play(&mut self, lab: &mut Lab, scenario: Scenario) -> Result<()> {
        println!("# scenario {scenario:?}\n");
        match scenario {
            Scenario::Node => self.node(lab),
            Scenario::Master => self.master(lab),
            Scenario::FirstMaster => self.first_master(lab),
            Scenario::DeadMaster => self.dead_master(lab),
            Scenario::Adopt => self.adopt(lab),
            Scenario::Certificates => self.certificates(lab),
            Scenario::Etcd => self.etcd(lab),
            Scenario::Upgrade => self.upgrade(lab),
            Scenario::Again => self.again(lab),
        }
    }

    pub(super) fn check(&self, lab: &mut Lab) -> Result<()> {
        check::cluster(lab, &self.hosts, self.parts)
    }

    fn spare(&mut self) -> Result<String> {
        self.spares.pop().ok_or_else(|| Failure::wrong("no spare host is left"))
    }

    fn node(&mut self, lab: &mut Lab) -> Result<()> {
        let spare = self.spare()?;
        lab.step("join", &format!("sealer join -n {spare} --passwd-file {PASSWD_FILE}"))?;
        self.hosts.nodes.push(spare.clone());
        self.check(lab)?;
        lab.step(
            "delete the node",
            &format!("sealer delete -n {spare} --force --passwd-file {PASSWD_FILE}"),
        )?;
        self.hosts.nodes.pop();
        check::nodes_are(lab, &self.hosts, self.parts)?;
        check::clean(lab, std::slice::from_ref(&spare))?;
        self.spares.push(spare);
        self.check(lab)
    }

    fn master(&mut self, lab: &mut Lab) -> Result<()> {
        let spare = self.spare()?;
        lab.step("join a master", &format!("sealer join -m {spare} --passwd-file {PASSWD_FILE}"))?;
        self.hosts.masters.push(spare);
        check::members_are(lab, &self.hosts)?;
        self.check(lab)
    }

    fn first_master(&mut self, lab: &mut Lab) -> Result<()> {
        let first = self.hosts.masters.remove(0);
        lab.step(
            "delete the first master",
            &format!("sealer delete -m {first} --force --passwd-file {PASSWD_FILE}"),
        )?;
        check::clean(lab, std::slice::from_ref(&first))?;
        check::members_are(lab, &self.hosts)?;
        check::nodes_are(lab, &self.hosts, self.parts)?;
        self.spares.push(first);
        self.check(lab)
    }

    /// Nobody is told: nodes have to find the others by themselves.
    fn dead_master(&mut self, lab: &mut Lab) -> Result<()> {
        let first = self.hosts.masters.remove(0);
        lab.step("a master dies", &hosts::kill_line(&lab.stage, &first))?;
        for host in self.hosts.all() {
            let ask = "for i in $(seq 60); do curl -sk --max-time 2 https://apiserver.cluster.local:6443/readyz \
                       && curl -sk --max-time 2 -o /dev/null https://sea.hub:5000/v2/ && exit 0; sleep 1; done; exit 1";
            lab.step(&format!("{host} finds a master"), &Hosts::ssh(&host, ask))?;
        }
        lab.step("forget it", &format!("sealer delete -m {first} --force --passwd-file {PASSWD_FILE}"))?;
        check::members_are(lab, &self.hosts)?;
        check::nodes_are(lab, &self.hosts, self.parts)?;
        self.check(lab)
    }

    /// A replacement host comes in the dead one's place, by one `apply`.
    fn adopt(&mut self, lab: &mut Lab) -> Result<()> {
        let (first, spare) = (self.hosts.masters.remove(0), self.spare()?);
        lab.step("the operator's folder is lost", "rm -rf $SEALER_ROOT/clusters/my-cluster")?;
        lab.step("the first master dies", &hosts::kill_line(&lab.stage, &first))?;
        lab.step("adopt", &format!("sealer adopt -m {} --passwd-file {PASSWD_FILE}", self.hosts.masters[0]))?;
        let image = self.run.split(' ').find(|word| word.contains("kubernetes-post-install"));
        self.hosts.masters.push(spare);
        let file = format!(
            "printf 'apiVersion: sealer.cloud/v2\\nkind: Cluster\\nmetadata: {{name: my-cluster}}\\nspec:\\n  \
             image: {}\\n  ssh: {{passwd: \"file:%s/{PASSWD_FILE}\"}}\\n  hosts:\\n  \
             - {{ips: [{}], roles: [master]}}\\n  - {{ips: [{}], roles: [node]}}\\n' \"$HOME\" > Clusterfile",
            image.unwrap_or_default(),
            self.hosts.masters.join(", "),
            self.hosts.nodes.join(", ")
        );
        lab.step("a replacement", &file)?;
        lab.step("apply", &format!("sealer apply {} -f Clusterfile --force", self.trust))?;
        check::members_are(lab, &self.hosts)?;
        check::nodes_are(lab, &self.hosts, self.parts)?;
        self.check(lab)
    }

    fn certificates(&mut self, lab: &mut Lab) -> Result<()> {
        let name = "lab.example";
        let ask = "openssl x509 -noout -serial -ext subjectAltName -in /etc/kubernetes/pki/apiserver.crt";
        let before: Vec<String> = self.certificates_of(lab, ask)?;
        lab.step(
            "renew certificates",
            &format!("sealer cert --alt-names {name} --passwd-file {PASSWD_FILE}"),
        )?;
        let after = self.certificates_of(lab, ask)?;
        for (before, after) in before.iter().zip(&after) {
            let (old, new) = (before.lines().next(), after.lines().next());
            check::wrong_unless(old != new && !before.contains(name) && after.contains(name), || {
                format!("the certificate was not renewed:\n{before}\n{after}")
            })?;
        }
        self.check(lab)
    }

    fn certificates_of(&self, lab: &mut Lab, ask: &str) -> Result<Vec<String>> {
        let masters = self.hosts.masters.clone();
        let asked =
            masters.iter().map(|host| lab.step(&format!("certificate of {host}"), &Hosts::ssh(host, ask)));
        asked.collect()
    }

    fn etcd(&mut self, lab: &mut Lab) -> Result<()> {
        let kubectl = check::kubectl(self.parts);
        let plugin = |verb: &str| {
            format!(
                "printf 'apiVersion: sealer.aliyun.com/v1alpha1\\nkind: Plugin\\nmetadata: {{name: etcd}}\\nspec:\\n  \
                 type: ETCD\\n  action: PostInstall\\n  data: {verb} %s/snapshot.db\\n' ~ > etcd.yaml && \
                 sealer plugin run -f etcd.yaml -c my-cluster --passwd-file {PASSWD_FILE}"
            )
        };
        lab.step("something before", &format!("{kubectl} create configmap before --from-literal=a=b"))?;
        lab.step("keep a snapshot", &plugin("snapshot"))?;
        lab.step(
            "something after",
            &format!(
                "{kubectl} create configmap after --from-literal=a=b && {kubectl} delete configmap before"
            ),
        )?;
        lab.step("restore the snapshot", &plugin("restore"))?;
        let ask = format!(
            "for i in $(seq 60); do {kubectl} get configmap -o name && exit 0; sleep 1; done; exit 1"
        );
        let seen = lab.step("what is there", &ask)?;
        check::wrong_unless(seen.contains("/before") && !seen.contains("/after"), || {
            format!("the snapshot was not restored:\n{seen}")
        })?;
        lab.step("forget it", &format!("{kubectl} delete configmap before"))?;
        self.check(lab)
    }

    fn upgrade(&mut self, lab: &mut Lab) -> Result<()> {
        let next = build::parts(self.cache, NEXT)?;
        lab.step("parts of the next version", &format!("kubernetes/fetch.sh --from {}", next.dir.display()))?;
        lab.step("build the next base image", &format!("sealer build -t kubernetes:{NEXT} kubernetes"))?;
        let bad = self.hosts.nodes.last().or(self.hosts.masters.last()).cloned().unwrap_or_default();
        let fault = format!(
            "mkdir -p /etc/systemd/system/kubelet.service.d && printf '[Service]\\nExecStartPre=/bin/sh -c \"! /usr/bin/kubelet \
             --version | grep -q {NEXT}\"\\n' > /etc/systemd/system/kubelet.service.d/99-lab.conf && systemctl daemon-reload"
        );
        lab.step("a host that does not take it", &Hosts::ssh(&bad, &fault))?;
        let upgrade = format!("sealer upgrade {} kubernetes:{NEXT} --passwd-file {PASSWD_FILE}", self.trust);
        lab.step("upgrade, in vain", &format!("{upgrade}; test $? = 5"))?;
        check::versions_are(lab, &self.hosts, self.parts, (NEXT, &[(bad.as_str(), VERSION)]))?;
        let mend = "rm /etc/systemd/system/kubelet.service.d/99-lab.conf && systemctl daemon-reload";
        lab.step("mend it", &Hosts::ssh(&bad, mend))?;
        lab.step("upgrade", &upgrade)?;
        check::versions_are(lab, &self.hosts, self.parts, (NEXT, &[]))?;
        self.check(lab)?;
        lab.step("roll back", &format!("sealer rollback {} --passwd-file {PASSWD_FILE}", self.trust))?;
        check::versions_are(lab, &self.hosts, self.parts, (VERSION, &[]))?;
        self.check(lab)
    }

    fn again(&mut self, lab: &mut Lab) -> Result<()> {
        self.delete(lab)?;
        let run = self.run.replace(&self.run[self.run.find(" -m ").unwrap_or(self.run.len())..], "");
        lab.step("run again", &format!("{run} {} --passwd-file {PASSWD_FILE}", self.hosts.flags()))?;
        self.check(lab)
    }

    pub(super) fn delete(&self, lab: &mut Lab) -> Result<()> {
        lab.step("delete", &format!("sealer delete -a --force --passwd-file {PASSWD_FILE}"))?;
        check::clean(lab, &self.hosts.all())?;
        check::forgotten(lab)
    }
}
