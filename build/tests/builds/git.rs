//! Sources in repositories of git.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use sealer_build::Built;
use sealer_image::Digest;
use sealer_testkit::GitServer;
use tempfile::TempDir;

use crate::kit::{Bench, shown};

/// A repository `demo.git` with a branch, tags and a history.
struct Repository {
    dir: TempDir,
    /// Its first commit, and its last.
    first: String,
    last: String,
}

impl Repository {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut repository = Self { dir, first: String::new(), last: String::new() };
        fs::create_dir(repository.work()).unwrap();
        repository.git(&["init", "--quiet", "--initial-branch=main", "--template="]);
        repository.write("charts/web/Chart.yaml", "name: web");
        repository.write("run.sh", "#!/bin/sh");
        let runs = fs::Permissions::from_mode(0o755);
        fs::set_permissions(repository.work().join("run.sh"), runs).unwrap();
        repository.first = repository.commit("first");
        repository.git(&["tag", "light"]);
        repository.git(&["tag", "-a", "-m", "note", "v1"]);
        repository.git(&["branch", "old"]);
        repository.write("charts/web/Chart.yaml", "name: web2");
        symlink("run.sh", repository.work().join("again")).unwrap();
        symlink("/etc", repository.work().join("outside")).unwrap();
        repository.last = repository.commit("second");
        repository.publish();
        repository
    }

    fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    /// Where repositories stand.
    fn root(&self) -> PathBuf {
        self.dir.path().join("served")
    }

    fn file(&self) -> String {
        format!("file://{}", self.root().join("demo.git").display())
    }

    fn write(&self, name: &str, content: &str) {
        let path = self.work().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn git(&self, args: &[&str]) -> String {
        git(&self.work(), args)
    }

    fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Puts what is committed where it is served from, for clever clients and for plain ones.
    fn publish(&self) {
        let served = self.root().join("demo.git");
        if !served.exists() {
            git(self.dir.path(), &["clone", "--quiet", "--bare", "work", "served/demo.git"]);
        }
        self.git(&["push", "--quiet", "--all", "--force", served.to_str().unwrap()]);
        git(&served, &["update-server-info"]);
    }
}

