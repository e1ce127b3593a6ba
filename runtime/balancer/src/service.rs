//! One address that is listened on, its servers, and the connections that are open.

use std::collections::BTreeMap;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use crate::health::{PATIENCE, ask};
use crate::relay::relay;
use crate::{Error, Listen};

/// So many questions in a row have to go wrong before connections are cut.
const STRIKES: u32 = 3;

/// An address, and what stands behind it.
#[derive(Debug)]
pub struct Service {
    at: SocketAddr,
    inner: Mutex<Inner>,
    turn: AtomicUsize,
}

#[derive(Debug)]
struct Inner {
    wanted: Listen,
    /// How often in a row a server has not been well; nothing of those that are.
    ill: BTreeMap<SocketAddr, u32>,
    /// The open connections, both ends.
    open: BTreeMap<usize, (SocketAddr, TcpStream, TcpStream)>,
}

impl Service {
    /// Listens, and answers from then on.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub fn begin(wanted: Listen) -> Result<Arc<Self>, Error> {
        let listener = TcpListener::bind(wanted.at).map_err(|error| Error::Listen(wanted.at, error))?;
        let at = listener.local_addr().map_err(|error| Error::Listen(wanted.at, error))?;
        let inner = Mutex::new(Inner { wanted, ill: BTreeMap::new(), open: BTreeMap::new() });
        let service = Arc::new(Self { at, inner, turn: AtomicUsize::new(0) });
        let serving = Arc::clone(&service);
        thread::spawn(move || serving.serve(&listener));
        Ok(service)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.at
    }

    /// Has other servers from now on. Connections to those that are no longer wanted are cut.
    pub fn set(&self, wanted: Listen) {
        let mut inner = self.inner();
        inner.ill.retain(|server, _| wanted.servers.contains(server));
        let gone: Vec<SocketAddr> =
            inner.wanted.servers.iter().filter(|server| !wanted.servers.contains(server)).copied().collect();
        inner.wanted = wanted;
        gone.into_iter().for_each(|server| inner.cut(server));
    }

    /// Asks every server how it is; says what has changed.
    pub fn check(&self) -> Vec<String> {
        let wanted = self.inner().wanted.clone();
        let asked: Vec<(SocketAddr, Result<(), String>)> = thread::scope(|scope| {
            let wanted = &wanted;
            let questions: Vec<_> = wanted
                .servers
                .iter()
                .map(|server| (*server, scope.spawn(move || ask(wanted, *server))))
                .collect();
            let unasked = || Err("cannot be asked".to_owned());
            questions
                .into_iter()
                .map(|(server, question)| (server, question.join().unwrap_or_else(|_| unasked())))
                .collect()
        });
        let mut inner = self.inner();
        asked.into_iter().filter_map(|(server, answer)| inner.note(server, answer)).collect()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no holder panics")
    }

    fn serve(self: &Arc<Self>, listener: &TcpListener) {
        for (number, client) in listener.incoming().enumerate() {
            let Ok(client) = client else {
                // No descriptor is free, most likely: it gets no better by asking at once.
                thread::sleep(Duration::from_millis(100));
                continue;
            };
            let service = Arc::clone(self);
            thread::spawn(move || {
                if let Some((address, server)) = service.connect() {
                    service.hand_on(number, (address, &server), &client);
                }
            });
        }
    }

    /// Connects to the next server that is well; to any other, where none is.
    fn connect(&self) -> Option<(SocketAddr, TcpStream)> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let servers = self.inner().in_order(turn);
        servers
            .into_iter()
            .find_map(|server| Some((server, TcpStream::connect_timeout(&server, PATIENCE).ok()?)))
    }

    fn hand_on(&self, number: usize, (address, server): (SocketAddr, &TcpStream), client: &TcpStream) {
        let (Ok(one), Ok(other)) = (client.try_clone(), server.try_clone()) else { return };
        self.inner().open.insert(number, (address, one, other));
        // Whichever end is lost: the other learns it by its own connection's end.
        let _ = relay(client, server);
        self.inner().open.remove(&number);
    }
}

impl Inner {
    /// The servers, each in its turn the first, those that are not well at the end.
    fn in_order(&self, turn: usize) -> Vec<SocketAddr> {
        let mut servers = self.wanted.servers.clone();
        let count = servers.len();
        servers.rotate_left(turn % count);
        servers.sort_by_key(|server| self.ill.contains_key(server));
        servers
    }

    fn note(&mut self, server: SocketAddr, answer: Result<(), String>) -> Option<String> {
        let Err(reason) = answer else {
            return self.ill.remove(&server).map(|_| format!("{server} is well"));
        };
        let strikes = self.ill.entry(server).or_default();
        *strikes += 1;
        let strikes = *strikes;
        if strikes == STRIKES {
            self.cut(server);
        }
        (strikes == 1).then(|| format!("{server} is not well: {reason}"))
    }

    fn cut(&mut self, server: SocketAddr) {
        for (_, one, other) in self.open.values().filter(|(to, ..)| *to == server) {
            // Closed already is as good.
            let _ = one.shutdown(Shutdown::Both);
            let _ = other.shutdown(Shutdown::Both);
        }
    }
}
