//! What a program says of itself: Go writes into each what it was built from (`go version -m` reads the same).

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use memchr::memmem;

/// What an ELF file begins with.
const ELF: &[u8] = b"\x7fELF";
/// What the block begins with, at an address that is a multiple of 16 (Go's `debug/buildinfo`).
const MAGIC: &[u8] = b"\xff Go buildinf:";
/// The block's head, before its two strings.
const HEAD: usize = 32;
/// The flag of a head that strings follow, as they do since Go 1.18; before, pointers did.
const INLINE: u8 = 2;
/// What stands around the second string.
const SENTINEL: usize = 16;

/// Something that a program was built from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Module {
    /// Its path, as Go names it.
    pub(super) path: String,
    /// Its version.
    pub(super) version: String,
}

/// What a program says of itself; nothing, where it is not Go's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Says {
    /// The module that it is of.
    pub(super) module: Option<String>,
    /// Its version.
    pub(super) version: Option<String>,
    /// What it was built from, the compiler's library among it.
    pub(super) modules: Vec<Module>,
}

/// Whether a file is a program or a library of programs.
pub(super) fn is_one(file: &Path) -> io::Result<bool> {
    let mut begin = Vec::new();
    File::open(file)?.take(ELF.len() as u64).read_to_end(&mut begin)?;
    Ok(begin == ELF)
}

/// Reads what a program says.
pub(super) fn read(bytes: &[u8]) -> Says {
    block(bytes).map(|(go, text)| says(&go, &text)).unwrap_or_default()
}

/// The block's two strings: Go's version, and lines on modules.
fn block(bytes: &[u8]) -> Option<(String, String)> {
    let at = memmem::find_iter(bytes, MAGIC).find(|at| at % 16 == 0)?;
    let block = bytes.get(at..)?;
    if block.get(MAGIC.len() + 1)? & INLINE == 0 {
        return None;
    }
    let (go, rest) = string(block.get(HEAD..)?)?;
    let (text, _) = string(rest)?;
    let text = text.get(SENTINEL..text.len().checked_sub(SENTINEL)?)?;
    Some((String::from_utf8_lossy(go).into_owned(), String::from_utf8_lossy(text).into_owned()))
}

/// A string with its length before it, seven bits a byte, and what stands behind it.
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut length, mut at) = (0_usize, 0);
    loop {
        let byte = *bytes.get(at)?;
        length |= usize::from(byte & 0x7f).checked_shl(u32::try_from(at * 7).ok()?)?;
        at += 1;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let end = at.checked_add(length)?;
    Some((bytes.get(at..end)?, bytes.get(end..)?))
}

fn says(go: &str, text: &str) -> Says {
    let mut says = Says::default();
    for line in text.lines() {
        match line.split('\t').collect::<Vec<_>>()[..] {
            ["mod", path, version, ..] => {
                says.module = Some(path.to_owned());
                says.version = Some(version).filter(|version| *version != "(devel)").map(str::to_owned);
            }
            ["dep", path, version, ..] => {
                says.modules.push(Module { path: path.to_owned(), version: version.to_owned() });
            }
            // What the module above was replaced by.
            ["=>", path, version, ..] => {
                if let Some(replaced) = says.modules.last_mut() {
                    *replaced = Module { path: path.to_owned(), version: version.to_owned() };
                }
            }
            ["build", setting] => {
                if let Some(flags) = setting.strip_prefix("-ldflags=")
                    && let Some(version) = given(flags)
                {
                    says.version = Some(version);
                }
            }
            _ => {}
        }
    }
    // Replaced by a folder, it has no version that anybody knows.
    says.modules.retain(|module| !module.version.is_empty());
    let version = go.split(' ').next().unwrap_or_default().trim_start_matches("go");
    says.modules.push(Module { path: "stdlib".to_owned(), version: version.to_owned() });
    says
}

/// The version that the linker was given (`-X main.version=v1.2`), as Kubernetes and many others do it; where
/// there are several, git's.
fn given(flags: &str) -> Option<String> {
    let words = flags.split(|c: char| c.is_whitespace() || "\"'\\".contains(c));
    let mut versions = words.filter_map(|word| word.split_once('=')).filter(|(name, value)| {
        let is_number = value.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit());
        name.to_lowercase().ends_with("version") && is_number && value.contains('.')
    });
    let first = versions.next()?;
    let of_git = versions.chain([first]).find(|(name, _)| name.ends_with("gitVersion"));
    Some(of_git.unwrap_or(first).1.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(text: &str) -> Vec<u8> {
        let mut bytes = b"\x7fELF and more.  \xff Go buildinf:\x08\x02".to_vec();
        bytes.resize(16 + HEAD, 0);
        let around = "0123456789abcdef";
        for string in ["go1.22.1 X:none", &format!("{around}{text}{around}")] {
            bytes.extend([
                u8::try_from(string.len() % 128).unwrap() | 0x80,
                u8::try_from(string.len() / 128).unwrap(),
            ]);
            bytes.extend(string.bytes());
        }
        bytes
    }

    fn module(path: &str, version: &str) -> Module {
        Module { path: path.to_owned(), version: version.to_owned() }
    }

    #[test]
    fn a_program_tells_its_version_and_what_it_was_built_from() {
        let text = "path\tk8s.io/kubernetes/cmd/kubeadm\nmod\tk8s.io/kubernetes\t(devel)\t\n\
                    dep\tgithub.com/a/b\tv1.0.0\th1:x=\ndep\tk8s.io/api\tv0.0.0\n=>\t./staging/src/k8s.io/api\t\n\
                    dep\tc.d/e\tv1.1.0\n=>\tc.d/f\tv1.2.0\th1:y=\n\
                    build\t-compiler=gc\nbuild\t-ldflags=\"-X main.goVersion=1.20.0 -X 'k8s.io/base/version.gitVersion=v1.33.2' -s\"\n";
        let expected = Says {
            module: Some("k8s.io/kubernetes".to_owned()),
            version: Some("v1.33.2".to_owned()),
            modules: vec![
                module("github.com/a/b", "v1.0.0"),
                module("c.d/f", "v1.2.0"),
                module("stdlib", "1.22.1"),
            ],
        };
        assert_eq!(read(&program(text)), expected);
    }

    #[test]
    fn what_is_cut_off_or_not_gos_says_nothing() {
        let whole = program("mod\ta\tv1.0.0\n");
        assert_eq!(read(&whole).version.as_deref(), Some("v1.0.0"));
        for end in 0..whole.len() {
            assert_eq!(read(&whole[..end]), Says::default(), "{end}");
        }
    }
}
