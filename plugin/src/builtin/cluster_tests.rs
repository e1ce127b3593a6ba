//! The built-in plugins that work on a cluster, against an API server of a few lines.

use std::sync::Mutex;

use sealer_plugin_sdk::wire::{Cluster, Host, Invocation, KubeReply, KubeRequest};
use serde_json::{Value, json};

use crate::phase::Phase;
use crate::plugin::{HostError, Output, PluginHost};

/// Nodes and pods; answers as the API server does, as far as it is asked here.
#[derive(Default)]
struct Api {
    nodes: Mutex<Vec<Value>>,
    pods: Mutex<Vec<Value>>,
    asked: Mutex<Vec<String>>,
    lines: Mutex<Vec<String>>,
    /// So often somebody else changes a node right before a patch comes.
    rivals: Mutex<usize>,
    /// What the pods are when they have been asked for once.
    later: Mutex<Option<Vec<Value>>>,
}

impl Api {
    fn with(nodes: &[Value]) -> Self {
        Self { nodes: Mutex::new(nodes.to_vec()), ..Self::default() }
    }

    fn node(&self, index: usize) -> Value {
        self.nodes.lock().unwrap()[index].clone()
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn patch(&self, name: &str, body: &Value) -> (u16, Value) {
        let mut nodes = self.nodes.lock().unwrap();
        let node = nodes.iter_mut().find(|node| node["metadata"]["name"] == name).unwrap();
        let mut rivals = self.rivals.lock().unwrap();
        if *rivals > 0 {
            *rivals -= 1;
            bump(node);
        }
        if body["metadata"]["resourceVersion"] != node["metadata"]["resourceVersion"] {
            return (409, json!({ "message": "the object has been modified" }));
        }
        merge(node, body);
        bump(node);
        (200, node.clone())
    }
}

fn bump(node: &mut Value) {
    let version: u32 = node["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
    node["metadata"]["resourceVersion"] = json!((version + 1).to_string());
}

/// RFC 7396.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in patch {
        match value {
            Value::Null => drop(target.as_object_mut().unwrap().remove(key)),
            value => merge(&mut target[key], value),
        }
    }
}

impl PluginHost for Api {
    fn kube(&self, request: &KubeRequest) -> Result<KubeReply, HostError> {
        self.asked.lock().unwrap().push(format!("{} {}", request.method, request.path));
        let (status, body) = match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/api/v1/nodes") => (200, json!({ "items": *self.nodes.lock().unwrap() })),
            ("GET", "/api/v1/namespaces/kube-system/pods") => {
                let mut pods = self.pods.lock().unwrap();
                let answer = json!({ "items": *pods });
                if let Some(later) = self.later.lock().unwrap().take() {
                    *pods = later;
                }
                (200, answer)
            }
            ("GET", path) => {
                let name = path.strip_prefix("/api/v1/nodes/").unwrap();
                let nodes = self.nodes.lock().unwrap();
                (200, nodes.iter().find(|node| node["metadata"]["name"] == name).unwrap().clone())
            }
            ("PATCH", path) => {
                assert_eq!(request.content_type.as_deref(), Some("application/merge-patch+json"));
                let body = serde_json::from_str(request.body.as_ref().unwrap()).unwrap();
                self.patch(path.strip_prefix("/api/v1/nodes/").unwrap(), &body)
            }
            other => panic!("{other:?} is not asked for"),
        };
        Ok(KubeReply { status, body: body.to_string() })
    }

    fn exec(&self, _: &str, _: &str) -> Result<Output, HostError> {
        unreachable!("these work on no host")
    }

    fn copy(&self, _: &std::path::Path, _: &str, _: &str, _: u32) -> Result<(), HostError> {
        unreachable!("these work on no host")
    }

    fn read(&self, _: &str, _: &str) -> Result<Vec<u8>, HostError> {
        unreachable!("these work on no host")
    }

    fn log(&self, host: Option<&str>, line: &str) {
        self.lines
            .lock()
            .unwrap()
            .push(host.map_or_else(|| line.to_owned(), |host| format!("{host}: {line}")));
    }

    fn progress(&self, _: u64, _: Option<u64>, _: Option<&str>) {}

    fn is_cancelled(&self) -> bool {
        false
    }

    fn state(&self) -> Result<Option<String>, HostError> {
        unreachable!("these keep nothing")
    }

    fn set_state(&self, _: Option<&str>) -> Result<(), HostError> {
        unreachable!("these keep nothing")
    }
}

