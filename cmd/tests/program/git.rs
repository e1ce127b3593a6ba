//! Repositories of git, as the machine that builds has them to take.

use std::fs;
use std::process::Command;

use sealer_testkit::GitServer;

use crate::kit::User;

/// Runs git in a folder of the user.
fn git(user: &User, dir: &str, args: &[&str]) {
    let output = Command::new("git")
        .current_dir(user.path(dir))
        .args(["-c", "user.name=a", "-c", "user.email=a@example.com"])
        .args(args)
        .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A repository whose attributes ask for a filter, with hooks and a configuration that would run it.
fn hostile(user: &User) {
    user.write("work/a.txt", "as committed\n");
    user.write("work/.gitattributes", "*.txt filter=evil eol=crlf\n");
    git(user, "work", &["init", "--quiet", "--initial-branch=main", "--template="]);
    git(user, "work", &["add", "--all"]);
    git(user, "work", &["commit", "--quiet", "-m", "first"]);
    git(user, ".", &["clone", "--quiet", "--bare", "work", "served/demo.git"]);
    let touch = format!("#!/bin/sh\necho \"$0\" >> {}\ncat\n", user.path("ran").display());
    for hook in ["post-checkout", "reference-transaction", "post-index-change"] {
        user.script(&format!("served/demo.git/hooks/{hook}"), &touch);
        user.script(&format!("template/hooks/{hook}"), &touch);
        user.script(&format!("hooks/{hook}"), &touch);
    }
    let evil = user.script("evil", &touch).display().to_string();
    let config = format!(
        "[filter \"evil\"]\n\tsmudge = {evil}\n\tprocess = {evil}\n\trequired = true\n\
         [core]\n\thooksPath = {}\n\tfsmonitor = {evil}\n[init]\n\ttemplateDir = {}\n",
        user.path("hooks").display(),
        user.path("template").display()
    );
    user.write("home/.gitconfig", &config);
    let mut theirs = fs::read_to_string(user.path("served/demo.git/config")).unwrap();
    theirs += &config;
    user.write("served/demo.git/config", theirs);
}

#[test]
fn nothing_of_a_repository_or_of_the_users_hooks_runs() {
    let user = User::new();
    hostile(&user);
    let server = GitServer::start(&user.path("served"));
    user.write("context/Kubefile", format!("FROM scratch\nADD http://{}/demo.git /\n", server.address()));
    user.ok(&["build", "-t", "demo:v1", "context"]);
    assert!(!user.path("ran").exists(), "{}", fs::read_to_string(user.path("ran")).unwrap());
    let dir = user.ok(&["--quiet", "mount", "demo:v1"]);
    let dir = dir.trim().replace('~', user.path("").to_str().unwrap().trim_end_matches('/'));
    // What a checkout gives everywhere.
    assert_eq!(fs::read_to_string(format!("{dir}/a.txt")).unwrap(), "as committed\r\n");
}

#[test]
fn what_the_fetch_of_a_repository_needs_is_told() {
    let user = User::new();
    let closed = "http://127.0.0.1:1/demo.git";
    user.write("context/Kubefile", format!("FROM scratch\nADD {closed} /\n"));
    let place =
        format!("error: cannot build `demo:v1`\n  --> Kubefile:2:1\n   |\n 2 | ADD {closed} /\n   | ^^^ ");
    let answer = user.sealer(&["build", "-t", "demo:v1", "context"]);
    assert_eq!(answer.code, Some(4), "{}", answer.stderr);
    assert!(
        answer.stderr.contains(&format!("{place}the repository cannot be fetched\n")),
        "{}",
        answer.stderr
    );
    assert!(
        answer.stderr.contains("    fatal: unable to access 'http://127.0.0.1:1/demo.git/': "),
        "{}",
        answer.stderr
    );

    let without = user.path("nothing");
    let output = user.command(&["build", "-t", "demo:v1", "context"]).env("PATH", without).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{stderr}");
    let expected = format!(
        "{place}`git`, which fetches repositories, is not on this machine\nhint: install git, or clone the repository into the context\n"
    );
    assert!(stderr.contains(&expected), "{stderr}");
}
