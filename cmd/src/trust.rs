//! What is asked of images before they are used, and what comes along with them.

use std::path::{Path, PathBuf};

use sealer_image::signature::{Lack, Policy, PolicyError, PublicKey};
use sealer_image::{Descriptor, Error, Platform, Reference, Registry, Store, attached, transfer};
use sealer_runtime::World;
use sealer_stdx::task::Task;

use crate::cli::PolicyArgs;
use crate::failure::{Failure, Kind};
use crate::given;

/// Where the machine's own policy stands.
const POLICY: &str = "/etc/sealer/policy.json";

/// Brings an image and what hangs on it.
pub(crate) fn pull(
    task: &Task,
    store: &Store,
    registry: &Registry,
    name: &Reference,
    platform: &Platform,
) -> sealer_image::Result<Descriptor> {
    let image = transfer::pull(task, store, registry, name, platform)?;
    attached::pull(task, store, registry, name, &image)?;
    Ok(image)
}

/// Refuses to run an image that the policy refuses; it is brought here first, and no host is asked before.
pub(crate) fn admit(
    args: &PolicyArgs,
    task: &Task,
    world: &World<'_>,
    name: &Reference,
) -> Result<(), Failure> {
    let Some((file, policy)) = policy(args)? else { return Ok(()) };
    if let Err(Error::NotFound { .. }) = world.store.resolve(name) {
        let failed = |error| Failure::from(error).doing(format!("cannot run `{}`", name.familiar()));
        (world.pull)(task, name).map_err(failed)?;
    }
    held(&file, &policy, world.store, name)
        .map_err(|failure| failure.doing(format!("will not run `{}`", name.familiar())))
}

/// Holds an image against a policy.
pub(crate) fn held(file: &Path, policy: &Policy, store: &Store, name: &Reference) -> Result<(), Failure> {
    let image = store.resolve(name)?;
    policy.check(store, name, &image).map_err(|error| told(file, error))
}

/// Returns the policy that counts, with its file.
pub(crate) fn policy(args: &PolicyArgs) -> Result<Option<(PathBuf, Policy)>, Failure> {
    let file = match &args.policy {
        Some(file) => file.clone(),
        None if Path::new(POLICY).exists() => PathBuf::from(POLICY),
        None => return Ok(None),
    };
    read(&file).map(|policy| Some((file, policy)))
}

/// Reads a policy that an argument names.
pub(crate) fn read(file: &Path) -> Result<Policy, Failure> {
    let text = given::text("--policy", file)?;
    Policy::parse(file, &text).map_err(|error| told(file, error))
}

/// Reads a public key that an argument names.
pub(crate) fn public_key(file: &Path) -> Result<PublicKey, Failure> {
    PublicKey::from_pem(&given::text("--key", file)?).map_err(|error| {
        Failure::new(Kind::Usage, format!("--key: `{}`: {error}", file.display()))
            .hint("it is the `.pub` of the pair that `sealer key signing` makes")
    })
}

/// Tells why a policy lets an image not be used.
pub(crate) fn told(file: &Path, error: PolicyError) -> Failure {
    let message = error.to_string();
    let refusal = match error {
        PolicyError::Malformed { .. } => {
            return Failure::new(Kind::Input, message).hint("docs/reference/trust.md shows one");
        }
        PolicyError::Key { .. } => {
            return Failure::new(Kind::Input, message)
                .doing(format!("{}: a key cannot be used", file.display()));
        }
        PolicyError::Image(error) => return error.into(),
        PolicyError::Refused(refusal) => refusal,
    };
    let part = match refusal.scope.as_str() {
        "" => "its default".to_owned(),
        scope => format!("`{scope}`"),
    };
    let failure = Failure::new(Kind::Failed, message).hint(format!("{} says so, at {part}", file.display()));
    let name = refusal.reference.familiar();
    match refusal.why {
        Lack::Rejected => failure,
        Lack::Unsigned { .. } | Lack::Stranger { .. } => failure.hint(format!(
            "`sealer pull {name}` brings the signatures that its registry has; `sealer sign` makes one"
        )),
        Lack::Name { .. } => {
            failure.hint("`\"signedIdentity\": {\"type\": \"matchRepository\"}` takes any tag")
        }
    }
}
