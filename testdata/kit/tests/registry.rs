//! The registry is real, and the proxy breaks what it is told to break.

#![expect(clippy::unwrap_used, reason = "a test has nothing better to do")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use sealer_testkit::{Action, Fault, Proxy, Registry, RegistryOptions};

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_plain_registry_answers_and_is_gone_when_dropped() {
    let registry = Registry::start(RegistryOptions::default());
    let address = registry.address();
    assert!(get(&address, "/v2/").starts_with("HTTP/1.1 200 OK"));
    drop(registry);
    assert!(TcpStream::connect(&address).is_err());
}

#[test]
fn skopeo_is_let_in_with_the_password_and_the_authority_alone() {
    let registry = Registry::start(RegistryOptions::secured("sealer", "s3cret"));
    let dir = registry.ca_file().unwrap().parent().unwrap();
    let login = |password: &str, authority: bool| {
        let mut command = Command::new("skopeo");
        command.args(["login", "--username", "sealer", "--password", password]);
        command.arg("--authfile").arg(dir.join("auth.json"));
        if authority {
            command.arg("--cert-dir").arg(dir);
        }
        command.arg(registry.address()).output().unwrap().status.success()
    };
    assert!(login("s3cret", true));
    assert!(!login("wrong", true));
    assert!(!login("s3cret", false));
}

#[test]
fn a_proxy_passes_counts_and_breaks() {
    let registry = Registry::start(RegistryOptions::default());
    let proxy = Proxy::start(&registry.address());
    proxy.inject(Fault::on("GET", "/v2/", Action::too_many(7)).skip(1));
    proxy.inject(Fault::on("GET", "/v2/", Action::CutResponse { after: 1 }).skip(2));
    assert!(get(&proxy.address(), "/v2/").ends_with("\r\n\r\n{}"));
    let second = get(&proxy.address(), "/v2/");
    assert!(second.starts_with("HTTP/1.1 429 ") && second.contains("Retry-After: 7\r\n"), "{second}");
    assert!(get(&proxy.address(), "/v2/").ends_with("\r\n\r\n{}"));
    assert!(get(&proxy.address(), "/v2/").ends_with("\r\n\r\n{"));
    let seen: Vec<_> = proxy.seen().iter().map(|seen| (seen.status, seen.received)).collect();
    assert_eq!(seen, [(200, 2), (429, 0), (200, 2), (200, 1)]);
}

#[test]
fn nobody_listens_nowhere() {
    assert!(TcpStream::connect(Proxy::nowhere()).is_err());
}
