//! A registry for as long as somebody holds this program's standard input: HTTPS, one user.
//!
//! Prints its address, the file with its authority's certificate, the user and the password, each
//! on a line of its own.

use std::io::{self, Write, copy, sink, stdin, stdout};

use sealer_testkit::{Registry, RegistryOptions};

const USER: &str = "demo";
const PASSWORD: &str = "registry-secret";

fn main() -> io::Result<()> {
    let registry = Registry::start(RegistryOptions::secured(USER, PASSWORD));
    let authority = registry.ca_file().expect("a secured registry has a certificate");
    let mut out = stdout().lock();
    writeln!(out, "{}\n{}\n{USER}\n{PASSWORD}", registry.address(), authority.display())?;
    out.flush()?;
    copy(&mut stdin().lock(), &mut sink())?;
    Ok(())
}
