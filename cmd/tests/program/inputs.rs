//! Files that people write: linted, described by schemas, written anew, with values encrypted in them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::kit::User;

const CLUSTER: &str = "kind: Cluster\nmetadata:\n  name: prod\nspec:\n  image: demo:v1\n";
const HOSTS: &str = "  hosts:\n    - ips: [10.0.0.1]\n      roles: [master]\n";
const CONFIG: &str = "kind: Config\nmetadata:\n  name: a\nspec:\n  path: etc/a.yaml\n  data: 'a: 1'\n";
const PLUGIN: &str = "kind: Plugin\nmetadata:\n  name: a\nspec:\n  type: SHELL\n  action: PreInit\n";

/// Lints a file of this text, which must be refused with this text.
fn wrong(name: &str, text: &str, stderr: &str) {
    let user = User::new();
    user.write(name, text);
    user.refused(&["lint", name], 3, stderr);
}

#[test]
fn an_unknown_field_anywhere_is_told_with_its_line_and_what_was_meant() {
    let cluster = "apiVersion, kind, metadata, spec, status";
    let body = "image, env, cmd_args, cmd, ssh, hosts";
    let host = "ips, roles, env, ssh";
    let ssh = "user, passwd, pk, pkPasswd, port, jump, local, encrypted";
    let plugin = "type, action, on, scope, data, order, onFailure, timeout";
    for (file, text, line, field, known, meant) in [
        ("Clusterfile", format!("{CLUSTER}{HOSTS}stauts: {{}}\n"), 9, "stauts", cluster, "status"),
        ("Clusterfile", format!("{CLUSTER}  hots: []\n"), 6, "hots", body, "hosts"),
        ("Clusterfile", format!("{CLUSTER}{HOSTS}      role: []\n"), 9, "role", host, "roles"),
        ("Clusterfile", format!("{CLUSTER}{HOSTS}      ssh:\n        usr: a\n"), 10, "usr", ssh, "user"),
        (
            "Clusterfile",
            format!("{CLUSTER}{HOSTS}---\n{CONFIG}  strateyg: merge\n"),
            16,
            "strateyg",
            "path, data, strategy, process",
            "strategy",
        ),
        (
            "Clusterfile",
            format!("{CLUSTER}{HOSTS}---\n{PLUGIN}  onFailur: abort\n"),
            16,
            "onFailur",
            plugin,
            "onFailure",
        ),
        ("plugin.yaml", format!("{PLUGIN}  actions: PreInit\n"), 7, "actions", plugin, "action"),
    ] {
        wrong(
            file,
            &text,
            &format!(
                "error: {file}:{line}: unknown field `{field}`, expected one of {known}\nhint: did you mean `{meant}`?\n"
            ),
        );
    }
}

#[test]
fn an_unknown_instruction_of_a_kubefile_is_told_with_its_place_and_what_was_meant() {
    wrong(
        "Kubefile",
        "FROM scratch\nCOYP a .\nRUNN true\n",
        "error: 2 mistakes\n  Kubefile:2:1: `COYP` is no instruction\n    hint: did you mean `COPY`?\n  \
         Kubefile:3:1: `RUNN` is no instruction\n    hint: did you mean `RUN`?\n",
    );
}

#[test]
fn lint_finds_the_files_of_a_folder_and_runs_no_command_that_they_name() {
    let user = User::new();
    let ssh = "  ssh:\n    passwd: cmd:touch ran; echo x\n";
    user.write("Clusterfile", format!("{CLUSTER}{ssh}{HOSTS}"));
    user.write("Kubefile", "FROM scratch\n");
    user.write("plugin/a.yaml", PLUGIN);
    assert_eq!(user.ok(&["lint"]), "nothing is wrong with Kubefile, Clusterfile, plugin/a.yaml\n");
    assert!(!user.path("ran").exists());
}

fn schema(of: &str) -> Value {
    serde_json::from_str(&User::new().ok(&["docs", "schema", of])).unwrap()
}

/// The fields that the program takes at a place, as it says them when it is given another.
fn taken(text: &str) -> BTreeSet<String> {
    let user = User::new();
    user.write("Clusterfile", text);
    let said = user.sealer(&["lint", "Clusterfile"]).stderr;
    let (_, known) = said.split_once("unknown field `zzz`, expected one of ").expect(&said);
    known.lines().next().unwrap().split(", ").map(str::to_owned).collect()
}

#[test]
fn the_schemas_have_the_fields_that_are_taken() {
    let clusterfile = schema("clusterfile");
    let has = |schema: &Value, place: &str| -> BTreeSet<String> {
        schema.pointer(place).unwrap()["properties"].as_object().unwrap().keys().cloned().collect()
    };
    for (place, text) in [
        ("/$defs/cluster", format!("{CLUSTER}zzz: 1\n")),
        ("/$defs/metadata", CLUSTER.replace("  name: prod", "  name: prod\n  zzz: 1")),
        ("/$defs/cluster/properties/spec", format!("{CLUSTER}  zzz: 1\n")),
        ("/$defs/host", format!("{CLUSTER}{HOSTS}      zzz: 1\n")),
        ("/$defs/ssh", format!("{CLUSTER}  ssh:\n    zzz: 1\n")),
        ("/$defs/config/properties/spec", format!("{CLUSTER}{HOSTS}---\n{CONFIG}  zzz: 1\n")),
        ("/$defs/plugin/properties/spec", format!("{CLUSTER}{HOSTS}---\n{PLUGIN}  zzz: 1\n")),
    ] {
        assert_eq!(has(&clusterfile, place), taken(&text), "{place}");
    }
    assert_eq!(
        has(&schema("plugin"), "/properties/spec"),
        has(&clusterfile, "/$defs/plugin/properties/spec")
    );
}

