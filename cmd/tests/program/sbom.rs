//! Bills of materials: what they say of an image, and that they go where it goes.

use std::fs;
use std::process::Command;

use sealer_testkit::{Registry, RegistryOptions};
use serde_json::{Value, json};

use crate::kit::User;

/// A program of Go's whose linker was given a version, in an image that holds a container image too.
fn image(user: &User, registry: &Registry, name: &str) {
    user.write("pause/Kubefile", "FROM scratch\nCOPY note.txt .\n");
    user.write("pause/note.txt", "stands for a container image\n");
    let pause = format!("{}/team/pause:3.9", registry.address());
    user.ok(&["build", "-t", &pause, "pause"]);
    user.ok(&["push", &pause]);
    user.write("tool/go.mod", "module example.com/tool\n\ngo 1.19\n");
    user.write("tool/main.go", "package main\n\nvar version string\n\nfunc main() { println(version) }\n");
    let built = Command::new("go")
        .current_dir(user.path("tool"))
        .envs([("GOFLAGS", "-mod=mod"), ("GOPROXY", "off"), ("CGO_ENABLED", "0")])
        .args(["build", "-buildvcs=false", "-ldflags=-X main.version=v1.2.3", "-o", "../demo/bin/tool", "."])
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    fs::copy("/bin/true", user.path("demo/bin/true")).unwrap();
    user.write("demo/bin/script.sh", "#!/bin/sh\n");
    user.write("demo/imageList", format!("{pause}\n"));
    user.write("demo/Kubefile", "FROM scratch\nCOPY bin .\nCOPY imageList manifests\n");
    user.ok(&["build", "-t", name, "demo"]);
}

/// The SHA-256 of a file of the user's, or of what an image's name leads to.
fn sum(user: &User, file: &str) -> String {
    let output = Command::new("sha256sum").arg(user.path(file)).output().unwrap();
    String::from_utf8_lossy(&output.stdout)[..64].to_owned()
}

fn digest_of(user: &User, name: &str) -> String {
    let images = user.data(&["images"]);
    let image = images.as_array().unwrap().iter().find(|image| image["name"] == name).unwrap();
    image["digest"].as_str().unwrap().trim_start_matches("sha256:").to_owned()
}

