//! The built-in plugins that work on a cluster, from their YAML to the API server.

use serde_json::{Value, json};

use crate::hosts::{PASSWORD, Room};
use crate::plugins::build_base;

/// Shows the nodes as the API server has them.
const SHOW: &str = r#"#!/bin/sh
# sealer-plugin: SHOW
"$SEALER" plugin ask kube GET /api/v1/nodes
"#;

fn document(name: &str, kind: &str, rest: &str) -> String {
    format!(
        "---\napiVersion: sealer.aliyun.com/v1alpha1\nkind: Plugin\nmetadata:\n  name: {name}\nspec:\n  type: {kind}\n  \
         action: PostInstall\n{rest}"
    )
}

fn build(room: &Room, documents: &[String]) {
    let user = &room.user;
    user.write("builtins/Kubefile", "FROM kubernetes:v1.19.8\nCOPY show.sh builtins.yaml plugin\n");
    user.script("builtins/show.sh", SHOW);
    user.write("builtins/builtins.yaml", documents.concat());
    user.ok(&["build", "-t", "builtins:v1", "builtins"]);
}

#[test]
fn labels_taints_and_checks_reach_the_cluster_and_labels_select_hosts() {
    let room = Room::with(3);
    build_base(&room.user);
    let [first, second, third] = [0, 1, 2].map(|index| room.address(index));
    let labels = format!("  data: |\n    {first} zone=a\n    {second}-{third} zone=b,disk=ssd\n");
    // `Taint` is how the original's 0.7 wrote it.
    let taints = format!(
        "  order: 1\n  data: |\n    {second},{third} dedicated=db:NoSchedule\n    {third} dedicated-\n"
    );
    build(
        &room,
        &[
            document("labels", "LABEL", &labels),
            document("taints", "Taint", &taints),
            document("ready", "CLUSTERCHECK", "  order: 2\n  timeout: 30s\n"),
            document(
                "selected",
                "SHELL",
                "  order: 3\n  on: zone=b,disk=ssd\n  data: touch /root/selected\n",
            ),
            document("show", "SHOW", "  order: 4\n"),
        ],
    );
    let flags = room.flags();
    let run: Vec<&str> = ["run", "builtins:v1"].into_iter().chain(flags.iter().map(String::as_str)).collect();
    let plan = room.user.result(&[&run[..], &["--dry-run"]].concat());
    let steps = plan["phases"].as_array().unwrap().last().unwrap()["steps"].as_array().unwrap().clone();
    let says: Vec<Value> = steps.iter().map(|step| step["action"]["plugin"]["says"].clone()).collect();
    assert_eq!(
        says,
        [
            json!([
                format!("{first}: zone=a"),
                format!("{second}: zone=b,disk=ssd"),
                format!("{third}: zone=b,disk=ssd")
            ]),
            json!([
                format!("{second}: dedicated=db:NoSchedule"),
                format!("{third}: dedicated=db:NoSchedule dedicated-")
            ]),
            json!(["wait up to 30 seconds until nodes and the pods of kube-system are ready"]),
            Value::Null,
            Value::Null,
        ]
    );
    let answer = room.user.sealer(&run);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    let shown = answer.stderr.lines().find_map(|line| line.strip_prefix("[show] ")).unwrap();
    let nodes: Value = serde_json::from_str(shown).unwrap();
    let of = |index: usize| {
        (nodes["items"][index]["metadata"]["labels"].clone(), nodes["items"][index]["spec"].clone())
    };
    let taint = json!([{ "key": "dedicated", "effect": "NoSchedule", "value": "db" }]);
    assert_eq!(
        [0, 1, 2].map(of),
        [
            (json!({ "kubernetes.io/hostname": first, "zone": "a" }), json!({})),
            (
                json!({ "kubernetes.io/hostname": second, "zone": "b", "disk": "ssd" }),
                json!({ "taints": taint })
            ),
            (json!({ "kubernetes.io/hostname": third, "zone": "b", "disk": "ssd" }), json!({})),
        ]
    );
    assert_eq!(room.on_all("ls /root/selected 2>/dev/null"), ["", "/root/selected\n", "/root/selected\n"]);
    room.user.ok(&["delete", "-a", "--force", "-p", PASSWORD]);
}

#[test]
fn wrong_data_of_a_built_in_plugin_is_refused_before_anything_is_changed() {
    let room = Room::with(2);
    build_base(&room.user);
    let node = room.address(1);
    build(
        &room,
        &[
            document("labels", "LABEL", &format!("  data: |\n    {node} a=b\n    {node} c\n")),
            document("taints", "TAINT", &format!("  data: '{node} a=b:NoWay'\n")),
            document("early", "CLUSTERCHECK", "").replace("PostInstall", "PreInit"),
            document("selected", "SHELL", "  on: zone=none\n  data: ls\n"),
            document("empty", "SHELL", ""),
        ],
    );
    let flags = room.flags();
    let run: Vec<&str> = ["run", "builtins:v1"].into_iter().chain(flags.iter().map(String::as_str)).collect();
    room.user.refused(
        &run,
        3,
        "error: 4 mistakes\n  \
         plugin/builtins.yaml:2: `data` of plugin `labels`: line 2 of data: `c` is no label: write KEY=VALUE, or KEY- to remove it\n  \
         plugin/builtins.yaml:13: `data` of plugin `taints`: line 1 of data: the effect `NoWay` is none of NoSchedule, PreferNoSchedule, NoExecute\n  \
         plugin/builtins.yaml:22: plugin `early` does not run at PreInit\n    \
         hint: it runs at PreJoin, PostJoin, PreGuest, PostInstall, PreUpgrade, PostUpgrade, PreClean\n  \
         plugin/builtins.yaml:40: `data` of plugin `empty`: there is no script in it\n",
    );
    assert_eq!(room.on_all("ls -A /var/lib/sealer 2>/dev/null"), ["", ""]);
    build(&room, &[document("selected", "SHELL", "  on: zone=none\n  data: ls\n")]);
    room.user.refused(
        &run,
        6,
        "error: step `PostInstall/selected`: plugin `selected` returned an error: `on: zone=none`: no node has these labels\n\
         hint: the plugin is described in plugin/builtins.yaml; sealer itself and its other steps are unharmed\n\
         hint: the same command goes on from here: what is done stays done\n",
    );
    room.user.ok(&["delete", "-a", "--force", "-p", PASSWORD]);
}
