//! The local images: build, list, show, name, remove, save, load.

use serde_json::{Value, json};

use crate::kit::{User, files};

/// A user with a context of one file and the image `demo:v1` built from it.
fn with_image() -> User {
    let user = User::new();
    user.write(
        "context/Kubefile",
        "FROM scratch\nLABEL team=a\nENV MODE=fast\nARG WHO=world\nCOPY note.txt .\nCMD echo ${WHO}\n",
    );
    user.write("context/note.txt", "a note\n");
    user.ok(&["build", "-t", "demo:v1", "context"]);
    user
}

fn digest(user: &User, image: &str) -> String {
    user.data(&["inspect", image])["digest"].as_str().unwrap().to_owned()
}

#[test]
fn an_image_is_shown_as_it_was_built() {
    let user = with_image();
    let shown = user.data(&["inspect", "demo:v1"]);
    assert_eq!(shown["name"], "demo:v1");
    assert_eq!(shown["platform"], json!({ "os": "linux", "architecture": "amd64" }));
    assert_eq!(shown["env"], json!(["MODE=fast"]));
    assert_eq!(shown["labels"], json!({ "team": "a" }));
    assert_eq!(shown["args"], json!({ "WHO": "world" }));
    assert_eq!(shown["cmds"], json!(["echo ${WHO}"]));
    let made: Vec<&Value> =
        shown["layers"].as_array().unwrap().iter().map(|layer| &layer["createdBy"]).collect();
    assert_eq!(made, [&json!("COPY note.txt .")]);
}

#[test]
fn the_same_context_gives_the_same_image_everywhere() {
    let (one, other) = (with_image(), with_image());
    assert_eq!(digest(&one, "demo:v1"), digest(&other, "demo:v1"));
}

#[test]
fn a_second_name_keeps_the_content_when_the_first_goes() {
    let user = with_image();
    user.ok(&["tag", "demo:v1", "other.example:5000/team/demo:v2", "demo:v3"]);
    assert_eq!(user.images(), ["demo:v1", "demo:v3", "other.example:5000/team/demo:v2"]);
    assert_eq!(user.ok(&["rmi", "demo:v1", "demo:v3"]), "removed demo:v1, demo:v3 (0 B freed)\n");
    user.ok(&["inspect", "other.example:5000/team/demo:v2"]);
    user.ok(&["rmi", "other.example:5000/team/demo:v2"]);
    assert_eq!(files(&user.path("root/images/blobs")), Vec::<std::path::PathBuf>::new());
}

#[test]
fn saved_images_come_back_whole_at_another_user() {
    let user = with_image();
    user.ok(&["tag", "demo:v1", "demo:v2"]);
    user.ok(&["save", "-o", "images.tar", "demo:v1", "demo:v2"]);
    let other = User::new();
    std::fs::copy(user.path("images.tar"), other.path("images.tar")).unwrap();
    assert_eq!(other.ok(&["load", "-i", "images.tar"]), "loaded demo:v1, demo:v2\n");
    assert_eq!(digest(&other, "demo:v2"), digest(&user, "demo:v1"));
}

#[test]
fn a_mistyped_name_removes_nothing() {
    let user = with_image();
    user.refused(
        &["rmi", "demo:v1", "demo:v9"],
        1,
        "error: `docker.io/library/demo:v9` is not in the local store\n\
         hint: `sealer images` lists what is here; `sealer pull demo:v9` fetches it\n",
    );
    assert_eq!(user.images(), ["demo:v1"]);
}

#[test]
fn images_are_listed_for_people() {
    let user = with_image();
    let digest = digest(&user, "demo:v1");
    let listed = user.ok(&["images"]);
    let lines: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["IMAGE", "DIGEST", "PLATFORM", "SIZE"]);
    assert_eq!(lines[1][..3], ["demo:v1", &digest["sha256:".len()..][..12], "linux/amd64"]);
    assert_eq!(lines.len(), 2);
}

#[test]
fn a_build_tells_programs_its_events_and_its_result() {
    let user = User::new();
    user.write("context/Kubefile", "FROM scratch\nCOPY note.txt .\n");
    user.write("context/note.txt", "a note\n");
    let printed = user.ok(&["build", "-t", "demo:v1", "context", "--output", "json"]);
    let mut events: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        events.pop().unwrap(),
        json!({ "event": "result", "result": {
            "name": "demo:v1", "digest": digest(&user, "demo:v1"), "layers": 1, "cached": 0,
        }})
    );
    let told: Vec<(&str, &Value)> =
        events.iter().map(|event| (event["event"].as_str().unwrap(), &event["kind"])).collect();
    let (build, layer, none) = (json!("build"), json!("layer"), &Value::Null);
    assert_eq!(
        told,
        [
            ("started", &build),
            ("started", &layer),
            ("advanced", none),
            ("finished", none),
            ("finished", none)
        ]
    );
}
