//! What proves a cluster: not that nodes are called ready, but traffic.

use std::fs;

use super::hosts::{self, Hosts};
use super::{Lab, build};
use crate::command::{Failure, Result};

/// Twenty answers in a row. A node's rules and routes may come some seconds after it is called ready.
const ASK: &str = "for try in $(seq 20); do \
    if (for i in $(seq 20); do curl -s --max-time 5 @URL@ || exit 1; done) > /tmp/answers; \
    then cat /tmp/answers; rm /tmp/answers; exit 0; fi; sleep 2; done; \
    curl -v --max-time 5 @URL@; ip route; exit 1";

/// How many pods answer.
const PODS: usize = 4;

/// Checks that the plugin printed the nodes of the cluster when it had been installed.
pub(super) fn names_are_printed(printed: &str, hosts: &Hosts) -> Result<()> {
    let network = hosts.masters[0].split('.').nth(2).unwrap_or_default();
    for host in hosts.all() {
        let name = format!("lab{network}-{}", host.rsplit('.').next().unwrap_or_default());
        let told = printed.lines().any(|line| line.contains(&name));
        wrong_unless(told, || format!("the plugin did not print the node {name}"))?;
    }
    Ok(())
}

/// Asks the cluster: nodes, a Deployment whose image only the offline registry has, its Service from
/// every host, names from a pod, and that no packet left.
pub(super) fn cluster(lab: &mut Lab, hosts: &Hosts, parts: &build::Parts) -> Result<()> {
    let kubectl = kubectl(parts);
    let nodes = lab.step("nodes", &format!("{kubectl} get nodes -o wide --no-headers"))?;
    let ready = nodes.lines().filter(|line| line.split_whitespace().nth(1) == Some("Ready")).count();
    let count = hosts.all().len();
    wrong_unless(ready == count, || format!("{ready} of {count} nodes are ready"))?;
    lab.step(
        "deploy",
        &format!(
            "{kubectl} apply -f web.yaml && {kubectl} rollout status deployment/web --timeout=180s \
             && {kubectl} -n kube-system rollout status deployment/coredns --timeout=180s"
        ),
    )?;
    let address =
        lab.step("service", &format!("{kubectl} get service web -o jsonpath='{{.spec.clusterIP}}'"))?;
    let address = address.trim();
    let mut seen = std::collections::BTreeSet::new();
    for host in hosts.all() {
        let ask = ASK.replace("@URL@", &format!("http://{address}/"));
        let answers = lab.step(&format!("ask from {host}"), &Hosts::ssh(&host, &ask))?;
        let pods = answers.lines().filter_map(|line| line.split_whitespace().next());
        seen.extend(pods.filter(|pod| pod.starts_with("web-")).map(str::to_owned));
    }
    wrong_unless(seen.len() == PODS, || format!("{} of {PODS} pods answered: {seen:?}", seen.len()))?;
    let by_name =
        format!("{kubectl} exec deployment/web -- /addons ask http://web.default.svc.cluster.local/ 20");
    let answers = lab.step("ask by name from a pod", &by_name)?;
    let right = answers.lines().filter(|line| line.starts_with("web-")).count();
    wrong_unless(right == 20, || format!("{right} of 20 requests from a pod were answered"))?;
    lab.step("pods", &format!("{kubectl} get pods -A -o wide"))?;
    for host in hosts.all() {
        let routes = lab.step(&format!("routes of {host}"), &Hosts::ssh(&host, "ip route show default"))?;
        wrong_unless(routes.lines().all(|line| line.starts_with('$')), || format!("{host} has a way out"))?;
    }
    let line = hosts::counters_line(&lab.stage, &hosts.all());
    let counters = lab.step("packets that left for anywhere else", &line)?;
    let still = counters.lines().filter(|line| line.ends_with(" packets 0 bytes 0")).count();
    wrong_unless(still == count, || format!("hosts sent packets out:\n{counters}"))
}

