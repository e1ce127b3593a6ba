//! Signatures, keys and policies, without a network.

use std::path::Path;

use oci_spec::image::{Descriptor, MediaType};
use secrecy::SecretString;

use super::*;
use crate::digest::sha256;

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().expect("a folder");
    let store = Store::open(dir.path()).expect("a store");
    (dir, store)
}

/// An image of nothing, under a name.
fn image(store: &Store, name: &str) -> (Reference, Descriptor) {
    let layer = attached::layer(store, "text/plain", name.as_bytes(), BTreeMap::new()).expect("a layer");
    let name: Reference = name.parse().expect("a name");
    let manifest = attached::put(store, &name, &sha256(b"some"), Kind::Sbom, vec![layer]).expect("an image");
    store.tag(&manifest, &name).expect("it is there");
    store.untag(&attached::name(&name, &sha256(b"some"), Kind::Sbom)).expect("it was named so");
    (name, manifest)
}

fn policy(text: &str) -> Policy {
    Policy::parse(Path::new("policy.json"), text).expect("a policy")
}

/// A policy that asks for this key everywhere.
fn asking(key: &PrivateKey, identity: &str) -> Policy {
    let key = STANDARD.encode(key.public_key().to_pem());
    policy(&format!(
        r#"{{"default":[{{"type":"sigstoreSigned","keyData":"{key}","signedIdentity":{{"type":"{identity}"}}}}]}}"#
    ))
}

fn refusal(checked: std::result::Result<(), PolicyError>) -> String {
    checked.expect_err("it is refused").to_string()
}

#[test]
fn a_sealed_key_opens_with_its_passphrase_alone() {
    let key = PrivateKey::generate();
    let passphrase = SecretString::from("a good one");
    let pem = key.to_pem(&passphrase);
    let opened = PrivateKey::from_pem(&pem, Some(&passphrase)).expect("it opens");
    assert_eq!(opened.public_key(), key.public_key());
    let refused =
        |passphrase: Option<&SecretString>| PrivateKey::from_pem(&pem, passphrase).expect_err("not so");
    assert_eq!(refused(Some(&"another".into())), KeyError::Passphrase);
    assert_eq!(refused(None), KeyError::Sealed);
    let public = key.public_key().to_pem();
    assert_eq!(PublicKey::from_pem(&public), Ok(key.public_key()));
    assert_eq!(PublicKey::from_pem(&pem), Err(KeyError::Other { wanted: "public key" }));
}

#[test]
fn signing_twice_makes_one_signature_and_two_keys_make_two() {
    let (_dir, store) = store();
    let (name, image) = image(&store, "registry.example/demo:v1");
    let (one, two) = (PrivateKey::generate(), PrivateKey::generate());
    for key in [&one, &one, &two] {
        assert_eq!(sign(&store, &name, key).expect("it is signed"), [image.digest().clone()]);
    }
    let found = attached::find(&store, &name, image.digest(), Kind::Signatures).expect("readable");
    assert_eq!(attached::layers(&store, &found.expect("signed")).expect("readable").len(), 2);
    let claim = Claim { name: "registry.example/demo:v1".to_owned(), digest: image.digest().clone() };
    for key in [one, two] {
        let claims = claims(&store, &name, image.digest(), &[key.public_key()]).expect("readable");
        assert_eq!(claims, std::slice::from_ref(&claim));
    }
}

#[test]
fn a_policy_says_what_an_image_lacks() {
    let (_dir, store) = store();
    let (name, demo) = image(&store, "registry.example/demo:v1");
    let (key, other) = (PrivateKey::generate(), PrivateKey::generate());
    let digest = demo.digest().clone();
    let asking_for = |key| asking(key, "matchRepoDigestOrExact");
    assert_eq!(
        refusal(asking_for(&key).check(&store, &name, &demo)),
        format!("`registry.example/demo:v1` may not be used: it is not signed ({digest})")
    );
    sign(&store, &name, &other).expect("it is signed");
    assert_eq!(
        refusal(asking_for(&key).check(&store, &name, &demo)),
        format!(
            "`registry.example/demo:v1` may not be used: no signature of it is by the key that the policy asks for ({digest})"
        )
    );
    sign(&store, &name, &key).expect("it is signed");
    asking_for(&key).check(&store, &name, &demo).expect("it may be used");
    let renamed: Reference = "registry.example/demo:v2".parse().expect("a name");
    assert_eq!(
        refusal(asking_for(&key).check(&store, &renamed, &demo)),
        "`registry.example/demo:v2` may not be used: it was signed as `registry.example/demo:v1`"
    );
    asking(&key, "matchRepository").check(&store, &renamed, &demo).expect("any tag will do");
}

#[test]
fn a_signature_moved_to_another_image_says_nothing_of_it() {
    let (_dir, store) = store();
    let (name, demo) = image(&store, "registry.example/demo:v1");
    let (_, evil) = image(&store, "registry.example/demo:evil");
    let key = PrivateKey::generate();
    sign(&store, &name, &key).expect("it is signed");
    let signature = attached::find(&store, &name, demo.digest(), Kind::Signatures).expect("readable");
    let moved = attached::name(&name, evil.digest(), Kind::Signatures);
    store.tag(&signature.expect("signed"), &moved).expect("it is there");
    assert_eq!(
        refusal(asking(&key, "matchRepository").check(&store, &name, &evil)),
        format!(
            "`registry.example/demo:v1` may not be used: no signature of it is by the key that the policy asks for ({})",
            evil.digest()
        )
    );
}

#[test]
fn the_narrowest_part_of_a_policy_counts() {
    let policy = policy(
        r#"{"default":[{"type":"reject"}],"transports":{"docker":{
            "registry.example/team/demo:v1":[{"type":"insecureAcceptAnything"}],
            "registry.example/team":[{"type":"reject"}],
            "registry.example":[{"type":"insecureAcceptAnything"}],
            "*.inside.example":[{"type":"insecureAcceptAnything"}]}}}"#,
    );
    let (_dir, store) = store();
    let nothing = Descriptor::new(MediaType::ImageManifest, 0, sha256(b""));
    let may = |name: &str| policy.check(&store, &name.parse().expect("a name"), &nothing).is_ok();
    let names = [
        ("registry.example/team/demo:v1", true),
        ("registry.example/team/demo:v2", false),
        ("registry.example/other/demo:v2", true),
        ("a.inside.example/demo:v1", true),
        ("demo:v1", false),
    ];
    assert_eq!(names.map(|(name, _)| (name, may(name))), names);
}

#[test]
fn what_a_policy_cannot_say_is_refused_with_its_line() {
    let refused =
        |text: &str| Policy::parse(Path::new("policy.json"), text).expect_err("it is wrong").to_string();
    assert_eq!(
        refused("{\"default\":[\n{\"type\":\"signedBy\",\"keyType\":\"GPGKeys\"}]}"),
        "policy.json:2: unknown variant `signedBy`, expected one of `insecureAcceptAnything`, `reject`, `sigstoreSigned`"
    );
    assert_eq!(
        refused("{\"defaults\":[]}"),
        "policy.json:1: unknown field `defaults`, expected `default` or `transports`"
    );
}
