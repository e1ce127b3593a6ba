//! The document, in SPDX 2.3's own words: <https://spdx.github.io/spdx-spec/v2.3/>.

use std::collections::BTreeMap;

use sealer_image::{Digest, Image, Reference};
use serde::Serialize;

use super::program::Module;
use super::{Contents, Program};
use crate::images::held::HeldImage;

/// A document of SPDX 2.3, which is written as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    spdx_version: &'static str,
    data_license: &'static str,
    #[serde(rename = "SPDXID")]
    id: &'static str,
    name: String,
    document_namespace: String,
    creation_info: CreationInfo,
    packages: Vec<Package>,
    relationships: Vec<Relationship>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct CreationInfo {
    created: String,
    creators: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Package {
    name: String,
    #[serde(rename = "SPDXID")]
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_info: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    package_file_name: Option<String>,
    primary_package_purpose: &'static str,
    download_location: &'static str,
    files_analyzed: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checksums: Vec<Checksum>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    external_refs: Vec<ExternalRef>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Checksum {
    algorithm: &'static str,
    checksum_value: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct ExternalRef {
    reference_category: &'static str,
    reference_type: &'static str,
    reference_locator: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Relationship {
    spdx_element_id: String,
    relationship_type: &'static str,
    related_spdx_element: String,
}

const DOCUMENT: &str = "SPDXRef-DOCUMENT";
const IMAGE: &str = "SPDXRef-Image";
/// What SPDX says where nobody knows.
const UNKNOWN: &str = "NOASSERTION";
/// The time of an image that has none.
const EPOCH: &str = "1970-01-01T00:00:00Z";

impl Document {
    /// The document's text.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a document is plain data");
        text.push('\n');
        text
    }
}

pub(super) fn document(
    (reference, image): (&Reference, &Image),
    contents: &Contents,
    version: &str,
) -> Document {
    let digest = image.descriptor.digest();
    let modules: BTreeMap<&Module, String> = contents
        .modules()
        .into_iter()
        .enumerate()
        .map(|(at, module)| (module, format!("SPDXRef-Module-{}", at + 1)))
        .collect();
    let mut packages = vec![of_image(IMAGE.to_owned(), Named::of(reference), digest)];
    let mut relationships = vec![related(DOCUMENT, "DESCRIBES", IMAGE)];
    for (at, program) in contents.programs.iter().enumerate() {
        let id = format!("SPDXRef-Program-{}", at + 1);
        relationships.push(related(IMAGE, "CONTAINS", &id));
        relationships
            .extend(program.says.modules.iter().map(|module| related(&id, "DEPENDS_ON", &modules[module])));
        packages.push(of_program(id, program));
    }
    for (at, held) in contents.images.iter().enumerate() {
        let id = format!("SPDXRef-ContainerImage-{}", at + 1);
        relationships.push(related(IMAGE, "CONTAINS", &id));
        packages.push(of_image(id, Named::held(held), &held.digest));
    }
    packages.extend(modules.into_iter().map(|(module, id)| of_module(id, module)));
    Document {
        spdx_version: "SPDX-2.3",
        data_license: "CC0-1.0",
        id: DOCUMENT,
        name: reference.to_string(),
        document_namespace: format!(
            "https://spdx.org/spdxdocs/sealer-{}-{}",
            digest.algorithm(),
            digest.digest()
        ),
        creation_info: CreationInfo {
            created: created(image),
            creators: vec![format!("Tool: sealer-{version}")],
        },
        packages,
        relationships,
    }
}

/// The name of an image, in the parts that others look for.
struct Named<'a> {
    name: String,
    repository: String,
    tag: Option<&'a str>,
}

impl<'a> Named<'a> {
    fn of(reference: &'a Reference) -> Self {
        let repository = format!("{}/{}", reference.registry(), reference.repository());
        Self { name: repository.clone(), repository, tag: reference.tag() }
    }

    fn held(held: &'a HeldImage) -> Self {
        Self { name: held.repository.clone(), repository: held.repository.clone(), tag: held.tag.as_deref() }
    }
}

fn of_image(id: String, named: Named<'_>, digest: &Digest) -> Package {
    let last = named.repository.rsplit('/').next().unwrap_or_default();
    let mut purl =
        format!("pkg:oci/{last}@{}?repository_url={}", escaped(digest.as_ref()), escaped(&named.repository));
    if let Some(tag) = named.tag {
        purl.push_str(&format!("&tag={}", escaped(tag)));
    }
    Package {
        version_info: Some(named.tag.map_or_else(|| digest.to_string(), str::to_owned)),
        checksums: vec![checksum(digest)],
        external_refs: vec![purl_of(purl)],
        ..package(named.name, id, "CONTAINER")
    }
}

fn of_program(id: String, program: &Program) -> Package {
    let name = program.path.rsplit('/').next().unwrap_or_default();
    let purl = program.says.module.as_ref().zip(program.says.version.as_ref());
    Package {
        version_info: program.says.version.clone(),
        package_file_name: Some(program.path.clone()),
        checksums: vec![checksum(&program.digest)],
        external_refs: purl.map(|(path, version)| golang(path, version)).into_iter().collect(),
        ..package(name.to_owned(), id, "APPLICATION")
    }
}

fn of_module(id: String, module: &Module) -> Package {
    Package {
        version_info: Some(module.version.clone()),
        external_refs: vec![golang(&module.path, &module.version)],
        ..package(module.path.clone(), id, "LIBRARY")
    }
}

fn package(name: String, id: String, purpose: &'static str) -> Package {
    Package {
        name,
        id,
        version_info: None,
        package_file_name: None,
        primary_package_purpose: purpose,
        download_location: UNKNOWN,
        files_analyzed: false,
        checksums: Vec::new(),
        external_refs: Vec::new(),
    }
}

fn golang(path: &str, version: &str) -> ExternalRef {
    purl_of(format!("pkg:golang/{}@{}", escaped(path), escaped(version)))
}

fn purl_of(purl: String) -> ExternalRef {
    ExternalRef { reference_category: "PACKAGE-MANAGER", reference_type: "purl", reference_locator: purl }
}

fn checksum(digest: &Digest) -> Checksum {
    let algorithm = if digest.algorithm().as_ref() == "sha512" { "SHA512" } else { "SHA256" };
    Checksum { algorithm, checksum_value: digest.digest().to_owned() }
}

fn related(element: &str, how: &'static str, other: &str) -> Relationship {
    Relationship {
        spdx_element_id: element.to_owned(),
        relationship_type: how,
        related_spdx_element: other.to_owned(),
    }
}

/// Percent encoding, as purl wants it: slashes stand for themselves.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                escaped.push(char::from(byte));
            }
            byte => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

/// The image's time in whole seconds, as SPDX wants it.
fn created(image: &Image) -> String {
    let text = image.config.created().as_deref().unwrap_or(EPOCH);
    match (text.get(..19), text.ends_with('Z')) {
        (Some(time), true) => format!("{time}Z"),
        _ => EPOCH.to_owned(),
    }
}