/// Checks what every node's kubelet and every API server is, and that nodes are ready and take pods.
pub(super) fn versions_are(
    lab: &mut Lab,
    hosts: &Hosts,
    parts: &build::Parts,
    (version, others): (&str, &[(&str, &str)]),
) -> Result<()> {
    let ask = format!("{} get nodes -o wide --no-headers", kubectl(parts));
    let nodes = lab.step("versions", &ask)?;
    for host in hosts.all() {
        let wanted = others.iter().find(|(other, _)| *other == host).map_or(version, |(_, version)| *version);
        let line =
            nodes.lines().find(|line| line.split_whitespace().any(|word| word == host)).unwrap_or_default();
        let words: Vec<&str> = line.split_whitespace().collect();
        let right = words.get(1) == Some(&"Ready") && words.contains(&wanted);
        wrong_unless(right, || format!("{host} is not ready with {wanted}: {line}"))?;
    }
    let line = format!("{} -n kube-system get pods -o jsonpath='{{..image}}'", kubectl(parts));
    let images = lab.step("images", &line)?;
    for program in ["kube-apiserver", "kube-controller-manager", "kube-scheduler"] {
        wrong_unless(images.contains(&format!("{program}:{version}")), || {
            format!("no {program} is {version}")
        })?;
    }
    Ok(())
}

/// Checks that Kubernetes has just these nodes.
pub(super) fn nodes_are(lab: &mut Lab, hosts: &Hosts, parts: &build::Parts) -> Result<()> {
    let nodes = lab.step("nodes that are left", &format!("{} get nodes --no-headers", kubectl(parts)))?;
    let (seen, count) = (nodes.lines().count(), hosts.all().len());
    wrong_unless(seen == count, || format!("Kubernetes has {seen} nodes, not {count}"))
}

pub(super) fn kubectl(parts: &build::Parts) -> String {
    let program = parts.programs.join("kubectl");
    format!("KUBECONFIG=$SEALER_ROOT/clusters/my-cluster/admin.conf {}", program.display())
}

/// Checks that etcd has the masters as members, and no others.
pub(super) fn members_are(lab: &mut Lab, hosts: &Hosts) -> Result<()> {
    let ask = "crictl exec $(crictl ps --name etcd -q | head -n 1) etcdctl --endpoints=https://127.0.0.1:2379 \
        --cacert=/etc/kubernetes/pki/etcd/ca.crt --cert=/etc/kubernetes/pki/etcd/server.crt \
        --key=/etc/kubernetes/pki/etcd/server.key member list";
    let printed = lab.step("members of etcd", &Hosts::ssh(&hosts.masters[0], ask))?;
    let has = |host: &String| printed.contains(&format!("//{host}:2380"));
    let count = printed.lines().filter(|line| line.contains(":2380")).count();
    wrong_unless(hosts.masters.iter().all(has) && count == hosts.masters.len(), || {
        format!("etcd has {count} members, not the {} masters", hosts.masters.len())
    })
}

/// Looks for what a delete must not leave.
pub(super) fn clean(lab: &mut Lab, hosts: &[String]) -> Result<()> {
    let look = "ls -d /var/lib/sealer /etc/kubernetes /var/lib/kubelet/* /var/lib/etcd/* /var/lib/containerd/* \
        /etc/containerd /etc/cni /opt/cni /usr/bin/kube* /usr/bin/containerd* /usr/bin/sealer-registry \
        /etc/docker /etc/sealer-balancer /usr/local/bin/sealer-balancer /root/.kube /run/containerd 2>/dev/null; \
        ps -eo comm= | grep -E \"^(kube|etcd|containerd|sealer-(reg|bal)|pause|addons)\"; \
        grep -E \"containerd|kubelet|netns/cni\" /proc/mounts | grep -vE \"^[^ ]+ /var/lib/(containerd|kubelet|etcd) \"; \
        iptables-save 2>/dev/null | grep -E \"KUBE|CNI\"; ip -o link | grep veth; ip route | grep via; \
        grep -E \"apiserver.cluster.local|sea.hub\" /etc/hosts; systemctl --failed --no-legend; true";
    for host in hosts {
        let left = lab.step(&format!("left on {host}"), &Hosts::ssh(host, look))?;
        let left = left.trim();
        wrong_unless(left.is_empty(), || format!("left on {host}:\n{left}"))?;
    }
    Ok(())
}

/// Looks for what a delete must not leave on this machine.
pub(super) fn forgotten(lab: &Lab) -> Result<()> {
    let cluster = lab.stage.dir().join("sealer/clusters/my-cluster");
    wrong_unless(fs::metadata(&cluster).is_err(), || format!("{} is still there", cluster.display()))
}

pub(super) fn wrong_unless(right: bool, message: impl FnOnce() -> String) -> Result<()> {
    if right { Ok(()) } else { Err(Failure::wrong(message())) }
}
