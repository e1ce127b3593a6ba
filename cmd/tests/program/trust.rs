//! Signatures that openssl verifies and skopeo finds, and policies that keep images from running.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sealer_testkit::{Registry, RegistryOptions};
use serde_json::{Value, json};

use crate::kit::User;

/// A user with a pair of keys and an image of this name.
fn with_image(name: &str) -> User {
    let user = User::new();
    user.write("passphrase", "a good one\n");
    let made = user.ok(&["key", "signing", "release", "--key-passwd-file", "passphrase"]);
    assert_eq!(made, "made release.key, which signs, and release.pub, which verifies\n");
    user.write("context/Kubefile", "FROM scratch\nCOPY note.txt .\n");
    user.write("context/note.txt", "a note\n");
    user.ok(&["build", "-t", name, "context"]);
    user
}

fn sign(user: &User, name: &str) -> String {
    let signed = user.result(&["sign", "--key", "release.key", "--key-passwd-file", "passphrase", name]);
    signed["digests"][0].as_str().unwrap().to_owned()
}

/// A document of the user's store.
fn blob(user: &User, digest: &str) -> Vec<u8> {
    fs::read(user.path("root/images/blobs/sha256").join(digest.trim_start_matches("sha256:"))).unwrap()
}

/// The payload and the signature of the only signature in the user's store.
fn signature(user: &User) -> (Vec<u8>, Vec<u8>) {
    let index: Value =
        serde_json::from_slice(&fs::read(user.path("root/images/index.json")).unwrap()).unwrap();
    let is_signature = |entry: &&Value| {
        entry["annotations"]["org.opencontainers.image.ref.name"].as_str().unwrap().ends_with(".sig")
    };
    let entry = index["manifests"].as_array().unwrap().iter().find(is_signature).unwrap();
    let manifest: Value = serde_json::from_slice(&blob(user, entry["digest"].as_str().unwrap())).unwrap();
    let layer = &manifest["layers"][0];
    let made = layer["annotations"]["dev.cosignproject.cosign/signature"].as_str().unwrap();
    (blob(user, layer["digest"].as_str().unwrap()), STANDARD.decode(made).unwrap())
}

/// Writes a policy that asks for the user's key, for the name exactly.
fn policy(user: &User) -> PathBuf {
    let key = user.path("release.pub");
    let asked = json!({ "default": [{ "type": "sigstoreSigned", "keyPath": key }] });
    user.write("policy.json", asked.to_string())
}

/// Runs a peer in the user's folder, and returns whether it succeeded and all that it printed.
fn peer(user: &User, program: &str, args: &[&str]) -> (bool, String) {
    let output = Command::new(program).args(args).current_dir(user.path("")).output().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(printed).unwrap())
}

#[test]
fn openssl_verifies_what_sealer_signs_and_sealer_signs_with_openssls_key() {
    let user = with_image("demo:v1");
    let digest = sign(&user, "demo:v1");
    let (payload, made) = signature(&user);
    let says: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(
        says["critical"],
        json!({
            "identity": { "docker-reference": "docker.io/library/demo:v1" },
            "image": { "docker-manifest-digest": digest },
            "type": "cosign container image signature",
        })
    );
    user.write("payload", payload);
    user.write("signature", made);
    let verify = ["dgst", "-sha256", "-verify", "release.pub", "-signature", "signature", "payload"];
    assert_eq!(peer(&user, "openssl", &verify), (true, "Verified OK\n".to_owned()));

    let curve = ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "other.key"];
    assert!(peer(&user, "openssl", &curve).0);
    assert!(peer(&user, "openssl", &["pkey", "-in", "other.key", "-pubout", "-out", "other.pub"]).0);
    user.refused(
        &["verify", "--key", "other.pub", "demo:v1"],
        1,
        &format!(
            "error: `demo:v1` is signed by others only ({digest})\n\
             hint: `sealer pull demo:v1` brings the signatures that its registry has; `sealer sign` makes one\n"
        ),
    );
    user.ok(&["sign", "--key", "other.key", "demo:v1"]);
    for key in ["other.pub", "release.pub"] {
        assert_eq!(
            user.ok(&["verify", "--key", key, "demo:v1"]),
            format!("demo:v1 is signed: {digest} as `docker.io/library/demo:v1`\n")
        );
    }
}

#[test]
fn a_signature_stands_in_the_registry_where_cosign_has_it_and_comes_with_its_image() {
    let registry = Registry::start(RegistryOptions::default());
    let repository = format!("{}/demo", registry.address());
    let name = format!("{repository}:v1");
    let user = with_image(&name);
    let digest = sign(&user, &name);
    user.ok(&["push", &name]);
    let attached = format!("docker://{repository}:{}.sig", digest.replace(':', "-"));
    let (there, manifest) = peer(&user, "skopeo", &["inspect", "--raw", "--tls-verify=false", &attached]);
    assert!(there, "{manifest}");
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let layers = manifest["layers"].as_array().unwrap();
    let media_types: Vec<&Value> = layers.iter().map(|layer| &layer["mediaType"]).collect();
    assert_eq!(media_types, ["application/vnd.dev.cosign.simplesigning.v1+json"]);

    let other = User::new();
    other.write("release.pub", fs::read(user.path("release.pub")).unwrap());
    policy(&other);
    other.ok(&["pull", &name]);
    assert_eq!(
        other.ok(&["verify", "--policy", "policy.json", &name]),
        format!("{name} may be used: policy.json says so\n")
    );
}

