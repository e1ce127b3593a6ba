//! A plugin that is a script, by all its verbs, through whole runs.

use crate::hosts::{PASSWORD, Room};

/// Leaves a line on every host for each call; refuses data with `wrong` in it; fails as often as its
/// data says, and counts that in its state.
const TRACE: &str = r#"#!/bin/sh
# sealer-plugin: TRACE describe validate plan undo
trace() {
    for host in $SEALER_HOSTS; do
        "$SEALER" plugin ask exec "$host" "echo $1 $SEALER_PLUGIN >> /root/trace"
    done
}
case $1 in
describe) echo '{"answer":{"version":"1.0","phases":["PreInit","PostInstall"],"needs":["exec"]}}' ;;
validate) case $SEALER_DATA in *wrong*) echo '{"failed":"there is something wrong"}' ;; esac ;;
plan) echo "{\"answer\":{\"steps\":[\"leave a line on $SEALER_HOSTS\"]}}" ;;
run)
    trace run
    failed=$("$SEALER" plugin ask state) || failed=0
    if [ "$failed" -lt "${SEALER_DATA:-0}" ]; then
        "$SEALER" plugin ask set-state $((failed + 1))
        echo "failure $((failed + 1))"
        exit 7
    fi ;;
undo) trace undo ;;
esac
"#;

/// As TRACE, for one host at a time.
const EACH: &str = r#"#!/bin/sh
# sealer-plugin: EACH describe
case $1 in
describe) echo '{"answer":{"scope":"host"}}' ;;
run) "$SEALER" plugin ask exec "$SEALER_HOSTS" "echo each $SEALER_HOSTS >> /root/trace" ;;
esac
"#;

fn document(name: &str, kind: &str, rest: &str) -> String {
    format!(
        "---\napiVersion: sealer.cloud/v2\nkind: Plugin\nmetadata:\n  name: {name}\nspec:\n  type: {kind}\n  \
         action: PostInstall\n{rest}"
    )
}

/// Builds `trace:v1` with the two scripts and these documents.
fn build(room: &Room, documents: &[String]) {
    let user = &room.user;
    user.write("trace/Kubefile", "FROM scratch\nCOPY trace.sh each.sh trace.yaml plugin\n");
    user.script("trace/trace.sh", TRACE);
    user.script("trace/each.sh", EACH);
    user.write("trace/trace.yaml", documents.concat());
    user.ok(&["build", "-t", "trace:v1", "trace"]);
}

fn run<'a>(flags: &'a [String], more: &[&'a str]) -> Vec<&'a str> {
    ["run", "trace:v1"]
        .iter()
        .copied()
        .chain(flags.iter().map(String::as_str))
        .chain(more.iter().copied())
        .collect()
}

#[test]
fn plugins_run_in_their_order_and_are_taken_back_in_the_reverse() {
    let room = Room::with(2);
    build(
        &room,
        &[
            document("b", "TRACE", ""),
            document("a", "TRACE", ""),
            document("late", "TRACE", "  order: 10\n  on: node\n"),
            document("first", "EACH", "  order: -1\n"),
        ],
    );
    let flags = room.flags();
    room.user.ok(&run(&flags, &[]));
    let (master, node) = (room.address(0), room.address(1));
    let ran = |host: &str| format!("each {host}\nrun a\nrun b\n");
    assert_eq!(room.on_all("cat /root/trace"), [ran(&master), ran(&node) + "run late\n"]);
    room.user.ok(&["delete", "-a", "--force", "-p", PASSWORD]);
    assert_eq!(
        room.on_all("cat /root/trace"),
        [ran(&master) + "undo b\nundo a\n", ran(&node) + "run late\nundo late\nundo b\nundo a\n"]
    );
}

#[test]
fn what_becomes_of_a_failure_is_what_the_yaml_says() {
    let room = Room::with(1);
    build(
        &room,
        &[
            document("again", "TRACE", "  onFailure: retry\n  data: '2'\n"),
            document("careless", "TRACE", "  onFailure: continue\n  data: '1'\n"),
            document("strict", "TRACE", "  order: 1\n  data: '1'\n"),
        ],
    );
    let flags = room.flags();
    room.user.refused(
        &run(&flags, &[]),
        6,
        "warning: step `PostInstall/again`: plugin `again` exited with status 7; trying again (1 of 3 tries failed)\n\
         warning: step `PostInstall/again`: plugin `again` exited with status 7; trying again (2 of 3 tries failed)\n\
         warning: step `PostInstall/careless`: plugin `careless` exited with status 7; the run goes on, as its `onFailure` says\n\
         error: step `PostInstall/strict`: plugin `strict` exited with status 7\n    failure 1\n\
         hint: the plugin is described in plugin/trace.yaml; sealer itself and its other steps are unharmed\n\
         hint: the same command goes on from here: what is done stays done\n",
    );
    assert_eq!(
        room.on(0, "cat /root/trace"),
        "run again\nrun again\nrun again\nrun careless\nundo careless\nrun strict\nundo strict\n"
    );
    // What was kept is there in the next run: nothing has to fail now.
    room.user.ok(&run(&flags, &[]));
}

#[test]
fn data_is_checked_and_the_plan_is_told_before_anything_is_changed() {
    let room = Room::with(2);
    build(&room, &[document("wrong", "TRACE", "  data: wrong\n"), document("each", "EACH", "")]);
    let flags = room.flags();
    room.user.refused(
        &run(&flags, &[]),
        3,
        "error: plugin/trace.yaml:2: `data` of plugin `wrong`: there is something wrong\n",
    );
    build(&room, &[document("early", "TRACE", "").replace("PostInstall", "PreGuest")]);
    room.user.refused(
        &run(&flags, &[]),
        3,
        "error: plugin/trace.yaml:2: plugin `early` does not run at PreGuest\nhint: it runs at PreInit, PostInstall\n",
    );
    build(&room, &[document("right", "TRACE", "")]);
    let plan = room.user.result(&run(&flags, &["--dry-run"]));
    let step = &plan["phases"].as_array().unwrap().last().unwrap()["steps"][0];
    let says = format!("leave a line on {} {}", room.address(0), room.address(1));
    assert_eq!(step["action"]["plugin"]["says"], serde_json::json!([says]));
    assert_eq!(room.on_all("cat /root/trace 2>&1"), ["cat: /root/trace: No such file or directory\n"; 2]);
}
