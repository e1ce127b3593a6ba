//! The plan of an upgrade: what is kept first, then host by host, masters one after the other.

use std::collections::BTreeMap;

use sealer_plugin::Phase;

use super::contract::Contract;
use super::kubernetes::{addresses, exec, state_dir};
use super::{Action, PhasePlan, RunInput, RunPlan, Step, add, plugin_steps};
use crate::cluster::ClusterSpec;
use crate::host::quote::quote;
use crate::kubernetes::{Kubernetes, Node};

/// How an upgrade is done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    /// How many nodes may be at it at once.
    pub(crate) at_once: usize,
    /// Whether it goes back to an older version.
    pub(crate) back: bool,
}

/// What kubeadm does on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum UpgradeVerb {
    /// Upgrades the cluster, on the first master.
    Apply,
    /// Follows, on all others.
    Node,
}

/// The folder on a host of what an upgrade puts back.
pub(crate) fn kept_dir(spec: &ClusterSpec) -> String {
    format!("{}/before-upgrade", spec.data_dir())
}

/// The steps by which hosts that run one image come to run another.
pub(crate) fn upgrade(input: &RunInput<'_>, made: &Kubernetes, version: &str, manner: Manner) -> RunPlan {
    let (spec, all) = (input.spec, addresses(made.all()));
    let plugins = |phase| plugin_steps(phase, input.plugins);
    let is_done =
        format!("[ \"$(cat {}/image 2>/dev/null)\" = {} ]", quote(&state_dir(spec)), quote(&input.digest));
    let keep = exec("upgrade/keep", &all, format!("{}\n{KEEP}", words(spec, &input.digest))).unless(&is_done);
    let snapshot = format!("{}\n{}\n{SNAPSHOT}", words(spec, &input.digest), sealer_plugin::ETCD_TOOLS);
    let snapshot = exec("upgrade/snapshot", &addresses([made.first()]), snapshot).unless(&is_done);
    let sends = Action::Distribute { sends: input.sends.clone(), ways: input.ways.clone() };
    let mut steps = vec![keep, snapshot, Step::new("upgrade/rootfs", all, sends)];
    let scripts = Contract::of(input.text);
    let host = |id: String, verb: UpgradeVerb, nodes: &[Node]| {
        let command = command(input, made, scripts, (verb, version, manner.back));
        let names = nodes.iter().map(|node| (node.address.clone(), node.name.clone())).collect();
        let back = format!("{}\n{BACK}", words(spec, &input.digest));
        let action = Action::Upgrade { version: version.to_owned(), nodes: names, command, back };
        Step::new(id, addresses(nodes), action).unless(&is_done)
    };
    for (index, master) in made.masters.iter().enumerate() {
        let verb = if index == 0 { UpgradeVerb::Apply } else { UpgradeVerb::Node };
        steps.push(host(format!("upgrade/master-{}", master.address), verb, std::slice::from_ref(master)));
    }
    for (index, nodes) in made.nodes.chunks(manner.at_once.max(1)).enumerate() {
        steps.push(host(format!("upgrade/nodes-{}", index + 1), UpgradeVerb::Node, nodes));
    }
    let first = addresses([made.first()]);
    steps.push(Step::new("upgrade/kubeconfig", first, Action::Kubeconfig));
    let mut phases: Vec<PhasePlan> = Vec::new();
    add(&mut phases, Phase::PreUpgrade, plugins(Phase::PreUpgrade));
    add(&mut phases, Phase::Upgrade, steps);
    add(&mut phases, Phase::PostUpgrade, plugins(Phase::PostUpgrade));
    let image = spec.image.familiar();
    RunPlan { cluster: spec.name.clone(), image, digest: input.digest.clone(), phases }
}

fn words(spec: &ClusterSpec, digest: &str) -> String {
    format!(
        "set -eu\ndir={} kept={} state={} image={}",
        quote(&spec.data_dir()),
        quote(&kept_dir(spec)),
        quote(&state_dir(spec)),
        quote(digest)
    )
}

