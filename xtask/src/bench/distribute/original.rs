//! The original's way to copy a folder: each file over SFTP with one request under way, then a connection
//! of its own that asks for the file's `md5sum`; a file that is there is asked for first.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use clap::Args;
use ssh2::Session;

use super::PASSWORD;
use crate::bench::content;
use crate::command::{self, Failure, Result};

/// Where the files go.
pub(super) const DEST: &str = "/var/lib/peer";
/// What is written before an answer is waited for: as much as a packet holds.
const REQUEST: usize = 30_000;

/// What is copied, and where to.
#[derive(Debug, Args)]
pub(crate) struct Original {
    source: PathBuf,
    dest: PathBuf,
    hosts: Vec<String>,
}

/// Copies a folder to all hosts at once.
pub(crate) fn run(args: &Original) -> Result<()> {
    let mut files = Vec::new();
    content::list(&args.source, &mut files);
    let copies = thread::scope(|scope| {
        let files = &files;
        let threads: Vec<_> =
            args.hosts.iter().map(|host| scope.spawn(move || copy(host, args, files))).collect();
        threads.into_iter().map(|thread| thread.join().expect("it does not panic")).collect::<Vec<_>>()
    });
    for (host, copied) in args.hosts.iter().zip(copies) {
        copied.map_err(|error| Failure::wrong(format!("{host}: {error}")))?;
    }
    Ok(())
}

fn log_in(host: &str) -> io::Result<Session> {
    let mut session = Session::new()?;
    session.set_tcp_stream(TcpStream::connect((host, 22))?);
    session.handshake()?;
    session.userauth_password("root", PASSWORD)?;
    Ok(session)
}

/// A connection for one command.
fn ask(host: &str, line: &str) -> io::Result<String> {
    let session = log_in(host)?;
    let mut channel = session.channel_session()?;
    channel.exec(line)?;
    let mut answer = String::new();
    channel.read_to_string(&mut answer)?;
    channel.wait_close()?;
    Ok(answer)
}

fn copy(host: &str, args: &Original, files: &[(PathBuf, u64)]) -> io::Result<()> {
    let session = log_in(host)?;
    let sftp = session.sftp()?;
    let mut made = std::collections::BTreeSet::new();
    let _ = sftp.mkdir(&args.dest, 0o755);
    for (path, _) in files {
        let below = path.strip_prefix(&args.source).map_err(io::Error::other)?;
        let target = args.dest.join(below);
        let folders: Vec<&Path> = below.ancestors().skip(1).collect();
        for folder in folders.into_iter().rev().filter(|folder| !folder.as_os_str().is_empty()) {
            if made.insert(folder.to_owned()) {
                let _ = sftp.mkdir(&args.dest.join(folder), 0o755);
            }
        }
        let local = md5(path)?;
        let there = format!("ls {} 2>/dev/null", target.display());
        if sftp.stat(&target).is_ok() && !ask(host, &there)?.is_empty() && md5_on(host, &target)? == local {
            continue;
        }
        let (mut source, mut file) = (File::open(path)?, sftp.create(&target)?);
        let mut buffer = vec![0; REQUEST];
        loop {
            let count = source.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            file.write_all(&buffer[..count])?;
        }
        drop(file);
        if md5_on(host, &target)? != local {
            return Err(io::Error::other(format!("{} differs", target.display())));
        }
    }
    Ok(())
}

fn md5_on(host: &str, path: &Path) -> io::Result<String> {
    let answer = ask(host, &format!("md5sum {} | cut -d ' ' -f 1", path.display()))?;
    Ok(answer.trim().to_owned())
}

fn md5(path: &Path) -> io::Result<String> {
    let output = command::output(Command::new("md5sum").arg(path))
        .map_err(|error| io::Error::other(error.to_string()))?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(printed.split_whitespace().next().unwrap_or_default().to_owned())
}
