//! Every phase of docs/reference/plugins.md: one plugin at each, found in the plan and seen on the hosts.

use std::fs;

use serde_json::Value;

use crate::hosts::{PASSWORD, Room};
use crate::plugins::workspace;

/// The phases of the document's table: its name, and whether a flow has it.
fn documented() -> Vec<(String, bool)> {
    let text = fs::read_to_string(workspace().join("docs/reference/plugins.md")).unwrap();
    let table = text.split("\n## Phases\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut phases = Vec::new();
    for row in table.lines().filter(|line| line.starts_with("| **")) {
        let mut cells = row.split('|').map(str::trim).skip(1);
        let (names, what) = (cells.next().unwrap(), cells.next().unwrap());
        for name in names.split("**").skip(1).step_by(2) {
            phases.push((name.to_owned(), !what.contains("no flow has them yet")));
        }
    }
    phases
}

fn document(owner: &str, phase: &str) -> String {
    format!(
        "---\napiVersion: sealer.aliyun.com/v1alpha1\nkind: Plugin\nmetadata:\n  name: {owner}-{phase}\nspec:\n  \
         type: SHELL\n  action: {phase}\n  data: echo {owner}-{phase} >> /root/phases\n"
    )
}

/// The plugins' steps of a plan, in order.
fn steps(plan: &Value) -> Vec<String> {
    let phases = plan["phases"].as_array().unwrap();
    let steps = phases.iter().flat_map(|phase| phase["steps"].as_array().unwrap());
    let plugins = steps.filter(|step| step["action"].get("plugin").is_some());
    plugins.map(|step| step["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_plugin_at_every_phase_is_in_the_plan_and_seen_on_the_hosts() {
    let room = Room::with(2);
    let user = &room.user;
    let documented = documented();
    let (mut of_image, mut of_clusterfile) = (String::new(), String::new());
    for (phase, _) in &documented {
        of_image.push_str(&document("image", phase));
        of_clusterfile.push_str(&document("clusterfile", phase));
    }
    user.write("phases/Kubefile", "FROM scratch\nCOPY phases.yaml plugin\n");
    user.write("phases/phases.yaml", &of_image);
    user.ok(&["build", "-t", "phases:v1", "phases"]);
    let cluster = format!(
        "apiVersion: sealer.cloud/v2\nkind: Cluster\nmetadata:\n  name: my-cluster\nspec:\n  image: phases:v1\n  \
         hosts:\n  - ips: [{}]\n    roles: [master]\n  - ips: [{}]\n    roles: [node]\n",
        room.address(0),
        room.address(1)
    );
    user.write("Clusterfile", format!("{cluster}{of_clusterfile}"));
    // By name: the Clusterfile's come before the image's.
    let of = |wanted: &dyn Fn(&str) -> bool| -> Vec<String> {
        let phases = documented.iter().filter(|(phase, fires)| *fires && wanted(phase));
        phases
            .flat_map(|(phase, _)| ["clusterfile", "image"].map(|owner| format!("{owner}-{phase}")))
            .collect()
    };
    let run = of(&|phase| !phase.ends_with("Clean"));
    let delete = of(&|phase| phase.ends_with("Clean"));
    assert_eq!(documented.len(), 12);
    assert_eq!((run.len(), delete.len()), (16, 4));
    let plan = user.result(&["apply", "-f", "Clusterfile", "-p", PASSWORD, "--dry-run"]);
    let planned: Vec<String> =
        steps(&plan).iter().map(|step| step.split_once('/').unwrap().1.to_owned()).collect();
    assert_eq!(planned, run);
    user.ok(&["apply", "-f", "Clusterfile", "-p", PASSWORD]);
    let lines = |names: &[String]| names.iter().map(|name| format!("{name}\n")).collect::<String>();
    assert_eq!(room.on_all("cat /root/phases"), [lines(&run), lines(&run)]);
    user.ok(&["delete", "-a", "--force", "-p", PASSWORD]);
    let all = lines(&run) + &lines(&delete);
    assert_eq!(room.on_all("cat /root/phases"), [all.clone(), all]);
}

#[test]
fn the_names_of_later_versions_run_where_they_ran() {
    let room = Room::with(2);
    let user = &room.user;
    user.write("hooks/Kubefile", "FROM scratch\nCOPY hooks.yaml plugin\n");
    let mut hooks = String::new();
    for (action, scope) in [
        ("pre-init-host", "  scope: node\n"),
        ("post-init-host", "  scope: master|node\n"),
        ("pre-install", ""),
        ("post-install", ""),
        ("pre-clean-host", "  scope: node\n"),
        ("post-uninstall", ""),
    ] {
        hooks.push_str(&format!(
            "---\napiVersion: sealer.cloud/v2\nkind: Plugin\nmetadata:\n  name: {action}\nspec:\n  type: SHELL\n  \
             action: {action}\n{scope}  data: echo {action} >> /root/hooks\n"
        ));
    }
    user.write("hooks/hooks.yaml", &hooks);
    user.ok(&["build", "-t", "hooks:v1", "hooks"]);
    room.run("hooks:v1", &[]);
    user.ok(&["delete", "-a", "--force", "-p", PASSWORD]);
    assert_eq!(
        room.on_all("cat /root/hooks"),
        [
            "post-init-host\npre-install\npost-install\npost-uninstall\n",
            "pre-init-host\npost-init-host\npre-clean-host\n"
        ]
    );
}