/// What brings a host to the new version: the image's scripts, then kubeadm.
fn command(
    input: &RunInput<'_>,
    made: &Kubernetes,
    scripts: Option<Contract>,
    (verb, version, back): (UpgradeVerb, &str, bool),
) -> String {
    let mut lines = vec![words(input.spec, &input.digest)];
    let at = (input.spec, input.text);
    let of_image = scripts.map(|contract| {
        let steps = contract.host_init(at, Some(made)).into_iter().chain(contract.init_kube(at, made));
        steps.filter_map(|step| match step.action {
            Action::Exec { command, env } => Some(with_env(&command, &env)),
            _ => None,
        })
    });
    lines.extend(of_image.into_iter().flatten());
    lines.push("systemctl daemon-reload".to_owned());
    lines.push(match verb {
        UpgradeVerb::Apply => {
            let force = if back { " --force" } else { "" };
            format!(
                "kubeadm upgrade apply {} --yes{force} --certificate-renewal=false {IGNORED}",
                quote(version)
            )
        }
        UpgradeVerb::Node => format!("kubeadm upgrade node --certificate-renewal=false {IGNORED}"),
    });
    lines.push("systemctl restart kubelet\nprintf %s \"$image\" > \"$state/image\"".to_owned());
    lines.join("\n")
}

fn with_env(command: &str, env: &BTreeMap<String, String>) -> String {
    let exports: String =
        env.iter().map(|(name, value)| format!("export {name}={}\n", quote(value))).collect();
    format!("(\n{exports}{command}\n)")
}

/// A job needs a node that takes pods, which a cluster of one has not while it is drained.
const IGNORED: &str = "--ignore-preflight-errors=SystemVerification,CreateJob";

/// Keeps the files that the image's scripts and kubeadm write.
/// What was kept for the same image is older than an attempt that broke off, and stays.
const KEEP: &str = r#"[ "$(cat "$kept/for" 2>/dev/null)" != "$image" ] || exit 0
rm -rf "$kept" && mkdir -p "$kept/files"
# cp 9.1 keeps the folders above a file only where its path does not begin at the root.
cd /
cp -al "$(readlink -f "$dir/rootfs")" "$kept/rootfs"
for file in /etc/kubernetes /etc/containerd /etc/default/kubelet /etc/crictl.yaml /var/lib/kubelet/config.yaml \
    /var/lib/kubelet/kubeadm-flags.env /usr/bin/kubeadm /usr/bin/kubelet /usr/bin/kubectl /usr/bin/crictl \
    /usr/bin/kubelet-pre-start.sh /usr/bin/sealer-registry /etc/sealer-registry \
    /etc/systemd/system/kubelet.service /etc/systemd/system/kubelet.service.d \
    /etc/systemd/system/containerd.service /etc/systemd/system/sealer-registry.service "$state/image"; do
    if [ -e "$file" ]; then cp -a --parents "${file#/}" "$kept/files/"; fi
done
for program in "$dir"/rootfs/cri/bin/*; do
    file=/usr/bin/${program##*/}
    if [ -f "$file" ]; then cp -a --parents "${file#/}" "$kept/files/"; fi
done
printf %s "$image" > "$kept/for""#;

const SNAPSHOT: &str = r#"[ -e "$manifests/etcd.yaml" ] || exit 0
rm -f "$data/before-upgrade.db"
ctl snapshot save "$data/before-upgrade.db" > /dev/null
(umask 077 && mv "$data/before-upgrade.db" "$kept/etcd.db")"#;

/// Puts a host back: programs are replaced, not written over, and the static pods go last.
const BACK: &str = r#"[ -d "$kept/files" ]
systemctl stop kubelet
cd "$kept/files"
find . -path ./etc/kubernetes/manifests -prune -o \( -type f -o -type l \) -print | while IFS= read -r file; do
    mkdir -p "/${file%/*}"
    cp -a "$file" "/$file.sealer-back" && mv -fT "/$file.sealer-back" "/$file"
done
new=.rootfs-back-$$
cp -al "$kept/rootfs" "$dir/$new"
ln -sfn "$new" "$dir/.link" && mv -T "$dir/.link" "$dir/rootfs"
[ -e "$kept/files$state/image" ] || rm -f "$state/image"
if [ -d etc/kubernetes/manifests ]; then
    for pod in etc/kubernetes/manifests/*.yaml; do
        cmp -s "$pod" "/$pod" || { cp -a "$pod" "/$pod.new" && mv "/$pod.new" "/$pod"; }
    done
fi
systemctl daemon-reload
if systemctl --quiet is-enabled containerd 2>/dev/null; then systemctl restart containerd; fi
systemctl start kubelet"#;
