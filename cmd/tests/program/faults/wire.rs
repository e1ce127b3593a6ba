//! A wire that changes bytes: between one host and all that it asks for something.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};

use rustix::net::sockopt::ip_original_dst;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::hosts::Room;

/// The byte of each connection that is another when it arrives.
const CHANGED: usize = 700_000;

/// A host's wire to the other hosts, for as long as the value lives.
pub(super) struct Wire {
    stop: SocketAddr,
    /// Who listens.
    thread: Option<JoinHandle<()>>,
}

impl Wire {
    /// Has all that a host asks others for go through this machine.
    pub(super) fn to(room: &Room, host: usize) -> Self {
        let address = room.address(host);
        let (network, index) = {
            let mut parts = address.split('.').skip(2);
            (parts.next().unwrap().to_owned(), parts.next().unwrap().to_owned())
        };
        let (ready, started) = channel();
        let (hand, taken) = channel::<Option<(TcpStream, SocketAddr)>>();
        let namespace = format!("/run/netns/slr{network}-{index}");
        // This thread is where the host is, and stays there; the others are where this machine is.
        let thread = thread::spawn(move || {
            let namespace = File::open(namespace).unwrap();
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            let listener = TcpListener::bind("0.0.0.0:0").unwrap();
            ready.send(listener.local_addr().unwrap().port()).unwrap();
            for socket in listener.incoming() {
                let socket = socket.unwrap();
                let wanted = ip_original_dst(&socket).map(SocketAddr::from);
                let Ok(wanted) = wanted else { break };
                if wanted.port() == listener.local_addr().unwrap().port() {
                    break;
                }
                if hand.send(Some((socket, wanted))).is_err() {
                    break;
                }
            }
        });
        thread::spawn(move || {
            while let Ok(Some((socket, wanted))) = taken.recv() {
                thread::spawn(move || pass(&socket, wanted));
            }
        });
        let port: u16 = started.recv().unwrap();
        let rule = format!(
            "iptables -t nat -A OUTPUT -p tcp -d 10.77.{network}.0/24 --syn -j REDIRECT --to-ports {port} || echo no"
        );
        assert_eq!(room.on(host, &rule), "");
        Self { stop: SocketAddr::new(address.parse().unwrap(), port), thread: Some(thread) }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // Whoever asks for the wire itself ends it.
        let _ = TcpStream::connect(self.stop);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn pass(near: &TcpStream, wanted: SocketAddr) {
    let Ok(far) = TcpStream::connect(wanted) else { return };
    let (mut up_from, mut up_to) = (near.try_clone().unwrap(), far.try_clone().unwrap());
    thread::spawn(move || {
        let _ = std::io::copy(&mut up_from, &mut up_to);
        let _ = up_to.shutdown(Shutdown::Write);
    });
    let (mut far, mut near) = (&far, near);
    let (mut buffer, mut passed) = (vec![0; 16 * 1024], 0);
    while let Ok(count) = far.read(&mut buffer)
        && count > 0
    {
        if (passed..passed + count).contains(&CHANGED) {
            buffer[CHANGED - passed] ^= 0x20;
        }
        passed += count;
        if near.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = near.shutdown(Shutdown::Both);
}
