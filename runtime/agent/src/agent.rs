//! An agent's life: it is told what to do, does it, serves others meanwhile, and ends when the
//! operator's end of the connection does.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender as Way, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::cache::Cache;
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::fetch::Sources;
use crate::manifest::{Manifest, digest};
use crate::pace::Pace;
use crate::pool::{Pool, Sender};
use crate::program::Program;
use crate::serve::serve;
use crate::tls::Tls;
use crate::wire::{Frame, Order, Peer, Report, Setup, heard};

/// An operator that says nothing for so long is gone: it gives signs of life all the time.
const GONE: Duration = Duration::from_secs(60);
/// How often the operator is told how far we are.
const TELL: Duration = Duration::from_millis(500);

/// Everything that an agent's threads share.
pub(crate) struct Hub {
    pub(crate) setup: Setup,
    pub(crate) tls: Tls,
    pub(crate) pace: Pace,
    pub(crate) program: Program,
    content: Mutex<Content>,
    came: Condvar,
    operator: Mutex<Box<dyn Write + Send>>,
}

#[derive(Default)]
struct Content {
    manifest: Option<Arc<Vec<u8>>>,
    pool: Option<Arc<Pool>>,
}

impl Hub {
    /// The manifest, packed, if it comes in `time`.
    pub(crate) fn manifest(&self, time: Duration) -> Option<Arc<Vec<u8>>> {
        self.wait(time, |content| content.manifest.clone())
    }

    /// The chunks, if they are looked through in `time`.
    pub(crate) fn pool(&self, time: Duration) -> Option<Arc<Pool>> {
        self.wait(time, |content| content.pool.clone())
    }

    fn wait<T>(&self, time: Duration, look: impl Fn(&Content) -> Option<T>) -> Option<T> {
        let content = self.content.lock().expect("no holder panics");
        let (content, _) = self
            .came
            .wait_timeout_while(content, time, |content| look(content).is_none())
            .expect("no holder panics");
        look(&content)
    }

    pub(crate) fn set_manifest(&self, packed: Vec<u8>) -> Result<()> {
        if digest(&packed) != self.setup.manifest {
            return Err(Error::Garbled);
        }
        self.content.lock().expect("no holder panics").manifest = Some(Arc::new(packed));
        self.came.notify_all();
        Ok(())
    }

    pub(crate) fn report(&self, report: &Report) -> Result<()> {
        let mut operator = self.operator.lock().expect("no holder panics");
        Frame::say(report).write(&mut *operator).and_then(|()| operator.flush()).map_err(Error::Wire)
    }

    /// Does the work: everything that is lacking, then the switch.
    fn work(&self, peers: Vec<Peer>) -> Result<()> {
        let mut sources = Sources::new(self, peers);
        sources.manifest()?;
        let packed = self.manifest(Duration::ZERO).ok_or(Error::Garbled)?;
        let manifest = Arc::new(Manifest::unpack(&packed)?);
        let cache = Cache::open(Path::new(&self.setup.cache), self.setup.cache_limit);
        let pool = Arc::new(Pool::new(Disk::lay_out(manifest, &self.setup)?, &cache)?);
        self.content.lock().expect("no holder panics").pool = Some(Arc::clone(&pool));
        self.came.notify_all();
        sources.pieces(&pool)?;
        pool.disk.switch()?;
        // A host without room for a cache is as well off as one that never had any.
        let _ = cache.keep(&pool.disk, &packed);
        self.tell_decayed(&pool)?;
        self.report(&Report::Done(pool.totals()))
    }

    /// Takes in what the operator says. Returns when it says no more.
    fn listen(&self, from: &mut dyn Read, go: &Way<Vec<Peer>>, heard_at: &Mutex<Instant>) -> Result<()> {
        let mut from = from;
        while let Some(frame) = Frame::read(&mut from)? {
            *heard_at.lock().expect("no holder panics") = Instant::now();
            match frame {
                Frame::Pulse => {}
                Frame::Manifest(packed) => self.set_manifest(packed)?,
                Frame::Piece(piece) => {
                    let pool = self.pool(Duration::ZERO).ok_or(Error::Garbled)?;
                    if let Err(error) = pool.put(piece, Sender::Operator) {
                        self.fail(&error)?;
                    }
                }
                Frame::Said(bytes) => match heard(&bytes)? {
                    Order::Go(peers) => {
                        let _ = go.send(peers);
                    }
                    Order::Setup(_) => return Err(Error::Garbled),
                },
            }
        }
        Ok(())
    }

    fn tell_decayed(&self, pool: &Pool) -> Result<()> {
        pool.decayed().into_iter().try_for_each(|path| self.report(&Report::Decayed { path }))
    }

    pub(crate) fn fail(&self, error: &Error) -> Result<()> {
        self.report(&Report::Failed { full: error.is_full(), reason: error.to_string() })
    }

    /// Tells the operator how far we are, until it is gone.
    fn accompany(&self, ended: &Receiver<()>, heard_at: &Mutex<Instant>) -> Result<()> {
        let mut told = None;
        while let Err(std::sync::mpsc::RecvTimeoutError::Timeout) = ended.recv_timeout(TELL) {
            if heard_at.lock().expect("no holder panics").elapsed() > GONE {
                return Ok(());
            }
            let Some(pool) = self.pool(Duration::ZERO) else { continue };
            self.tell_decayed(&pool)?;
            let totals = pool.totals();
            if told != Some(totals) {
                told = Some(totals);
                self.report(&Report::Moved(totals))?;
            }
        }
        Ok(())
    }
}

/// Lives the life of an agent, and returns when the operator's end is closed or silent. `program` is
/// what other hosts get that are to have an agent.
///
/// # Errors
/// When what the operator says makes no sense, or the keys are none.
pub fn run(
    mut from: impl Read + Send + 'static,
    operator: Box<dyn Write + Send>,
    program: Vec<u8>,
) -> Result<()> {
    let bytes = loop {
        match Frame::read(&mut from)? {
            // The operator is still cutting the image.
            Some(Frame::Pulse) => {}
            Some(Frame::Said(bytes)) => break bytes,
            _ => return Err(Error::Garbled),
        }
    };
    let Order::Setup(setup) = heard(&bytes)? else { return Err(Error::Garbled) };
    let listen: SocketAddr = setup.listen.parse().map_err(|_| Error::Garbled)?;
    let hub = Arc::new(Hub {
        tls: Tls::new(&setup.keys)?,
        pace: Pace::new(setup.bandwidth),
        program: Program::new(setup.word, program),
        setup: *setup,
        content: Mutex::default(),
        came: Condvar::new(),
        operator: Mutex::new(operator),
    });
    let listener = TcpListener::bind(listen).map_err(Error::Wire)?;
    let port = listener.local_addr().map_err(Error::Wire)?.port();
    let server = Arc::clone(&hub);
    thread::spawn(move || serve(&server, &listener));
    let (go, gone) = channel();
    let worker = Arc::clone(&hub);
    thread::spawn(move || {
        for peers in gone {
            if let Err(error) = worker.work(peers) {
                let _ = worker.fail(&error);
            }
        }
    });
    let heard_at = Arc::new(Mutex::new(Instant::now()));
    let (end, ended) = channel();
    let (listener, watched) = (Arc::clone(&hub), Arc::clone(&heard_at));
    thread::spawn(move || {
        let _ = listener.listen(&mut from, &go, &watched);
        drop(end);
    });
    hub.report(&Report::Ready { port })?;
    hub.accompany(&ended, &heard_at)
}
