//! `cargo xtask lab`: a real Kubernetes, installed by `sealer run` on hosts that boot systemd and have
//! no way out, asked by real traffic, searched for secrets, and removed.

mod bench;
mod build;
mod canary;
mod check;
mod hosts;
mod scenarios;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;

use crate::command::{self, Failure, Result};
use crate::demo::{copy, copy_file, programs};
use crate::packages;
use crate::registry::Registry;
use crate::stage::Stage;
pub(crate) use bench::bench;
use hosts::Hosts;
use scenarios::{Cluster, Scenario};

/// The cluster that is made.
#[derive(Debug, Args)]
pub(crate) struct LabArgs {
    /// How many masters
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..))]
    masters: u8,
    /// How many nodes
    #[arg(long, default_value_t = 1)]
    nodes: u8,
    /// What is done with the cluster then
    #[arg(long = "scenario", value_enum, value_name = "NAME")]
    scenarios: Vec<Scenario>,
    /// All scenarios, which want three masters
    #[arg(long, conflicts_with = "scenarios")]
    all: bool,
    /// Leave hosts and cluster as they are after the checks
    #[arg(long)]
    keep: bool,
    /// Build what the lab needs, and end
    #[arg(long)]
    build: bool,
    /// Where builds are kept [default: /var/cache/sealer-lab]
    #[arg(long, value_name = "DIR", env = "SEALER_LAB_CACHE", hide_env = true)]
    cache: Option<PathBuf>,
}

impl Default for LabArgs {
    /// A master and a node, made, asked, and removed.
    fn default() -> Self {
        let (scenarios, cache) = (Vec::new(), None);
        Self { masters: 1, nodes: 1, scenarios, all: false, keep: false, build: false, cache }
    }
}

impl LabArgs {
    fn scenarios(&self) -> Vec<Scenario> {
        if self.all { Scenario::ALL.to_vec() } else { self.scenarios.clone() }
    }
}

/// Password of the hosts: a word that nothing else has.
const PASSWORD: &str = "lab.hosts.7Rk2";
/// Where it is read from, in the folder that commands are run in.
const PASSWD_FILE: &str = "passwd";
/// The same of the registry's password.
const REGISTRY_PASSWD_FILE: &str = "registry-passwd";
/// The version that Debian's source makes.
const VERSION: &str = "v1.20.2";
/// What clusters are upgraded to: the same source, built under another name.
const NEXT: &str = "v1.20.3";
/// Where builds are kept: outside `target/`, so that they outlive it.
const CACHE: &str = "/var/cache/sealer-lab";

/// Plays the scenario. What each step printed stands in `target/lab`.
pub(crate) fn run(args: &LabArgs) -> Result<()> {
    packages::need_root()?;
    packages::ensure(&packages::LAB)?;
    let cache = args.cache.clone().unwrap_or_else(|| PathBuf::from(CACHE));
    let begun = Instant::now();
    let parts = build::parts(&cache, VERSION)?;
    if args.build {
        if args.scenarios().contains(&Scenario::Upgrade) {
            build::parts(&cache, NEXT)?;
        }
        println!("==> the lab's parts are in {}: {:.0?}", parts.dir.display(), begun.elapsed());
        return Ok(());
    }
    command::step("build", command::cargo().args(["build", "--workspace"]))?;
    // What is built meanwhile changes nothing here.
    let programs = set_aside(&programs()?, &["sealer", "demo-registry", "liblist_nodes.so"])?;
    let down = format!("bash {} down \"$1/hosts\"", hosts::script().display());
    let stage = Stage::set_with(&cache, "lab", &programs, &down)?;
    let dir = stage.dir().to_owned();
    let output = command::root().join("target/lab");
    let _ = fs::remove_dir_all(&output);
    fs::create_dir_all(&output).map_err(Failure::file(&output))?;
    let mut lab = Lab { stage, output, steps: Vec::new(), begun: Instant::now() };
    let hosts = lab.play(args, &cache, &parts)?;
    if args.keep {
        println!("\n# Kept: {}", dir.display());
        println!(
            "# hosts {}; to remove them: bash {} down {}/hosts",
            hosts.all().join(" "),
            hosts::script().display(),
            dir.display()
        );
        return lab.stage.keep();
    }
    lab.end(&dir, &hosts)
}

