//! What this machine sends an agent: pieces, over a connection like those between hosts, or else over SSH.
//! libssh2 takes more of a processor than all the rest of a distribution together.

use std::io::{BufWriter, Write};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use sealer_agent::Pace;
use sealer_agent::bits::Bits;
use sealer_agent::tls::{Outgoing, Tls};
use sealer_agent::wire::{Ask, Frame, Packer, Piece, write_piece};

use super::cut::Cut;
use super::keys;
use super::mail::Mail;
use crate::error::HostFailure;

/// So many pieces are ready before they can be sent.
const AHEAD: usize = 32;
/// So many threads make pieces ready: most of that is compressing.
const MAKERS: usize = 2;
/// What goes to the connection at once, in bytes.
const BUFFER: usize = 256 * 1024;

/// How long an agent may take for the last that it was sent.
const LAST: Duration = Duration::from_secs(60);

/// This machine's end of connections to agents.
pub(super) struct Feed<'a> {
    pub(super) pace: &'a Pace,
    pub(super) tls: Tls,
    /// What tells agents that it is the operator who feeds them.
    pub(super) word: String,
}

impl Feed<'_> {
    /// Sends pieces to the agent at a seat: directly, if its address leads there, else what is left by mail.
    /// Returns the bytes that did not go by mail.
    pub(super) fn send(
        &self,
        cut: &Cut,
        wanted: &Bits,
        (seat, address): (usize, Option<SocketAddr>),
        mail: &Mail,
    ) -> Result<u64, HostFailure> {
        if let Some(sent) = address.and_then(|address| self.directly(cut, wanted, (seat, address))) {
            return sent;
        }
        let mut packer = Packer::default();
        for at in wanted.iter() {
            let piece = cut.piece(at, &mut packer)?;
            self.pace.take(piece.bytes.len());
            if !mail.put_when_room(&Frame::Piece(piece)) {
                break;
            }
        }
        Ok(0)
    }

    /// Sends all of it. None, if there is no way, or it broke: what was on it may be lost then.
    fn directly(
        &self,
        cut: &Cut,
        wanted: &Bits,
        (seat, address): (usize, SocketAddr),
    ) -> Option<Result<u64, HostFailure>> {
        let agent = self.tls.connect(&keys::name(seat), address).ok()?;
        let mut agent = BufWriter::with_capacity(BUFFER, agent);
        Frame::say(&Ask::Feed(self.word.clone())).write(&mut agent).ok()?;
        let wanted = Mutex::new(wanted.iter());
        let mut sent = 0;
        let made = thread::scope(|scope| {
            let (hand, pieces) = sync_channel::<Result<Piece, HostFailure>>(AHEAD);
            for _ in 0..MAKERS {
                let (hand, wanted) = (hand.clone(), &wanted);
                scope.spawn(move || {
                    let mut packer = Packer::default();
                    loop {
                        let next = wanted.lock().expect("no holder panics").next();
                        let Some(at) = next else { return };
                        if hand.send(cut.piece(at, &mut packer).map_err(HostFailure::from)).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(hand);
            for piece in pieces {
                let piece = piece?;
                self.pace.take(piece.bytes.len());
                if write_piece(&mut agent, &piece).is_err() {
                    return Ok(false);
                }
                sent += piece.bytes.len() as u64;
            }
            Ok(agent.flush().is_ok())
        });
        match made {
            Err(failure) => Some(Err(failure)),
            Ok(false) => None,
            Ok(true) => has_all(agent.get_mut()).then_some(Ok(sent)),
        }
    }
}

/// Says that this was all, and waits until the agent says that it has it.
fn has_all(agent: &mut Outgoing) -> bool {
    agent.conn.send_close_notify();
    let told = agent.flush().and_then(|()| agent.sock.set_read_timeout(Some(LAST)));
    told.is_ok() && matches!(Frame::read(agent), Ok(Some(Frame::Said(_))))
}
