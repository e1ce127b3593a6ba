//! Who is let in, whom we trust, and what is said when not.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use sealer_image::registry::{RegistryError, Unreachable};
use sealer_image::transfer::copy;
use sealer_image::{Error, Registry, RegistrySettings};
use sealer_stdx::task::Task;
use sealer_testkit::{Action, Fault, Proxy, RegistryOptions};
use tempfile::tempdir;

use crate::support::{Memory, Wire, reference, settings};

fn secured() -> sealer_testkit::Registry {
    sealer_testkit::Registry::start(RegistryOptions::secured("sealer", "s3cret"))
}

fn trusting(server: &sealer_testkit::Registry) -> RegistrySettings {
    RegistrySettings { ca_files: vec![server.ca_file().unwrap().to_owned()], ..settings() }
}

fn failure(result: sealer_image::Result<impl std::fmt::Debug>) -> RegistryError {
    match result {
        Err(Error::Registry(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn login_keeps_the_password_for_the_next_push_and_logout_forgets_it() {
    let (server, task, dir, there) = (secured(), Task::unobserved(), tempdir().unwrap(), Memory::default());
    let auth_file = dir.path().join("docker/config.json");
    let settings = RegistrySettings { auth_file: Some(auth_file.clone()), ..trusting(&server) };
    let image = there.image(1, &[10]);
    let reference = reference(&server.address(), "demo:v1");
    let push =
        || copy(&task, &there, &Registry::new(settings.clone()).repository(&task, &reference), &image, 1);

    let refused = failure(push());
    assert!(matches!(refused, RegistryError::Unauthorized { credentials: false, .. }), "{refused:?}");
    let registry = Registry::new(settings.clone());
    registry.login(&task, &server.address(), "sealer", &"s3cret".into()).unwrap();
    assert_eq!(fs::metadata(&auth_file).unwrap().permissions().mode() & 0o777, 0o600);
    push().unwrap();
    assert!(registry.logout(&server.address()).unwrap());
    assert!(!registry.logout(&server.address()).unwrap());
    let refused = failure(push());
    assert!(matches!(refused, RegistryError::Unauthorized { credentials: false, .. }), "{refused:?}");
}

#[test]
fn a_wrong_password_is_refused_and_not_kept_and_not_shown() {
    let (server, task, dir) = (secured(), Task::unobserved(), tempdir().unwrap());
    let auth_file = dir.path().join("config.json");
    let registry =
        Registry::new(RegistrySettings { auth_file: Some(auth_file.clone()), ..trusting(&server) });
    let refused = failure(registry.login(&task, &server.address(), "sealer", &"hunter2".into()));
    let address = server.address();
    assert!(matches!(refused, RegistryError::Unauthorized { credentials: true, .. }), "{refused:?}");
    assert_eq!(refused.to_string(), format!("registry `{address}` refuses the credentials for `{address}`"));
    assert!(!format!("{refused:?}").contains("hunter2"));
    assert!(!auth_file.exists());
}

#[test]
fn a_certificate_is_trusted_by_file_by_folder_or_by_name_and_else_not() {
    let (server, task, dir) = (secured(), Task::unobserved(), tempdir().unwrap());
    let reference = reference(&server.address(), "demo:v1");
    let resolve =
        |settings| failure(Registry::new(settings).repository(&task, &reference).resolve().map(|_| ()));

    let unknown = resolve(settings());
    assert_eq!(
        unknown.to_string(),
        format!(
            "the certificate of registry `{}` is not trusted: it is signed by an unknown authority",
            server.address()
        )
    );
    assert!(matches!(unknown, RegistryError::Certificate { .. }), "{unknown:?}");

    let host = dir.path().join(server.address());
    fs::create_dir(&host).unwrap();
    fs::copy(server.ca_file().unwrap(), host.join("ca.crt")).unwrap();
    let certs_dirs = vec![dir.path().to_owned()];
    let insecure = vec![server.address()];
    for settings in [
        trusting(&server),
        RegistrySettings { certs_dirs, ..settings() },
        RegistrySettings { insecure, ..settings() },
    ] {
        let refused = resolve(settings);
        assert!(matches!(refused, RegistryError::Unauthorized { .. }), "{refused:?}");
    }
}

#[test]
fn a_file_without_a_certificate_is_named() {
    let (dir, task) = (tempdir().unwrap(), Task::unobserved());
    let path = dir.path().join("ca.crt");
    fs::write(&path, "nothing\n").unwrap();
    let registry = Registry::new(RegistrySettings { ca_files: vec![path.clone()], ..settings() });
    let refused = failure(registry.repository(&task, &reference("h.example", "a:b")).resolve());
    let expected = format!("{}: there is no certificate (PEM) in it", path.display());
    assert_eq!(refused.to_string(), expected);
}

#[test]
fn a_registry_that_is_down_is_told_at_once() {
    let (task, address) = (Task::unobserved(), Proxy::nowhere());
    let started = std::time::Instant::now();
    let registry = Registry::new(RegistrySettings::default());
    let refused = failure(registry.repository(&task, &reference(&address, "demo:v1")).resolve());
    assert!(matches!(refused, RegistryError::Unreachable { why: Unreachable::Refused, .. }), "{refused:?}");
    assert_eq!(
        refused.to_string(),
        format!("registry `{address}` cannot be reached for `{address}/demo:v1`: the connection is refused")
    );
    assert!(started.elapsed().as_secs() < 3);
}

#[test]
fn plain_http_is_spoken_where_it_is_asked_for_and_found_out_on_loopback_only() {
    let (wire, task) = (Wire::start(), Task::unobserved());
    // An address that leads to loopback, and that is not one of loopback's.
    let address = wire.proxy.address().replace("127.0.0.1", "0.0.0.0");
    let resolve = |settings, address: &str| {
        failure(Registry::new(settings).repository(&task, &reference(address, "demo:v1")).resolve())
    };
    let refused = resolve(settings(), &address);
    assert!(matches!(refused, RegistryError::PlainHttp { .. }), "{refused:?}");
    let asked = RegistrySettings { plain_http: vec![address.clone()], ..settings() };
    assert!(matches!(resolve(asked, &address), RegistryError::ManifestUnknown { .. }));
    let found = resolve(settings(), &wire.proxy.address());
    assert!(matches!(found, RegistryError::ManifestUnknown { .. }), "{found:?}");
}

#[test]
fn tokens_are_got_by_password_one_for_each_scope() {
    let (server, task, dir) = (
        sealer_testkit::Registry::start_with_tokens("sealer", "s3cret"),
        Task::unobserved(),
        tempdir().unwrap(),
    );
    let there = Memory::default();
    let image = there.image(1, &[10, 20, 30, 2 << 20]);
    let reference = reference(&server.address(), "team/demo:v1");
    let stranger = Registry::new(settings());
    let refused = failure(copy(&task, &there, &stranger.repository(&task, &reference), &image, 4));
    assert!(matches!(refused, RegistryError::Unauthorized { credentials: false, .. }), "{refused:?}");

    let settings = RegistrySettings { auth_file: Some(dir.path().join("config.json")), ..settings() };
    let registry = Registry::new(settings);
    let refused = failure(registry.login(&task, &server.address(), "sealer", &"hunter2".into()));
    assert!(matches!(refused, RegistryError::Unauthorized { credentials: true, .. }), "{refused:?}");
    registry.login(&task, &server.address(), "sealer", &"s3cret".into()).unwrap();
    let before = server.tokens_given().len();
    let repository = registry.repository(&task, &reference);
    copy(&task, &there, &repository, &image, 4).unwrap();
    repository.tag(&image, &there).unwrap();
    assert_eq!(repository.resolve().unwrap(), image);
    copy(&task, &repository, &Memory::default(), &image, 4).unwrap();
    assert_eq!(
        server.tokens_given()[before..],
        ["repository:team/demo:pull,push", "repository:team/demo:pull"]
    );
}

#[test]
fn a_refused_token_is_renewed_in_the_middle() {
    let (server, task, dir) = (
        sealer_testkit::Registry::start_with_tokens("sealer", "s3cret"),
        Task::unobserved(),
        tempdir().unwrap(),
    );
    let proxy = Proxy::start(&server.address());
    let there = Memory::default();
    let image = there.image(1, &[2 << 20]);
    let settings = RegistrySettings { auth_file: Some(dir.path().join("config.json")), ..settings() };
    let registry = Registry::new(settings);
    registry.login(&task, &proxy.address(), "sealer", &"s3cret".into()).unwrap();
    let reference = reference(&proxy.address(), "demo:v1");
    let before = server.tokens_given().len();
    for method in ["PATCH", "PUT"] {
        proxy.inject(Fault::on(method, "/blobs/uploads/", Action::status(401)));
    }
    copy(&task, &there, &registry.repository(&task, &reference), &image, 1).unwrap();
    assert_eq!(server.tokens_given()[before..], ["repository:demo:pull,push"; 3]);
}

#[test]
fn an_identity_token_is_exchanged() {
    let (server, task, dir) = (
        sealer_testkit::Registry::start_with_tokens("sealer", "s3cret"),
        Task::unobserved(),
        tempdir().unwrap(),
    );
    let auth_file = dir.path().join("config.json");
    let auths = format!(r#"{{ "auths": {{ "{}": {{ "identitytoken": "s3cret" }} }} }}"#, server.address());
    fs::write(&auth_file, auths).unwrap();
    let registry = Registry::new(RegistrySettings { auth_file: Some(auth_file), ..settings() });
    let reference = reference(&server.address(), "demo:v1");
    let found = failure(registry.repository(&task, &reference).resolve());
    assert!(matches!(found, RegistryError::ManifestUnknown { .. }), "{found:?}");
}
