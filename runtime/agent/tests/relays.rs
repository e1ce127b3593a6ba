//! Agents that talk over loopback: who gets what, from whom, and who gets nothing.
#![allow(clippy::unwrap_used, reason = "a test has nothing better to do than to panic")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use sealer_agent::bits::Bits;
use sealer_agent::manifest::{Chunk, Entry, Kind, Manifest, digest};
use sealer_agent::tls::Tls;
use sealer_agent::wire::{Ask, Frame, Keys, Order, Peer, Piece, Report, Setup, heard};

/// What stands for the agent's program.
const PROGRAM: &[u8] = &[7; 100_000];
/// The word by which hosts get it.
const WORD: &[u8] = &[b'w'; sealer_agent::WORD];

/// The authority of a run.
struct Run(Issuer<'static, KeyPair>, Vec<u8>);

impl Run {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().der().to_vec();
        Self(Issuer::new(params, key), certificate)
    }

    fn keys(&self, name: &str) -> Keys {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.0).unwrap();
        Keys { authority: self.1.clone(), certificate: certificate.der().to_vec(), key: key.serialize_der() }
    }
}

/// What a test's image holds: files of one chunk each.
fn image() -> (Manifest, Vec<Vec<u8>>) {
    let contents: Vec<Vec<u8>> = (0..20_u8).map(|at| vec![at; 1000 + usize::from(at)]).collect();
    let chunk = |bytes: &Vec<u8>| Chunk { digest: digest(bytes), size: u32::try_from(bytes.len()).unwrap() };
    let entry = |(at, bytes): (usize, &Vec<u8>)| Entry {
        path: format!("file-{at}").into_bytes(),
        mode: 0o644,
        kind: Kind::File { digest: digest(bytes), chunks: vec![u32::try_from(at).unwrap()] },
    };
    let manifest = Manifest {
        chunks: contents.iter().map(chunk).collect(),
        entries: contents.iter().enumerate().map(entry).collect(),
    };
    (manifest, contents)
}

/// One end of a pipe in memory.
struct Pipe(Receiver<Vec<u8>>, Vec<u8>);

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.1.is_empty() {
            self.1 = self.0.recv().unwrap_or_default();
        }
        let count = self.1.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.1[..count]);
        self.1.drain(..count);
        Ok(count)
    }
}

struct Outlet(Sender<Vec<u8>>);

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An agent under way, and the operator's end of it.
struct Agent {
    dir: PathBuf,
    peer: Peer,
    orders: Outlet,
    reports: Pipe,
}

impl Agent {
    fn start(run: &Run, place: &Path, name: &str, manifest: &Manifest) -> Self {
        let (orders, from) = channel();
        let (to, reports) = channel();
        thread::spawn(move || {
            sealer_agent::run(Pipe(from, Vec::new()), Box::new(Outlet(to)), PROGRAM.to_vec())
        });
        let dir = place.join(name);
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let peer = Peer { name: format!("{name}.test"), address };
        let mut agent = Self { dir, peer, orders: Outlet(orders), reports: Pipe(reports, Vec::new()) };
        let setup = Setup {
            keys: run.keys(&agent.peer.name),
            listen: address.to_string(),
            dir: agent.dir.display().to_string(),
            cache: agent.dir.join("cache").display().to_string(),
            word: digest(WORD),
            feed: digest(b"operator"),
            manifest: digest(&manifest.pack().unwrap()),
            entries: manifest.entries.iter().map(|_| true).collect(),
            link: Bits::new(manifest.entries.len()),
            ..Setup::default()
        };
        agent.say(&Frame::say(&Order::Setup(Box::new(setup))));
        let Report::Ready { port } = agent.next() else { panic!("it is ready first") };
        agent.peer.address.set_port(port);
        agent
    }

    fn say(&mut self, frame: &Frame) {
        frame.write(&mut self.orders).unwrap();
    }

    /// The next report that is no sign of how far it is.
    fn next(&mut self) -> Report {
        loop {
            let Some(Frame::Said(bytes)) = Frame::read(&mut self.reports).unwrap() else {
                panic!("a report")
            };
            match heard(&bytes).unwrap() {
                Report::Moved(_) => {}
                report => return report,
            }
        }
    }

