//! The images that kubeadm starts: `kubeadm config images list`, from the image's `etc/kubeadm.yml`.

use super::needed::{Mention, Place};
use crate::yaml::{self, Node};

/// kubeadm's documents in an image, which runs merge with the Clusterfile's.
pub(super) const FILE: &str = "etc/kubeadm.yml";
/// Where Kubernetes' images come from.
const SOURCE: &str = "registry.k8s.io";
/// The cluster's own registry, which serves them on the hosts.
const ON_HOSTS: &str = "sea.hub";

/// The tags that kubeadm has for what is not of its own version, by the minor version of Kubernetes
/// (`cmd/kubeadm/app/constants`, of each branch's last release): etcd, CoreDNS, pause.
const TAGS: &[(u32, &str, &str, &str)] = &[
    (19, "3.4.13-0", "1.7.0", "3.2"),
    (20, "3.4.13-0", "1.7.0", "3.2"),
    (21, "3.4.13-0", "v1.8.0", "3.4.1"),
    (22, "3.5.6-0", "v1.8.4", "3.5"),
    (23, "3.5.6-0", "v1.8.6", "3.6"),
    (24, "3.5.6-0", "v1.8.6", "3.7"),
    (25, "3.5.9-0", "v1.9.3", "3.8"),
    (26, "3.5.10-0", "v1.9.3", "3.9"),
    (27, "3.5.12-0", "v1.10.1", "3.9"),
    (28, "3.5.15-0", "v1.10.1", "3.9"),
    (29, "3.5.16-0", "v1.11.1", "3.9"),
    (30, "3.5.15-0", "v1.11.3", "3.9"),
    (31, "3.5.15-0", "v1.11.3", "3.10"),
    (32, "3.5.16-0", "v1.11.3", "3.10"),
    (33, "3.5.21-0", "v1.12.0", "3.10"),
];

/// Returns what kubeadm needs by these documents. What the documents leave to kubeadm (the tags of
/// etcd, CoreDNS and pause) is satisfied by whatever tag of the repository `holds` knows: patch
/// releases of one version differ in it.
pub(super) fn mentions(text: &str, holds: impl Fn(&str) -> bool) -> Vec<Mention> {
    let documents = yaml::documents(text).unwrap_or_default();
    let is_cluster =
        |document: &&Node| document.get("kind").and_then(Node::text) == Some("ClusterConfiguration");
    let Some(cluster) = documents.iter().find(is_cluster) else { return Vec::new() };
    let Some(version) = cluster.get("kubernetesVersion") else { return Vec::new() };
    let Some((name, minor)) = version.text().and_then(parse) else { return Vec::new() };
    let text_of = |path: &[&str]| {
        let node = path.iter().try_fold(cluster, |node, key| node.get(key))?;
        node.text().filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let source = text_of(&["imageRepository"]).unwrap_or_else(|| SOURCE.to_owned());
    let mut images = Vec::new();
    for program in ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy"] {
        images.push(format!("{}/{program}:{name}", reachable(&source)));
    }
    let row = TAGS.iter().rev().find(|row| row.0 <= minor).unwrap_or(&TAGS[0]);
    let dns = if minor < 21 { "coredns" } else { "coredns/coredns" };
    let is_external = cluster.get("etcd").is_some_and(|etcd| etcd.get("external").is_some());
    let others: [(&str, &str, &[&str]); 3] =
        [("etcd", row.1, &["etcd", "local"]), (dns, row.2, &["dns"]), ("pause", row.3, &[])];
    for (image, default, place) in others {
        if image == "etcd" && is_external {
            continue;
        }
        let own = |key| if place.is_empty() { None } else { text_of(&[place, &[key]].concat()) };
        let repository = own("imageRepository").map_or_else(
            || format!("{}/{image}", reachable(&source)),
            // Of a repository of its own, CoreDNS is a child without the folder.
            |own| format!("{}/{}", reachable(&own), image.rsplit('/').next().unwrap_or(image)),
        );
        match own("imageTag") {
            Some(tag) => images.push(format!("{repository}:{tag}")),
            None if holds(&repository) => {}
            None => images.push(format!("{repository}:{default}")),
        }
    }
    let place = Place { file: FILE.to_owned(), line: version.line };
    images.into_iter().map(|name| Mention { name, place: place.clone(), certain: true }).collect()
}

/// A repository as it can be reached while an image is built.
fn reachable(repository: &str) -> String {
    let (host, rest) = repository.split_once('/').unwrap_or((repository, ""));
    match host.split(':').next() == Some(ON_HOSTS) {
        true if rest.is_empty() => SOURCE.to_owned(),
        true => format!("{SOURCE}/{rest}"),
        false => repository.trim_end_matches('/').to_owned(),
    }
}

/// A version of Kubernetes as images have it in their tags, and its minor number; nothing where it
/// only names a channel (`stable-1.20`).
fn parse(version: &str) -> Option<(String, u32)> {
    let plain = version.strip_prefix('v').unwrap_or(version);
    let mut parts = plain.split('.');
    let (major, minor, patch) = (parts.next()?, parts.next()?, parts.next()?);
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let begins = patch.split(['-', '+']).next().is_some_and(is_number);
    // A `+` of the build is a `_` in a tag.
    (is_number(major) && begins).then_some(())?;
    Some((format!("v{}", plain.replace('+', "_")), minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str, held: &[&str]) -> Vec<String> {
        mentions(text, |repository| held.contains(&repository)).into_iter().map(|one| one.name).collect()
    }

    #[test]
    fn a_version_needs_its_programs_and_what_kubeadm_has_with_them() {
        let text = "kind: InitConfiguration\n---\nkind: ClusterConfiguration\nkubernetesVersion: v1.20.2\n";
        let expected = [
            "registry.k8s.io/kube-apiserver:v1.20.2",
            "registry.k8s.io/kube-controller-manager:v1.20.2",
            "registry.k8s.io/kube-scheduler:v1.20.2",
            "registry.k8s.io/kube-proxy:v1.20.2",
            "registry.k8s.io/etcd:3.4.13-0",
            "registry.k8s.io/coredns:1.7.0",
            "registry.k8s.io/pause:3.2",
        ];
        assert_eq!(names(text, &[]), expected);
        let place = Place { file: "etc/kubeadm.yml".to_owned(), line: 4 };
        assert!(mentions(text, |_| false).iter().all(|one| one.place == place && one.certain));
        assert_eq!(names(text, &["registry.k8s.io/etcd", "registry.k8s.io/pause"]).len(), 5);
    }

    #[test]
    fn what_the_documents_say_counts() {
        let text = "kind: ClusterConfiguration\nkubernetesVersion: 1.33.4\nimageRepository: sea.hub:5000/library\n\
                    dns: {imageRepository: a.example/dns, imageTag: x}\netcd: {external: {endpoints: []}}\n";
        let expected = [
            "registry.k8s.io/library/kube-apiserver:v1.33.4",
            "registry.k8s.io/library/kube-controller-manager:v1.33.4",
            "registry.k8s.io/library/kube-scheduler:v1.33.4",
            "registry.k8s.io/library/kube-proxy:v1.33.4",
            "a.example/dns/coredns:x",
            "registry.k8s.io/library/pause:3.10",
        ];
        assert_eq!(names(text, &[]), expected);
    }

    #[test]
    fn what_names_no_version_needs_nothing() {
        for text in [
            "",
            "a: [",
            "kind: ClusterConfiguration\n",
            "kind: ClusterConfiguration\nkubernetesVersion: stable-1.20\n",
        ] {
            assert_eq!(names(text, &[]), Vec::<String>::new(), "{text}");
        }
    }
}
