//! The cluster's nodes, read and changed by its API server.

use sealer_plugin_sdk::wire::KubeRequest;
use serde_json::Value;

use crate::plugin::{Error, PluginHost};

/// How often a change is tried that somebody else's came before.
const TRIES: usize = 5;

/// Fetches a list from the API server, and returns its items.
pub(super) fn list(host: &dyn PluginHost, path: &str) -> Result<Vec<Value>, Error> {
    let (_, mut body) = ask(host, "GET", path, None)?;
    match body["items"].take() {
        Value::Array(items) => Ok(items),
        _ => Err(refused(path, "its answer is no list")),
    }
}

/// Asks the API server, and returns the status where it is 200 or 409, and the body.
fn ask(host: &dyn PluginHost, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, Value), Error> {
    let reply = host.kube(&KubeRequest {
        method: method.to_owned(),
        path: path.to_owned(),
        body: body.map(ToString::to_string),
        content_type: body.map(|_| "application/merge-patch+json".to_owned()),
    })?;
    let answer: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    match reply.status {
        200 | 409 => Ok((reply.status, answer)),
        status => {
            let message = answer["message"].as_str().unwrap_or("without a message");
            Err(refused(path, &format!("{status}, {message}")))
        }
    }
}

fn refused(path: &str, reason: &str) -> Error {
    Error::Returned { message: format!("the API server was asked for `{path}`: {reason}") }
}

/// Returns the node whose internal address this is.
pub(super) fn find<'a>(nodes: &'a [Value], address: &str) -> Option<&'a Value> {
    nodes.iter().find(|node| {
        let addresses = node["status"]["addresses"].as_array().into_iter().flatten();
        addresses.into_iter().any(|of| of["type"] == "InternalIP" && of["address"] == address)
    })
}

/// Returns a node's name.
pub(super) fn name(node: &Value) -> &str {
    node["metadata"]["name"].as_str().unwrap_or_default()
}

/// Changes the node at an address: `change` returns the patch (RFC 7396) for the node as it stands,
/// or nothing where there is nothing to change. Tells whether there was.
pub(super) fn change(
    host: &dyn PluginHost,
    nodes: &[Value],
    address: &str,
    change: impl Fn(&Value) -> Option<Value>,
) -> Result<bool, Error> {
    let mut node = find(nodes, address).cloned().ok_or_else(|| Error::Returned {
        message: format!("no node of the cluster has the internal address {address}"),
    })?;
    let path = format!("/api/v1/nodes/{}", name(&node));
    for _ in 0..TRIES {
        let Some(mut patch) = change(&node) else { return Ok(false) };
        // A node that has changed since it was read is answered with 409: no change of others is lost.
        patch["metadata"]["resourceVersion"] = node["metadata"]["resourceVersion"].clone();
        if ask(host, "PATCH", &path, Some(&patch))?.0 == 200 {
            return Ok(true);
        }
        (_, node) = ask(host, "GET", &path, None)?;
    }
    Err(refused(&path, &format!("the node was changed by others {TRIES} times meanwhile")))
}
