//! What makes a cluster: certificates, kubeadm, and waiting for nodes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use sealer_stdx::task::Task;
use secrecy::ExposeSecret;

use super::{Crew, Member, show};
use crate::error::{HostError, HostFailure};
use crate::host::must;
use crate::host::quote::quote;
use crate::kube;
use crate::kubernetes::pki::{AUTHORITIES, DIR, Signer};
use crate::kubernetes::{
    API_SERVER, Authority, CA_HASH, FileOut, Node, Pods, RENEW_PROXY, TOKEN, Token, UNUSED_TOKEN, balancer,
    get, put, remove_node,
};
use crate::plan::{KubeadmVerb, RegistryNames, Step, state_dir};

/// How long nodes may take to become ready, and how often they are looked at.
const READY_PATIENCE: Duration = Duration::from_secs(300);
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
/// The files by which Kubernetes signs what pods know themselves with; kubeadm makes them.
const SERVICE_ACCOUNT: [(&str, u32); 2] =
    [("/etc/kubernetes/pki/sa.key", 0o600), ("/etc/kubernetes/pki/sa.pub", 0o644)];
/// Whose certificate the registry has.
const REGISTRY_AUTHORITY: &str = "sealer registry";

type Result<T> = std::result::Result<T, HostFailure>;

/// What is held in memory for the length of a run, and only there.
#[derive(Default)]
pub(crate) struct Secrets {
    authority: Mutex<Option<Arc<Authority>>>,
    token: Mutex<Option<Arc<Token>>>,
}