/// A node that is called `n` and a number, with these labels and taints.
fn node(number: u8, labels: &Value, taints: &Value) -> Value {
    json!({
        "metadata": { "name": format!("n{number}"), "resourceVersion": "7", "labels": labels },
        "spec": { "taints": taints },
        "status": {
            "addresses": [
                { "type": "Hostname", "address": format!("n{number}") },
                { "type": "InternalIP", "address": format!("10.0.0.{number}") },
            ],
            "conditions": [{ "type": "Ready", "status": "True" }],
        },
    })
}

fn nodes(numbers: std::ops::RangeInclusive<u8>) -> Api {
    Api::with(&numbers.map(|number| node(number, &json!({}), &json!([]))).collect::<Vec<_>>())
}

fn invocation(kind: &str, data: &str) -> Invocation {
    let address = |number: u8| format!("10.0.0.{number}");
    Invocation {
        kind: kind.into(),
        phase: "PostInstall".into(),
        data: data.into(),
        cluster: Cluster {
            hosts: (1..=4).map(|number| Host { address: address(number), ..Host::default() }).collect(),
            ..Cluster::default()
        },
        hosts: (1..=4).map(address).collect(),
        ..Invocation::default()
    }
}

fn run(call: &Invocation, api: &Api) -> Result<(), String> {
    let plugin = super::all().into_iter().find(|plugin| plugin.kind() == call.kind).unwrap();
    plugin.run(call, api).map_err(|error| error.to_string())
}

fn refused(kind: &str, data: &str) -> String {
    let call = invocation(kind, data);
    let plugin = super::all().into_iter().find(|plugin| plugin.kind() == kind).unwrap();
    let said = plugin.validate(&call).expect_err("it is wrong").to_string();
    let api = nodes(1..=4);
    assert_eq!(run(&call, &api), Err(said.clone()));
    assert_eq!(api.asked(), Vec::<String>::new());
    said.strip_prefix("returned an error: ").unwrap().to_owned()
}

#[test]
fn label_puts_and_takes_away_what_differs() {
    let there = json!({ "zone": "a", "old": "x", "same": "1" });
    let api = Api::with(&[node(1, &there, &json!([])), node(2, &json!({ "zone": "b" }), &json!([]))]);
    let data = "# zones\n\n10.0.0.1-10.0.0.2 zone=b\n10.0.0.1 old-,same=1,example.com/role=,not-there-\n";
    assert_eq!(run(&invocation("LABEL", data), &api), Ok(()));
    let expected = json!({ "zone": "b", "same": "1", "example.com/role": "" });
    assert_eq!(api.node(0)["metadata"]["labels"], expected);
    assert_eq!(api.asked(), ["GET /api/v1/nodes", "PATCH /api/v1/nodes/n1"]);
    assert_eq!(
        *api.lines.lock().unwrap(),
        [
            "10.0.0.1: labelled: zone=b,old-,same=1,example.com/role=,not-there-",
            "10.0.0.2: labelled already: zone=b"
        ]
    );
}

#[test]
fn label_works_on_the_hosts_that_on_selects() {
    let api = nodes(1..=2);
    let call = Invocation { hosts: vec!["10.0.0.2".into()], ..invocation("LABEL", "10.0.0.1,10.0.0.2 a=b") };
    assert_eq!(run(&call, &api), Ok(()));
    assert_eq!(
        [0, 1].map(|index| api.node(index)["metadata"]["labels"].clone()),
        [json!({}), json!({ "a": "b" })]
    );
}

