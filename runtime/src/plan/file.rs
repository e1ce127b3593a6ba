//! A plan in a file: what was looked at, to be done just so, or not at all.

use serde::{Deserialize, Serialize};

use super::RunPlan;
use crate::error::{Error, Result};

/// A plan, and what it was made for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanFile {
    /// The digest of the cluster that was asked for: all but its image, hosts and logins.
    pub spec: String,
    /// What would be done.
    pub plan: RunPlan,
}

impl PlanFile {
    /// Reads a plan.
    ///
    /// # Errors
    /// Why it is none, with the line.
    pub fn parse(text: &str) -> std::result::Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    /// Refuses a plan that is another than the one that was kept.
    pub(crate) fn check(&self, now: &Self) -> Result<()> {
        if self == now {
            return Ok(());
        }
        let mut differs = differences(&self.plan.to_string(), &now.plan.to_string());
        if differs.is_empty() {
            differs.push("the environment, arguments, configs or plugins are others".to_owned());
        }
        Err(Error::Changed { cluster: now.plan.cluster.clone(), differs })
    }
}

/// The lines that only one text has: `- ` for those of the first, `+ ` for those of the second.
fn differences(before: &str, now: &str) -> Vec<String> {
    let only = |of: &str, not_in: &str, sign: &str| -> Vec<String> {
        let others: Vec<&str> = not_in.lines().collect();
        of.lines().filter(|line| !others.contains(line)).map(|line| format!("{sign} {line}")).collect()
    };
    let mut lines = only(before, now, "-");
    lines.extend(only(now, before, "+"));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_other_is_shown_line_by_line() {
        assert_eq!(differences("a\nb\nc\n", "a\nc\nd\n"), ["- b", "+ d"]);
    }
}
