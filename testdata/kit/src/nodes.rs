//! A stand-in for the Kubernetes API server that knows nodes, and of `kube-system` the pods and the names of
//! Secrets.
//!
//! It is for tests and the demo of what asks a cluster something, on hosts without Kubernetes. TLS, a
//! token, label selectors, merge patches with their conflicts, and the answers are as the real one's;
//! nothing else is.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::certificate;
use crate::http::{Body, Head};

const SECRETS: &str = "/api/v1/namespaces/kube-system/secrets";

/// Serves the list of nodes at an address until the process ends. Writes a kubeconfig as soon as it
/// listens.
///
/// # Errors
/// When it cannot listen, or the kubeconfig cannot be written.
pub fn serve_nodes(address: SocketAddr, kubeconfig: &Path, nodes: &[String]) -> io::Result<()> {
    let dir = tempfile::tempdir()?;
    let files = certificate::make(dir.path(), &[&address.ip().to_string()]);
    let (config, authority) = (tls(&files)?, fs::read(&files.ca)?);
    drop(dir);
    let mut token = [0; 16];
    fs::File::open("/dev/urandom")?.read_exact(&mut token)?;
    let token: String = token.iter().map(|byte| format!("{byte:02x}")).collect();
    let listener = TcpListener::bind(address)?;
    // Whoever finds the file finds the server: it is written last, and at once.
    let aside = kubeconfig.with_extension("new");
    fs::write(&aside, kubeconfig_text(address, &authority, &token).to_string())?;
    fs::rename(&aside, kubeconfig)?;
    let (config, token, nodes) = (Arc::new(config), Arc::new(token), Arc::new(Mutex::new(Things::of(nodes))));
    for stream in listener.incoming() {
        let (config, token, nodes) = (Arc::clone(&config), Arc::clone(&token), Arc::clone(&nodes));
        // A client that goes away, or is none, ends its own connection only.
        thread::spawn(move || answer(stream?, config, &token, &nodes));
    }
    Ok(())
}

fn tls(files: &certificate::ServerCertificate) -> io::Result<ServerConfig> {
    let certificate = CertificateDer::from_pem_file(&files.certificate).map_err(io::Error::other)?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(io::Error::other)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(io::Error::other)?.with_no_client_auth();
    builder.with_single_cert(vec![certificate], key).map_err(io::Error::other)
}

/// JSON is YAML too.
fn kubeconfig_text(address: SocketAddr, authority: &[u8], token: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "stand-in", "cluster": {
            "server": format!("https://{address}"),
            "certificate-authority-data": STANDARD.encode(authority),
        }}],
        "users": [{ "name": "admin", "user": { "token": token } }],
        "contexts": [{ "name": "admin", "context": { "cluster": "stand-in", "user": "admin" } }],
        "current-context": "admin",
    })
}

/// What the cluster has.
struct Things {
    nodes: Vec<Value>,
    /// By name; what they hold is not kept.
    secrets: Vec<String>,
}

impl Things {
    fn of(nodes: &[String]) -> Self {
        Self { nodes: list(nodes), secrets: Vec::new() }
    }
}

fn list(nodes: &[String]) -> Vec<Value> {
    let node = |name: &String| {
        json!({
            "metadata": {
                "name": name,
                "labels": { "kubernetes.io/hostname": name },
                "resourceVersion": "1",
            },
            "spec": {},
            "status": {
                "addresses": [
                    { "type": "InternalIP", "address": name },
                    { "type": "Hostname", "address": name },
                ],
                "conditions": [{ "type": "Ready", "status": "True" }],
            },
        })
    };
    nodes.iter().map(node).collect()
}

/// One ready pod on each node, as a cluster's own.
fn pods(nodes: &[Value]) -> Vec<Value> {
    let pod = |node: &Value| {
        json!({
            "metadata": {
                "name": format!("stand-in-{}", node["metadata"]["name"].as_str().unwrap_or_default()),
                "namespace": "kube-system",
            },
            "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] },
        })
    };
    nodes.iter().map(pod).collect()
}

