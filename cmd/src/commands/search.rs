//! `sealer search`: what a registry has.

use std::process::ExitCode;

use sealer_image::Reference;
use serde::Serialize;

use crate::cli::SearchArgs;
use crate::failure::{Failure, Kind};
use crate::render::{self, table};
use crate::settings::Settings;

#[derive(Serialize)]
struct Found {
    repository: String,
    tags: Vec<String>,
}

pub(super) fn run(args: &SearchArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let registry = settings.registry(&args.registry)?;
    let (host, text) = split(&args.term)?;
    let mut found = Vec::new();
    let whole: Option<Reference> = format!("{host}/{text}").parse().ok().filter(|_| !text.is_empty());
    let tags = match &whole {
        Some(reference) => registry.repository(settings.task(), reference).tags()?,
        None => Vec::new(),
    };
    if let (Some(reference), false) = (&whole, tags.is_empty()) {
        found.push(Found { repository: reference.repository().to_owned(), tags });
    } else {
        let all = registry.repositories(settings.task(), &host)?;
        for name in all.into_iter().filter(|name| name.contains(&text)) {
            let Ok(reference) = format!("{host}/{name}").parse::<Reference>() else { continue };
            let tags = registry.repository(settings.task(), &reference).tags()?;
            found.push(Found { repository: name, tags });
        }
    }
    let rows = found.iter().map(|one| vec![format!("{host}/{}", one.repository), one.tags.join(" ")]);
    render::data(settings, &table::table(&["REPOSITORY", "TAGS"], rows.collect()), &found)
}

/// A registry's host, and the rest.
fn split(term: &str) -> Result<(String, String), Failure> {
    let (first, rest) = term.split_once('/').unwrap_or((term, ""));
    if first.contains(['.', ':']) || first == "localhost" {
        return Ok((first.to_owned(), rest.to_owned()));
    }
    Err(Failure::new(Kind::Usage, format!("`{term}` names no registry"))
        .hint(format!("write its address before the text: `sealer search registry.example:5000/{term}`")))
}