fn git(dir: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(dir)
        .args(args)
        .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1")])
        .envs([("GIT_AUTHOR_NAME", "a"), ("GIT_AUTHOR_EMAIL", "a@example.com")])
        .envs([("GIT_COMMITTER_NAME", "a"), ("GIT_COMMITTER_EMAIL", "a@example.com")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

fn layers(bench: &Bench, built: &Built) -> Vec<Digest> {
    bench.image(built).manifest.layers().iter().map(|layer| layer.digest().clone()).collect()
}

const OLD: [&str; 5] = [
    "src/",
    "src/charts/",
    "src/charts/web/",
    "src/charts/web/Chart.yaml: name: web",
    "src/run.sh*: #!/bin/sh",
];
const NEW: [&str; 7] = [
    "src/",
    "src/again -> run.sh",
    "src/charts/",
    "src/charts/web/",
    "src/charts/web/Chart.yaml: name: web2",
    "src/outside -> /etc",
    "src/run.sh*: #!/bin/sh",
];

#[test]
fn a_repository_is_taken_over_every_way_the_same() {
    let repository = Repository::new();
    let (clever, plain) = (GitServer::start(&repository.root()), GitServer::start_dumb(&repository.root()));
    let ways = [
        repository.file(),
        format!("http://{}/demo.git", clever.address()),
        format!("http://{}/demo.git", plain.address()),
    ];
    let named = [
        ("", &NEW[..]),
        ("#main", &NEW),
        ("#refs/heads/main", &NEW),
        ("#old", &OLD),
        ("#light", &OLD),
        ("#v1", &OLD),
        (&format!("#{}", repository.first), &OLD),
    ];
    for (reference, expected) in named {
        let built = ways.each_ref().map(|way| {
            let bench = Bench::new();
            let built = bench.build(&format!("FROM scratch\nADD {way}{reference} src\n"));
            assert_eq!(bench.tree(&built), expected, "{way}{reference}");
            layers(&bench, &built)
        });
        assert_eq!(built[0], built[1], "{reference}");
        assert_eq!(built[0], built[2], "{reference}");
    }
}

#[test]
fn a_folder_goes_into_the_destination_by_either_rules() {
    let (repository, bench) = (Repository::new(), Bench::new());
    let at = repository.file();
    for (instruction, expected) in [
        (format!("ADD {at}#v1:charts/web etc/x"), "etc/x/Chart.yaml: name: web"),
        (format!("COPY {at}#v1:/charts/./web/ etc/x"), "etc/x/Chart.yaml: name: web"),
        (format!("COPY {at}#:charts/web etc/x/"), "etc/x/Chart.yaml: name: web2"),
    ] {
        let built = bench.build(&format!("FROM scratch\n{instruction}\n"));
        assert_eq!(bench.tree(&built), ["etc/", "etc/x/", expected], "{instruction}");
    }
}

#[test]
fn a_commit_that_is_there_is_not_fetched_again() {
    let (repository, bench) = (Repository::new(), Bench::new());
    let kubefile = format!("FROM scratch\nADD {}#main:charts/web /\n", repository.file());
    let pinned =
        format!("FROM scratch\nADD --checksum={} {}#main:charts/web /\n", repository.last, repository.file());
    let first = bench.build(&kubefile);
    assert_eq!((first.cached, bench.tree(&first)), (0, vec!["Chart.yaml: name: web2".to_owned()]));
    bench.build(&pinned);
    repository.write("charts/web/Chart.yaml", "name: web3");
    let moved = repository.commit("third");
    let again = bench.build(&kubefile);
    assert_eq!((again.cached, &again.descriptor), (1, &first.descriptor));
    repository.publish();
    let third = bench.build(&kubefile);
    assert_eq!((third.cached, bench.tree(&third)), (0, vec!["Chart.yaml: name: web3".to_owned()]));

    let refused = Bench::new().refused(&pinned);
    let reason = format!("`{}#main:charts/web` is {moved}, not {}", repository.file(), repository.last);
    assert!(refused.contains(&reason), "{refused}");
    fs::remove_dir_all(repository.root()).unwrap();
    assert_eq!(bench.build(&pinned).cached, 1);
}

#[test]
fn the_git_folder_comes_along_where_that_is_asked_for() {
    let repository = Repository::new();
    let kubefile = format!("FROM scratch\nADD --keep-git-dir {}#v1 /\n", repository.file());
    let build = || {
        let bench = Bench::new();
        let built = bench.build(&kubefile);
        (layers(&bench, &built), bench.tree(&built))
    };
    let (layer, tree) = build();
    assert!(tree.contains(&format!(".git/HEAD: {}", repository.first)), "{tree:#?}");
    assert_eq!(build().0, layer);
}

#[test]
fn a_submodule_is_left_out_with_a_warning() {
    let (repository, bench) = (Repository::new(), Bench::new());
    let entry = format!("160000,{},vendor/other", repository.first);
    repository.git(&["update-index", "--add", "--cacheinfo", &entry]);
    repository.git(&["commit", "--quiet", "-m", "module"]);
    repository.publish();
    bench.build(&format!("FROM scratch\nADD {} /\n", repository.file()));
    let warning = format!("`{}`: its submodule `vendor/other` is left out", repository.file());
    assert_eq!(bench.seen.warnings(), [warning]);
}

#[test]
fn what_a_repository_lacks_is_named() {
    let repository = Repository::new();
    let at = repository.file();
    let none = "0123456789012345678901234567890123456789";
    for (source, reason) in [
        (format!("{at}#nowhere"), format!("`{at}` has no branch or tag `nowhere`")),
        (format!("{at}#{none}"), format!("`{at}` has no commit {none}")),
        (format!("{at}#main:charts/none"), format!("`{at}` has no folder `charts/none`")),
        (format!("{at}#main:run.sh"), format!("`{at}` has no folder `run.sh`")),
        (format!("{at}#main:outside"), format!("`{at}` has no folder `outside`")),
    ] {
        let refused = Bench::new().refused(&format!("FROM scratch\nADD {source} src\n"));
        assert!(refused.contains(&format!("^^^ {reason}\n")), "{source}: {refused}");
    }
    let gone = at.replace("demo.git", "gone.git");
    let error = Bench::new().try_build(&format!("FROM scratch\nADD {gone} src\n")).unwrap_err();
    assert_eq!(shown(&error), "the repository cannot be fetched\n");
}
