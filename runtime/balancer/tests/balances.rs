//! A balancer in front of real TLS servers: one that dies, one that comes back, one that is ill.
#![allow(clippy::unwrap_used, reason = "a test has nothing better to do than to panic")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use sealer_balancer::{Listen, Service};

/// An authority that signs servers called `api`, and is written to a file.
struct Authority(Arc<ServerConfig>, PathBuf);

fn authority(dir: &Path, file: &str) -> Authority {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let own = params.self_signed(&key).unwrap();
    let path = dir.join(file);
    std::fs::write(&path, own.pem()).unwrap();
    let issuer = Issuer::new(params, key);
    let server = KeyPair::generate().unwrap();
    let signed = CertificateParams::new(vec!["api".to_owned()]).unwrap().signed_by(&server, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![signed.der().clone()], PrivatePkcs8KeyDer::from(server.serialize_der()).into())
        .unwrap();
    Authority(Arc::new(config), path)
}

/// A server that says its name to who speaks no TLS, and over TLS whether it is well.
struct Server {
    address: SocketAddr,
    is_well: Arc<AtomicBool>,
}

fn server(name: &'static str, config: &Arc<ServerConfig>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, is_well) = (listener.local_addr().unwrap(), Arc::new(AtomicBool::new(true)));
    let (config, well) = (Arc::clone(config), Arc::clone(&is_well));
    thread::spawn(move || {
        for socket in listener.incoming() {
            let (config, well) = (Arc::clone(&config), Arc::clone(&well));
            thread::spawn(move || serve(name, socket.unwrap(), config, &well));
        }
    });
    Server { address, is_well }
}

fn serve(name: &str, mut socket: TcpStream, config: Arc<ServerConfig>, well: &AtomicBool) {
    let mut first = [0];
    if socket.peek(&mut first).is_err() {
        return;
    }
    if first[0] == b'?' {
        // Says its name to every question, until the client has no more.
        while socket.read_exact(&mut first).is_ok() {
            socket.write_all(name.as_bytes()).unwrap();
        }
        return;
    }
    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), socket);
    let mut asked = [0; 12];
    if stream.read_exact(&mut asked).is_ok() {
        assert_eq!(&asked, b"GET /readyz ");
        let status = if well.load(Ordering::SeqCst) { "200 OK" } else { "500 Internal Server Error" };
        let _ = stream.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes());
    }
}

fn listen(servers: &[&Server], authority: &Authority) -> Listen {
    Listen {
        at: "127.0.0.1:0".parse().unwrap(),
        name: "api".to_owned(),
        path: "/readyz".to_owned(),
        authority: authority.1.clone(),
        servers: servers.iter().map(|server| server.address).collect(),
    }
}

/// Who answers so many connections, one letter each.
fn answers(service: &Service, times: usize) -> String {
    let mut names: Vec<u8> = (0..times).map(|_| answer(&mut connect(service)).unwrap()).collect();
    names.sort_unstable();
    String::from_utf8(names).unwrap()
}

fn connect(service: &Service) -> TcpStream {
    TcpStream::connect(service.address()).unwrap()
}

fn answer(client: &mut TcpStream) -> Option<u8> {
    let mut name = [0];
    client.write_all(b"?").ok()?;
    client.read_exact(&mut name).ok()?;
    Some(name[0])
}

#[test]
fn connections_go_to_servers_that_are_well_and_are_cut_from_those_that_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let authority = authority(dir.path(), "ca.crt");
    let (a, b) = (server("a", &authority.0), server("b", &authority.0));
    let service = Service::begin(listen(&[&a, &b], &authority)).unwrap();
    assert_eq!(service.check(), Vec::<String>::new());
    assert_eq!(answers(&service, 4), "aabb");
    let mut held = connect(&service);
    let server = if answer(&mut held) == Some(b'a') { &a } else { &b };
    server.is_well.store(false, Ordering::SeqCst);
    assert_eq!(service.check(), [format!("{} is not well: answered 500", server.address)]);
    assert!(answers(&service, 4) == "aaaa" || answers(&service, 4) == "bbbb");
    assert!(answer(&mut held).is_some(), "one wrong answer cuts nobody off");
    assert_eq!([service.check(), service.check()].concat(), Vec::<String>::new());
    assert_eq!(answer(&mut held), None);
    server.is_well.store(true, Ordering::SeqCst);
    assert_eq!(service.check(), [format!("{} is well", server.address)]);
    assert_eq!(answers(&service, 4), "aabb");
}

#[test]
fn servers_change_while_connections_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let authority = authority(dir.path(), "ca.crt");
    let (a, b, c) = (server("a", &authority.0), server("b", &authority.0), server("c", &authority.0));
    let service = Service::begin(listen(&[&a], &authority)).unwrap();
    let mut held = connect(&service);
    assert_eq!(answer(&mut held), Some(b'a'));
    service.set(listen(&[&a, &b], &authority));
    assert_eq!(answer(&mut held), Some(b'a'));
    assert_eq!(answers(&service, 2), "ab");
    service.set(listen(&[&b, &c], &authority));
    assert_eq!(answer(&mut held), None);
    assert_eq!(answers(&service, 2), "bc");
}

#[test]
fn a_server_that_another_authority_signed_is_not_well() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, other) = (authority(dir.path(), "ca.crt"), authority(dir.path(), "other.crt"));
    let (good, forged) = (server("g", &ours.0), server("f", &other.0));
    let service = Service::begin(listen(&[&good, &forged], &ours)).unwrap();
    let said = service.check();
    assert_eq!(said.len(), 1);
    assert!(
        said[0].starts_with(&format!("{} is not well: invalid peer certificate", forged.address)),
        "{said:?}"
    );
    assert_eq!(answers(&service, 3), "ggg");
}
