//! A stand-in for the Kubernetes API server that knows one question: which nodes there are.
//!
//! It is for tests and the demo of what asks a cluster something, on hosts without Kubernetes. TLS,
//! a token, and the answer are as the real one's; nothing else is.

use std::fs;
use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::certificate;
use crate::http::Head;

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
    let (config, token, nodes) = (Arc::new(config), Arc::new(token), Arc::new(list(nodes)));
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

fn list(nodes: &[String]) -> Value {
    let items = nodes.iter().map(|name| {
        json!({
            "metadata": { "name": name, "labels": { "kubernetes.io/hostname": name } },
            "spec": {},
            "status": { "conditions": [{ "type": "Ready", "status": "True" }] },
        })
    });
    json!({ "apiVersion": "v1", "kind": "NodeList", "metadata": {}, "items": items.collect::<Vec<_>>() })
}

fn answer(stream: TcpStream, config: Arc<ServerConfig>, token: &str, nodes: &Value) -> io::Result<()> {
    let connection = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut reader = BufReader::new(StreamOwned::new(connection, stream));
    while let Some(head) = Head::read(&mut reader)? {
        let (status, body) = if head.get("authorization") != Some(&format!("Bearer {token}")) {
            ("401 Unauthorized", failure(401, "Unauthorized"))
        } else if head.word(1).split('?').next() == Some("/api/v1/nodes") && head.word(0) == "GET" {
            ("200 OK", nodes.clone())
        } else {
            ("404 Not Found", failure(404, "NotFound"))
        };
        let body = body.to_string();
        let stream = reader.get_mut();
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        stream.flush()?;
    }
    Ok(())
}

fn failure(code: u16, reason: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
        "message": "the stand-in knows only the list of nodes", "reason": reason, "code": code,
    })
}
