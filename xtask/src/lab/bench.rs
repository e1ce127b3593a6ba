//! A lab to measure in: two hosts at a time, a base image in the local store, and the same unpacked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::hosts::{self, Hosts};
use super::{CACHE, PASSWD_FILE, PASSWORD, VERSION, build, set_aside};
use crate::command::{self, Failure, Result};
use crate::demo::copy;
use crate::packages;
use crate::stage::Stage;

/// The lab.
pub(crate) struct Bench {
    stage: Stage,
    parts: build::Parts,
    hosts: Option<Hosts>,
}

/// Makes a lab whose image is built by the programs of a folder.
pub(crate) fn bench(programs: &Path) -> Result<Bench> {
    packages::need_root()?;
    packages::ensure(&packages::LAB)?;
    let cache = PathBuf::from(CACHE);
    let parts = build::parts(&cache, VERSION)?;
    let down = format!("bash {} down \"$1/hosts\"", hosts::script().display());
    let mut stage = Stage::set_with(&cache, "bench", &set_aside(programs, &["sealer"])?, &down)?;
    copy(&command::root().join("image/kubernetes"), &stage.place().join("kubernetes"))?;
    stage.show(&format!("kubernetes/fetch.sh --from {}", parts.dir.display()))?;
    stage.show(&format!("sealer build -t kubernetes:{VERSION} kubernetes"))?;
    Ok(Bench { stage, parts, hosts: None })
}

impl Bench {
    /// Takes the hosts away, and makes new ones.
    pub(crate) fn fresh(&mut self) -> Result<()> {
        if self.hosts.take().is_some() {
            let down =
                format!("bash {} down {}/hosts", hosts::script().display(), self.stage.dir().display());
            self.stage.show(&format!("rm -rf $SEALER_ROOT/clusters; {down}"))?;
        }
        let file = self.stage.place().join(PASSWD_FILE);
        fs::write(&file, PASSWORD).map_err(Failure::file(&file))?;
        let up = Hosts::up_line(&self.stage, &self.parts.root, 2);
        self.hosts = Some(Hosts::of(&self.stage.show(&up)?, 1)?);
        Ok(())
    }

    fn hosts(&self) -> &Hosts {
        self.hosts.as_ref().expect("hosts are made before they are used")
    }

    /// The command that is measured, with events as it prints.
    pub(crate) fn run(&self) -> Command {
        let mut command = self.stage.command(&self.stage.programs().join("sealer"));
        command.args(["--output", "json", "run", &format!("kubernetes:{VERSION}")]);
        command.args(self.hosts().flags().split(' ')).args(["-p", PASSWORD]);
        command
    }

    /// The same by hand; what each step took.
    pub(crate) fn bare(&mut self) -> Result<String> {
        let script = self.parts.scripts.join("bare.sh");
        let (master, node) = (self.hosts().masters[0].clone(), self.hosts().nodes[0].clone());
        let line = format!(
            "SEALER_LAB_PASSWORD={PASSWORD} bash {} kubernetes/rootfs 10.96.0.0/22 {master} {node}",
            script.display()
        );
        self.stage.show(&line)
    }

    /// Takes everything away.
    pub(crate) fn end(self) -> Result<()> {
        self.stage.clear().map(|_| ())
    }
}
