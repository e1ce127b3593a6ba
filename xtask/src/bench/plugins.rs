//! What it costs to call a plugin: a hundred that do nothing, in one run.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;

use super::distribute::{PASSWORD, down, sealer, up};
use super::{programs, release, report};
use crate::command::{self, Failure, Result};
use crate::packages;
use crate::stage::Stage;

/// How much is measured.
#[derive(Debug, Args)]
pub(crate) struct Plugins {
    /// How many plugins a run has
    #[arg(long, default_value_t = 100)]
    calls: usize,
    /// How often; all calls of all rounds are reported together
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Where hosts and images are: in memory no other work on the disk is measured
    #[arg(long, value_name = "DIR", default_value = "/dev/shm")]
    dir: PathBuf,
    /// Put the table into docs/BENCHMARKS.md
    #[arg(long)]
    write: bool,
}

/// A plugin that does nothing, and how it is made.
struct Idle {
    name: &'static str,
    file: &'static str,
    source: (&'static str, &'static str),
}

const IDLE: [Idle; 3] = [
    Idle {
        name: "C, shared object",
        file: "idle.so",
        source: (
            "idle.c",
            "#include <sealer_plugin.h>\n\
             static int32_t run(const uint8_t *r, size_t n, const struct sealer_host *h, sealer_write w, void *s) {\n\
             \treturn (void)r, (void)n, (void)h, (void)w, (void)s, SEALER_OK;\n}\n\
             const char PluginType[] = \"IDLE\";\n\
             const struct sealer_plugin Plugin = {sizeof Plugin, SEALER_PLUGIN_VERSION, run, 0, 0, 0, 0};\n",
        ),
    },
    Idle {
        name: "Go, shared object",
        file: "idle.so",
        source: (
            "idle.go",
            "package main\n\nimport (\n\t// const char PluginType[] = \"IDLE\";\n\t\"C\"\n\t\"sealer/sdk/plugin\"\n)\n\n\
             type idle struct{}\n\nfunc (idle) Run(plugin.Context, plugin.Phase) error { return nil }\n\n\
             func main() { plugin.Export(idle{}) }\n",
        ),
    },
    Idle { name: "shell script", file: "idle.sh", source: ("idle.sh", "#!/bin/sh\n# sealer-plugin: IDLE\n") },
];

/// The times of the calls of one run, and of all of them together.
struct Round {
    calls: Vec<Duration>,
    all: Duration,
}

/// Runs the benchmark.
pub(super) fn run(args: &Plugins) -> Result<()> {
    packages::need_root()?;
    packages::ensure(&packages::BENCH)?;
    release()?;
    let stage = Stage::set(&args.dir, "bench", &programs()?)?;
    let mut rows = Vec::new();
    for (index, idle) in IDLE.iter().enumerate() {
        let image = format!("idle-{index}:v1");
        prepare(&stage, idle, &image, args.calls)?;
        let mut rounds = Vec::new();
        for _ in 0..args.rounds {
            rounds.push(measure(&stage, &image, args.calls)?);
        }
        rows.push((idle.name, rounds));
    }
    let table = table(args, rows);
    println!("\n{table}");
    stage.clear()?;
    if args.write { report::put("plugins", &table) } else { Ok(()) }
}

