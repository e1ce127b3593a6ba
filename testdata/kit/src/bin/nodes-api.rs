//! `nodes-api ADDRESS:PORT KUBECONFIG NODE…`: a stand-in for the Kubernetes API server, for tests
//! and the demo, that knows nothing but the nodes it is given, and a pod on each.

use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (address, kubeconfig) = arguments
        .next()
        .zip(arguments.next())
        .ok_or_else(|| io::Error::other("usage: nodes-api ADDRESS:PORT KUBECONFIG NODE..."))?;
    let address = address.parse().map_err(|_| io::Error::other(format!("`{address}` is no ADDRESS:PORT")))?;
    let nodes: Vec<String> = arguments.collect();
    sealer_testkit::serve_nodes(address, Path::new(&kubeconfig), &nodes)
}
