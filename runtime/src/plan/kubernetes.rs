//! The steps that make a cluster of hosts with kubeadm, and take it away.
//!
//! As the original's 0.7 and 0.8: the registry on the masters, then the control plane on the first,
//! further masters one after the other, all nodes at once.

use std::collections::BTreeMap;

use super::contract::{Contract, Text};
use super::{Action, KubeadmVerb, RegistryNames, Step, names, renew};
use crate::cluster::ClusterSpec;
use crate::host::quote::quote;
use crate::kubernetes::{API_SERVER, Kubernetes, Node, remove_balancer};

/// The name of the cluster's registry on every host.
pub(crate) const REGISTRY_DOMAIN: &str = "sea.hub";
/// Its port.
pub(crate) const REGISTRY_PORT: u16 = 5000;

/// Where a host keeps how far it has come with kubeadm: `begun`, then `done`.
pub(crate) fn state_dir(spec: &ClusterSpec) -> String {
    format!("{}/kubeadm", spec.data_dir())
}

/// The image's scripts, and how they are called.
pub(crate) struct Scripts<'a> {
    pub(super) contract: Option<Contract>,
    pub(super) text: Text<'a>,
}

/// The probe of a host that kubeadm has come to its end on.
pub(super) fn done(spec: &ClusterSpec) -> String {
    format!("[ -e {} ]", quote(&format!("{}/done", state_dir(spec))))
}

/// What the scripts of an image are told of the cluster's networks, in v0.9's words.
pub(crate) fn networks(made: &Kubernetes) -> BTreeMap<String, String> {
    [("SvcCIDR", made.documents.services()), ("PodCIDR", made.documents.pods())]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// The control plane on the first master, and what it needs.
pub(crate) fn init(spec: &ClusterSpec, made: &Kubernetes, scripts: &Scripts<'_>) -> Vec<Step> {
    let has_registry = (scripts.text)("scripts/init-registry.sh").is_some();
    let first = made.first();
    let all = addresses(made.all());
    let mut steps = vec![exec("init/begin", &all, begin(spec))];
    if has_registry {
        let hosts = addresses(&made.masters);
        let names =
            RegistryNames { domain: REGISTRY_DOMAIN.to_owned(), port: REGISTRY_PORT, hosts: hosts.clone() };
        let action = Action::RegistryCertificate(names);
        steps.push(Step::new("init/registry-certificate", all.clone(), action));
        let action = scripts.contract.unwrap_or(Contract::Init).registry(spec, made);
        steps.push(Step::new("init/registry", hosts, action));
    }
    steps.extend(scripts.contract.and_then(|contract| contract.init_kube((spec, scripts.text), made)));
    steps.extend(names::steps(spec, made, has_registry));
    let names = made.masters.iter().map(|master| (master.address.clone(), made.names_of(master)));
    let action = Action::Certificates { names: names.collect() };
    let certificates = Step::new("init/certificates", addresses(&made.masters), action);
    steps.push(certificates.unless(done(spec)));
    let policy = format!("{}/statics/audit-policy.yml", spec.rootfs());
    let command = format!(
        "if [ -f {0} ]; then mkdir -p /etc/kubernetes && cp -f {0} /etc/kubernetes/audit-policy.yml; fi",
        quote(&policy)
    );
    steps.push(exec("init/statics", &addresses(&made.masters), command));
    let document = made.documents.init(first, &made.common_names());
    steps.push(kubeadm("init/kubeadm", KubeadmVerb::Init, [(first, document)]).unless(done(spec)));
    steps
}

/// Further masters, one after the other, then all nodes.
pub(crate) fn join(spec: &ClusterSpec, made: &Kubernetes) -> Vec<Step> {
    let masters = made.masters.iter().skip(1).map(|master| {
        let document = made.documents.join(master, true);
        let id = format!("join/master-{}", master.address);
        kubeadm(&id, KubeadmVerb::JoinMaster, [(master, document)]).unless(done(spec))
    });
    let mut steps: Vec<Step> = masters.collect();
    steps.extend(renew::fresh_watches(made));
    if !made.nodes.is_empty() {
        let documents = made.nodes.iter().map(|node| (node, made.documents.join(node, false)));
        steps.push(kubeadm("join/nodes", KubeadmVerb::JoinNode, documents).unless(done(spec)));
    }
    steps
}

/// Waits for all nodes.
pub(crate) fn ready(made: &Kubernetes) -> Step {
    let nodes = made.all().map(|node| (node.address.clone(), node.name.clone())).collect();
    Step::new("guest/ready", vec![made.first().address.clone()], Action::Ready { nodes })
}

/// Takes a host out of Kubernetes, whether or not the image has a script for that.
pub(crate) fn leave(spec: &ClusterSpec, hosts: &[String], goes_on: bool) -> Step {
    // A master of a cluster that goes on is no longer to count among the members of its etcd.
    let gently = if goes_on { "false" } else { "kubeadm reset phase cleanup-node --force >/dev/null 2>&1" };
    let command = format!(
        "if [ -e {}/begun ]; then\nif command -v kubeadm >/dev/null; then {gently} \
         || kubeadm reset --force >/dev/null 2>&1 || true; fi\n{}\n\
         {}\nrm -rf /etc/docker/certs.d/{REGISTRY_DOMAIN}:*\nfi",
        quote(&state_dir(spec)),
        names::forget([API_SERVER, REGISTRY_DOMAIN]),
        remove_balancer(),
    );
    exec("clean/kubeadm", hosts, command)
}

/// From here on the host is this cluster's, and a delete takes it back.
fn begin(spec: &ClusterSpec) -> String {
    format!("mkdir -p {0} && touch {0}/begun", quote(&state_dir(spec)))
}

pub(super) fn addresses<'a>(nodes: impl IntoIterator<Item = &'a Node>) -> Vec<String> {
    nodes.into_iter().map(|node| node.address.clone()).collect()
}

