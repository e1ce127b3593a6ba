//! Builds that are refused: message, exit code, and that nothing is kept.

use std::os::unix::fs::symlink;

use crate::kit::User;

/// Builds a context with this Kubefile, which must be refused with this text, and leave no image.
fn refused(user: &User, kubefile: &str, code: i32, stderr: &str) {
    user.write("context/Kubefile", kubefile);
    user.refused(&["build", "-t", "demo:v1", "context"], code, stderr);
    assert_eq!(user.images(), Vec::<String>::new());
}

#[test]
fn a_missing_kubefile_is_said_to_be_missing() {
    let user = User::new();
    user.write("context/note.txt", "");
    user.refused(
        &["build", "-t", "demo:v1", "context"],
        3,
        "error: cannot build `demo:v1`\n  caused by: there is no Kubefile at `context/Kubefile`\nhint: `-f FILE` names another one\n",
    );
}

#[test]
fn a_missing_context_is_said_to_be_missing() {
    User::new().refused(
        &["build", "-t", "demo:v1", "context"],
        2,
        "error: cannot build `demo:v1`\n  caused by: the build context `context` is no folder\nhint: name a folder: `sealer build -t NAME DIR`\n",
    );
}

#[test]
fn an_empty_kubefile_lacks_its_from() {
    refused(
        &User::new(),
        "# nothing yet\n",
        3,
        "error: cannot build `demo:v1`\n\
        \x20 --> Kubefile: it holds no instruction\n\
        hint: begin with `FROM scratch` or `FROM image:tag`\n",
    );
}

#[test]
fn all_mistakes_of_a_kubefile_come_at_once() {
    refused(
        &User::new(),
        "COPY a .\nFORM scratch\nCOPY b\nLABEL \"x\n",
        3,
        "error: cannot build `demo:v1`\n\
        \x20 --> Kubefile:2:1\n\
        \x20  |\n\
        \x202 | FORM scratch\n\
        \x20  | ^^^^ `FORM` is no instruction\n\
        hint: did you mean `FROM`?\n\
        \x20 --> Kubefile:3:6\n\
        \x20  |\n\
        \x203 | COPY b\n\
        \x20  |      ^ `COPY` needs a source and a destination\n\
        \x20 --> Kubefile:4:7\n\
        \x20  |\n\
        \x204 | LABEL \"x\n\
        \x20  |       ^ the quote `\"` is not closed\n",
    );
}

#[test]
fn a_source_that_is_not_there_is_shown_with_its_place() {
    refused(
        &User::new(),
        "FROM scratch\nCOPY  label_nodes.so plugin\n",
        3,
        "error: cannot build `demo:v1`\n\
        \x20 --> Kubefile:2:7\n\
        \x20  |\n\
        \x202 | COPY  label_nodes.so plugin\n\
        \x20  |       ^^^^^^^^^^^^^^ not in the build context `~/context`\n",
    );
}

#[test]
fn a_source_outside_the_context_is_refused() {
    let user = User::new();
    user.write("secret.txt", "outside");
    refused(
        &user,
        "FROM scratch\nCOPY ../secret.txt .\n",
        3,
        "error: cannot build `demo:v1`\n\
        \x20 --> Kubefile:2:6\n\
        \x20  |\n\
        \x202 | COPY ../secret.txt .\n\
        \x20  |      ^^^^^^^^^^^^^ outside the build context `~/context`\n\
        hint: a build takes only what its context holds\n",
    );
}

#[test]
fn a_symlink_out_of_the_context_is_no_way_out() {
    let user = User::new();
    user.write("outside/secret.txt", "outside");
    user.write("context/Kubefile", "");
    symlink(user.path("outside"), user.path("context/door")).unwrap();
    refused(
        &user,
        "FROM scratch\nCOPY door/secret.txt .\n",
        3,
        "error: cannot build `demo:v1`\n\
        \x20 --> Kubefile:2:6\n\
        \x20  |\n\
        \x202 | COPY door/secret.txt .\n\
        \x20  |      ^^^^^^^^^^^^^^^ a link to `~/outside/secret.txt`, outside the build context `~/context`\n\
        hint: put the file itself at `door/secret.txt`\n",
    );
}

#[test]
fn a_command_that_fails_is_shown_with_its_last_words() {
    refused(
        &User::new(),
        "FROM scratch\nRUN echo so far so good && echo alas && exit 3\n",
        1,
        "error: cannot build `demo:v1`\n\
        \x20 --> Kubefile:2:1\n\
        \x20  |\n\
        \x202 | RUN echo so far so good && echo alas && exit 3\n\
        \x20  | ^^^ the command exited with 3\n\
        \x20   so far so good\n\
        \x20   alas\n",
    );
}
