//! Completions and manual pages: made of the arguments' own description.

use std::fs;
use std::process::Command;

use crate::kit::{User, files};

#[test]
fn a_shell_reads_its_completions_and_knows_a_command_by_its_beginning() {
    let user = User::new();
    let script = user.write("sealer.bash", user.ok(&["docs", "completion", "bash"]));
    let complete = format!(
        ". {}; COMP_WORDS=(sealer resu); COMP_CWORD=1; _sealer sealer resu sealer; echo \"${{COMPREPLY[@]}}\"",
        script.display()
    );
    let output = Command::new("bash").args(["-c", &complete]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "resume\n");
}

#[test]
fn every_command_has_a_page_of_its_own() {
    let user = User::new();
    user.ok(&["docs", "man", "pages"]);
    let pages = files(&user.path("pages"));
    assert!(pages.len() > 30, "{pages:?}");
    let resume = fs::read_to_string(user.path("pages/sealer-resume.1")).unwrap();
    assert!(resume.contains(".TH sealer-resume 1"), "{resume}");
    assert!(user.path("pages/sealer-sandbox-cut.1").exists());
    assert!(!user.path("pages/sealer-plugin-host.1").exists());
}
