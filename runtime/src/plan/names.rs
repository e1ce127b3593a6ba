//! Where hosts find the API server and the registry: the names in `/etc/hosts`, and on nodes the balancer
//! that stands behind them where there are several masters.

use std::collections::BTreeMap;

use super::kubernetes::{REGISTRY_DOMAIN, REGISTRY_PORT, addresses, done, exec};
use super::{Action, Step};
use crate::cluster::ClusterSpec;
use crate::host::quote::quote;
use crate::kubernetes::{API_SERVER, Kubernetes, LISTENS, balancer_config};

/// What each host's names and balancer are to be. One master is found at its own address; of several, each
/// finds itself, and nodes find a balancer.
pub(super) fn steps(spec: &ClusterSpec, made: &Kubernetes, has_registry: bool) -> Vec<Step> {
    let (first, set) = (made.first(), |address: &str| set(address, address, has_registry));
    if made.masters.len() == 1 {
        return vec![exec("init/names", &addresses(made.all()), set(&first.address))];
    }
    let mut steps = Vec::new();
    for master in &made.masters {
        let own = set(&master.address);
        let command = if master.address == first.address {
            own
        } else {
            // Until it is a master, it asks another.
            let other = self::set(&first.address, &master.address, has_registry);
            format!("if {}; then\n{own}\nelse\n{other}\nfi", done(spec))
        };
        steps.push(exec(
            &format!("init/names-{}", master.address),
            std::slice::from_ref(&master.address),
            command,
        ));
    }
    if !made.nodes.is_empty() {
        let masters = addresses(&made.masters);
        let config = balancer_config(&masters, has_registry.then_some((REGISTRY_DOMAIN, REGISTRY_PORT)));
        let nodes = addresses(&made.nodes);
        steps.push(Step::new("init/balancer", nodes.clone(), Action::Balancer { config }));
        steps.push(exec("init/names", &nodes, set(LISTENS)));
    }
    steps
}

/// Sets both names. kube-proxy reads a copy of the file that is made when it starts.
fn set(api: &str, registry: &str, has_registry: bool) -> String {
    let mut lines = vec![(api, API_SERVER)];
    if has_registry {
        lines.push((registry, REGISTRY_DOMAIN));
    }
    let names: BTreeMap<&str, String> =
        lines.iter().map(|(address, domain)| (*domain, quote(&format!("{address} {domain}")))).collect();
    let has_all =
        names.values().map(|line| format!("grep -qxF {line} /etc/hosts")).collect::<Vec<_>>().join(" && ");
    let add: String = names.values().map(|line| format!(" {line}")).collect();
    format!(
        "if ! {{ {has_all}; }}; then\n{}\nprintf '%s\\n'{add} >> /etc/hosts\n{}\nfi",
        forget(names.keys().copied()),
        crate::kubernetes::RENEW_PROXY
    )
}

/// Takes names out of `/etc/hosts`, which may be a mount and is written in place.
pub(super) fn forget<'a>(domains: impl IntoIterator<Item = &'a str>) -> String {
    let patterns: String =
        domains.into_iter().map(|domain| format!(" -e ' {}$'", domain.replace('.', "\\."))).collect();
    format!("rest=$(grep -v{patterns} /etc/hosts; true) && printf '%s\\n' \"$rest\" > /etc/hosts")
}
