//! The plan of a renewal of certificates.

use super::kubernetes::exec;
use super::{Action, Step};
use crate::kubernetes::{API_PORT, Kubernetes, Node};

/// New certificates on one master after the other, each back at work before the next.
pub(crate) fn renew(made: &Kubernetes) -> Vec<Step> {
    let mut steps = Vec::new();
    for master in &made.masters {
        let host = vec![master.address.clone()];
        let names = [(master.address.clone(), made.names_of(master))].into();
        let id = format!("certificates/sign-{}", master.address);
        steps.push(Step::new(id, host.clone(), Action::Certificates { names }));
        let command = restart("etcd kube-apiserver kube-controller-manager kube-scheduler");
        steps.push(exec(&format!("certificates/restart-{}", master.address), &host, command));
    }
    let first = vec![made.first().address.clone()];
    steps.push(Step::new("certificates/kubeconfig", first, Action::Kubeconfig));
    steps
}

/// Has static pods start again; then the API server has to answer.
fn restart(names: &str) -> String {
    RESTART.replace("@NAMES@", names).replace("@PORT@", &API_PORT.to_string())
}

/// Has the API servers of all masters but the newest start again, one after the other.
///
/// While a member is added, etcd may be without a leader for a moment. API servers of 1.20 then keep
/// watches that never tell anything again: nodes are ready, new Services reach nobody. What an API server
/// learns after its start is whole.
pub(super) fn fresh_watches(made: &Kubernetes) -> Vec<Step> {
    let all: Vec<&str> = made.masters.iter().map(|master| master.address.as_str()).collect();
    let older = &made.masters[..made.masters.len() - 1];
    let step = |master: &Node| {
        // Other masters make another command of it, which is done again.
        let command = format!("masters='{}'\n{}", all.join(" "), restart("kube-apiserver"));
        exec(&format!("join/api-{}", master.address), std::slice::from_ref(&master.address), command)
    };
    older.iter().map(step).collect()
}

const RESTART: &str = r#"for name in @NAMES@; do
    crictl ps --name "^$name\$" --quiet | xargs -r crictl stop > /dev/null || exit
done
if [ -e /root/.kube/config ]; then cp /etc/kubernetes/admin.conf /root/.kube/config; fi
for _ in $(seq 600); do
    if kubectl --kubeconfig /etc/kubernetes/admin.conf --server https://127.0.0.1:@PORT@ get --raw /readyz > /dev/null 2>&1; then
        exit 0
    fi
    sleep 0.5
done
echo 'the API server is not ready five minutes after it was started again' >&2
crictl ps -a --name kube-apiserver --quiet | head -n 1 | xargs -r crictl logs --tail 10 >&2
exit 1"#;