#[test]
fn the_examples_of_the_reference_are_what_schemas_and_lint_take() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference");
    let validator = jsonschema::validator_for(&schema("clusterfile")).unwrap();
    let mut seen = 0;
    for page in ["clusterfile.md", "plugins.md"] {
        let text = fs::read_to_string(docs.join(page)).unwrap();
        for block in text.split("```yaml\n").skip(1) {
            let block = block.split("```").next().unwrap();
            if !block.contains("kind: ") {
                continue;
            }
            let value: Value = serde_saphyr::from_str(block).unwrap();
            validator.validate(&value).unwrap_or_else(|error| panic!("{page}: {error}\n{block}"));
            seen += 1;
        }
    }
    assert!(seen >= 3, "{seen}");
    let wrong: Value = serde_saphyr::from_str(&format!("{CLUSTER}  hots: []\n")).unwrap();
    assert!(!validator.is_valid(&wrong));
}

#[test]
fn a_clusterfile_of_the_originals_first_kind_is_written_anew_and_taken() {
    let user = User::new();
    let old = "apiVersion: zlink.aliyun.com/v1alpha1\nkind: Cluster\nmetadata: {name: prod}\nspec:\n  image: demo:v1\n  \
               provider: BAREMETAL\n  masters: {ipList: [10.0.0.1]}\n";
    user.write("old", old);
    let answer = user.sealer(&["convert", "old"]);
    assert_eq!((answer.code, answer.stderr.as_str()), (Some(0), ""));
    user.write("Clusterfile", answer.stdout);
    assert_eq!(user.ok(&["lint", "Clusterfile"]), "nothing is wrong with Clusterfile\n");
    user.write("Clusterfile", old);
    user.refused(
        &["lint", "Clusterfile"],
        3,
        "error: Clusterfile:1: `zlink.aliyun.com/v1alpha1` is the original's first Clusterfile, which this version does not read\n\
         hint: `sealer convert Clusterfile` writes it as `sealer.cloud/v2`\n",
    );
}

#[test]
fn an_encrypted_password_is_one_for_age_too_and_stays_encrypted_where_it_is_kept() {
    let user = User::new();
    let made = user.ok(&["key", "encryption", "ops.age"]);
    let public = made.trim().rsplit(' ').next().unwrap();
    let answer = user.sealer_with_input(&["encrypt", "-r", public], "the password\n");
    let value = answer.stdout.trim().to_owned();
    // Debian's age decrypts it, by the file that sealer made.
    let sealed = value.strip_prefix("age:").unwrap();
    let decrypted = Command::new("sh")
        .args(["-c", &format!("echo {sealed} | base64 -d | age -d -i ops.age")])
        .current_dir(user.path(""))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(decrypted.stdout).unwrap(), "the password");
    // And sealer decrypts what it needs to log in with: here it is told that there is no identity.
    user.write("context/Kubefile", "FROM scratch\nCOPY note.txt .\n");
    user.write("context/note.txt", "a note\n");
    user.ok(&["build", "-t", "demo:v1", "context"]);
    user.write("Clusterfile", format!("{CLUSTER}  ssh:\n    passwd: {value}\n{HOSTS}"));
    user.refused(
        &["plan", "-f", "Clusterfile"],
        3,
        "error: Clusterfile:7: an encrypted value needs an identity of age: SEALER_AGE_IDENTITY_FILE names its file\n",
    );
    user.ok(&["key", "encryption", "other.age"]);
    let other =
        user.command(&["plan"]).env("SEALER_AGE_IDENTITY_FILE", user.path("other.age")).output().unwrap();
    assert_eq!(
        String::from_utf8(other.stderr).unwrap(),
        "error: Clusterfile:7: the encrypted value cannot be decrypted: No matching keys found\n"
    );
}

#[test]
fn hosts_are_reached_by_an_encrypted_password() {
    let room = crate::hosts::Room::with(1);
    room.build_demo();
    let user = &room.user;
    user.ok(&["key", "encryption", "ops.age"]);
    let value = user.sealer_with_input(&["encrypt", "-R", "ops.age"], crate::hosts::PASSWORD).stdout;
    let hosts = HOSTS.replace("10.0.0.1", &room.address(0));
    user.write("Clusterfile", format!("{CLUSTER}  ssh:\n    passwd: {value}{hosts}"));
    let applied = user
        .command(&["-q", "apply"])
        .env("SEALER_AGE_IDENTITY_FILE", user.path("ops.age"))
        .output()
        .unwrap();
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    let kept = fs::read_to_string(user.path("root/clusters/prod/Clusterfile")).unwrap();
    assert!(kept.contains(value.trim()) && !kept.contains(crate::hosts::PASSWORD), "{kept}");
}
