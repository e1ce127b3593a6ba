//! A node leaves: no new pods, its pods elsewhere, then the node itself is forgotten.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use sealer_plugin::{KubeReply, KubeRequest};
use serde_json::{Value, json};

use crate::kube;

/// How long pods may take to go, and how often they are looked for.
const PATIENCE: Duration = Duration::from_secs(120);
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// What becomes of a node's pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pods {
    /// They are evicted and waited for.
    Evict,
    /// The host is gone: nobody would tell of their end.
    Leave,
}

/// Takes the node of a host out of the cluster. A host that is no node is none already.
///
/// # Errors
/// When the API server does not answer or says no, or pods do not go: why, as a phrase.
pub(crate) fn remove_node(kubeconfig: &Path, host: &str, pods: Pods) -> Result<(), String> {
    let Some(node) = kube::node_at(kubeconfig, host)? else { return Ok(()) };
    if pods == Pods::Evict {
        cordon(kubeconfig, &node)?;
        empty_node(kubeconfig, &node)?;
    }
    let path = format!("/api/v1/nodes/{node}");
    let request = KubeRequest { method: "DELETE".to_owned(), path, ..KubeRequest::default() };
    match kube::request(kubeconfig, &request)? {
        reply if reply.status == 404 => Ok(()),
        reply => right(&reply),
    }
}

/// Keeps new pods from a node, but for those that tolerate it.
///
/// # Errors
/// When the API server does not answer or says no.
pub(crate) fn cordon(kubeconfig: &Path, node: &str) -> Result<(), String> {
    schedule(kubeconfig, node, false)
}

/// Lets a node have new pods again.
///
/// # Errors
/// When the API server does not answer or says no.
pub(crate) fn uncordon(kubeconfig: &Path, node: &str) -> Result<(), String> {
    schedule(kubeconfig, node, true)
}

fn schedule(kubeconfig: &Path, node: &str, may: bool) -> Result<(), String> {
    let request = KubeRequest {
        method: "PATCH".to_owned(),
        path: format!("/api/v1/nodes/{node}"),
        body: Some(json!({ "spec": { "unschedulable": !may } }).to_string()),
        content_type: Some("application/merge-patch+json".to_owned()),
    };
    right(&kube::request(kubeconfig, &request)?)
}

/// Evicts the pods that a node has, and waits for their end. Those that come meanwhile, since they
/// tolerate a node that takes no others, stay.
///
/// # Errors
/// When the API server does not answer or says no, or pods do not go.
pub(crate) fn empty_node(kubeconfig: &Path, node: &str) -> Result<(), String> {
    let begun = Instant::now();
    let of_node = format!("/api/v1/pods?fieldSelector=spec.nodeName%3D{node}");
    let uid = |pod: &Value| text(&pod["metadata"]["uid"]).to_owned();
    let first: Vec<String> = kube::list(kubeconfig, &of_node)?.iter().map(uid).collect();
    loop {
        let pods = kube::list(kubeconfig, &of_node)?;
        let left: Vec<&Value> =
            pods.iter().filter(|pod| has_to_go(pod) && first.contains(&uid(pod))).collect();
        if left.is_empty() {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            let names: Vec<String> = left.into_iter().map(name).collect();
            return Err(format!("these pods do not leave node `{node}`: {}", names.join(", ")));
        }
        for pod in left.into_iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()) {
            evict_one(kubeconfig, pod)?;
        }
        thread::sleep(BETWEEN_LOOKS);
    }
}

/// Not what its node runs by itself or every node has, and not what has ended.
fn has_to_go(pod: &Value) -> bool {
    let is_own = !pod["metadata"]["annotations"]["kubernetes.io/config.mirror"].is_null();
    let mut owners = pod["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    let is_everywhere = owners.any(|owner| owner["kind"] == "DaemonSet");
    let has_ended = ["Succeeded", "Failed"].iter().any(|phase| pod["status"]["phase"] == *phase);
    !is_own && !is_everywhere && !has_ended
}

fn name(pod: &Value) -> String {
    let part = |key: &str| pod["metadata"][key].as_str().unwrap_or_default().to_owned();
    format!("{}/{}", part("namespace"), part("name"))
}

/// Servers before 1.22 know the older form only, those since 1.25 the newer.
fn evict_one(kubeconfig: &Path, pod: &Value) -> Result<(), String> {
    let (namespace, pod_name) = (&pod["metadata"]["namespace"], &pod["metadata"]["name"]);
    let path = format!("/api/v1/namespaces/{}/pods/{}/eviction", text(namespace), text(pod_name));
    let mut last = None;
    for version in ["policy/v1", "policy/v1beta1"] {
        let body = json!({
            "apiVersion": version,
            "kind": "Eviction",
            "metadata": { "name": pod_name, "namespace": namespace },
        });
        let request = KubeRequest {
            method: "POST".to_owned(),
            path: path.clone(),
            body: Some(body.to_string()),
            ..KubeRequest::default()
        };
        let reply = kube::request(kubeconfig, &request)?;
        // 429: a disruption budget forbids it for now; 404: it has gone meanwhile.
        if reply.status < 300 || reply.status == 429 || is_gone(&reply) {
            return Ok(());
        }
        last = Some(reply);
    }
    last.map_or(Ok(()), |reply| right(&reply))
}

fn is_gone(reply: &KubeReply) -> bool {
    let body: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    reply.status == 404 && body["details"]["kind"] == "pods"
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn right(reply: &KubeReply) -> Result<(), String> {
    if reply.status < 300 {
        return Ok(());
    }
    let body: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    let message = body["message"].as_str().unwrap_or("without a message");
    Err(format!("the API server answered {}: {message}", reply.status))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::has_to_go;

    #[test]
    fn pods_that_a_node_keeps_until_its_end_are_not_waited_for() {
        let plain = json!({ "metadata": {}, "status": { "phase": "Running" } });
        let own = json!({ "metadata": { "annotations": { "kubernetes.io/config.mirror": "x" } } });
        let everywhere = json!({ "metadata": { "ownerReferences": [{ "kind": "DaemonSet" }] } });
        let ended = json!({ "metadata": {}, "status": { "phase": "Succeeded" } });
        assert_eq!([&plain, &own, &everywhere, &ended].map(has_to_go), [true, false, false, false]);
    }
}
