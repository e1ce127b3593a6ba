//! Getting what the host lacks: from other hosts, one after the other, then from the operator.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use crate::agent::Hub;
use crate::bits::Bits;
use crate::error::{Error, Result};
use crate::manifest::digest;
use crate::pool::{Brought, Pool, Sender};
use crate::tls::Outgoing;
use crate::wire::{Answer, Ask, Frame, Peer, Report, heard};

/// How long is looked at what the operator sends before it is asked for again.
const PATIENCE: Duration = Duration::from_secs(1);
/// So often is a root put right that does not stay right on the disk.
const REPAIRS: usize = 3;

/// The hosts that can be asked, the first first.
pub(crate) struct Sources<'a> {
    hub: &'a Hub,
    peers: Vec<Peer>,
    /// Those that failed.
    dropped: BTreeSet<String>,
}

impl<'a> Sources<'a> {
    pub(crate) fn new(hub: &'a Hub, peers: Vec<Peer>) -> Self {
        Self { hub, peers, dropped: BTreeSet::new() }
    }

    /// Gets the manifest.
    pub(crate) fn manifest(&mut self) -> Result<()> {
        for peer in self.usable() {
            match self.manifest_from(&peer) {
                Ok(packed) => return self.hub.set_manifest(packed),
                Err(error) => self.drop_peer(&peer, &error),
            }
        }
        self.hub.report(&Report::NeedManifest)?;
        while self.hub.manifest(PATIENCE).is_none() {}
        Ok(())
    }

    fn manifest_from(&self, peer: &Peer) -> Result<Vec<u8>> {
        let mut relay = ask(self.hub, peer, &Ask::Manifest)?;
        loop {
            match Frame::read(&mut relay)? {
                Some(Frame::Pulse) => {}
                Some(Frame::Manifest(packed)) if digest(&packed) == self.hub.setup.manifest => {
                    return Ok(packed);
                }
                Some(Frame::Manifest(_)) => return Err(Error::Lie { index: 0 }),
                _ => return Err(Error::Garbled),
            }
        }
    }

    /// Gets all pieces, and sees that they stay on the disk.
    pub(crate) fn pieces(&mut self, pool: &Pool) -> Result<()> {
        for _ in 0..REPAIRS {
            self.fill(pool)?;
            let wrong = pool.disk.wrong()?;
            if wrong.is_empty() {
                return Ok(());
            }
            wrong.iter().for_each(|at| pool.lose(at));
        }
        let lacking = pool.lacking(Duration::ZERO).iter().next().unwrap_or_default();
        Err(Error::file(pool.disk.name(lacking).as_ref())(std::io::Error::other(
            "the disk does not keep what is written to it",
        )))
    }

    fn fill(&mut self, pool: &Pool) -> Result<()> {
        for peer in self.usable() {
            let lacking = pool.lacking(Duration::ZERO);
            if lacking.is_empty() {
                return Ok(());
            }
            match self.pieces_from(&peer, pool, lacking) {
                Ok(()) => {}
                Err(error @ Error::File { .. }) => return Err(error),
                Err(error) => self.drop_peer(&peer, &error),
            }
        }
        let (mut asked, mut patience) = (Bits::default(), Duration::ZERO);
        loop {
            let lacking = pool.lacking(patience);
            if lacking.is_empty() {
                return Ok(());
            }
            patience = PATIENCE;
            // Asked for once, all of it comes; what decays meanwhile is asked for on its own.
            let new: Bits =
                (0..pool.disk.manifest.chunks.len()).map(|at| lacking.has(at) && !asked.has(at)).collect();
            if !new.is_empty() {
                self.hub.report(&Report::Need(new))?;
                asked = lacking;
            }
        }
    }

    fn pieces_from(&self, peer: &Peer, pool: &Pool, lacking: Bits) -> Result<()> {
        let mut relay = ask(self.hub, peer, &Ask::Pieces(lacking))?;
        relay.sock.gather();
        pool.take_in(Sender::Host, || match Frame::read(&mut relay)? {
            Some(Frame::Pulse) => Ok(Brought::Nothing),
            Some(Frame::Piece(piece)) => Ok(Brought::Piece(piece)),
            Some(Frame::Said(bytes)) => heard(&bytes).map(|Answer::End| Brought::End),
            _ => Err(Error::Garbled),
        })
    }

    fn usable(&self) -> Vec<Peer> {
        self.peers.iter().filter(|peer| !self.dropped.contains(&peer.name)).cloned().collect()
    }

    fn drop_peer(&mut self, peer: &Peer, error: &Error) {
        self.dropped.insert(peer.name.clone());
        let lied = matches!(error, Error::Lie { .. } | Error::Garbled);
        // Whoever cannot be told any more will end us.
        let _ =
            self.hub.report(&Report::Dropped { peer: peer.name.clone(), lied, reason: error.to_string() });
    }
}

fn ask(hub: &Hub, peer: &Peer, what: &Ask) -> Result<Outgoing> {
    let mut relay = hub.tls.connect(&peer.name, peer.address)?;
    Frame::say(what).write(&mut relay).and_then(|()| relay.flush()).map_err(Error::Wire)?;
    Ok(relay)
}
