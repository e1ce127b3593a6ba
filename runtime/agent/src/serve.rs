//! What other hosts of the run get from this one: they ask, it answers. It takes nothing from them.

use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::agent::Hub;
use crate::bits::Bits;
use crate::error::{Error, Result};
use crate::pool::Wait;
use crate::tls::Incoming;
use crate::wire::{Answer, Ask, Frame, heard, write_piece};

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
            let _ = hub.tls.accept(socket).and_then(|mut host| answer(&hub, &mut host));
            under_way.fetch_sub(1, Ordering::SeqCst);
        });
    }
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
        }
    }
    Ok(())
}

fn pieces(hub: &Hub, host: &mut Incoming, mut wanted: Bits) -> Result<()> {
    let pool = loop {
        match hub.pool(PULSE) {
            Some(pool) => break pool,
            None => send(host, &Frame::Pulse)?,
        }
    };
    loop {
        match pool.wait(&wanted, PULSE) {
            Wait::Has(at) => {
                // What the disk has lost meanwhile, whoever asks gets elsewhere.
                wanted.remove(at);
                if let Some(piece) = pool.piece(at) {
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
