//! Sources on the network.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sealer_image::digest::sha256;

use crate::kit::{Bench, shown};

/// A server on loopback that answers every request with the path that was asked for, and counts.
struct Web {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Web {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, asked) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&asked);
        // It ends with the tests' process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let line = lines.next().unwrap().unwrap();
                while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
                count.fetch_add(1, Ordering::SeqCst);
                let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
                let status = if path.starts_with("/none") { "404 Not Found" } else { "200 OK" };
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    path.len()
                );
                stream.write_all(format!("{head}{path}").as_bytes()).unwrap();
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[test]
fn a_file_of_the_network_is_placed_as_one_of_the_context() {
    let (bench, web) = (Bench::new(), Web::start());
    let at = web.address;
    let kubefile = format!(
        "FROM scratch\nARG v=1\nCOPY http://{at}/x/tool-$v?mirror=a bin\nCOPY --chmod=0755 http://{at}/run etc/run.sh\n"
    );
    let built = bench.build(&kubefile);
    let expected = ["bin/", "bin/tool-1: /x/tool-1?mirror=a", "etc/", "etc/run.sh*: /run"];
    assert_eq!(bench.tree(&built), expected);
    // Without a checksum only asking tells whether it is the same.
    let again = bench.build(&kubefile);
    assert_eq!((again.cached, again.descriptor, web.asked()), (2, built.descriptor, 4));
}

#[test]
fn what_a_checksum_pins_is_asked_for_once_and_nothing_else_is_taken() {
    let (bench, web) = (Bench::new(), Web::start());
    let digest = sha256(b"/data");
    let kubefile = format!("FROM scratch\nADD --checksum={digest} http://{}/data /opt/\n", web.address);
    let built = bench.build(&kubefile);
    assert_eq!(bench.tree(&built), ["opt/", "opt/data: /data"]);
    let again = bench.build(&kubefile);
    assert_eq!((again.cached, again.descriptor, web.asked()), (1, built.descriptor, 1));

    let wrong = kubefile.replace("/data /opt", "/other /opt");
    let refused = bench.refused(&wrong);
    let expected = format!("`http://{}/other` is {}, not {digest}", web.address, sha256(b"/other"));
    assert!(refused.contains(&expected), "{refused}");
}

#[test]
fn an_answer_that_is_no_success_ends_the_build() {
    let (bench, web) = (Bench::new(), Web::start());
    let error =
        bench.try_build(&format!("FROM scratch\nCOPY http://{}/none/x etc\n", web.address)).unwrap_err();
    assert!(shown(&error).contains("`/none/x` is answered with 404 Not Found"), "{}", shown(&error));
}
