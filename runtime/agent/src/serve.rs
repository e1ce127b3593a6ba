//! What other hosts of the run get from this one: they ask, it answers. It takes nothing from them.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::agent::Hub;
use crate::bits::Bits;
use crate::error::{Error, Result};
use crate::manifest::digest;
use crate::pool::{Brought, Sender, Wait};
use crate::program::ASKED;
use crate::tls::{CONNECT, Incoming, SILENT};
use crate::wire::{Answer, Ask, Frame, Packer, heard, write_piece};

/// So many connections at once, strangers' included.
const MOST: usize = 64;
/// How often somebody who waits is given a sign of life.
const PULSE: Duration = Duration::from_secs(1);

/// Lets hosts in until the process ends.
pub(crate) fn serve(hub: &Arc<Hub>, listener: &TcpListener) {
    let under_way = Arc::new(AtomicUsize::new(0));
    for socket in listener.incoming() {
        let Ok(socket) = socket else {
            // No descriptor is free, most likely: it gets no better by asking at once.
            thread::sleep(PULSE);
            continue;
        };
        if under_way.fetch_add(1, Ordering::SeqCst) >= MOST {
            under_way.fetch_sub(1, Ordering::SeqCst);
            continue;
        }
        let (hub, under_way) = (Arc::clone(hub), Arc::clone(&under_way));
        thread::spawn(move || {
            // A stranger, or a host that has gone: neither concerns anybody else.
            let _ = greet(&hub, socket);
            under_way.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

fn greet(hub: &Hub, mut socket: TcpStream) -> Result<()> {
    socket.set_read_timeout(Some(CONNECT)).map_err(Error::Wire)?;
    socket.set_write_timeout(Some(SILENT)).map_err(Error::Wire)?;
    let mut first = [0];
    if socket.peek(&mut first).map_err(Error::Wire)? == 1 && first[0] == ASKED {
        return hub.program.give(&mut socket, &hub.pace);
    }
    answer(hub, &mut hub.tls.accept(socket)?)
}

fn answer(hub: &Hub, host: &mut Incoming) -> Result<()> {
    while let Some(Frame::Said(bytes)) = Frame::read(host)? {
        match heard(&bytes)? {
            Ask::Manifest => {
                let manifest = loop {
                    match hub.manifest(PULSE) {
                        Some(manifest) => break manifest,
                        None => send(host, &Frame::Pulse)?,
                    }
                };
                send(host, &Frame::Manifest(manifest.as_ref().clone()))?;
            }
            Ask::Pieces(wanted) => pieces(hub, host, wanted)?,
            Ask::Feed(word) if digest(word.as_bytes()) == hub.setup.feed => return feed(hub, host),
            Ask::Feed(_) => return Err(Error::Garbled),
        }
    }
    Ok(())
}

/// Takes what the operator was asked for, as if it came over SSH.
fn feed(hub: &Hub, operator: &mut Incoming) -> Result<()> {
    operator.sock.set_read_timeout(None).map_err(Error::Wire)?;
    let pool = hub.pool(CONNECT).ok_or(Error::Garbled)?;
    operator.sock.gather();
    let taken = pool.take_in(Sender::Operator, || match Frame::read(operator)? {
        Some(Frame::Piece(piece)) => Ok(Brought::Piece(piece)),
        Some(_) => Err(Error::Garbled),
        None => Ok(Brought::End),
    });
    if let Err(error @ (Error::File { .. } | Error::Changed { .. })) = &taken {
        hub.fail(error)?;
    }
    taken?;
    send(operator, &Frame::say(&Answer::End))
}

fn pieces(hub: &Hub, host: &mut Incoming, mut wanted: Bits) -> Result<()> {
    let pool = loop {
        match hub.pool(PULSE) {
            Some(pool) => break pool,
            None => send(host, &Frame::Pulse)?,
        }
    };
    let mut packer = Packer::default();
    loop {
        match pool.wait(&wanted, PULSE) {
            Wait::Has(at) => {
                // What the disk has lost meanwhile, whoever asks gets elsewhere.
                wanted.remove(at);
                if let Some(piece) = pool.piece(at, &mut packer) {
                    hub.pace.take(piece.bytes.len());
                    write_piece(host, &piece).map_err(Error::Wire)?;
                    pool.sent(piece.bytes.len());
                }
            }
            Wait::Later => send(host, &Frame::Pulse)?,
            Wait::Never => return send(host, &Frame::say(&Answer::End)),
        }
    }
}

fn send(host: &mut Incoming, frame: &Frame) -> Result<()> {
    frame.write(host).and_then(|()| host.flush()).map_err(Error::Wire)
}
