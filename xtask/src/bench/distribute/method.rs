//! The ways to bring a folder to many hosts.

use std::path::Path;
use std::process::Command;

use clap::ValueEnum;

use super::image::{Images, NAMES};
use super::{PASSWORD, Scenario};
use crate::stage::Stage;

/// A way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Method {
    /// File by file over SFTP, one request under way, a connection and an `md5sum` for each
    Original,
    /// `scp -r` to all hosts at once
    Scp,
    /// `tar | ssh tar` to all hosts at once
    Tar,
    /// `rsync -a` to all hosts at once
    Rsync,
    /// `sealer run --distributor ssh`
    Ssh,
    /// `sealer run --distributor relay`
    Relay,
}

impl Method {
    /// What it is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Original => "the original's way",
            Self::Scp => "scp -r",
            Self::Tar => "tar | ssh tar",
            Self::Rsync => "rsync -a",
            Self::Ssh => "sealer run --distributor ssh",
            Self::Relay => "sealer run --distributor relay",
        }
    }

    pub(super) fn is_sealer(self) -> bool {
        matches!(self, Self::Ssh | Self::Relay)
    }

    /// What sends a release to hosts. OpenSSH has the cipher that is the fastest here.
    pub(super) fn command(
        self,
        stage: &Stage,
        images: &Images,
        scenario: Scenario,
        (hosts, parallel): (&[String], u16),
    ) -> Command {
        let release = usize::from(scenario == Scenario::Release);
        let files = &images.folders[release];
        let options = "-c aes128-gcm@openssh.com -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR";
        let each = match self {
            Self::Original => {
                let own = std::env::current_exe().unwrap_or_default();
                let mut command = stage.command(&own);
                command.args(["bench", "original"]).arg(files).arg(super::original::DEST).args(hosts);
                return command;
            }
            Self::Ssh | Self::Relay => {
                let mut sealer = stage.command(&stage.programs().join("sealer"));
                let way = if self == Self::Ssh { "ssh" } else { "relay" };
                sealer.args(["run", "--quiet", NAMES[release], "-p", PASSWORD, "-m", &hosts[0]]);
                sealer.args(["--distributor", way, "--parallel", &parallel.to_string()]);
                if hosts.len() > 1 {
                    sealer.args(["-n", &hosts[1..].join(",")]);
                }
                return sealer;
            }
            Self::Scp => r#"sshpass -e scp $OPTIONS -q -r "$FILES" root@$host:/var/lib/peer"#,
            Self::Tar => {
                r#"tar -cf - -C "$FILES" . | sshpass -e ssh $OPTIONS root@$host "mkdir -p /var/lib/peer && tar -xpf - -C /var/lib/peer""#
            }
            Self::Rsync => {
                r#"rsync -a --no-owner --no-group -e "sshpass -e ssh $OPTIONS" "$FILES/" root@$host:/var/lib/peer/"#
            }
        };
        let script = format!(
            "rm -f \"$TMPDIR/failed\"\nfor host in $HOSTS; do\n  ( {each} ) || echo $host >> \"$TMPDIR/failed\" &\ndone\nwait\ntest ! -e \"$TMPDIR/failed\""
        );
        let mut shell = stage.command(Path::new("sh"));
        shell.args(["-c", &script]).env("SSHPASS", PASSWORD).env("OPTIONS", options);
        shell.env("HOSTS", hosts.join(" ")).env("FILES", files);
        shell
    }
}
