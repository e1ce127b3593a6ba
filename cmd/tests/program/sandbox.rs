//! Throwaway hosts by the public command.

use serde_json::{Value, json};

use crate::kit::User;

#[test]
fn hosts_are_made_listed_asked_and_removed() {
    let user = User::new();
    let up = user.result(&["sandbox", "up", "2", "--password", "secret"]);
    let hosts = up["hosts"].as_array().unwrap();
    let (master, node) = (hosts[0]["address"].as_str().unwrap(), hosts[1]["address"].as_str().unwrap());
    assert_eq!(up["paste"], format!("-m {master} -n {node}"));
    let name = hosts[1]["name"].as_str().unwrap();
    assert_eq!(user.ok(&["sandbox", "exec", name, "--", "hostname"]), format!("{name}\n"));
    let answer = user.sealer(&["sandbox", "exec", master, "--", "sh", "-c", "exit 7"]);
    assert_eq!(answer.code, Some(7));
    user.ok(&["sandbox", "kill", name]);
    let listed = user.data(&["sandbox", "ls"]);
    let states: Vec<&Value> = listed.as_array().unwrap().iter().map(|host| &host["state"]).collect();
    assert_eq!(states, ["up", "dead"]);
    assert_eq!(user.ok(&["sandbox", "down"]), "removed 2 hosts\n");
    assert_eq!(user.data(&["sandbox", "ls"]), json!([]));
}

#[test]
fn a_host_that_is_not_there_is_named() {
    User::new().refused(
        &["sandbox", "kill", "nobody"],
        1,
        "error: there is no host `nobody`\nhint: `sealer sandbox ls` lists the hosts\n",
    );
}