#[test]
fn every_wrong_line_of_labels_is_told() {
    let data = "10.0.0.1 a=b\n10.0.0.1\n10.0.0.9 a=b\n10.0.0.1 a\n10.0.0.1 -=b\n10.0.0.1 a=b c=d\n10.0.0.2-10.0.0.1 a=b\nmaster a=b\n10.0.0.1 a=b!";
    assert_eq!(
        refused("LABEL", data).split("; ").collect::<Vec<_>>(),
        [
            "line 2 of data is `10.0.0.1`, not `ADDRESSES KEY=VALUE[,KEY=VALUE]`",
            "line 3 of data: `10.0.0.9` is no host of the cluster",
            "line 4 of data: `a` is no label: write KEY=VALUE, or KEY- to remove it",
            "line 5 of data: `-` is no key of a label",
            "line 6 of data is `10.0.0.1 a=b c=d`, not `ADDRESSES KEY=VALUE[,KEY=VALUE]`",
            "line 7 of data: the range `10.0.0.2-10.0.0.1` ends before it begins, or is too long",
            "line 8 of data: `master` is no address",
            "line 9 of data: `b!` is no value of a label: up to 63 letters, digits, `-`, `_` and `.`",
        ]
    );
}

#[test]
fn a_host_that_is_no_node_is_named() {
    let failed = run(&invocation("LABEL", "10.0.0.4 a=b"), &nodes(1..=3));
    assert_eq!(
        failed,
        Err("returned an error: no node of the cluster has the internal address 10.0.0.4".to_owned())
    );
}

#[test]
fn taint_reaches_every_node_of_a_range_and_deletes() {
    let many = json!([
        { "key": "a", "value": "1", "effect": "NoSchedule" },
        { "key": "a", "effect": "NoExecute", "timeAdded": "2026-01-01T00:00:00Z" },
        { "key": "b", "effect": "NoSchedule" },
        { "key": "b", "effect": "NoExecute" },
        { "key": "c", "effect": "NoSchedule" },
        { "key": "c", "effect": "NoExecute" },
    ]);
    let api = Api::with(&[
        node(1, &json!({}), &many),
        node(2, &json!({}), &json!([])),
        node(3, &json!({}), &Value::Null),
        node(4, &json!({}), &json!([])),
    ]);
    let data = "10.0.0.1-10.0.0.3 a=2:NoSchedule\n10.0.0.1 a:NoExecute\n10.0.0.1 b:NoSchedule-\n10.0.0.1 c-\n10.0.0.2,10.0.0.4 d=:PreferNoSchedule\n";
    assert_eq!(run(&invocation("TAINT", data), &api), Ok(()));
    let one = json!({ "key": "a", "effect": "NoSchedule", "value": "2" });
    let last = json!({ "key": "d", "effect": "PreferNoSchedule" });
    let kept = json!({ "key": "a", "effect": "NoExecute", "timeAdded": "2026-01-01T00:00:00Z" });
    assert_eq!(
        [0, 1, 2, 3].map(|index| api.node(index)["spec"]["taints"].clone()),
        [
            json!([one, kept, { "key": "b", "effect": "NoExecute" }]),
            json!([one, last]),
            json!([one]),
            json!([last])
        ]
    );
    let asked = api.asked().len();
    assert_eq!(run(&invocation("TAINT", data), &api), Ok(()));
    // A second call looks, and changes nothing.
    assert_eq!(api.asked().len(), asked + 1);
}

#[test]
fn a_deletion_may_come_first_and_find_nothing() {
    let api = nodes(1..=4);
    assert_eq!(run(&invocation("TAINT", "10.0.0.1 key-"), &api), Ok(()));
    assert_eq!(api.asked(), ["GET /api/v1/nodes"]);
    assert_eq!(*api.lines.lock().unwrap(), ["10.0.0.1: tainted already: key-"]);
}