fn answer(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    token: &str,
    things: &Mutex<Things>,
) -> io::Result<()> {
    let connection = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut reader = BufReader::new(StreamOwned::new(connection, stream));
    while let Some(head) = Head::read(&mut reader)? {
        let request = body(&head, &mut reader)?;
        let (status, body) = if head.get("authorization") != Some(&format!("Bearer {token}")) {
            failure(401, "Unauthorized")
        } else {
            let mut things = things.lock().expect("no holder panics");
            api(&head, &request, &mut things)
        };
        let body = body.to_string();
        let stream = reader.get_mut();
        write!(
            stream,
            "HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        stream.flush()?;
    }
    Ok(())
}

fn body(head: &Head, reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let Some(length) = head.length() else { return Ok(Vec::new()) };
    let (mut body, mut buffer) = (Vec::new(), [0; 4096]);
    let mut reader = Body::new(reader, length);
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(body),
            count => body.extend_from_slice(&buffer[..count]),
        }
    }
}

/// Answers what was allowed: the status, and the body.
fn api(head: &Head, request: &[u8], Things { nodes, secrets }: &mut Things) -> (u16, Value) {
    let (path, query) = head.word(1).split_once('?').unwrap_or((head.word(1), ""));
    let list = |kind: &str, items: Vec<Value>| json!({ "apiVersion": "v1", "kind": kind, "metadata": {}, "items": items });
    match (head.word(0), path) {
        ("GET", "/api/v1/nodes") => {
            let selected = nodes.iter().filter(|node| is_selected(node, query)).cloned();
            (200, list("NodeList", selected.collect()))
        }
        // A token by which hosts join: nobody joins here.
        ("POST", SECRETS) => {
            let Ok(secret) = serde_json::from_slice::<Value>(request) else {
                return failure(400, "BadRequest");
            };
            secrets.extend(secret["metadata"]["name"].as_str().map(str::to_owned));
            (201, json!({ "kind": "Secret" }))
        }
        ("GET", SECRETS) => {
            let secret = |name: &String| json!({ "metadata": { "name": name, "namespace": "kube-system" } });
            (200, list("SecretList", secrets.iter().map(secret).collect()))
        }
        ("DELETE", path) if path.starts_with(SECRETS) => {
            let there = secrets.len();
            secrets.retain(|name| path[SECRETS.len()..] != format!("/{name}"));
            if secrets.len() == there { failure(404, "NotFound") } else { (200, json!({ "kind": "Status" })) }
        }
        ("GET", "/api/v1/namespaces/kube-system/pods") => (200, list("PodList", pods(nodes))),
        (method, path) => {
            let name = path.strip_prefix("/api/v1/nodes/").unwrap_or_default();
            match (method, nodes.iter_mut().find(|node| node["metadata"]["name"] == name)) {
                ("GET", Some(node)) => (200, node.clone()),
                ("PATCH", Some(node)) => change(head, request, node),
                _ => failure(404, "NotFound"),
            }
        }
    }
}

/// The query's `labelSelector` with `key=value`, `key==value` and `key`, of which all have to be so.
fn is_selected(node: &Value, query: &str) -> bool {
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    let selector = pairs.into_iter().find(|(name, _)| name == "labelSelector").map(|(_, value)| value);
    let labels = &node["metadata"]["labels"];
    selector.iter().flat_map(|text| text.split(',')).all(|word| match word.split_once('=') {
        Some((key, value)) => labels[key] == value.trim_start_matches('='),
        None => labels.get(word).is_some(),
    })
}

/// A merge patch (RFC 7396) to the node as it was read: to another it is a conflict.
fn change(head: &Head, request: &[u8], node: &mut Value) -> (u16, Value) {
    if head.get("content-type") != Some("application/merge-patch+json") {
        return failure(415, "UnsupportedMediaType");
    }
    let Ok(patch) = serde_json::from_slice::<Value>(request) else { return failure(400, "BadRequest") };
    let version = node["metadata"]["resourceVersion"].clone();
    if patch["metadata"].get("resourceVersion").is_some_and(|wanted| *wanted != version) {
        return failure(409, "Conflict");
    }
    merge(node, &patch);
    let number = version.as_str().and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
    node["metadata"]["resourceVersion"] = json!((number + 1).to_string());
    (200, node.clone())
}

fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in patch {
        if value.is_null() {
            if let Some(target) = target.as_object_mut() {
                target.remove(key);
            }
        } else {
            merge(&mut target[key], value);
        }
    }
}

fn failure(code: u16, reason: &str) -> (u16, Value) {
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
        "message": "the stand-in knows nodes and the pods of kube-system only", "reason": reason, "code": code,
    });
    (code, status)
}
