//! What images are made of: one large file that nothing compresses, many real files, many small ones.

use std::fmt;
use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::path::Path;

use crate::bench::content::{self, Content};
use crate::command::{Failure, Result};

/// The parts of W2, a quarter of its size each at most, and where they are taken from.
const PARTS: [(&str, &[&str]); 4] = [
    ("programs", &["/usr/bin", "/usr/sbin"]),
    ("libraries", &["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib/gcc"]),
    ("python", &["/usr/lib/python3", "/usr/lib/python3.11", "/usr/include", "/usr/lib/go-1.19"]),
    ("texts", &["/usr/share"]),
];

/// W3 has one small file for so much of the size.
const BYTES_PER_SMALL_FILE: u64 = (1 << 30) / 50_000;

/// What was made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Workloads {
    large: u64,
    real: Content,
    small: Content,
}

impl fmt::Display for Workloads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { large, real, small } = self;
        let large = large / 1_000_000;
        write!(f, "W1: 1 file that nothing compresses, {large} MB. ")?;
        write!(f, "W2: {real}, in four folders, a `COPY` each, and a small file. ")?;
        write!(f, "W3: {small}, 1 to 8 KiB each, of texts.")
    }
}

/// Makes the folders `w1`, `w2` and `w3`, each with a Kubefile and a Dockerfile that do the same, unless
/// they are there.
pub(super) fn make(place: &Path, size: u64) -> Result<Workloads> {
    let made = place.join("workloads");
    let figures = fs::read_to_string(&made).unwrap_or_default();
    let figures: Vec<u64> = figures.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    if let [large, real_files, real, small_files, small] = figures[..]
        && large == size
    {
        let content = |files, bytes| Content { files, bytes };
        return Ok(Workloads {
            large,
            real: content(usize::try_from(real_files).unwrap_or_default(), real),
            small: content(usize::try_from(small_files).unwrap_or_default(), small),
        });
    }
    let Workloads { large, real, small } = make_anew(place, size)?;
    let figures = format!("{large} {} {} {} {}\n", real.files, real.bytes, small.files, small.bytes);
    fs::write(&made, figures).map_err(Failure::file(&made))?;
    Ok(Workloads { large, real, small })
}

fn make_anew(place: &Path, size: u64) -> Result<Workloads> {
    let folder = |name: &str| -> Result<std::path::PathBuf> {
        let path = place.join(name);
        fs::create_dir_all(&path).map_err(Failure::file(&path))?;
        Ok(path)
    };
    let (w1, w2, w3) = (folder("w1")?, folder("w2")?, folder("w3")?);
    noise(&w1.join("large"), size)?;
    recipes(&w1, &["large"])?;
    let mut real = Content { files: 1, bytes: 0 };
    for (part, sources) in PARTS {
        let found = content::collect(&w2.join(part), size / 4, sources)?;
        real.files += found.files;
        real.bytes += found.bytes;
    }
    let conf = w2.join("small.conf");
    fs::write(&conf, "first\n").map_err(Failure::file(&conf))?;
    recipes(&w2, &["programs", "libraries", "python", "texts", "small.conf"])?;
    let small = pieces(&w2.join("texts"), &folder("w3/files")?, size / BYTES_PER_SMALL_FILE)?;
    recipes(&w3, &["files"])?;
    Ok(Workloads { large: size, real, small })
}

/// How large W5 is, in bytes, and how much of it is no hole.
const HUGE: u64 = 20 << 30;
const HELD: u64 = 64 << 20;

/// Makes the folder `w5`: one file of 20 GiB, and bytes that nothing compresses at its beginning.
pub(super) fn huge(place: &Path) -> Result<()> {
    let folder = place.join("w5");
    fs::create_dir_all(&folder).map_err(Failure::file(&folder))?;
    let path = folder.join("huge");
    noise(&path, HELD)?;
    let file = File::options().write(true).open(&path).map_err(Failure::file(&path))?;
    file.set_len(HUGE).map_err(Failure::file(&path))?;
    recipes(&folder, &["huge"])
}

fn recipes(context: &Path, sources: &[&str]) -> Result<()> {
    let (mut kubefile, mut dockerfile) = ("FROM scratch\n".to_owned(), "FROM scratch\n".to_owned());
    for source in sources {
        kubefile += &format!("COPY {source} .\n");
        dockerfile += &format!("COPY {source} /{source}\n");
    }
    for (name, text) in [("Kubefile", kubefile), ("Dockerfile", dockerfile)] {
        let path = context.join(name);
        fs::write(&path, text).map_err(Failure::file(&path))?;
    }
    Ok(())
}

/// Writes bytes that look random, the same ones each time.
fn noise(path: &Path, size: u64) -> Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path).map_err(Failure::file(path))?);
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    for _ in 0..size / 8 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.write_all(&state.to_le_bytes()).map_err(Failure::file(path))?;
    }
    out.flush().map_err(Failure::file(path))
}

/// Cuts files into many small ones, a hundred to a folder.
fn pieces(from: &Path, to: &Path, count: u64) -> Result<Content> {
    let mut content = Content { files: 0, bytes: 0 };
    let mut files = Vec::new();
    content::list(from, &mut files);
    files.sort();
    let mut buffer = vec![0; 8 << 10];
    for (path, _) in files {
        let mut source = File::open(&path).map_err(Failure::file(&path))?;
        loop {
            let want = (1 << 10) + (content.files * 1021) % (7 << 10);
            let got = source.read(&mut buffer[..want]).map_err(Failure::file(&path))?;
            if got == 0 || content.files as u64 == count {
                break;
            }
            let folder = to.join((content.files / 100).to_string());
            if content.files.is_multiple_of(100) {
                fs::create_dir_all(&folder).map_err(Failure::file(&folder))?;
            }
            let piece = folder.join(format!("{}.txt", content.files));
            fs::write(&piece, &buffer[..got]).map_err(Failure::file(&piece))?;
            content.files += 1;
            content.bytes += got as u64;
        }
    }
    Ok(content)
}