#[test]
fn an_image_that_the_policy_refuses_is_not_run_and_no_host_is_asked() {
    let host = TcpListener::bind("127.0.0.1:0").unwrap();
    host.set_nonblocking(true).unwrap();
    let port = host.local_addr().unwrap().port();
    let user = with_image("demo:v1");
    policy(&user);
    let digest = user.data(&["images"])[0]["digest"].as_str().unwrap().to_owned();
    let run = ["run", "demo:v1", "-m", &format!("127.0.0.1:{port}"), "-p", "x", "--policy", "policy.json"];
    user.refused(
        &run,
        1,
        &format!(
            "error: will not run `demo:v1`\n  caused by: `demo:v1` may not be used: it is not signed ({digest})\n\
             hint: policy.json says so, at its default\n\
             hint: `sealer pull demo:v1` brings the signatures that its registry has; `sealer sign` makes one\n"
        ),
    );
    assert_eq!(host.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    assert!(!user.path("root/clusters/my-cluster").exists());
    // Under another name it is not what was signed.
    sign(&user, "demo:v1");
    user.ok(&["tag", "demo:v1", "demo:v2"]);
    user.refused(
        &["run", "demo:v2", "-m", &format!("127.0.0.1:{port}"), "-p", "x", "--policy", "policy.json"],
        1,
        "error: will not run `demo:v2`\n  caused by: `demo:v2` may not be used: it was signed as `docker.io/library/demo:v1`\n\
         hint: policy.json says so, at its default\n\
         hint: `\"signedIdentity\": {\"type\": \"matchRepository\"}` takes any tag\n",
    );
    assert_eq!(host.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn a_signature_is_carried_in_a_file_and_goes_with_its_image() {
    let user = with_image("demo:v1");
    sign(&user, "demo:v1");
    user.ok(&["save", "-o", "demo.tar", "demo:v1"]);
    user.ok(&["rmi", "demo:v1"]);
    let index = fs::read_to_string(user.path("root/images/index.json")).unwrap();
    assert!(!index.contains(".sig"), "{index}");
    assert_eq!(user.ok(&["load", "-i", "demo.tar"]), "loaded demo:v1\n");
    assert_eq!(user.images(), ["demo:v1"]);
    policy(&user);
    assert_eq!(
        user.ok(&["verify", "--policy", "policy.json", "--key", "release.pub", "demo:v1"]).lines().count(),
        2
    );
}

#[test]
fn a_wrong_passphrase_key_or_policy_is_said_to_be_so() {
    let user = with_image("demo:v1");
    user.write("wrong", "not this\n");
    let sign = |key: &str, passphrase: &str, code: i32, said: &str| {
        user.refused(&["sign", "--key", key, "--key-passwd-file", passphrase, "demo:v1"], code, said);
    };
    sign(
        "release.key",
        "wrong",
        2,
        "error: --key: `release.key`: the passphrase does not open it\nhint: `--key-passwd-file FILE` says it\n",
    );
    sign(
        "release.pub",
        "passphrase",
        2,
        "error: --key: `release.pub`: it holds no private key\nhint: `sealer key signing NAME` makes one\n",
    );
    sign(
        "relaese.key",
        "passphrase",
        2,
        "error: --key: there is no file `relaese.key`\nhint: did you mean `release.key`?\n",
    );
    user.write("policy.json", "{\n  \"default\": [{\"type\": \"signedBy\", \"keyType\": \"GPGKeys\"}]\n}\n");
    user.refused(
        &["verify", "--policy", "policy.json", "demo:v1"],
        3,
        "error: policy.json:2: unknown variant `signedBy`, expected one of `insecureAcceptAnything`, `reject`, `sigstoreSigned`\n\
         hint: docs/reference/trust.md shows one\n",
    );
}

#[test]
fn nothing_is_built_upon_or_of_what_the_policy_refuses() {
    let registry = Registry::start(RegistryOptions::default());
    let names = ["base:v1", "app:v1"].map(|name| format!("{}/{name}", registry.address()));
    let [base, app] = &names;
    let author = with_image(base);
    author.ok(&["tag", base, app]);
    for name in &names {
        author.ok(&["push", name]);
    }
    let digest = author.data(&["images"])[0]["digest"].as_str().unwrap().to_owned();

    let user = User::new();
    user.write("release.pub", fs::read(author.path("release.pub")).unwrap());
    policy(&user);
    user.write("context/Kubefile", format!("FROM {base}\nCOPY imageList manifests\n"));
    user.write("context/imageList", format!("{app}\n"));
    let build = ["build", "-t", "demo:v1", "--policy", "policy.json", "context"];
    user.refused(
        &build,
        1,
        &format!(
            "error: cannot build `demo:v1`\n  caused by: will not build on `{base}`\n  \
             caused by: `{base}` may not be used: it is not signed ({digest})\n\
             hint: policy.json says so, at its default\n\
             hint: `sealer pull {base}` brings the signatures that its registry has; `sealer sign` makes one\n"
        ),
    );

    sign(&author, base);
    author.ok(&["push", base]);
    user.ok(&["pull", base]);
    user.refused(
        &build,
        1,
        &format!(
            "error: cannot build `demo:v1`\n  caused by: 1 image that the cluster needs cannot be brought along\n  \
             manifests/imageList:1: `{app}` may not be used: it is not signed ({digest})\n\
             hint: `--ignored-image-list FILE` leaves images out; `--allow-missing` warns and builds without them\n\
             hint: policy.json says which may be used\n"
        ),
    );
    assert_eq!(user.images(), [base.as_str()]);

    sign(&author, app);
    author.ok(&["push", app]);
    user.ok(&build);
    // What an earlier build brought is held against a stricter policy too.
    user.write("policy.json", r#"{"default": [{"type": "reject"}]}"#);
    let said = user.sealer(&build);
    assert_eq!(
        (said.code, said.stderr.contains("the policy rejects it")),
        (Some(1), true),
        "{}",
        said.stderr
    );
}
