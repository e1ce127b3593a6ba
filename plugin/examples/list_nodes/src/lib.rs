//! The plugin of the owner's page, `list_nodes.go`, in Rust: lists the cluster's nodes.
//!
//! Where the original only printed the names, this one also leaves them on every host it is for, as
//! `nodes.txt` in the image's root there.

use k8s_openapi::api::core::v1::Node;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, ResourceExt};
use sealer_plugin_sdk::{Error, Host, Invocation, Plugin};

#[derive(Default)]
struct ListNodes;

impl Plugin for ListNodes {
    fn run(&self, invocation: &Invocation, host: &Host<'_>) -> Result<(), Error> {
        let cluster = &invocation.cluster;
        let kubeconfig = cluster.kubeconfig.as_ref().ok_or("the cluster has no kubeconfig yet")?;
        let names = nodes(kubeconfig).map_err(|error| format!("cluster nodes not found: {error}"))?;
        for name in &names {
            host.log(name)?;
        }
        let write = format!("printf '%s\\n' {} > {}/nodes.txt", names.join(" "), cluster.rootfs);
        for address in &invocation.hosts {
            let output = host.exec(address, &write)?;
            if output.status != 0 {
                return Err(format!("{address}: {}", output.stderr.trim()).into());
            }
        }
        Ok(())
    }
}

/// Asks the cluster of a kubeconfig for its nodes' names.
fn nodes(kubeconfig: &str) -> Result<Vec<String>, Error> {
    // An error means that a provider is there already: as good as ours.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        let nodes: Api<Node> = Api::all(Client::try_from(config)?);
        let found = nodes.list(&Default::default()).await?;
        Ok(found.iter().map(ResourceExt::name_any).collect())
    })
}

sealer_plugin_sdk::export!("LIST_NODE", ListNodes);

#[cfg(test)]
mod tests {
    use super::nodes;

    #[test]
    fn nodes_are_asked_of_the_cluster_of_the_kubeconfig() {
        let dir = tempfile::tempdir().unwrap();
        let kubeconfig = dir.path().join("admin.conf");
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (path, names) = (kubeconfig.clone(), ["master-0".to_owned(), "node-0".to_owned()]);
        std::thread::spawn(move || sealer_testkit::serve_nodes(port, &path, &names));
        while !kubeconfig.exists() {
            std::thread::yield_now();
        }
        assert_eq!(nodes(kubeconfig.to_str().unwrap()).unwrap(), ["master-0", "node-0"]);
    }
}
