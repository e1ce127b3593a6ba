//! `sealer sandbox`: throwaway hosts on this machine.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use sealer_sandbox::{Host, Sandbox, UpOptions, paste};
use secrecy::ExposeSecret;
use serde::Serialize;

use crate::cli::{SandboxCommand, SandboxUp};
use crate::failure::{Failure, Kind};
use crate::render::{self, table};
use crate::secret;
use crate::settings::Settings;

#[derive(Serialize)]
struct Up {
    hosts: Vec<Host>,
    paste: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

pub(super) fn run(command: &SandboxCommand, settings: &Settings) -> Result<ExitCode, Failure> {
    let sandbox = Sandbox::open(&settings.root.join("sandbox"))?;
    match command {
        SandboxCommand::Up(args) => up(&sandbox, args, settings),
        SandboxCommand::Ls => {
            let hosts = sandbox.list()?;
            let rows = hosts.iter().map(row).collect();
            render::data(settings, &table::table(&["HOST", "ADDRESS", "ROLE", "STATE"], rows), &hosts)
        }
        SandboxCommand::Exec { host, command } => exec(&sandbox, host, command),
        SandboxCommand::Cut(args) => each(&args.hosts, "cut off", settings, |host| sandbox.cut(host)),
        SandboxCommand::Mend(args) => each(&args.hosts, "mended", settings, |host| sandbox.mend(host)),
        SandboxCommand::Kill(args) => each(&args.hosts, "killed", settings, |host| sandbox.kill(host)),
        SandboxCommand::Down { hosts } => {
            let gone = sandbox.down(hosts)?;
            render::result(settings, &format!("removed {} hosts", gone.len()), &gone)
        }
    }
}

fn up(sandbox: &Sandbox, args: &SandboxUp, settings: &Settings) -> Result<ExitCode, Failure> {
    if args.count == 0 || args.masters > args.count {
        let message = format!("{} masters of {} hosts cannot be", args.masters, args.count);
        return Err(Failure::new(Kind::Usage, message));
    }
    let made_up = args.password.is_none().then(secret::made_up).transpose()?;
    let password = match (&args.password, &made_up) {
        (Some(password), _) => password.as_str(),
        (None, made_up) => made_up.as_ref().map_or("", |password| password.expose_secret()),
    };
    let options = UpOptions { hosts: args.count, masters: args.masters, password, disk: None };
    let task = settings.task().child("sandbox", format!("{} hosts", args.count), None)?;
    let hosts = sandbox.up(&options)?;
    task.finish();
    let mut text = table::table(&["HOST", "ADDRESS", "ROLE", "STATE"], hosts.iter().map(row).collect());
    let made_up = made_up.map(|password| password.expose_secret().to_owned());
    if let Some(password) = &made_up {
        let _ = write!(text, "\n\npassword: {password}");
    }
    let _ = write!(text, "\n\nrun an image on them:\n  sealer run IMAGE {} -p PASSWORD", paste(&hosts));
    render::result(settings, &text, &Up { paste: paste(&hosts), hosts, password: made_up })
}

fn row(host: &Host) -> Vec<String> {
    vec![host.name.clone(), host.address.to_string(), host.role.to_string(), host.state.to_string()]
}

fn exec(sandbox: &Sandbox, host: &str, command: &[String]) -> Result<ExitCode, Failure> {
    let output = sandbox.exec(host, command)?;
    let written = io::stdout()
        .lock()
        .write_all(&output.stdout)
        .and_then(|()| io::stderr().lock().write_all(&output.stderr));
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Kind::Failed, "cannot write the command's output").because(error))
        }
        _ => Ok(ExitCode::from(u8::try_from(output.status).unwrap_or(1))),
    }
}

fn each(
    hosts: &[String],
    done: &str,
    settings: &Settings,
    f: impl Fn(&str) -> sealer_sandbox::Result<()>,
) -> Result<ExitCode, Failure> {
    for host in hosts {
        f(host)?;
    }
    render::result(settings, &format!("{done}: {}", hosts.join(", ")), &hosts)
}
