//! `sealer login`: checks credentials on a registry and keeps them.

use std::io::{IsTerminal, Read, Write, stderr, stdin};
use std::process::ExitCode;

use secrecy::SecretString;
use serde::Serialize;

use crate::cli::LoginArgs;
use crate::failure::{Failure, Kind};
use crate::render;
use crate::secret;
use crate::settings::Settings;

#[derive(Serialize)]
struct LoggedIn<'a> {
    registry: &'a str,
    username: &'a str,
}

pub(super) fn run(args: &LoginArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let username = username(args)?;
    let password = password(args)?;
    let registry = settings.registry(&args.reach)?;
    registry.login(settings.task(), &args.registry, &username, &password).map_err(|error| {
        Failure::from(error).doing(format!("cannot log in to `{}` as `{username}`", args.registry))
    })?;
    let text = format!("logged in to {} as {username}", args.registry);
    render::result(settings, &text, &LoggedIn { registry: &args.registry, username: &username })
}

fn username(args: &LoginArgs) -> Result<String, Failure> {
    if let Some(username) = &args.username {
        return Ok(username.clone());
    }
    if !stdin().is_terminal() {
        return Err(Failure::new(Kind::Usage, "no user is given").hint("`-u USER` gives it"));
    }
    let cannot = |error| Failure::new(Kind::Failed, "cannot ask for the user").because(error);
    write!(stderr(), "User: ").map_err(cannot)?;
    let mut line = String::new();
    stdin().read_line(&mut line).map_err(cannot)?;
    Ok(line.trim().to_owned())
}

fn password(args: &LoginArgs) -> Result<SecretString, Failure> {
    if let Some(password) = &args.password {
        return Ok(password.clone().into());
    }
    if args.password_stdin {
        let mut text = String::new();
        stdin().read_to_string(&mut text).map_err(|error| {
            Failure::new(Kind::Failed, "cannot read the password from standard input").because(error)
        })?;
        return Ok(secret::of_text(text));
    }
    secret::ask(&format!("Password for {}: ", args.registry))?.ok_or_else(|| {
        Failure::new(Kind::Usage, "no password is given")
            .hint("`--password-stdin` reads it from standard input")
    })
}
