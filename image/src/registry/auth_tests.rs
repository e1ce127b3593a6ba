//! Docker, podman and we agree on keys; helpers are asked, and not waited for.

use std::os::unix::fs::{PermissionsExt, symlink};

use tempfile::{TempDir, tempdir};

use super::*;
use crate::error::Error;

fn file(json: &str) -> (TempDir, AuthFile) {
    let dir = tempdir().unwrap();
    let path = dir.path().join("config.json");
    fs::write(&path, json).unwrap();
    (dir, AuthFile::new(path, Duration::from_secs(10)))
}

/// Shows credentials as `user:password`.
fn shown(credentials: Option<Credentials>) -> Option<String> {
    credentials.map(|credentials| match credentials {
        Credentials::Password { user, password } => format!("{user}:{}", password.expose_secret()),
        Credentials::IdentityToken(token) => format!("<token>:{}", token.expose_secret()),
    })
}

fn auth(pair: &str) -> String {
    format!(r#"{{ "auth": "{}" }}"#, STANDARD.encode(pair))
}

#[test]
fn a_key_is_found_in_every_spelling() {
    for (key, host) in [
        ("https://index.docker.io/v1/", "docker.io"),
        ("docker.io", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
        ("https://h.example:5000/v2/", "h.example:5000"),
        ("http://h.example", "h.example"),
        ("h.example/", "h.example"),
    ] {
        let (_dir, file) = file(&format!(r#"{{ "auths": {{ "{key}": {} }} }}"#, auth("a:b:c")));
        assert_eq!(shown(file.credentials(host, "x/y").unwrap()), Some("a:b:c".into()), "{key}");
        assert_eq!(shown(file.credentials("other.example", "x/y").unwrap()), None, "{key}");
    }
}

#[test]
fn the_longest_key_that_leads_to_the_repository_counts() {
    let entries = [("h", "host:1"), ("h/team", "team:1"), ("h/team/app", "app:1"), ("h/te", "no:1")];
    let entries: Vec<String> =
        entries.iter().map(|(key, pair)| format!(r#""{key}": {}"#, auth(pair))).collect();
    let (_dir, file) = file(&format!(r#"{{ "auths": {{ {} }} }}"#, entries.join(", ")));
    let user = |repository| shown(file.credentials("h", repository).unwrap()).unwrap();
    assert_eq!(user("team/app"), "app:1");
    assert_eq!(user("team/application"), "team:1");
    assert_eq!(user("tea"), "host:1");
}

#[test]
fn identity_tokens_and_plain_fields_are_read_and_empty_entries_passed_over() {
    let (_dir, file) = file(
        r#"{ "auths": { "a": { "identitytoken": "t" }, "b": { "username": "u", "password": "p" }, "c": {} } }"#,
    );
    assert_eq!(shown(file.credentials("a", "x").unwrap()), Some("<token>:t".into()));
    assert_eq!(shown(file.credentials("b", "x").unwrap()), Some("u:p".into()));
    assert_eq!(shown(file.credentials("c", "x").unwrap()), None);
}

#[test]
fn keeping_and_forgetting_leaves_everything_else_as_it_was() {
    let (dir, file) = file(
        r#"{ "HttpHeaders": { "X": "1" }, "auths": { "https://index.docker.io/v1/": { "auth": "eDp5" } }, "z": [1] }"#,
    );
    let before = file.read().unwrap();
    file.keep("h.example", "u", &"p".into()).unwrap();
    file.keep("h.example", "u", &"q".into()).unwrap();
    assert_eq!(shown(file.credentials("h.example", "a").unwrap()), Some("u:q".into()));
    let mode = fs::metadata(dir.path().join("config.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(file.forget("h.example").unwrap());
    assert_eq!(file.read().unwrap(), before);
    assert!(!file.forget("h.example").unwrap());
    file.keep("docker.io", "u", &"p".into()).unwrap();
    let config = file.read().unwrap();
    let keys: Vec<&String> = config["auths"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["https://index.docker.io/v1/"]);
}

#[test]
fn a_linked_file_stays_linked_and_a_missing_one_is_made() {
    let dir = tempdir().unwrap();
    let (real, link) = (dir.path().join("real.json"), dir.path().join("config.json"));
    fs::write(&real, "{}").unwrap();
    symlink(&real, &link).unwrap();
    AuthFile::new(link.clone(), Duration::from_secs(1)).keep("h", "u", &"p".into()).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    let missing = dir.path().join("new/folder/config.json");
    let file = AuthFile::new(missing, Duration::from_secs(1));
    assert!(file.credentials("h", "a").unwrap().is_none());
    file.keep("h", "u", &"p".into()).unwrap();
    assert_eq!(shown(file.credentials("h", "a").unwrap()), Some("u:p".into()));
}

#[test]
fn what_is_no_file_of_credentials_is_refused_without_quoting_it() {
    for json in
        ["\"hunter2\"", "{ \"auths\": hunter2 }", r#"{ "auths": { "h": { "auth": "aHVudGVyMg==" } } }"#]
    {
        let (_dir, file) = file(json);
        let error = file.credentials("h", "a").unwrap_err();
        assert!(matches!(error, Error::Registry(RegistryError::AuthFile { .. })), "{error:?}");
        assert!(!format!("{error:?} {error}").contains("hunter2"), "{error:?}");
    }
}

/// A helper that is a shell script, by its path: a name with a slash is not looked for on PATH.
fn helper(dir: &TempDir, script: &str) -> Helper {
    let (text, path) = (dir.path().join("text"), dir.path().join("helper"));
    fs::write(&text, format!("#!/bin/sh\n{script}\n")).unwrap();
    // Written by another process: what this one has open for writing, a child that another test
    // starts meanwhile has open too, and then the script cannot be run.
    let install = std::process::Command::new("install").arg("-m755").args([&text, &path]).status();
    assert!(install.unwrap().success());
    Helper::at(path.to_str().unwrap(), Duration::from_millis(1500))
}

#[test]
fn a_helper_gives_takes_and_erases() {
    let dir = tempdir().unwrap();
    let kept = dir.path().join("kept");
    let kept = kept.display();
    let helper = helper(
        &dir,
        &format!(
            "case $1 in store) cat > {kept};; erase) rm {kept};;\n\
             get) read -r url; test -e {kept} && cat {kept} && exit 0\n\
             echo credentials not found in native keychain; exit 1;; esac"
        ),
    );
    assert_eq!(shown(helper.get("h").unwrap()), None);
    helper.store("h", "u", &"p".into()).unwrap();
    assert_eq!(shown(helper.get("h").unwrap()), Some("u:p".into()));
    helper.erase("h").unwrap();
    assert_eq!(shown(helper.get("h").unwrap()), None);
}

#[test]
fn a_helper_that_hangs_or_fails_or_is_missing_is_told_apart() {
    let dir = tempdir().unwrap();
    let reason = |script: &str| match helper(&dir, script).get("h").unwrap_err() {
        RegistryError::Helper { reason, .. } => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(reason("exec sleep 60"), "does not answer within 1.5 s");
    // Also where what it has started keeps its output open.
    assert_eq!(reason("sleep 60 & exit 0"), "does not answer within 1.5 s");
    assert_eq!(reason("echo the keychain is locked; exit 1"), "fails: the keychain is locked");
    assert_eq!(reason("echo hello"), "answers with something that is no credentials");
    let missing = Helper::new("no-such-helper", Duration::from_secs(1)).get("h").unwrap_err();
    assert_eq!(
        missing.to_string(),
        "the credential helper `docker-credential-no-such-helper` is not installed"
    );
}