    /// Sends the manifest and all pieces, as an operator does whom nobody spares it.
    fn feed(&mut self, manifest: &Manifest, contents: &[Vec<u8>]) {
        assert_eq!(self.next(), Report::NeedManifest);
        self.say(&Frame::Manifest(manifest.pack().unwrap()));
        let Report::Need(wanted) = self.next() else { panic!("it needs all") };
        for at in wanted.iter() {
            self.say(&Frame::Piece(Piece::of(u32::try_from(at).unwrap(), contents[at].clone())));
        }
    }

    /// The files of its root.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let root = fs::read_dir(self.dir.join("rootfs")).unwrap().map(Result::unwrap);
        root.map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap())).collect()
    }
}

fn expected(contents: &[Vec<u8>]) -> BTreeMap<String, Vec<u8>> {
    contents.iter().enumerate().map(|(at, bytes)| (format!("file-{at}"), bytes.clone())).collect()
}

#[test]
fn one_is_fed_and_the_next_gets_all_from_it() {
    let (place, run, (manifest, contents)) = (tempfile::tempdir().unwrap(), Run::new(), image());
    let mut first = Agent::start(&run, place.path(), "first", &manifest);
    let mut second = Agent::start(&run, place.path(), "second", &manifest);
    second.say(&Frame::say(&Order::Go(vec![first.peer.clone()])));
    first.say(&Frame::say(&Order::Go(Vec::new())));
    first.feed(&manifest, &contents);
    assert!(
        matches!(first.next(), Report::Done(totals) if totals.from_operator > 0 && totals.from_hosts == 0)
    );
    assert!(
        matches!(second.next(), Report::Done(totals) if totals.from_operator == 0 && totals.from_hosts > 0)
    );
    assert_eq!((first.files(), second.files()), (expected(&contents), expected(&contents)));
}

#[test]
fn a_relay_whose_disk_decays_passes_nothing_of_it_on_and_another_source_is_found() {
    let (place, run, (manifest, contents)) = (tempfile::tempdir().unwrap(), Run::new(), image());
    let mut first = Agent::start(&run, place.path(), "first", &manifest);
    first.say(&Frame::say(&Order::Go(Vec::new())));
    first.feed(&manifest, &contents);
    assert!(matches!(first.next(), Report::Done(_)));
    // Another process, for what came last is still in the first one's memory.
    drop(first);
    let mut again = Agent::start(&run, place.path(), "first", &manifest);
    again.say(&Frame::say(&Order::Go(Vec::new())));
    assert_eq!(again.next(), Report::NeedManifest);
    again.say(&Frame::Manifest(manifest.pack().unwrap()));
    assert!(matches!(again.next(), Report::Done(totals) if totals.from_operator == 0));
    fs::write(again.dir.join("rootfs/file-7"), vec![0; contents[7].len()]).unwrap();
    let mut second = Agent::start(&run, place.path(), "second", &manifest);
    second.say(&Frame::say(&Order::Go(vec![again.peer.clone()])));
    assert_eq!(again.next(), Report::Decayed { path: "file-7".to_owned() });
    let mut lost = Bits::new(contents.len());
    lost.insert(7);
    assert_eq!(second.next(), Report::Need(lost));
    second.say(&Frame::Piece(Piece::of(7, contents[7].clone())));
    assert!(matches!(second.next(), Report::Done(totals) if totals.from_hosts > 0));
    assert_eq!(second.files(), expected(&contents));
}