impl Crew<'_> {
    /// The cluster's authorities: the first master's; made, where it has none.
    fn authority(&self) -> Result<Arc<Authority>> {
        let mut kept = self.secrets.authority.lock().expect("no holder panics");
        if let Some(authority) = &*kept {
            return Ok(Arc::clone(authority));
        }
        let pairs = AUTHORITIES.map(|(file, _)| (format!("{DIR}/{file}.crt"), format!("{DIR}/{file}.key")));
        let paths: Vec<String> = pairs.iter().flat_map(|(one, other)| [one.clone(), other.clone()]).collect();
        let there = get(&*self.first().host, &paths)?;
        let text = |path: &String| there.get(path).cloned().unwrap_or_default();
        let authority = match there.len() {
            0 => Authority::make(),
            _ => Authority::load(&pairs.map(|(certificate, key)| (text(&certificate), text(&key)))),
        };
        let authority = Arc::new(authority.map_err(|error| {
            HostFailure::Unfit(format!("the authorities in `{DIR}` are not sealer's, or not whole: {error}"))
        })?);
        *kept = Some(Arc::clone(&authority));
        Ok(authority)
    }

    /// A token that the API server knows: made when the first host wants one.
    fn token(&self) -> Result<Arc<Token>> {
        let mut kept = self.secrets.token.lock().expect("no holder panics");
        if let Some(token) = &*kept {
            return Ok(Arc::clone(token));
        }
        let token = Token::make(&self.kubeconfig).map_err(|reason| {
            HostFailure::Unfit(format!("no token can be made by which hosts join: {reason}"))
        })?;
        Ok(Arc::clone(kept.insert(Arc::new(token))))
    }

    /// Has the API server forget the token: everybody has joined who is going to. Where that cannot be, it
    /// ends by itself.
    pub(super) fn forget_token(&self, task: &Task) {
        let Some(token) = self.secrets.token.lock().expect("no holder panics").take() else { return };
        if let Err(reason) = token.forget(&self.kubeconfig) {
            task.warn(format!("the token by which hosts joined lasts for two hours still: {reason}"));
        }
    }

    fn first(&self) -> &Member {
        let first = self.spec.first_master().name();
        self.members.iter().find(|member| member.name == first).expect("the first master takes part")
    }

    pub(super) fn certificates(
        &self,
        task: &Task,
        step: &Step,
        names: &BTreeMap<String, Vec<String>>,
    ) -> Vec<std::result::Result<(), HostError>> {
        let first = self.first().name.clone();
        if let Err(failure) = self.authority() {
            return vec![Err(failure.on(&first))];
        }
        self.on_hosts(task, step, |member, _| {
            let master = Node { address: member.name.clone(), name: member.facts.hostname.to_lowercase() };
            let files =
                self.authority()?.files(&master, &names[&member.name]).map_err(|error| unsigned(&error))?;
            put(&*member.host, &files)
        })
    }

    /// The registry's certificate is its own authority's, which its host keeps beside it.
    pub(super) fn registry_certificate(
        &self,
        task: &Task,
        step: &Step,
        registry: &RegistryNames,
    ) -> Vec<std::result::Result<(), HostError>> {
        let on_first = |failure: HostFailure| vec![Err(failure.on(&self.first().name))];
        let authority = match self.registry_files(registry) {
            Ok(authority) => authority,
            Err(failure) => return on_first(failure),
        };
        let trust = format!("/etc/docker/certs.d/{0}:{1}/{0}.crt", registry.domain, registry.port);
        self.on_hosts(task, step, |member, _| {
            put(&*member.host, &[FileOut::new(trust.clone(), 0o644, authority.clone())])
        })
    }

    /// Makes the registry's files where they are missing, and returns the authority's certificate.
    fn registry_files(&self, registry: &RegistryNames) -> Result<String> {
        let kept = format!("{}/certs", self.spec.data_dir());
        let at = |name: &str| format!("{kept}/{name}");
        let (authority, certificate, key) =
            (at("ca.crt"), at(&format!("{}.crt", registry.domain)), at(&format!("{}.key", registry.domain)));
        let first = &*self.first().host;
        let mut there = get(first, &[authority.clone(), certificate.clone(), key.clone()])?;
        if there.len() < 3 {
            let signer = Signer::make(REGISTRY_AUTHORITY).map_err(|error| unsigned(&error))?;
            let own = [registry.domain.clone(), "127.0.0.1".to_owned()];
            let names = [&own[..], &registry.hosts].concat();
            let signed = signer.server(&registry.domain, &names).map_err(|error| unsigned(&error))?;
            there = [
                (authority.clone(), signer.certificate().to_owned()),
                (certificate.clone(), signed.certificate),
                (key.clone(), signed.key),
            ]
            .into();
        }
        // Where the script contract has them: beside what the image brought.
        let in_rootfs = |name: &str| format!("{}/certs/{}.{name}", self.spec.rootfs(), registry.domain);
        let served = [("crt", 0o644, &certificate), ("key", 0o600, &key)];
        let served =
            served.map(|(ending, mode, path)| FileOut::new(in_rootfs(ending), mode, there[path].clone()));
        let kept = there.iter().map(|(path, text)| FileOut::new(path.clone(), 0o600, text.clone()));
        let files: Vec<FileOut> = kept.chain(served).collect();
        // Each of them may be the first one day.
        for member in self.members.iter().filter(|member| registry.hosts.contains(&member.name)) {
            put(&*member.host, &files)?;
        }
        Ok(there[&authority].clone())
    }

    pub(super) fn balancer(
        &self,
        task: &Task,
        step: &Step,
        config: &str,
    ) -> Vec<std::result::Result<(), HostError>> {
        let digest = balancer::digest();
        self.on_hosts(task, step, |member, _| {
            let files = balancer::files(config, self.authority()?.certificate());
            balancer::put_program(&*member.host, &digest)?;
            put(&*member.host, &files)?;
            must(&*member.host, balancer::START).map(|_| ())
        })
    }

    pub(super) fn kubeadm(
        &self,
        task: &Task,
        member: &Member,
        step: &Step,
        (verb, document): (KubeadmVerb, &str),
    ) -> Result<()> {
        let mut document = document.to_owned();
        if verb != KubeadmVerb::Init {
            document = document
                .replace(TOKEN, self.token()?.text().expose_secret())
                .replace(CA_HASH, self.authority()?.digest());
        }
        if verb == KubeadmVerb::JoinMaster {
            self.bring_service_account(member)?;
        }
        let script = script(&state_dir(self.spec), verb, &member.name);
        let script = self.guarded(step, &member.name, script);
        let command = format!("kubeadm {}", verb.word());
        show(task, member, (&command, &script), &mut document.as_bytes())
    }

    /// kubeadm makes this key on the first master, in a form that its joining masters take.
    fn bring_service_account(&self, member: &Member) -> Result<()> {
        let paths = SERVICE_ACCOUNT.map(|(path, _)| path.to_owned());
        let there = get(&*self.first().host, &paths)?;
        let files = SERVICE_ACCOUNT
            .iter()
            .filter_map(|(path, mode)| there.get(*path).map(|text| FileOut::new(*path, *mode, text.clone())));
        put(&*member.host, &files.collect::<Vec<_>>())
    }

    /// A cluster that does not answer keeps nobody from leaving it.
    pub(super) fn drain(&self, task: &Task, member: &Member) -> Result<()> {
        let task = task.child("host", member.name.clone(), None)?;
        if let Err(reason) = remove_node(&self.kubeconfig, &member.name, Pods::Evict) {
            task.warn(format!(
                "{}: the node was not taken out of Kubernetes in order: {reason}",
                member.name
            ));
        }
        task.finish();
        Ok(())
    }

    /// Has Kubernetes forget hosts that are gone, as the API server on `member` sees them. A cluster that
    /// does not answer keeps nobody from being forgotten.
    pub(super) fn forget(&self, task: &Task, member: &Member, hosts: &[String]) -> Result<()> {
        self.fetch_kubeconfig(member)?;
        if !self.kubeconfig.exists() {
            return Ok(());
        }
        for host in hosts {
            if let Err(reason) = remove_node(&self.kubeconfig, host, Pods::Leave) {
                task.warn(format!("{host}: Kubernetes still knows the node: {reason}"));
            }
        }
        Ok(())
    }

    /// Looks at nodes until Kubernetes calls all of them ready.
    pub(super) fn wait_for_nodes(
        &self,
        task: &Task,
        nodes: &BTreeMap<String, String>,
    ) -> Vec<std::result::Result<(), HostError>> {
        let begun = Instant::now();
        loop {
            let seen = kube::conditions(&self.kubeconfig);
            let state_of = |node: &String| match &seen {
                Ok(seen) => {
                    seen.get(node).cloned().unwrap_or_else(|| "is not known to the API server".to_owned())
                }
                Err(reason) => reason.clone(),
            };
            let waiting: Vec<(&String, String)> = nodes
                .iter()
                .map(|(host, node)| (host, state_of(node)))
                .filter(|(_, state)| !state.is_empty())
                .collect();
            if waiting.is_empty() {
                return Vec::new();
            }
            if let Err(cancelled) = task.check() {
                return vec![Err(HostFailure::from(cancelled).on(waiting[0].0))];
            }
            if begun.elapsed() > READY_PATIENCE {
                let failed = waiting.into_iter().map(|(host, state)| {
                    Err(HostFailure::Unfit(format!("the node does not become ready: {state}")).on(host))
                });
                return failed.collect();
            }
            thread::sleep(BETWEEN_LOOKS);
        }
    }
}