/// The version of Go, as programs tell it.
fn go_version() -> String {
    let output = Command::new("go").args(["env", "GOVERSION"]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().trim_start_matches("go").to_owned()
}

#[test]
fn programs_modules_and_container_images_are_listed_whole() {
    let registry = Registry::start(RegistryOptions::default());
    let user = User::new();
    image(&user, &registry, "demo:v1");
    let document: Value = serde_json::from_str(&user.ok(&["sbom", "demo:v1"])).unwrap();
    let address = registry.address().to_string();
    let (image, pause) =
        (digest_of(&user, "demo:v1"), digest_of(&user, &format!("{address}/team/pause:3.9")));
    let escaped = address.replace(':', "%3A");
    let purl = |purl: String| json!([{ "referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl }]);
    let sha256 = |sum: &str| json!([{ "algorithm": "SHA256", "checksumValue": sum }]);
    let expected = json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": "docker.io/library/demo:v1",
        "documentNamespace": format!("https://spdx.org/spdxdocs/sealer-sha256-{image}"),
        "creationInfo": {
            "created": "1970-01-01T00:00:00Z",
            "creators": [format!("Tool: sealer-{}", env!("CARGO_PKG_VERSION"))],
        },
        "packages": [
            {
                "name": "docker.io/library/demo",
                "SPDXID": "SPDXRef-Image",
                "versionInfo": "v1",
                "primaryPackagePurpose": "CONTAINER",
                "downloadLocation": "NOASSERTION",
                "filesAnalyzed": false,
                "checksums": sha256(&image),
                "externalRefs": purl(format!("pkg:oci/demo@sha256%3A{image}?repository_url=docker.io/library/demo&tag=v1")),
            },
            {
                "name": "tool",
                "SPDXID": "SPDXRef-Program-1",
                "versionInfo": "v1.2.3",
                "packageFileName": "bin/tool",
                "primaryPackagePurpose": "APPLICATION",
                "downloadLocation": "NOASSERTION",
                "filesAnalyzed": false,
                "checksums": sha256(&sum(&user, "demo/bin/tool")),
                "externalRefs": purl("pkg:golang/example.com/tool@v1.2.3".to_owned()),
            },
            {
                "name": "true",
                "SPDXID": "SPDXRef-Program-2",
                "packageFileName": "bin/true",
                "primaryPackagePurpose": "APPLICATION",
                "downloadLocation": "NOASSERTION",
                "filesAnalyzed": false,
                "checksums": sha256(&sum(&user, "demo/bin/true")),
            },
            {
                "name": format!("{address}/team/pause"),
                "SPDXID": "SPDXRef-ContainerImage-1",
                "versionInfo": "3.9",
                "primaryPackagePurpose": "CONTAINER",
                "downloadLocation": "NOASSERTION",
                "filesAnalyzed": false,
                "checksums": sha256(&pause),
                "externalRefs": purl(format!("pkg:oci/pause@sha256%3A{pause}?repository_url={escaped}/team/pause&tag=3.9")),
            },
            {
                "name": "stdlib",
                "SPDXID": "SPDXRef-Module-1",
                "versionInfo": go_version(),
                "primaryPackagePurpose": "LIBRARY",
                "downloadLocation": "NOASSERTION",
                "filesAnalyzed": false,
                "externalRefs": purl(format!("pkg:golang/stdlib@{}", go_version())),
            },
        ],
        "relationships": [
            { "spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-Image" },
            { "spdxElementId": "SPDXRef-Image", "relationshipType": "CONTAINS", "relatedSpdxElement": "SPDXRef-Program-1" },
            { "spdxElementId": "SPDXRef-Program-1", "relationshipType": "DEPENDS_ON", "relatedSpdxElement": "SPDXRef-Module-1" },
            { "spdxElementId": "SPDXRef-Image", "relationshipType": "CONTAINS", "relatedSpdxElement": "SPDXRef-Program-2" },
            { "spdxElementId": "SPDXRef-Image", "relationshipType": "CONTAINS", "relatedSpdxElement": "SPDXRef-ContainerImage-1" },
        ],
    });
    assert_eq!(document, expected);
}

/// The only layer of what hangs on an image, where cosign looks for a bill of materials.
fn attached(name: &str) -> Vec<u8> {
    let skopeo = |args: &[&str]| {
        let output = Command::new("skopeo").args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let folder = tempfile::tempdir().unwrap();
    let to = format!("dir:{}", folder.path().display());
    skopeo(&["--insecure-policy", "copy", "--src-tls-verify=false", &format!("docker://{name}"), &to]);
    let manifest: Value =
        serde_json::from_slice(&fs::read(folder.path().join("manifest.json")).unwrap()).unwrap();
    let layers = manifest["layers"].as_array().unwrap();
    assert_eq!((layers.len(), &layers[0]["mediaType"]), (1, &json!("text/spdx+json")));
    let digest = layers[0]["digest"].as_str().unwrap();
    fs::read(folder.path().join(digest.trim_start_matches("sha256:"))).unwrap()
}

#[test]
fn what_is_attached_goes_with_the_image_to_registries_and_into_files() {
    let registry = Registry::start(RegistryOptions::default());
    let user = User::new();
    let repository = format!("{}/demo", registry.address());
    let name = format!("{repository}:v1");
    image(&user, &registry, &name);
    let printed = user.ok(&["sbom", &name]);
    let digest = digest_of(&user, &name);
    assert_eq!(
        user.result(&["sbom", "--attach", &name]),
        json!({ "image": name, "digests": [format!("sha256:{digest}")] })
    );
    user.ok(&["push", &name]);
    let beside = format!("{repository}:sha256-{digest}.sbom");
    assert_eq!(String::from_utf8(attached(&beside)).unwrap(), printed);

    let other = User::new();
    other.ok(&["pull", &name]);
    other.ok(&["save", "-o", "demo.tar", &name]);
    let third = User::new();
    fs::copy(other.path("demo.tar"), third.path("demo.tar")).unwrap();
    third.ok(&["load", "-i", "demo.tar"]);
    let index = fs::read_to_string(third.path("root/images/index.json")).unwrap();
    assert!(index.contains(&format!("sha256-{digest}.sbom")), "{index}");
    assert_eq!(third.ok(&["sbom", &name]), printed);
}

#[test]
fn a_build_for_two_platforms_attaches_one_for_each_and_the_registry_has_them_and_their_signatures() {
    let registry = Registry::start(RegistryOptions::default());
    let user = User::new();
    let name = format!("{}/both:v1", registry.address());
    user.write("both/Kubefile", "FROM scratch\nCOPY note.txt .\n");
    user.write("both/note.txt", "a note\n");
    user.ok(&["build", "--sbom", "--platform", "linux/amd64,linux/arm64", "-t", &name, "both"]);
    user.write("passphrase", "a good one\n");
    user.ok(&["key", "signing", "release", "--key-passwd-file", "passphrase"]);
    user.ok(&["sign", "--key", "release.key", "--key-passwd-file", "passphrase", &name]);
    user.ok(&["push", &name]);
    for platform in ["linux/amd64", "linux/arm64"] {
        let other = User::new();
        other.write("release.pub", fs::read(user.path("release.pub")).unwrap());
        other.ok(&["pull", "--platform", platform, &name]);
        let digest = digest_of(&other, &name);
        assert_eq!(
            other.ok(&["verify", "--key", "release.pub", &name]),
            format!("{name} is signed: sha256:{digest} as `{name}`\n")
        );
        let beside = format!("{}/both:sha256-{digest}.sbom", registry.address());
        let attached: Value = serde_json::from_slice(&attached(&beside)).unwrap();
        assert_eq!(
            attached["documentNamespace"],
            format!("https://spdx.org/spdxdocs/sealer-sha256-{digest}")
        );
    }
}
