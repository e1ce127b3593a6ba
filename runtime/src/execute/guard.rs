//! A command that is done once: the host itself keeps a record of the last one that came to its end.
//!
//! Between the end of a command and the line in the journal this program can die, or the connection.
//! The host's record closes that gap; a command that is under way still is waited for.

use crate::host::quote::quote;

/// The folder of the records, in the cluster's folder on a host.
const STEPS: &str = ".steps";

/// One step of a cluster, as a host keeps it.
pub(crate) struct Guard {
    dir: String,
    record: String,
    digest: String,
}

impl Guard {
    /// `data_dir` is the cluster's folder on the host.
    pub(crate) fn new(data_dir: &str, step: &str, digest: String) -> Self {
        let dir = format!("{data_dir}/{STEPS}");
        let record = quote(&format!("{dir}/{}", step.replace('/', "_")));
        Self { dir: quote(&dir), record, digest }
    }

    /// A command that does `script` and keeps a record of its end. It holds a lock meanwhile, which
    /// nothing that it leaves behind inherits.
    ///
    /// `fence` ends it before it begins where another operator has taken over. A command that takes the
    /// cluster's folder away takes the record with it.
    /// `around` stands before the command and behind it.
    pub(crate) fn wrap(&self, script: &str, fence: &str, around: Option<&(String, String)>) -> String {
        let Self { dir, record, digest } = self;
        let (before, after) = around.map_or(("", ""), |(before, after)| (before, after));
        format!(
            r#"mkdir -p {dir} || exit
exec 9>>{dir}/lock
flock 9
{fence}
rm -f {record}
{before}
(
{script}
) 9>&-
status=$?
{after}
[ $status = 0 ] || exit $status
[ -d {dir} ] || exit 0
printf %s {digest} >{record}.new && sync {record}.new && mv {record}.new {record}"#
        )
    }

    /// A command that succeeds where the step was done; while it is being done, it waits.
    pub(crate) fn probe(&self) -> String {
        let Self { dir, record, digest } = self;
        format!(
            r#"[ -e {dir}/lock ] || exit 1
exec 9>>{dir}/lock
flock 9
[ "$(cat {record} 2>/dev/null)" = {digest} ]"#
        )
    }

    /// A command after which a host has no record of any step.
    pub(crate) fn clear(data_dir: &str) -> String {
        format!("rm -rf {}", quote(&format!("{data_dir}/{STEPS}")))
    }
}