#[test]
fn every_wrong_line_of_taints_is_told() {
    let data = "10.0.0.1 a=b:NoSchedul\n10.0.0.1 a=b\n10.0.0.1 :NoSchedule\n10.0.0.1 a=b=c:NoSchedule";
    assert_eq!(
        refused("TAINT", data).split("; ").collect::<Vec<_>>(),
        [
            "line 1 of data: the effect `NoSchedul` is none of NoSchedule, PreferNoSchedule, NoExecute",
            "line 2 of data: `a=b` is no taint: write KEY=VALUE:EFFECT, and `-` at its end to take it away",
            "line 3 of data: `` is no key of a taint",
            "line 4 of data: `b=c` is no value of a taint: up to 63 letters, digits, `-`, `_` and `.`",
        ]
    );
}

#[test]
fn a_change_of_somebody_else_is_not_lost() {
    let api = nodes(1..=4);
    *api.rivals.lock().unwrap() = 2;
    assert_eq!(run(&invocation("TAINT", "10.0.0.1 a:NoSchedule"), &api), Ok(()));
    assert_eq!(api.node(0)["spec"]["taints"], json!([{ "key": "a", "effect": "NoSchedule" }]));
    *api.rivals.lock().unwrap() = 9;
    let failed = run(&invocation("TAINT", "10.0.0.2 a:NoSchedule"), &api);
    let expected = "returned an error: the API server was asked for `/api/v1/nodes/n2`: the node was changed by others 5 times meanwhile";
    assert_eq!(failed, Err(expected.to_owned()));
}

fn pod(name: &str, status: &Value) -> Value {
    json!({ "metadata": { "name": name }, "status": status })
}

fn ready(name: &str) -> Value {
    pod(name, &json!({ "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] }))
}

fn crashing(name: &str) -> Value {
    pod(
        name,
        &json!({
            "phase": "Running",
            "conditions": [{ "type": "Ready", "status": "False", "reason": "ContainersNotReady" }],
            "containerStatuses": [
                { "state": { "running": {} } },
                { "state": { "waiting": { "reason": "CrashLoopBackOff" } } },
            ],
        }),
    )
}

#[test]
fn clustercheck_waits_for_what_is_not_ready() {
    let api = nodes(1..=4);
    *api.pods.lock().unwrap() = vec![ready("dns"), crashing("proxy")];
    *api.later.lock().unwrap() =
        Some(vec![ready("dns"), ready("proxy"), pod("job", &json!({ "phase": "Succeeded" }))]);
    assert_eq!(run(&invocation("CLUSTERCHECK", ""), &api), Ok(()));
    assert_eq!(*api.lines.lock().unwrap(), ["not ready yet: pod proxy: CrashLoopBackOff"]);
}

#[test]
fn clustercheck_says_what_is_not_ready_in_time() {
    let api = nodes(1..=3);
    api.nodes.lock().unwrap()[1]["status"]["conditions"] =
        json!([{ "type": "Ready", "status": "False", "reason": "KubeletNotReady" }]);
    *api.pods.lock().unwrap() =
        vec![pod("dns", &json!({ "phase": "Pending" })), crashing("a"), crashing("b"), crashing("c")];
    let call = Invocation { timeout_seconds: Some(0), ..invocation("CLUSTERCHECK", "") };
    let expected = "returned an error: not ready after 0 seconds: node n2: KubeletNotReady; 10.0.0.4 is no node; \
                    pod dns; pod a: CrashLoopBackOff; pod b: CrashLoopBackOff; and 1 more";
    assert_eq!(run(&call, &api), Err(expected.to_owned()));
    let said = refused("CLUSTERCHECK", "kube-system");
    assert_eq!(said, "CLUSTERCHECK takes no data; `timeout` says how long it may wait");
}

#[test]
fn what_works_on_a_cluster_runs_where_there_is_one() {
    for kind in ["LABEL", "TAINT", "CLUSTERCHECK"] {
        let plugin = super::all().into_iter().find(|plugin| plugin.kind() == kind).unwrap();
        let phases: Vec<Phase> =
            plugin.describe().unwrap().phases.iter().map(|word| word.parse().unwrap()).collect();
        let with_cluster = Phase::WITH_PLUGINS.into_iter().filter(|phase| phase.has_cluster());
        assert_eq!(phases, with_cluster.collect::<Vec<_>>());
        assert!(!phases.contains(&Phase::PreInit) && phases.contains(&Phase::PreGuest));
    }
}
