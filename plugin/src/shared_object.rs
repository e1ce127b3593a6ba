//! What a `.so` says of itself, read from the file without running it.

use object::{Object, ObjectSection, ObjectSymbol};
use sealer_plugin_abi as abi;

use crate::plugin::Verb;

/// The version of the plugin ABI that this sealer speaks.
pub const ABI_VERSION: u32 = abi::VERSION;

/// How a Go plugin becomes one that loads for ever.
pub const GO_REMEDY: &str = "rebuild it in two steps: export `PluginType` and `Plugin` by the C ABI \
(docs/reference/plugin-abi.md), then `go build -buildmode=c-shared`";

/// What a shared object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedObject {
    /// The processor it is for, in Go's words: `amd64`, `arm64`.
    pub architecture: String,
    /// What it exports.
    pub nature: Nature,
    /// The libraries that it needs, and what it asks of the C library: `libc.so.6 (GLIBC_2.34)`.
    pub libraries: Vec<String>,
}

/// What a shared object exports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Nature {
    /// A plugin by our ABI.
    Plugin {
        /// The string `PluginType`.
        kind: String,
        /// The `version` that the struct `Plugin` begins with, after its size.
        abi: u32,
        /// The functions that the struct holds.
        verbs: Vec<Verb>,
    },
    /// A plugin of Go's `-buildmode=plugin`, which only the program it was built with can load.
    GoPlugin,
    /// Neither.
    Other {
        /// What is missing: `it exports no `PluginType``.
        reason: String,
    },
}

/// A file that is no shared object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct InspectError {
    /// Why, as the rest of a sentence that begins with the file: `is truncated: …`.
    pub reason: String,
}

/// Reads what a shared object's bytes say.
///
/// # Errors
/// When they are no ELF shared object, or end too early.
pub fn inspect(bytes: &[u8]) -> Result<SharedObject, InspectError> {
    if bytes.len() < 64 || !bytes.starts_with(b"\x7fELF") {
        let reason = if bytes.starts_with(b"\x7fELF") { "is truncated" } else { "is no ELF file" };
        return Err(InspectError { reason: reason.to_owned() });
    }
    let truncated =
        |error: object::Error| InspectError { reason: format!("is truncated or broken: {error}") };
    check_length(bytes)?;
    let file = object::File::parse(bytes).map_err(truncated)?;
    if file.kind() != object::ObjectKind::Dynamic {
        return Err(InspectError { reason: "is no shared object".to_owned() });
    }
    Ok(SharedObject {
        architecture: architecture(file.architecture()),
        nature: nature(&file),
        libraries: libraries(&file).unwrap_or_default(),
    })
}

/// The section headers stand at the end of a file as linkers write it: without them it is cut.
fn check_length(bytes: &[u8]) -> Result<(), InspectError> {
    let is_64 = bytes[4] == 2;
    let number = |at: usize, width: usize| {
        let mut value = 0_u64;
        for index in (0..width).rev() {
            value = value << 8 | u64::from(bytes[at + index]);
        }
        value
    };
    let end = if is_64 {
        number(0x28, 8).saturating_add(number(0x3a, 2) * number(0x3c, 2))
    } else {
        number(0x20, 4) + number(0x2e, 2) * number(0x30, 2)
    };
    if end > bytes.len() as u64 {
        let reason = format!("is truncated: it should have at least {end} bytes and has {}", bytes.len());
        return Err(InspectError { reason });
    }
    Ok(())
}

fn architecture(architecture: object::Architecture) -> String {
    match architecture {
        object::Architecture::X86_64 => "amd64".to_owned(),
        object::Architecture::Aarch64 => "arm64".to_owned(),
        object::Architecture::I386 => "386".to_owned(),
        object::Architecture::Riscv64 => "riscv64".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    }
}

