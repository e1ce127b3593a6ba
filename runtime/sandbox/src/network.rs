//! A bridge for each sandbox, a namespace and a link for each host.

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::path::Path;

use crate::error::{Error, Result};
use crate::tools::{run, run_with};

/// Two sandboxes must not take one network: whoever looks for a free one holds this.
const LOCK: &str = "/run/lock/sealer-sandbox";

/// Returns the address of a host; the bridge has the first.
pub(crate) fn address(network: u8, index: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, network, index)
}

/// Returns the name of a host's link, at this machine's end, and of its namespace.
pub(crate) fn link(network: u8, index: u8) -> String {
    format!("slr{network}-{index}")
}

fn bridge(network: u8) -> String {
    format!("slr{network}")
}

/// Returns the network that is had already, made again if it is gone, or claims a free one.
pub(crate) fn claim(had: Option<u8>) -> Result<u8> {
    let lock = Path::new(LOCK);
    if let Some(folder) = lock.parent() {
        fs::create_dir_all(folder).map_err(|source| Error::file(folder, source))?;
    }
    let file =
        File::options().create(true).append(true).open(lock).map_err(|source| Error::file(lock, source))?;
    file.lock().map_err(|source| Error::file(lock, source))?;
    if let Some(network) = had.filter(|network| exists(&bridge(*network))) {
        return Ok(network);
    }
    let free = |network: &u8| !exists(&bridge(*network));
    let network = had.or_else(|| (0..=254).find(free)).ok_or(Error::Full)?;
    let name = bridge(network);
    run("ip", &["link", "add", &name, "type", "bridge"])?;
    run("ip", &["addr", "add", &format!("{}/24", address(network, 1)), "dev", &name])?;
    run("ip", &["link", "set", &name, "up"])?;
    Ok(network)
}

/// The kernel's table of who is at which address: one for all namespaces.
const NEIGHBOURS: &str = "/proc/sys/net/ipv4/neigh/default";

/// Lets the kernel know the neighbours of so many hosts, each of which may talk to each. It knows 1,024 in
/// all otherwise, and hosts seem dead to each other where that is too few.
pub(crate) fn make_room(hosts: usize) -> Result<()> {
    let wanted = (hosts + 1) * (hosts + 1);
    // From the last to the first: none may be above the next.
    for (name, share) in [("gc_thresh3", 1), ("gc_thresh2", 2), ("gc_thresh1", 4)] {
        let file = Path::new(NEIGHBOURS).join(name);
        let had = fs::read_to_string(&file).map_err(|source| Error::file(&file, source))?;
        if had.trim().parse::<usize>().is_ok_and(|had| had < wanted / share) {
            fs::write(&file, (wanted / share).to_string()).map_err(|source| Error::file(&file, source))?;
        }
    }
    Ok(())
}

fn exists(link: &str) -> bool {
    Path::new("/sys/class/net").join(link).exists()
}

/// Tells whether a host's link is up at this machine's end.
pub(crate) fn is_up(network: u8, index: u8) -> bool {
    let flags = fs::read_to_string(Path::new("/sys/class/net").join(link(network, index)).join("flags"));
    let flags =
        flags.ok().and_then(|text| u32::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok());
    flags.is_some_and(|flags| flags & 1 == 1)
}

/// Removes a network without hosts.
pub(crate) fn release(network: u8) -> Result<()> {
    let name = bridge(network);
    if exists(&name) { run("ip", &["link", "del", &name]) } else { Ok(()) }
}

/// Tells whether the bridge passes on what a host sends.
pub(crate) fn forwards(network: u8, index: u8) -> bool {
    let state =
        fs::read_to_string(Path::new("/sys/class/net").join(link(network, index)).join("brport/state"));
    state.is_ok_and(|state| state.trim() == "3")
}

/// Makes a host's namespace and link.
pub(crate) fn connect(network: u8, index: u8) -> Result<()> {
    let (link, bridge) = (link(network, index), bridge(network));
    let address = address(network, index);
    run("ip", &["netns", "add", &link])?;
    let outside = format!(
        "link add {link} type veth peer name eth0 netns {link}\nlink set {link} master {bridge} up\n"
    );
    run_with("ip", &["-batch", "-"], &outside)?;
    let inside = format!("addr add {address}/24 dev eth0\nlink set lo up\nlink set eth0 up\n");
    run_with("ip", &["-n", &link, "-batch", "-"], &inside)
}

/// Removes a host's namespace and link, as far as they are there.
pub(crate) fn disconnect(network: u8, index: u8) -> Result<()> {
    let link = link(network, index);
    if exists(&link) {
        run("ip", &["link", "del", &link])?;
    }
    if Path::new("/run/netns").join(&link).exists() {
        run("ip", &["netns", "del", &link])?;
    }
    Ok(())
}