/// Makes the plugin and an image that calls it so often.
fn prepare(stage: &Stage, idle: &Idle, image: &str, calls: usize) -> Result<()> {
    let folder = stage.place().join(image.replace(':', "-"));
    fs::create_dir_all(&folder).map_err(Failure::file(&folder))?;
    let put = |name: &str, text: &str| -> Result<PathBuf> {
        let path = folder.join(name);
        fs::write(&path, text).map_err(Failure::file(&path))?;
        Ok(path)
    };
    let source = put(idle.source.0, idle.source.1)?;
    let root = command::root();
    let file = folder.join(idle.file);
    match source.extension().and_then(|extension| extension.to_str()) {
        Some("c") => command::run(
            Command::new("cc")
                .args(["-O2", "-shared", "-fPIC", "-I"])
                .arg(root.join("plugin/abi/include"))
                .arg("-o")
                .args([&file, &source]),
        )?,
        Some("go") => {
            let sdk = root.join("plugin/sdk/go");
            let module = "module idle\n\ngo 1.19\n\nrequire sealer/sdk v0.0.0\n\nreplace sealer/sdk => ";
            put("go.mod", &format!("{module}{}\n", sdk.display()))?;
            command::run(
                stage
                    .command(Path::new("go"))
                    .current_dir(&folder)
                    .envs([("GOFLAGS", "-mod=mod"), ("GOPROXY", "off"), ("CGO_ENABLED", "1")])
                    .args(["build", "-buildmode=c-shared", "-buildvcs=false", "-o"])
                    .arg(&file)
                    .arg("."),
            )?;
        }
        _ => {
            let mode = fs::Permissions::from_mode(0o755);
            fs::set_permissions(&source, mode).map_err(Failure::file(&source))?;
        }
    }
    let mut documents = String::new();
    for call in 0..calls {
        let _ = writeln!(
            documents,
            "---\nkind: Plugin\nmetadata: {{name: idle-{call:03}}}\nspec: {{type: IDLE, action: PostInstall}}"
        );
    }
    put("idle.yaml", &documents)?;
    put("Kubefile", &format!("FROM scratch\nCOPY {} idle.yaml plugin\n", idle.file))?;
    sealer(stage, &["build", "--quiet", "-t", image, &folder.to_string_lossy()]).map(|_| ())
}

/// Runs the image on a new host, and takes the time of its plugins' events.
fn measure(stage: &Stage, image: &str, calls: usize) -> Result<Round> {
    let hosts = up(stage, 1)?;
    let mut run = stage.command(&stage.programs().join("sealer"));
    run.args(["run", "--output", "json", image, "-p", PASSWORD, "-m", &hosts[0]]);
    let line = command::line(&run);
    let failed = |source| Failure::Start { command: line.clone(), source };
    let mut child = run.stdout(Stdio::piped()).spawn().map_err(failed)?;
    let mut begun: Vec<(u64, Instant)> = Vec::new();
    let (mut times, mut last) = (Vec::new(), None);
    for printed in BufReader::new(child.stdout.take().expect("it is piped")).lines() {
        let now = Instant::now();
        let event: Value = serde_json::from_str(&printed.map_err(failed)?).unwrap_or_default();
        let Some(task) = event["task"].as_u64() else { continue };
        if event["event"] == "started" && event["kind"] == "plugin" {
            begun.push((task, now));
        } else if event["event"] == "finished"
            && let Some((_, began)) = begun.iter().find(|(begun, _)| *begun == task)
        {
            times.push(now - *began);
            last = Some(now);
        }
    }
    let status = child.wait().map_err(failed)?;
    if !status.success() {
        return Err(Failure::Status { command: line, status });
    }
    sealer(stage, &["delete", "--quiet", "-a", "--force", "-p", PASSWORD])?;
    down(stage)?;
    let all = begun.first().zip(last).map(|((_, first), last)| last - *first);
    match all {
        Some(all) if times.len() == calls => Ok(Round { calls: times, all }),
        _ => Err(Failure::wrong(format!("of {calls} plugins, {} were called", times.len()))),
    }
}

fn table(args: &Plugins, rows: Vec<(&str, Vec<Round>)>) -> String {
    let mut table = format!(
        "`cargo xtask bench plugins --calls {} --rounds {}`: {}.\n\n",
        args.calls,
        args.rounds,
        report::machine()
    );
    let _ = writeln!(
        table,
        "| | median of a call, ms | 95 % within, ms | {} calls, s, each round |\n|---|---|---|---|",
        args.calls
    );
    for (name, rounds) in rows {
        let mut calls: Vec<Duration> = rounds.iter().flat_map(|round| round.calls.clone()).collect();
        calls.sort_unstable();
        let at = |share: usize| calls.get(calls.len() * share / 100).copied().unwrap_or_default();
        let all: Vec<String> = rounds.iter().map(|round| format!("{:.2}", round.all.as_secs_f64())).collect();
        let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
        let _ = writeln!(
            table,
            "| {name} | {:.1} | {:.1} | {} |",
            milliseconds(at(50)),
            milliseconds(at(95)),
            all.join(", ")
        );
    }
    table
}