pub(super) fn exec(id: &str, hosts: &[String], command: String) -> Step {
    Step::new(id, hosts.to_vec(), Action::Exec { command, env: BTreeMap::new() })
}

fn kubeadm<'a>(id: &str, verb: KubeadmVerb, documents: impl IntoIterator<Item = (&'a Node, String)>) -> Step {
    let documents: Vec<(String, String)> =
        documents.into_iter().map(|(node, document)| (node.address.clone(), document)).collect();
    let hosts = documents.iter().map(|(host, _)| host.clone()).collect();
    Step::new(id, hosts, Action::Kubeadm { verb, documents: documents.into_iter().collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::clusterfile;
    use crate::cluster::flags::Defaults;

    const CLUSTERFILE: &str = "\
apiVersion: sealer.cloud/v2
kind: Cluster
metadata: {name: demo}
spec:
  image: kubernetes:v1.20.2
  hosts:
  - {ips: [10.0.0.1, 10.0.0.2], roles: [master]}
  - {ips: [10.0.0.3, 10.0.0.4], roles: [node]}
";
    const IMAGE: &str =
        "apiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterConfiguration\nkubernetesVersion: v1.20.2\n";

    const SCRIPTS: Scripts<'_> = Scripts {
        contract: Some(Contract::Init),
        text: &|path| path.ends_with("registry.sh").then(String::new),
    };

    fn made() -> (ClusterSpec, Kubernetes) {
        let spec = clusterfile::parse("Clusterfile", CLUSTERFILE, &Defaults::default()).unwrap();
        let names = ["1", "2", "3", "4"].map(|end| (format!("10.0.0.{end}"), format!("Host{end}")));
        let made = Kubernetes::read(&spec, IMAGE, &names.into()).unwrap();
        (spec, made)
    }

    #[test]
    fn masters_join_one_after_the_other_then_all_nodes_at_once() {
        let (spec, made) = made();
        let mut steps = init(&spec, &made, &SCRIPTS);
        steps.extend(join(&spec, &made));
        steps.push(ready(&made));
        let told: Vec<(&str, String)> =
            steps.iter().map(|step| (step.id.as_str(), step.hosts.join(" "))).collect();
        let (all, masters) = ("10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4", "10.0.0.1 10.0.0.2");
        let expected = [
            ("init/begin", all),
            ("init/registry-certificate", all),
            ("init/registry", masters),
            ("init/names-10.0.0.1", "10.0.0.1"),
            ("init/names-10.0.0.2", "10.0.0.2"),
            ("init/balancer", "10.0.0.3 10.0.0.4"),
            ("init/names", "10.0.0.3 10.0.0.4"),
            ("init/certificates", masters),
            ("init/statics", masters),
            ("init/kubeadm", "10.0.0.1"),
            ("join/master-10.0.0.2", "10.0.0.2"),
            ("join/api-10.0.0.1", "10.0.0.1"),
            ("join/nodes", "10.0.0.3 10.0.0.4"),
            ("guest/ready", "10.0.0.1"),
        ];
        assert_eq!(told, expected.map(|(id, hosts)| (id, hosts.to_owned())));
    }

    #[test]
    fn the_registry_is_begun_as_the_script_contract_says() {
        let (spec, made) = made();
        let steps = init(&spec, &made, &SCRIPTS);
        let Action::Exec { command, .. } = &steps[2].action else { panic!("{}", steps[2]) };
        assert_eq!(
            command,
            "cd /var/lib/sealer/data/demo/rootfs/scripts && sh init-registry.sh 5000 \
             /var/lib/sealer/data/demo/rootfs/registry sea.hub"
        );
    }

    #[test]
    fn nodes_are_called_what_hosts_call_themselves_in_lower_case() {
        let (_, made) = made();
        let names: Vec<&str> = made.all().map(|node| node.name.as_str()).collect();
        assert_eq!(names, ["host1", "host2", "host3", "host4"]);
    }
}