/// Links to the programs, which a later build replaces and does not write over.
fn set_aside(programs: &Path, names: &[&str]) -> Result<PathBuf> {
    let dir = command::root().join(format!("target/lab-programs-{}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).map_err(Failure::file(&dir))?;
    for name in names {
        let (from, to) = (programs.join(name), dir.join(name));
        fs::hard_link(&from, &to).map_err(Failure::file(&from))?;
    }
    Ok(dir)
}

/// A lab that is played.
struct Lab {
    stage: Stage,
    output: PathBuf,
    steps: Vec<(String, Duration)>,
    begun: Instant,
}

impl Lab {
    /// Does a step by a command that is shown, and keeps what it printed.
    fn step(&mut self, name: &str, line: &str) -> Result<String> {
        let begun = Instant::now();
        let shown = self.stage.show(line);
        let time = begun.elapsed();
        println!("# {name}: {:.1} seconds\n", time.as_secs_f64());
        self.steps.push((name.to_owned(), time));
        let printed = shown?;
        let file = self.output.join(format!("{:02}-{}.log", self.steps.len(), name.replace(' ', "-")));
        fs::write(&file, format!("$ {line}\n{printed}")).map_err(Failure::file(&file))?;
        Ok(printed)
    }

    fn play(&mut self, args: &LabArgs, cache: &Path, parts: &build::Parts) -> Result<Hosts> {
        let scenarios = args.scenarios();
        let wanted = scenarios.iter().map(|scenario| scenario.masters()).max().unwrap_or(1);
        if args.masters < wanted {
            return Err(Failure::wrong(format!("these scenarios want {wanted} masters: --masters {wanted}")));
        }
        let spares = scenarios.iter().map(|scenario| scenario.spares()).sum::<u8>();
        self.keep_password(PASSWD_FILE, PASSWORD)?;
        let up = Hosts::up_line(&self.stage, &parts.root, args.masters + args.nodes + spares);
        let mut hosts = Hosts::of(&self.step("hosts up", &up)?, args.masters)?;
        let spares = hosts.nodes.split_off(args.nodes.into());
        let whole =
            Hosts { masters: hosts.masters.clone(), nodes: [hosts.nodes.clone(), spares.clone()].concat() };
        self.prepare(parts)?;
        let registry = Registry::start(&self.stage)?;
        let authority = self.stage.place().join("ca.crt");
        copy_file(&registry.authority, &authority)?;
        let (at, trust) = (&registry.address, "--ca-file ~/ca.crt");
        self.keep_password(REGISTRY_PASSWD_FILE, &registry.password)?;
        self.step("parts", &format!("kubernetes/fetch.sh --from {}", parts.dir.display()))?;
        self.step("build base image", &format!("sealer build -t kubernetes:{VERSION} kubernetes"))?;
        let image = format!("{at}/kubernetes-post-install:{VERSION}");
        self.step("build plugin image", &format!("sealer build -m lite -t {image} list_nodes"))?;
        let login = format!(
            "sealer login -u {} --password-stdin {trust} {at} < {REGISTRY_PASSWD_FILE}",
            registry.user
        );
        self.step("log in", &login)?;
        self.step("push", &format!("sealer push {trust} {image}"))?;
        self.step("forget images", &format!("sealer rmi kubernetes:{VERSION} {image}"))?;
        let run = format!("sealer run {trust} {image} {} --passwd-file {PASSWD_FILE}", hosts.flags());
        let processes = canary::Processes::watch();
        let printed = self.step("run", &run)?;
        check::names_are_printed(&printed, &hosts)?;
        let mut cluster = Cluster { hosts, spares, parts, cache, trust, run };
        cluster.check(self)?;
        self.step("run again", &cluster.run.replacen("sealer", "sealer --output json", 1))?;
        canary::look(self, &cluster.hosts, parts, processes)?;
        for scenario in scenarios {
            cluster.play(self, scenario)?;
        }
        if !args.keep {
            cluster.delete(self)?;
        }
        Ok(whole)
    }

    /// Passwords are in files: a command line is seen by everybody.
    fn keep_password(&self, name: &str, password: &str) -> Result<()> {
        let path = self.stage.place().join(name);
        fs::write(&path, password).map_err(Failure::file(&path))
    }

    /// Lays out the two images' folders, as their authors have them.
    fn prepare(&self, parts: &build::Parts) -> Result<()> {
        let place = self.stage.place();
        copy(&command::root().join("image/kubernetes"), &place.join("kubernetes"))?;
        let (example, plugin) =
            (command::root().join("plugin/examples/list_nodes"), place.join("list_nodes"));
        copy_file(&example.join("list_nodes.yaml"), &plugin.join("list_nodes.yaml"))?;
        copy_file(&self.stage.programs().join("liblist_nodes.so"), &plugin.join("list_nodes.so"))?;
        let kubefile = fs::read_to_string(example.join("Kubefile")).map_err(Failure::file(&example))?;
        let path = plugin.join("Kubefile");
        fs::write(&path, kubefile.replace("v1.19.8", VERSION)).map_err(Failure::file(&path))?;
        let path = place.join("web.yaml");
        fs::copy(parts.scripts.join("web.yaml"), &path).map(|_| ()).map_err(Failure::file(&path))
    }

    fn end(self, dir: &Path, hosts: &Hosts) -> Result<()> {
        let (steps, begun) = (self.steps, self.begun);
        self.stage.clear()?;
        let left = hosts::left(dir, hosts);
        if !left.is_empty() {
            return Err(Failure::wrong(format!("the lab left something behind:\n  {}", left.join("\n  "))));
        }
        let mut table = String::new();
        for (name, time) in &steps {
            let _ = writeln!(table, "  {:>7.1} s  {name}", time.as_secs_f64());
        }
        let total = begun.elapsed().as_secs_f64();
        println!("# {total:.0} seconds, and nothing is left.\n{table}");
        let file = self.output.join("times");
        fs::write(&file, table).map_err(Failure::file(&file))
    }
}
