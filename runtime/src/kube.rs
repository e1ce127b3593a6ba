//! Requests to the cluster's API server, by its kubeconfig. The only place here that is asynchronous.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use sealer_plugin::{KubeReply, KubeRequest};
use serde_json::Value;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// How long the API server may take to be reached, and to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends a request and returns the answer, whatever its status.
///
/// # Errors
/// When the kubeconfig cannot be used, or the server does not answer: why, as a phrase.
pub(crate) fn request(kubeconfig: &Path, request: &KubeRequest) -> Result<KubeReply, String> {
    if !kubeconfig.exists() {
        return Err("there is no kubeconfig yet".to_owned());
    }
    send(kubeconfig, request).map_err(|error| {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            message.push_str(": ");
            message.push_str(&error.to_string());
            cause = error.source();
        }
        message
    })
}

fn send(kubeconfig: &Path, request: &KubeRequest) -> Result<KubeReply, Error> {
    // An error means that there is a provider already: as good as ours.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        config.connect_timeout = Some(PATIENCE);
        config.read_timeout = Some(PATIENCE);
        let client = Client::try_from(config)?;
        let content_type = request.content_type.as_deref().unwrap_or("application/json");
        let wanted = http::Request::builder()
            .method(request.method.to_uppercase().as_str())
            .uri(request.path.as_str())
            .header(http::header::CONTENT_TYPE, content_type)
            .header(http::header::ACCEPT, "application/json")
            .body(Body::from(request.body.clone().unwrap_or_default().into_bytes()))?;
        let answer = client.send(wanted).await?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect_bytes().await?;
        Ok(KubeReply { status, body: String::from_utf8_lossy(&body).into_owned() })
    })
}

/// Returns what each node lacks to be ready, by its name: nothing, where it is.
///
/// # Errors
/// As [`request`], or when the server says no.
pub(crate) fn conditions(kubeconfig: &Path) -> Result<BTreeMap<String, String>, String> {
    let nodes = list(kubeconfig, "/api/v1/nodes")?;
    let state = |node: &Value| {
        let conditions = node["status"]["conditions"].as_array().into_iter().flatten();
        let ready = conditions.into_iter().find(|condition| condition["type"] == "Ready");
        match ready {
            Some(condition) if condition["status"] == "True" => String::new(),
            Some(condition) => condition["message"].as_str().unwrap_or("not ready").to_owned(),
            None => "its kubelet has not reported".to_owned(),
        }
    };
    Ok(nodes
        .iter()
        .map(|node| (node["metadata"]["name"].as_str().unwrap_or_default().to_owned(), state(node)))
        .collect())
}

/// Returns the version that the kubelet of each node reports.
///
/// # Errors
/// As [`request`], or when the server says no.
pub(crate) fn versions(kubeconfig: &Path) -> Result<BTreeMap<String, String>, String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let of =
        |node: &Value| (text(&node["metadata"]["name"]), text(&node["status"]["nodeInfo"]["kubeletVersion"]));
    Ok(list(kubeconfig, "/api/v1/nodes")?.iter().map(of).collect())
}

/// Returns the internal addresses of the nodes that have the labels.
///
/// # Errors
/// As [`request`], or when the server says no.
pub(crate) fn nodes_with(kubeconfig: &Path, labels: &str) -> Result<Vec<String>, String> {
    let selector: String = url::form_urlencoded::byte_serialize(labels.as_bytes()).collect();
    let nodes = list(kubeconfig, &format!("/api/v1/nodes?labelSelector={selector}"))?;
    let addresses =
        nodes.iter().flat_map(|node| node["status"]["addresses"].as_array().into_iter().flatten());
    let internal = addresses.filter(|address| address["type"] == "InternalIP");
    Ok(internal.filter_map(|address| address["address"].as_str().map(str::to_owned)).collect())
}

/// Returns the name of the node that has an internal address.
///
/// # Errors
/// As [`request`], or when the server says no.
pub(crate) fn node_at(kubeconfig: &Path, address: &str) -> Result<Option<String>, String> {
    let nodes = list(kubeconfig, "/api/v1/nodes")?;
    let has = |node: &&Value| {
        let mut addresses = node["status"]["addresses"].as_array().into_iter().flatten();
        addresses.any(|item| item["type"] == "InternalIP" && item["address"] == address)
    };
    let found = nodes.iter().find(has);
    Ok(found.and_then(|node| node["metadata"]["name"].as_str()).map(str::to_owned))
}

/// The items of a list.
pub(crate) fn list(kubeconfig: &Path, path: &str) -> Result<Vec<Value>, String> {
    let get = KubeRequest { method: "GET".to_owned(), path: path.to_owned(), ..KubeRequest::default() };
    let reply = request(kubeconfig, &get)?;
    let body: Value = serde_json::from_str(&reply.body)
        .map_err(|error| format!("the API server's answer is no JSON: {error}"))?;
    if reply.status != 200 {
        let message = body["message"].as_str().unwrap_or("without a message");
        return Err(format!("the API server answered {}: {message}", reply.status));
    }
    Ok(body["items"].as_array().cloned().unwrap_or_default())
}
