//! What kubeadm starts must be inside.

use sealer_build::Error;

use crate::kit::Bench;

#[test]
fn what_kubeadm_starts_is_needed_where_its_document_names_a_version() {
    let bench = Bench::new();
    bench.write(
        "etc/kubeadm.yml",
        "kind: ClusterConfiguration\nkubernetesVersion: v1.30.1\nimageRepository: 127.0.0.1:1/k8s\n",
    );
    let Err(Error::Absent(absent)) = bench.try_build("FROM scratch\nCOPY etc .\n") else {
        panic!("its images are nowhere");
    };
    let mut names: Vec<String> = absent.iter().map(|one| one.name.clone()).collect();
    names.sort();
    assert_eq!(
        names,
        [
            "127.0.0.1:1/k8s/coredns/coredns:v1.11.3",
            "127.0.0.1:1/k8s/etcd:3.5.15-0",
            "127.0.0.1:1/k8s/kube-apiserver:v1.30.1",
            "127.0.0.1:1/k8s/kube-controller-manager:v1.30.1",
            "127.0.0.1:1/k8s/kube-proxy:v1.30.1",
            "127.0.0.1:1/k8s/kube-scheduler:v1.30.1",
            "127.0.0.1:1/k8s/pause:3.9",
        ]
    );
    let places: Vec<String> = absent[0].places.iter().map(ToString::to_string).collect();
    assert_eq!(places, ["etc/kubeadm.yml:2"]);
}
