//! What a new user mistypes: one screen, which says what to do.

use crate::kit::User;

const RUN: &str = "hint: for example `sealer run demo:v1 -m 10.0.0.1 -n 10.0.0.4-10.0.0.9,10.0.1.1:2222 --passwd-file secret`\n\
                   hint: `sealer run --help` tells more\n";

/// Types words, which must be refused as wrong arguments with this text.
fn refused(words: &[&str], stderr: &str) {
    User::new().refused(words, 2, stderr);
}

fn run_refused(words: &[&str], stderr: &str) {
    refused(&[&["run"], words].concat(), &format!("{stderr}{RUN}"));
}

#[test]
fn a_command_that_is_nearly_one_is_named() {
    refused(
        &["rnu", "demo:v1"],
        "error: `sealer` has no command `rnu`\nhint: did you mean `sealer run`?\n\
         hint: for example `sealer build -t demo:v1 .`\nhint: `sealer --help` tells more\n",
    );
    refused(
        &["plugin", "chekc"],
        "error: `sealer plugin` has no command `chekc`\nhint: did you mean `sealer plugin check`?\n\
         hint: for example `sealer plugin new hello --lang sh`\nhint: `sealer plugin --help` tells more\n",
    );
}

#[test]
fn a_command_that_is_none_is_answered_with_those_that_are() {
    refused(
        &["sandbox", "frobnicate"],
        "error: `sealer sandbox` has no command `frobnicate`\nhint: commands are up, ls, exec, cut, mend, kill, down\n\
         hint: for example `sealer sandbox up 3`\nhint: `sealer sandbox --help` tells more\n",
    );
    refused(
        &["sandbox"],
        "error: `sealer sandbox` wants a command\nhint: commands are up, ls, exec, cut, mend, kill, down\n\
         hint: for example `sealer sandbox up 3`\nhint: `sealer sandbox --help` tells more\n",
    );
}

#[test]
fn a_flag_that_is_nearly_one_is_named() {
    run_refused(
        &["demo:v1", "--mastres", "10.0.0.1"],
        "error: `sealer run` has no option `--mastres`\nhint: did you mean `--masters`?\n",
    );
    run_refused(&["demo:v1", "-m", "10.0.0.1", "-z"], "error: `sealer run` has no option `-z`\n");
}

#[test]
fn what_is_missing_or_too_much_is_said() {
    run_refused(&[], "error: `sealer run` wants `--masters HOSTS` and `IMAGE`\n");
    run_refused(&["demo:v1", "-m"], "error: `--masters HOSTS` lacks its value\n");
    run_refused(
        &["demo:v1", "demo:v2", "-m", "10.0.0.1"],
        "error: `sealer run` takes no further word, and `demo:v2` is one\n",
    );
    run_refused(
        &["demo:v1", "-m", "10.0.0.1", "-m", "10.0.0.2"],
        "error: `--masters HOSTS` is given twice\n",
    );
    run_refused(
        &["demo:v1", "-m", "10.0.0.1", "--again", "--abandon"],
        "error: `--again` and `--abandon` do not go together\n",
    );
}

#[test]
fn a_value_that_is_wrong_is_shown_with_what_is_right() {
    run_refused(
        &["demo:v1", "-m", "10.0.0.1", "--distributor", "rely"],
        "error: --distributor: `rely` is none of auto, ssh, relay\nhint: did you mean `relay`?\n",
    );
    run_refused(
        &["demo:v1", "-m", "10.0.0.1", "-e", "MODE"],
        "error: --env: `MODE` is wrong: there is no `=` in it\n",
    );
    run_refused(
        &["demo:v1", "-m", "10.0.0.1", "--parallel", "many"],
        "error: --parallel: `many` is no number\n",
    );
    run_refused(
        &["Demo:v1", "-m", "10.0.0.1"],
        "error: IMAGE: `Demo:v1` is not an image reference: invalid reference format\n\
         hint: an image is `NAME:TAG` or `REGISTRY[:PORT]/NAME:TAG`, its name in lower case\n",
    );
}

#[test]
fn an_address_that_is_none_is_shown_with_how_addresses_are_written() {
    let hint = "hint: write addresses, ranges and `address:port`, with commas between: `10.0.0.1-10.0.0.3,10.0.0.9:2222`\n";
    for (hosts, said) in [
        ("10.0.0", "`10.0.0` is no address"),
        ("10.0.0.256", "`10.0.0.256` is no address"),
        ("10.0.0.1,,10.0.0.2", "there is an empty part in `10.0.0.1,,10.0.0.2`"),
    ] {
        refused(&["run", "demo:v1", "-m", hosts, "-p", "x"], &format!("error: -m: {said}\n{hint}"));
    }
    refused(
        &["run", "demo:v1", "-m", "10.0.0.1", "-p", "x", "--jump", "ops@"],
        "error: --jump: `ops@` is not `user@host:port`\n",
    );
}

#[test]
fn a_file_that_is_not_there_is_named_with_the_one_that_may_have_been_meant() {
    let user = User::new();
    user.write("secret", "x");
    user.write("Clusterfile", "kind: Cluster\n");
    let run = |flag: &str, file: &str, hint: &str| {
        let words = ["run", "demo:v1", "-m", "10.0.0.1", flag, file];
        user.refused(&words, 2, &format!("error: {flag}: there is no file `{file}`\nhint: {hint}\n"));
    };
    run("--passwd-file", "secert", "did you mean `secret`?");
    run("--pk", "id_ed25519", "name one that is there");
    run("--known-hosts", "keys/known", "there is no folder `keys` either");
    user.refused(
        &["apply", "-f", "clusterfile"],
        3,
        "error: there is no Clusterfile at `clusterfile`\nhint: did you mean `Clusterfile`?\n\
         hint: `-f FILE` names another one\n",
    );
    user.refused(
        &["load", "-i", "demo.tar"],
        2,
        "error: -i: there is no file `demo.tar`\nhint: name one that is there\n",
    );
    user.refused(&["plugin", "check", "home"], 2, "error: FILE: `home` is a folder, not a file\n");
}
