//! `sealer plugin check`: holds a plugin against what sealer expects of one.

use std::process::ExitCode;

use sealer_plugin::conformance::{self, Finding, Outcome};
use serde::Serialize;

use super::loader;
use crate::cli::PluginCheck;
use crate::failure::{Failure, Kind};
use crate::given;
use crate::render;
use crate::settings::Settings;

#[derive(Serialize)]
struct Row {
    expected: &'static str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'static str>,
}

pub(super) fn run(args: &PluginCheck, settings: &Settings) -> Result<ExitCode, Failure> {
    given::there("FILE", &args.file)?;
    let findings = conformance::check(&args.file, &args.data, &loader(settings))?;
    let rows: Vec<Row> = findings.into_iter().map(row).collect();
    let lines: Vec<String> = rows.iter().map(line).collect();
    render::data(settings, &lines.join("\n"), &rows)?;
    match rows.iter().filter(|row| row.outcome == MISSED).count() {
        0 => Ok(ExitCode::SUCCESS),
        missed => {
            let message = format!("`{}` misses {missed} of {} expectations", args.file.display(), rows.len());
            Err(Failure::new(Kind::Plugin, message))
        }
    }
}

const MISSED: &str = "missed";

fn row(finding: Finding) -> Row {
    let (outcome, message, hint) = match finding.outcome {
        Outcome::Met(said) => ("met", said, None),
        Outcome::NotOffered => ("not offered", None, None),
        Outcome::Missed { message, hint } => (MISSED, Some(message), Some(hint)),
    };
    Row { expected: finding.expected, outcome, message, hint }
}

fn line(row: &Row) -> String {
    let mut line = format!("{:<12} {}", row.outcome, row.expected);
    if let Some(message) = &row.message {
        line.push_str(&format!("\n{:<12}   {message}", ""));
    }
    if let Some(hint) = row.hint {
        line.push_str(&format!("\n{:<12}   hint: {hint}", ""));
    }
    line
}
