//! The plugin of the owner's page in four languages, in one image.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::hosts::Room;
use crate::kit::User;
use crate::plugins::{build_base, built, workspace};

/// What the plugin is called in each language, beside the image it goes on top of.
const LANGUAGES: [(&str, &str, &str); 4] = [
    ("list_nodes", "RUST", "list_nodes.so"),
    ("list_nodes_c", "C", "list_nodes.so"),
    ("list_nodes_go", "GO", "list_nodes.so"),
    ("list_nodes_sh", "SH", "list_nodes.sh"),
];

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Takes an example as it is, but for its files' names and, after the first, its type: two of one type
/// are refused in one image, and of two of one name one is lost. Returns the folder.
fn take(user: &User, folder: &str, language: &str, file: &str, base: &str) -> String {
    let example = workspace().join("plugin/examples").join(folder);
    let (stem, extension) = file.split_once('.').unwrap();
    let renamed = |text: &str| {
        let own = format!("{stem}_{}", language.to_lowercase());
        let kind = if language == "RUST" { "LIST_NODE" } else { &format!("LIST_NODE_{language}") };
        text.replace("LIST_NODE", kind)
            .replace(&format!("{stem}.{extension}"), &format!("{own}.{extension}"))
            .replace(&format!("{stem}.yaml"), &format!("{own}.yaml"))
            .replace("kubernetes:v1.19.8", base)
    };
    for entry in fs::read_dir(&example).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            user.write(&format!("{folder}/{}", renamed(&name)), renamed(&fs::read_to_string(&path).unwrap()));
        }
    }
    let kubefile = fs::read_to_string(user.path(&format!("{folder}/Kubefile"))).unwrap();
    assert_eq!(kubefile.lines().count(), 3, "{kubefile}");
    folder.to_owned()
}

/// Compiles what has to be, as the example's README says.
fn compile(folder: &Path, language: &str) {
    let so = folder.join(format!("list_nodes_{}.so", language.to_lowercase()));
    match language {
        "RUST" => {
            fs::copy(built("deps/liblist_nodes.so"), so).unwrap();
        }
        "C" => run(Command::new("cc")
            .args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-I"])
            .arg(workspace().join("plugin/abi/include"))
            .arg("-o")
            .arg(so)
            .arg(folder.join("list_nodes.c"))),
        "GO" => {
            let replace = workspace().join("plugin/sdk/go");
            let module = format!(
                "module list_nodes\n\ngo 1.19\n\nrequire sealer/sdk v0.0.0\n\nreplace sealer/sdk => {}\n",
                replace.display()
            );
            fs::write(folder.join("go.mod"), module).unwrap();
            run(Command::new("go")
                .current_dir(folder)
                .envs([("GOFLAGS", "-mod=mod"), ("GOPROXY", "off"), ("CGO_ENABLED", "1")])
                .args(["build", "-buildmode=c-shared", "-buildvcs=false", "-o"])
                .arg(so)
                .arg("."));
        }
        _ => run(Command::new("chmod").arg("+x").arg(folder.join("list_nodes_sh.sh"))),
    }
}

#[test]
fn four_languages_list_the_same_nodes_in_one_run() {
    let room = Room::with(2);
    let user = &room.user;
    build_base(user);
    let mut base = "kubernetes:v1.19.8".to_owned();
    for (folder, language, file) in LANGUAGES {
        let folder = take(user, folder, language, file, &base);
        compile(&user.path(&folder), language);
        base = format!("with-{}:v1", language.to_lowercase());
        user.ok(&["build", "-m", "lite", "-t", &base, &folder]);
    }
    let flags = room.flags();
    let run: Vec<&str> = ["run", &base].into_iter().chain(flags.iter().map(String::as_str)).collect();
    let answer = user.sealer(&run);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    let nodes: Vec<String> = (0..2).map(|index| room.address(index)).collect();
    for (_, language, file) in LANGUAGES {
        let (stem, extension) = file.split_once('.').unwrap();
        let said = format!("[{stem}_{}.{extension}] ", language.to_lowercase());
        let told: Vec<&str> = answer.stderr.lines().filter_map(|line| line.strip_prefix(&said)).collect();
        assert_eq!(told, nodes, "{language}");
    }
    let rootfs = "/var/lib/sealer/data/my-cluster/rootfs";
    assert_eq!(
        room.on_all(&format!("cat {rootfs}/nodes.txt")),
        [format!("{}\n", nodes.join("\n")).as_str(); 2]
    );
    user.ok(&["delete", "-a", "--force", "-p", crate::hosts::PASSWORD]);
}
