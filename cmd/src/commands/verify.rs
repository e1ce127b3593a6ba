//! `sealer verify`: who signed an image, and whether it holds every container image that it needs.

use std::process::ExitCode;

use sealer_build::images::{Lack, verify};
use sealer_image::signature::{Claim, claims, is_signed};
use sealer_image::{Image, Store};
use serde::Serialize;

use crate::cli::VerifyArgs;
use crate::failure::{Failure, Kind};
use crate::settings::{Settings, platform};
use crate::{given, render, trust};

#[derive(Default, Serialize)]
struct Answer {
    image: String,
    digest: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    signed_as: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    needed: Option<usize>,
}

pub(super) fn run(args: &VerifyArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let store = settings.store()?;
    let name = args.image.familiar();
    let digest = store.resolve(&args.image)?.digest().to_string();
    let mut answer = Answer { image: name.clone(), digest, ..Answer::default() };
    let mut lines = Vec::new();
    if !args.key.is_empty() {
        let claims = signed(args, &store)?;
        lines.extend(claims.iter().map(|claim| format!("{name} is signed: {claim}")));
        answer.signed_as = claims.into_iter().map(|claim| claim.name).collect();
    }
    if let Some(file) = &args.policy {
        trust::held(file, &trust::read(file)?, &store, &args.image)?;
        lines.push(format!("{name} may be used: {} says so", file.display()));
    }
    if args.offline {
        let needed = offline(args, &store, settings)?;
        lines.push(format!("{name} holds all {needed} container images that it needs"));
        answer.needed = Some(needed);
    }
    render::result(settings, &lines.join("\n"), &answer)
}

fn signed(args: &VerifyArgs, store: &Store) -> Result<Vec<Claim>, Failure> {
    let keys = args.key.iter().map(|file| trust::public_key(file)).collect::<Result<Vec<_>, _>>()?;
    let image = store.resolve(&args.image)?;
    let claims = claims(store, &args.image, image.digest(), &keys)?;
    if !claims.is_empty() {
        return Ok(claims);
    }
    let name = args.image.familiar();
    let why = match is_signed(store, &args.image, image.digest())? {
        true => "is signed by others only",
        false => "is not signed",
    };
    Err(Failure::new(Kind::Failed, format!("`{name}` {why} ({})", image.digest())).hint(format!(
        "`sealer pull {name}` brings the signatures that its registry has; `sealer sign` makes one"
    )))
}

fn offline(args: &VerifyArgs, store: &Store, settings: &Settings) -> Result<usize, Failure> {
    for file in &args.ignored_image_list {
        given::there("--ignored-image-list", file)?;
    }
    let image = Image::open(store, &store.resolve(&args.image)?, &platform(args.platform.clone()))?;
    let verified = verify(settings.task(), store, &image, &settings.build_dir(), &args.ignored_image_list)?;
    match verified.lacking.is_empty() {
        true => Ok(verified.needed),
        false => Err(lacking(&args.image.familiar(), &verified.lacking)),
    }
}

fn lacking(name: &str, lacking: &[Lack]) -> Failure {
    let failure = Failure::new(Kind::Failed, format!("`{name}` cannot run offline"));
    let failure = lacking.iter().fold(failure, |failure, lack| {
        let place = lack.places.first().map(|place| format!("{place}: ")).unwrap_or_default();
        failure.details(&format!("  {place}`{}`: {}", lack.name, lack.why))
    });
    failure
        .hint("`sealer build` brings what manifests, charts and lists name; `--image-list FILE` names more")
        .hint("`--ignored-image-list FILE` leaves images out")
}