#[test]
fn a_relay_that_lies_is_dropped_and_named_and_the_operator_asked() {
    let (place, run, (manifest, contents)) = (tempfile::tempdir().unwrap(), Run::new(), image());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let liar = Peer { name: "liar.test".to_owned(), address: listener.local_addr().unwrap() };
    let (tls, packed) = (Tls::new(&run.keys(&liar.name)).unwrap(), manifest.pack().unwrap());
    thread::spawn(move || {
        while let Ok((socket, _)) = listener.accept() {
            let mut host = tls.accept(socket).unwrap();
            let Some(Frame::Said(bytes)) = Frame::read(&mut host).unwrap() else { continue };
            let frame = match heard(&bytes).unwrap() {
                Ask::Manifest => Frame::Manifest(packed.clone()),
                Ask::Pieces(_) | Ask::Feed(_) => {
                    Frame::Piece(Piece { index: 0, packed: false, bytes: vec![9; 1000] })
                }
            };
            let _ = frame.write(&mut host).and_then(|()| host.flush());
            let _ = Frame::read(&mut host);
        }
    });
    let mut agent = Agent::start(&run, place.path(), "agent", &manifest);
    agent.say(&Frame::say(&Order::Go(vec![liar])));
    let reason = "piece 0 is not what its digest says".to_owned();
    assert_eq!(agent.next(), Report::Dropped { peer: "liar.test".to_owned(), lied: true, reason });
    let Report::Need(wanted) = agent.next() else { panic!("it needs all") };
    assert_eq!(wanted.count(), contents.len());
    for (at, bytes) in contents.iter().enumerate() {
        agent.say(&Frame::Piece(Piece::of(u32::try_from(at).unwrap(), bytes.clone())));
    }
    assert!(matches!(agent.next(), Report::Done(_)));
    assert_eq!(agent.files(), expected(&contents));
}

#[test]
fn a_stranger_gets_nothing_and_can_put_nothing() {
    let (place, run, (manifest, contents)) = (tempfile::tempdir().unwrap(), Run::new(), image());
    let mut agent = Agent::start(&run, place.path(), "agent", &manifest);
    agent.say(&Frame::say(&Order::Go(Vec::new())));
    agent.feed(&manifest, &contents);
    assert!(matches!(agent.next(), Report::Done(_)));
    // Without TLS, what it is sent is no handshake: it says so and closes.
    let mut plain = TcpStream::connect(agent.peer.address).unwrap();
    Frame::say(&Ask::Manifest).write(&mut plain).unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(answer.len() < 16, "{answer:?}");
    // With the keys of another run, neither end takes the other for one of its own.
    let stranger = Tls::new(&Run::new().keys("agent.test")).unwrap();
    assert!(stranger.connect(&agent.peer.name, agent.peer.address).is_err());
    // With the right authority and a certificate that it did not sign.
    let forged = Keys { authority: run.1.clone(), ..Run::new().keys("agent.test") };
    let mut relay = Tls::new(&forged).unwrap().connect(&agent.peer.name, agent.peer.address).unwrap();
    let _ = Frame::say(&Ask::Manifest).write(&mut relay).and_then(|()| relay.flush());
    assert!(Frame::read(&mut relay).is_err());
    // A host of the run that says it is the operator is none without the operator's word.
    let mut host =
        Tls::new(&run.keys("host.test")).unwrap().connect(&agent.peer.name, agent.peer.address).unwrap();
    let _ = Frame::say(&Ask::Feed("operate".to_owned())).write(&mut host);
    let _ = Frame::Piece(Piece::of(0, vec![9; 1000])).write(&mut host).and_then(|()| host.flush());
    assert!(matches!(Frame::read(&mut host), Ok(None) | Err(_)));
    // A host of the run that sends what nobody asked it for changes nothing either.
    let mut host =
        Tls::new(&run.keys("host.test")).unwrap().connect(&agent.peer.name, agent.peer.address).unwrap();
    let _ = Frame::Piece(Piece::of(0, vec![9; 1000])).write(&mut host).and_then(|()| host.flush());
    assert!(matches!(Frame::read(&mut host), Ok(None) | Err(_)));
    assert_eq!(agent.files(), expected(&contents));
}

#[test]
fn who_says_the_word_gets_the_program_and_who_does_not_gets_nothing() {
    let (place, run, (manifest, _)) = (tempfile::tempdir().unwrap(), Run::new(), image());
    let agent = Agent::start(&run, place.path(), "agent", &manifest);
    let ask = |word: &[u8]| {
        let mut socket = TcpStream::connect(agent.peer.address).unwrap();
        socket.write_all(&[b"P", word].concat()).unwrap();
        let mut got = Vec::new();
        let _ = socket.read_to_end(&mut got);
        got
    };
    assert_eq!(ask(&[b'x'; sealer_agent::WORD]), b"");
    assert_eq!(ask(WORD), PROGRAM);
}