/// Runs kubeadm with the document that comes on standard input, and holds a token: it is kept in memory
/// only. What an attempt left that did not come to its end goes first, but for the keys that it was given;
/// what goes wrong is told with the last words of the kubelet. kubeadm makes a token by itself for whoever
/// joins next, which nobody is told: it goes.
const SCRIPT: &str = r#"set -e
umask 077
mkdir -p "$state" /run/sealer
config=$(mktemp /run/sealer/kubeadm.XXXXXX)
trap 'rm -f "$config"' EXIT
cat > "$config"
socket=$(sed -n 's/^ *criSocket: *//p' "$config" | head -n 1)
if [ -e /etc/kubernetes/kubelet.conf ] || [ -n "$(ls /etc/kubernetes/manifests 2>/dev/null)" ]; then
    echo 'an earlier attempt did not come to its end: its rest is removed'
    rm -rf "$state/keys"
    mkdir "$state/keys"
    for keys in pki admin.conf controller-manager.conf scheduler.conf; do
        [ ! -e "/etc/kubernetes/$keys" ] || cp -a "/etc/kubernetes/$keys" "$state/keys/"
    done
    kubeadm reset --force ${socket:+--cri-socket "$socket"} >/dev/null 2>&1 || true
    mkdir -p /etc/kubernetes
    cp -a "$state/keys/." /etc/kubernetes/
    rm -rf "$state/keys"
fi
if kubeadm "$verb" --config "$config" $flags; then :; else
    status=$?
    journalctl -u kubelet -n 10 --no-pager -o cat >&2 || true
    exit $status
fi
if [ "$verb" = init ]; then
    kubeadm token list 2>/dev/null | sed -n "s/[.].*$unused.*//p" |
        while read -r id; do kubeadm token delete "$id" >/dev/null || true; done
fi
if [ -e /etc/kubernetes/admin.conf ]; then mkdir -p /root/.kube && cp /etc/kubernetes/admin.conf /root/.kube/config; fi
if [ -n "$own" ]; then
    hosts=$(sed "s/^[^ ]* $server\$/$own $server/" /etc/hosts) && printf '%s\n' "$hosts" > /etc/hosts
    eval "$renew"
fi
touch "$state/done"
"#;

fn script(state: &str, verb: KubeadmVerb, address: &str) -> String {
    let flags = match verb {
        KubeadmVerb::Init => "--skip-token-print --ignore-preflight-errors=SystemVerification",
        KubeadmVerb::JoinMaster | KubeadmVerb::JoinNode => "--ignore-preflight-errors=SystemVerification",
    };
    // A further master asks its own API server.
    let own = if verb == KubeadmVerb::JoinMaster { address } else { "" };
    let word = verb.word();
    format!(
        "state={}\nverb={word}\nflags={}\nown={}\nserver={API_SERVER}\nrenew={}\nunused={}\n{SCRIPT}",
        quote(state),
        quote(flags),
        quote(own),
        quote(RENEW_PROXY),
        quote(UNUSED_TOKEN)
    )
}

fn unsigned(error: &rcgen::Error) -> HostFailure {
    HostFailure::Unfit(format!("a certificate cannot be signed: {error}"))
}
