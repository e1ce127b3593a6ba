//! The project's own commands: demo, test, bench, charts, fuzz, lab, vectors.

mod bench;
mod charts;
mod command;
mod demo;
mod fuzz;
mod lab;
mod packages;
mod registry;
mod stage;
mod test;
mod vectors;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own commands
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Measure what we claim to be fast
    #[command(subcommand)]
    Bench(bench::BenchTask),
    /// Compare the images that charts and manifests name with those that Helm finds
    Charts(charts::ChartsArgs),
    /// Show the main job on real hosts, command by command
    Demo(demo::DemoArgs),
    /// Feed what reads strangers' bytes, with libFuzzer
    Fuzz(fuzz::FuzzArgs),
    /// Install a real Kubernetes on hosts that boot systemd, ask it, and remove it
    Lab(lab::LabArgs),
    /// Check format and lints, run every test, build the documentation
    Test(test::TestArgs),
    /// Compare names, patterns and words with the field's reference answers
    Vectors(vectors::VectorsArgs),
}

fn main() -> ExitCode {
    let result = match Cli::parse().task {
        Task::Bench(task) => bench::run(&task),
        Task::Charts(args) => charts::run(&args),
        Task::Demo(args) => demo::run(&args),
        Task::Fuzz(args) => fuzz::run(&args),
        Task::Lab(args) => lab::run(&args),
        Task::Test(args) => test::run(&args),
        Task::Vectors(args) => vectors::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("cargo xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}
