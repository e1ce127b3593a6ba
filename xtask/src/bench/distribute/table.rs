//! The tables and the plot of what was measured, and their places in the documentation.

use std::fmt::Write as _;

use super::Scenario;
use super::image::Content;
use super::method::Method;
use super::plot;
use super::rows::{Key, Row};
use crate::bench::report::machine;
use crate::command::Result;

/// The plot's file.
const PLOT: &str = "docs/distribution.svg";

/// Writes all of it.
pub(super) fn write(rows: &[Row]) -> Result<()> {
    let mut text = format!("{}.\n", machine());
    let mut groups: Vec<(Content, u64, u64, Scenario)> = Vec::new();
    for row in rows {
        let group = group(&row.key);
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    for wanted in groups {
        let rows: Vec<&Row> = rows.iter().filter(|row| group(&row.key) == wanted).collect();
        let _ = write!(text, "\n{}\n", heading(&rows));
        text.push_str(&table(&rows));
    }
    super::put("docs/BENCHMARKS.md", "distribute", &text)?;
    let plotted: Vec<&Row> = rows.iter().filter(|row| is_plotted(&row.key)).collect();
    super::write(PLOT, &plot::svg(&plotted))?;
    super::put("README.md", "distribute", &short(&plotted))
}

fn group(key: &Key) -> (Content, u64, u64, Scenario) {
    (key.content, key.size, key.rate, key.scenario)
}

/// The plot shows new hosts behind slow links.
fn is_plotted(key: &Key) -> bool {
    key.content == Content::Big && key.rate > 0 && key.scenario == Scenario::Cold
}

fn heading(rows: &[&Row]) -> String {
    let Some(Row { key, files, bytes, .. }) = rows.first() else { return String::new() };
    let what = match key.content {
        Content::Big => "one file that nothing compresses".to_owned(),
        Content::Small => format!("{files} small files that nothing compresses"),
        Content::Real => format!("{files} files of /usr/lib, /usr/bin and /usr/share"),
    };
    let links = match key.rate {
        0 => "links as fast as they go".to_owned(),
        rate => format!("links of {} Mbit/s, this machine's too", rate / 1_000_000),
    };
    let done = match key.scenario {
        Scenario::Cold => "new hosts",
        Scenario::Again => "hosts that have all of it",
        Scenario::Release => "hosts that have the release before, 2 % of whose bytes are others",
    };
    let (size, rate) = (key.size >> 20, key.rate / 1_000_000);
    format!(
        "`cargo xtask bench distribute --content {} --size {size}M --rate {rate}M --scenarios {}`: {what}, {:.1} MB; {links}; {done}.\n",
        key.content,
        key.scenario,
        *bytes as f64 / 1e6
    )
}

fn table(rows: &[&Row]) -> String {
    let mut text = "| hosts | | wall s | sent MB | × image | most to a host, MB | processor s | machine busy | peak memory MB |\n|---|---|---|---|---|---|---|---|---|\n".to_owned();
    for Row { key, bytes, cost, .. } in rows {
        let _ = writeln!(
            text,
            "| {} | `{}` | {:.2} | {:.2} | {:.2} | {:.3} | {:.1} | {:.0} % | {} |",
            key.hosts,
            key.method.name().replace('|', "\\|"),
            cost.wall,
            cost.source as f64 / 1e6,
            cost.source as f64 / *bytes as f64,
            cost.host as f64 / 1e6,
            cost.cpu,
            cost.busy * 100.0,
            cost.memory / 1_000_000
        );
    }
    let counted = rows.iter().filter(|row| row.cost.handshakes > 0);
    for Row { key, cost, .. } in counted {
        let _ = write!(
            text,
            "\nAt once, of {} hosts: {} SSH handshakes, {} descriptors of `{}`.\n",
            key.hosts,
            cost.handshakes,
            cost.descriptors,
            key.method.name()
        );
    }
    text
}

/// Time by method and number of hosts, in seconds.
fn short(rows: &[&Row]) -> String {
    let mut hosts: Vec<u16> = rows.iter().map(|row| row.key.hosts).collect();
    hosts.sort_unstable();
    hosts.dedup();
    let Some(first) = rows.first() else { return String::new() };
    let names: Vec<String> = hosts.iter().map(|count| format!(" {count} |")).collect();
    let mut text = format!(
        "![Time over the number of hosts](docs/distribution.svg)\n\n{:.0} MB to new hosts, every link {} Mbit/s; seconds, by number of hosts:\n\n| |{}\n|---|{}\n",
        first.bytes as f64 / 1e6,
        first.key.rate / 1_000_000,
        names.concat(),
        "---|".repeat(hosts.len())
    );
    let mut methods: Vec<Method> = rows.iter().map(|row| row.key.method).collect();
    methods.sort_unstable();
    methods.dedup();
    for method in methods.into_iter().rev() {
        let cell = |count: &u16| {
            let row = rows.iter().find(|row| row.key.method == method && row.key.hosts == *count);
            row.map_or_else(|| " |".to_owned(), |row| format!(" {:.0} |", row.cost.wall))
        };
        let cells: String = hosts.iter().map(cell).collect();
        let _ = writeln!(text, "| `{}` |{cells}", method.name().replace('|', "\\|"));
    }
    text
}