fn nature(file: &object::File<'_>) -> Nature {
    let symbol = |name: &str| {
        file.dynamic_symbols().find(|symbol| symbol.is_definition() && symbol.name() == Ok(name))
    };
    if file.section_by_name(".go.plugin").is_some() || is_go_plugin(file) {
        return Nature::GoPlugin;
    }
    let other = |reason: &str| Nature::Other { reason: reason.to_owned() };
    let Some(kind) = symbol("PluginType") else { return other("it exports no `PluginType`") };
    let Some(plugin) = symbol("Plugin") else { return other("it exports no `Plugin`") };
    let end = kind.address().saturating_add(kind.size().max(1));
    let is_pointer = file
        .dynamic_relocations()
        .into_iter()
        .flatten()
        .any(|(place, _)| (kind.address()..end).contains(&place));
    let text = data_at(file, kind.address()).filter(|_| !is_pointer);
    let text = text.map(|data| data.split(|byte| *byte == 0).next().unwrap_or_default());
    let kind = text.and_then(|text| std::str::from_utf8(text).ok()).filter(|kind| is_type_name(kind));
    let Some(kind) = kind else { return other("its `PluginType` is no array of characters") };
    let number = |at: usize| {
        let data = data_at(file, plugin.address())?;
        Some(u32::from_le_bytes(data.get(at..at + 4)?.try_into().ok()?))
    };
    match (number(0), number(4)) {
        (Some(size), Some(version)) => {
            let verbs = verbs(file, plugin.address(), size);
            Nature::Plugin { kind: kind.to_owned(), abi: version, verbs }
        }
        _ => other("its `Plugin` holds no data"),
    }
}

/// The functions of the struct at `address`: a pointer that is set is relocated when it is loaded.
fn verbs(file: &object::File<'_>, address: u64, size: u32) -> Vec<Verb> {
    let width = if file.is_64() { 8 } else { 4 };
    let places: Vec<u64> = file.dynamic_relocations().into_iter().flatten().map(|(place, _)| place).collect();
    let mut verbs = Vec::new();
    for (index, verb) in (0_u64..).zip(Verb::ALL) {
        let offset = 8 + index * width;
        if offset + width <= u64::from(size) && places.contains(&(address + offset)) {
            verbs.push(verb);
        }
    }
    verbs
}

/// Returns the processor that an ELF file is for; nothing for another file.
#[must_use]
pub fn architecture_of(bytes: &[u8]) -> Option<String> {
    let file = object::File::parse(bytes).ok()?;
    Some(architecture(file.architecture()))
}

/// `DT_NEEDED`, each with the newest of the versions that are asked of it.
fn libraries(file: &object::File<'_>) -> Option<Vec<String>> {
    let dynamic = file.section_by_name(".dynamic")?.data().ok()?;
    let strings = file.section_by_name(".dynstr")?.data().ok()?;
    if !file.is_64() {
        return None;
    }
    let text = |at: usize| {
        let bytes = strings.get(at..)?.split(|byte| *byte == 0).next()?;
        std::str::from_utf8(bytes).ok().map(str::to_owned)
    };
    let number = |bytes: &[u8]| bytes.try_into().ok().map(u64::from_le_bytes);
    let mut found = Vec::new();
    for entry in dynamic.chunks_exact(16) {
        if number(&entry[..8])? == u64::from(object::elf::DT_NEEDED) {
            found.push(text(usize::try_from(number(&entry[8..])?).ok()?)?);
        }
    }
    let newest = strings
        .split(|byte| *byte == 0)
        .filter_map(|name| std::str::from_utf8(name).ok()?.strip_prefix("GLIBC_"))
        .max_by_key(|version| {
            version.split('.').map(|part| part.parse::<u32>().unwrap_or(0)).collect::<Vec<_>>()
        });
    for library in &mut found {
        if let (Some(version), "libc.so.6") = (newest, library.as_str()) {
            library.push_str(&format!(" (GLIBC_{version})"));
        }
    }
    Some(found)
}

fn is_type_name(kind: &str) -> bool {
    !kind.is_empty() && kind.len() <= 128 && kind.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Go's linker gives a plugin the symbols of its module's table of plugins.
fn is_go_plugin(file: &object::File<'_>) -> bool {
    let tells = |name: &str| {
        name.starts_with("go.plugin.") || name.starts_with("go:plugin.") || name == "local.pluginmoduledata"
    };
    let dynamic = file.dynamic_symbols().filter_map(|symbol| symbol.name().ok());
    dynamic.chain(file.symbols().filter_map(|symbol| symbol.name().ok())).any(tells)
}

/// The bytes from an address to the end of its section, as the file has them.
fn data_at<'data>(file: &object::File<'data>, address: u64) -> Option<&'data [u8]> {
    let section = file.sections().find(|section| {
        let end = section.address().saturating_add(section.size());
        section.address() != 0 && (section.address()..end).contains(&address)
    })?;
    let offset = usize::try_from(address - section.address()).ok()?;
    section.data().ok()?.get(offset..)
}
