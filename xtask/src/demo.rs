//! `cargo xtask demo`: the README's promises, kept on real hosts, command by command.

mod left;
mod readme;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;

use crate::command::{self, Failure, Result};
use crate::packages;
use crate::registry::Registry;
use crate::stage::Stage;

/// How the demo's output is kept.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Write what is shown to this file too
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Put what is shown into README.md, where it has its place
    #[arg(long)]
    readme: bool,
}

/// Password of the hosts.
const PASSWORD: &str = "secret";

/// Runs the demo; what it made is gone at its end, however it ends.
pub(crate) fn run(args: &DemoArgs) -> Result<()> {
    packages::need_root()?;
    packages::ensure(&[])?;
    command::step("build", command::cargo().args(["build", "--workspace"]))?;
    let begun = Instant::now();
    let programs = programs()?;
    println!();
    let mut stage = Stage::set(&std::env::temp_dir(), "demo", &programs)?;
    let dir = stage.dir().to_owned();
    prepare(&stage, &programs)?;
    let registry = Registry::start(&stage)?;
    let address = play(&mut stage, &registry)?;
    drop(registry);
    let mut transcript = stage.clear()?;
    let ending = ending(&left::left(&dir, &address), begun.elapsed())?;
    println!("\n{ending}");
    transcript += &format!("\n{ending}\n");
    if let Some(file) = &args.output {
        fs::write(file, &transcript).map_err(Failure::file(file))?;
    }
    if args.readme { readme::put(&transcript) } else { Ok(()) }
}

/// The folder of the programs that were built, which we are one of.
pub(crate) fn programs() -> Result<PathBuf> {
    let own = std::env::current_exe().map_err(Failure::file(Path::new("xtask")))?;
    own.parent().map(Path::to_owned).ok_or_else(|| Failure::wrong("xtask stands in no folder"))
}

/// Lays out the two images' folders, as their authors have them.
fn prepare(stage: &Stage, programs: &Path) -> Result<()> {
    let (base, plugin) = (stage.place().join("kubernetes"), stage.place().join("list_nodes"));
    copy(&command::root().join("testdata/demo/base"), &base)?;
    copy_file(&programs.join("nodes-api"), &base.join("bin/nodes-api"))?;
    let example = command::root().join("plugin/examples/list_nodes");
    for name in ["Kubefile", "list_nodes.yaml"] {
        copy_file(&example.join(name), &plugin.join(name))?;
    }
    copy_file(&programs.join("liblist_nodes.so"), &plugin.join("list_nodes.so"))
}

pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).map_err(Failure::file(from))? {
        let path = entry.map_err(Failure::file(from))?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() { copy(&path, &target)? } else { copy_file(&path, &target)? }
    }
    Ok(())
}

pub(crate) fn copy_file(from: &Path, to: &Path) -> Result<()> {
    let folder = to.parent().unwrap_or(to);
    fs::create_dir_all(folder).map_err(Failure::file(folder))?;
    fs::copy(from, to).map(|_| ()).map_err(Failure::file(from))
}

/// The demo itself. Returns the address of a host.
fn play(stage: &mut Stage, registry: &Registry) -> Result<String> {
    let at = &registry.address;
    let authority = stage.place().join("ca.crt");
    copy_file(&registry.authority, &authority)?;
    let trust = "--ca-file ~/ca.crt";
    let image = format!("{at}/kubernetes-post-install:v1.19.8");

    stage.say("Three hosts, each with a network, a root file system and an sshd of its own.");
    let up = stage.show(&format!("sealer sandbox up 3 --password {PASSWORD}"))?;
    let hosts = Hosts::of(&up)?;

    stage.say(&format!("A registry (Debian's docker-registry: HTTPS, a password) runs at {at}."));
    let (user, password) = (&registry.user, &registry.password);
    stage.show(&format!("echo {password} | sealer login -u {user} --password-stdin {trust} {at}"))?;

    stage.say(
        "The base image, from scratch. It is no Kubernetes but a stand-in: `nodes-api` answers as the API\n\
         server does when it is asked for nodes. All else here is what it would be with the real one.",
    );
    stage.go("kubernetes");
    stage.show("cat Kubefile")?;
    stage.show("sealer build -t kubernetes:v1.19.8 .")?;

    stage.say("The image with the plugin on top: a shared object, and the YAML that says when it is run.");
    stage.go("list_nodes");
    stage.show("cat Kubefile list_nodes.yaml")?;
    stage.show("sealer build -m lite -t kubernetes-post-install:v1.19.8 .")?;
    stage.show("sealer images")?;

    stage.say("To the registry, and away with the local copies.");
    stage.show(&format!("sealer tag kubernetes-post-install:v1.19.8 {image}"))?;
    stage.show(&format!("sealer push {trust} {image}"))?;
    stage.show(&format!("sealer rmi kubernetes:v1.19.8 kubernetes-post-install:v1.19.8 {image}"))?;
    stage.show("sealer images")?;

    stage.say("Run it from the registry, on one master and two nodes. The plugin lists them.");
    let Hosts { master, nodes } = &hosts;
    let run = format!("sealer run {trust} {image} -m {master} -n {nodes} -p {PASSWORD}");
    stage.show(&run)?;
    let rootfs = "/var/lib/sealer/data/my-cluster/rootfs";
    stage.show(&format!("sealer sandbox exec {master} -- ls {rootfs} {rootfs}/plugin"))?;
    stage.show(&format!("sealer sandbox exec {master} -- cat {rootfs}/nodes.txt"))?;

    stage.say("Again: what is done, just as it is asked for, is not done again.");
    stage.show(&run)?;

    stage.say("Delete it: what the run made is gone from the hosts.");
    stage.show(&format!("sealer delete -a --force -p {PASSWORD}"))?;
    stage.show(&format!("sealer sandbox exec {master} -- ls -A /var/lib/sealer"))?;
    stage.show("sealer sandbox down")?;
    Ok(hosts.master)
}

/// The addresses, as `sandbox up` writes them for `run`.
struct Hosts {
    master: String,
    nodes: String,
}

impl Hosts {
    fn of(printed: &str) -> Result<Self> {
        let words: Vec<&str> = printed.split_whitespace().collect();
        let after = |flag: &str| {
            let at = words.iter().position(|word| *word == flag)?;
            words.get(at + 1).map(|word| (*word).to_owned())
        };
        let hosts = after("-m").zip(after("-n")).map(|(master, nodes)| Self { master, nodes });
        hosts.ok_or_else(|| Failure::wrong("`sealer sandbox up` printed no addresses for `run`"))
    }
}

fn ending(left: &[String], time: Duration) -> Result<String> {
    if !left.is_empty() {
        return Err(Failure::wrong(format!("the demo left something behind:\n  {}", left.join("\n  "))));
    }
    Ok(format!(
        "# {:.0} seconds, and nothing is left: no process, mount, network namespace, link or file.",
        time.as_secs_f64()
    ))
}
