//! Layers: written, read back, and refused.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use oci_spec::image::{Descriptor, MediaType};
use proptest::prelude::*;
use sealer_stdx::task::Task;
use tar::{Builder, EntryType, Header};

use super::*;
use crate::config::SealerConfig;
use crate::digest::sha256;
use crate::image::{Image, NewImage, commit};
use crate::platform::Platform;
use crate::store::Store;
use crate::tree::{Node, NodeKind, Tree};

struct Bench {
    dir: tempfile::TempDir,
    store: Store,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("images")).unwrap();
        Self { dir, store }
    }

    fn write(&self, entries: Vec<Entry>, compression: Compression) -> Layer {
        write(&Task::unobserved(), &self.store, entries, WriteOptions { compression, time: 0 }).unwrap()
    }

    fn image(&self, layers: Vec<Layer>) -> Image {
        let image = NewImage {
            base: None,
            layers: layers.into_iter().map(|layer| (layer, "COPY . .".to_owned())).collect(),
            platform: Platform::host(),
            env: BTreeMap::new(),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            sealer: SealerConfig::default(),
            time: 0,
        };
        let descriptor = commit(&Task::unobserved(), &self.store, image).unwrap();
        Image::open(&self.store, &descriptor, &Platform::host()).unwrap()
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    fn unpack(&self, layers: Vec<Layer>) -> crate::Result<Tree> {
        unpack(&Task::unobserved(), &self.store, &self.image(layers), &self.root())
    }

    /// A layer of entries that [`write`] would not make.
    fn hostile(&self, entries: &[(&str, EntryType, &str)]) -> Layer {
        let mut builder = Builder::new(Vec::new());
        for (path, kind, content) in entries {
            let mut header = Header::new_gnu();
            header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_entry_type(*kind);
            header.set_mode(0o644);
            if kind.is_file() {
                header.set_size(content.len() as u64);
            } else {
                header.set_size(0);
                header.as_gnu_mut().unwrap().linkname[..content.len()].copy_from_slice(content.as_bytes());
            }
            header.set_cksum();
            let data: &[u8] = if kind.is_file() { content.as_bytes() } else { &[] };
            builder.append(&header, data).unwrap();
        }
        let bytes = builder.into_inner().unwrap();
        let digest = self.store.put_bytes(&bytes).unwrap();
        let descriptor = Descriptor::new(MediaType::ImageLayer, bytes.len() as u64, digest);
        Layer { descriptor, diff_id: sha256(&bytes) }
    }
}

fn entry(path: &str, kind: EntryKind, mode: u32) -> Entry {
    Entry { path: path.into(), kind, mode }
}

fn bytes(path: &str, content: &str) -> Entry {
    entry(path, EntryKind::Bytes(content.into()), 0o644)
}

fn file(content: &str) -> NodeKind {
    NodeKind::File { size: content.len() as u64, digest: sha256(content.as_bytes()) }
}

fn tree(nodes: &[(&str, NodeKind, u32)]) -> Tree {
    nodes
        .iter()
        .map(|(path, kind, mode)| (PathBuf::from(path), Node { kind: kind.clone(), mode: *mode }))
        .collect()
}

fn sample() -> Vec<Entry> {
    vec![
        entry("bin/tool", EntryKind::Bytes(b"#!/bin/sh\n".to_vec()), 0o4755),
        entry("etc", EntryKind::Dir, 0o1777),
        bytes(&format!("etc/{}file", "long/".repeat(40)), "long"),
        entry("lib", EntryKind::Symlink("usr/lib".into()), 0o777),
        entry("bin/same", EntryKind::Hardlink("bin/tool".into()), 0o4755),
    ]
}

#[test]
fn what_is_written_is_what_is_unpacked() {
    for compression in [Compression::Zstd, Compression::Gzip] {
        let bench = Bench::new();
        let layer = bench.write(sample(), compression);
        let tree = bench.unpack(vec![layer]).unwrap();
        assert_eq!(tree[Path::new("bin")], Node { kind: NodeKind::Dir, mode: 0o755 });
        assert_eq!(tree[Path::new("bin/tool")], Node { kind: file("#!/bin/sh\n"), mode: 0o4755 });
        assert_eq!(tree[Path::new("etc")], Node { kind: NodeKind::Dir, mode: 0o1777 });
        assert_eq!(tree[Path::new("lib")].kind, NodeKind::Symlink { target: "usr/lib".into() });
        let (tool, same) = (bench.root().join("bin/tool"), bench.root().join("bin/same"));
        assert_eq!(fs::metadata(&tool).unwrap().permissions().mode() & 0o7777, 0o4755);
        assert_eq!(fs::metadata(&tool).unwrap().ino(), fs::metadata(same).unwrap().ino());
        assert_eq!(
            fs::read_to_string(bench.root().join("etc").join(format!("{}file", "long/".repeat(40)))).unwrap(),
            "long"
        );
    }
}

#[test]
fn the_order_of_entries_does_not_matter_to_the_digest() {
    for compression in [Compression::Zstd, Compression::Gzip] {
        let bench = Bench::new();
        let mut reversed = sample();
        reversed.reverse();
        assert_eq!(bench.write(sample(), compression), bench.write(reversed, compression));
    }
}

#[test]
fn a_large_layer_has_one_digest_however_it_is_cut() {
    let content: Vec<u8> = (0..9_000_000u32).flat_map(|n| (n / 7).to_le_bytes()).take(9_000_000).collect();
    for compression in [Compression::Zstd, Compression::Gzip] {
        let bench = Bench::new();
        let big = || vec![entry("big", EntryKind::Bytes(content.clone()), 0o644)];
        let (first, second) = (bench.write(big(), compression), bench.write(big(), compression));
        assert_eq!(first, second);
        let tree = bench.unpack(vec![first]).unwrap();
        assert_eq!(tree[Path::new("big")].kind, NodeKind::File { size: 9_000_000, digest: sha256(&content) });
    }
}

#[test]
fn upper_layers_replace_and_remove_what_lower_ones_hold() {
    let bench = Bench::new();
    let lower = bench.write(
        vec![
            bytes("a/gone", "1"),
            bytes("a/stays", "2"),
            bytes("b/old", "3"),
            bytes("c/file", "4"),
            bytes("d", "5"),
        ],
        Compression::Zstd,
    );
    let upper = bench.write(
        vec![
            entry("a/gone", EntryKind::Whiteout, 0),
            entry("b", EntryKind::OpaqueDir, 0o700),
            bytes("b/new", "6"),
            bytes("c", "7"),
            bytes("d/inside", "8"),
        ],
        Compression::Zstd,
    );
    assert_eq!(
        bench.unpack(vec![lower, upper]).unwrap(),
        tree(&[
            ("a", NodeKind::Dir, 0o755),
            ("a/stays", file("2"), 0o644),
            ("b", NodeKind::Dir, 0o700),
            ("b/new", file("6"), 0o644),
            ("c", file("7"), 0o644),
            ("d", NodeKind::Dir, 0o755),
            ("d/inside", file("8"), 0o644),
        ])
    );
}

#[test]
fn a_link_within_the_root_is_followed() {
    let bench = Bench::new();
    let lower = bench.write(
        vec![
            entry("usr/lib", EntryKind::Dir, 0o755),
            entry("lib", EntryKind::Symlink("usr/lib".into()), 0o777),
        ],
        Compression::Zstd,
    );
    let upper =
        bench.hostile(&[("lib/x.so", EntryType::Regular, "x"), ("lib/../lib/y.so", EntryType::Regular, "y")]);
    let tree = bench.unpack(vec![lower, upper]).unwrap();
    assert_eq!(tree[Path::new("usr/lib/x.so")].kind, file("x"));
    assert_eq!(tree[Path::new("usr/lib/y.so")].kind, file("y"));
}

#[test]
fn refuses_a_layer_that_leaves_the_root() {
    use EntryType::{Block, Fifo, Link, Regular, Symlink};
    type Hostile<'a> = &'a [(&'a str, EntryType, &'a str)];
    let cases: &[(Hostile<'_>, &str)] = &[
        (&[("../evil", Regular, "x")], "leaves the image's root by `..`"),
        (&[("a/../../evil", Regular, "x")], "leaves the image's root by `..`"),
        (&[("/etc/evil", Regular, "x")], "leaves the image's root by an absolute path"),
        (
            &[("out", Symlink, "/etc"), ("out/evil", Regular, "x")],
            "leaves the image's root through the link `out` to `/etc`",
        ),
        (&[("out", Symlink, "../.."), ("out/evil", Regular, "x")], "leaves the image's root by `..`"),
        (&[("evil", Link, "/etc/passwd")], "is a hard link to `/etc/passwd`, outside the image's root"),
        (
            &[("evil", Link, "../../etc/passwd")],
            "is a hard link to `../../etc/passwd`, outside the image's root",
        ),
        (
            &[("out", Symlink, "/etc"), ("evil", Link, "out/passwd")],
            "is a hard link to `out/passwd`, outside the image's root",
        ),
        (&[("evil", Link, "missing")], "is a hard link to `missing`, which is no file of the image"),
        (&[("evil", Block, "")], "is a device: a cluster image holds none"),
        (&[("evil", Fifo, "")], "is a named pipe: a cluster image holds none"),
        (
            &[("loop", Symlink, "loop"), ("loop/x", Regular, "x")],
            "leaves the image's root through the link `loop` to `loop`",
        ),
    ];
    for (entries, reason) in cases {
        let bench = Bench::new();
        let layer = bench.hostile(entries);
        let evil = entries.last().unwrap().0;
        let expected = format!("layer {} holds `{evil}`, which {reason}", layer.descriptor.digest());
        assert_eq!(bench.unpack(vec![layer]).unwrap_err().to_string(), expected);
        let beside: Vec<_> =
            fs::read_dir(bench.dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(beside.len(), 2, "{beside:?}");
    }
}

#[test]
fn a_layer_cannot_have_more_memory_or_disk_than_it_has_bytes() {
    let long = |kind: EntryType, size: u64| {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_cksum();
        let mut bytes = header.as_bytes().to_vec();
        bytes.resize(bytes.len() + usize::try_from(size.next_multiple_of(512)).unwrap(), 0);
        bytes
    };
    let mut sparse = Header::new_gnu();
    sparse.set_entry_type(EntryType::GNUSparse);
    sparse.set_size(0);
    let gnu = sparse.as_gnu_mut().unwrap();
    gnu.name[0] = b's';
    // Eight exabytes, of which none stands in the archive.
    gnu.realsize = *b"\x80\0\0\0\x70\0\0\0\0\0\0\0";
    gnu.sparse[0].offset = gnu.realsize;
    gnu.sparse[0].numbytes = *b"00000000000\0";
    sparse.set_mode(0o644);
    sparse.set_cksum();
    let memory = "a name or the attributes of an entry are larger than 1 MiB";
    let cases = [
        (long(EntryType::GNULongName, 3 << 20), memory),
        (long(EntryType::GNULongLink, 3 << 20), memory),
        (long(EntryType::XHeader, 3 << 20), memory),
        (sparse.as_bytes().to_vec(), "which says that it is 8070450532247928832 bytes large"),
    ];
    for (mut bytes, reason) in cases {
        bytes.extend([0; 1024]);
        let bench = Bench::new();
        let digest = bench.store.put_bytes(&bytes).unwrap();
        let descriptor = Descriptor::new(MediaType::ImageLayer, bytes.len() as u64, digest);
        let layer = Layer { descriptor, diff_id: sha256(&bytes) };
        let error = bench.unpack(vec![layer]).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn a_large_file_is_no_large_name() {
    let bench = Bench::new();
    let large = "x".repeat(3 << 20);
    let layer = bench.write(vec![bytes("a", &large), bytes("b", "after")], Compression::Plain);
    let image = bench.image(vec![layer]);
    let read = |wanted: &str| {
        read_files(&Task::unobserved(), &bench.store, &image, 4 << 20, |path| path == Path::new(wanted))
            .unwrap()
    };
    assert_eq!(read("b"), BTreeMap::from([(PathBuf::from("b"), b"after".to_vec())]));
    assert_eq!(read("a")[Path::new("a")].len(), 3 << 20);
}

#[test]
fn refuses_a_layer_whose_archive_is_another_than_the_configuration_says() {
    let bench = Bench::new();
    let mut layer = bench.write(vec![bytes("a", "1")], Compression::Zstd);
    let (digest, found) = (layer.descriptor.digest().clone(), layer.diff_id.clone());
    layer.diff_id = sha256(b"another");
    let expected = format!(
        "layer {digest} is not what its descriptor says: unpacked it is {found}, the configuration says {}",
        layer.diff_id
    );
    assert_eq!(bench.unpack(vec![layer]).unwrap_err().to_string(), expected);
}

#[test]
fn an_unpacked_image_is_whole_or_not_there() {
    let bench = Bench::new();
    let image = bench.image(vec![bench.write(sample(), Compression::Zstd)]);
    let parent = bench.dir.path().join("rootfs");
    let first = unpacked(&Task::unobserved(), &bench.store, &image, &parent).unwrap();
    let made = fs::metadata(first.dir.join("bin/tool")).unwrap().ino();
    let second = unpacked(&Task::unobserved(), &bench.store, &image, &parent).unwrap();
    assert_eq!(second.tree, first.tree);
    assert_eq!(fs::metadata(second.dir.join("bin/tool")).unwrap().ino(), made);
    fs::remove_file(parent.join(format!("{}.json", image.descriptor.digest().digest()))).unwrap();
    let third = unpacked(&Task::unobserved(), &bench.store, &image, &parent).unwrap();
    assert_eq!(third.tree, first.tree);
}

#[test]
fn files_are_read_without_unpacking_upper_layers_winning() {
    let bench = Bench::new();
    let lower =
        bench.write(vec![bytes("plugin/a.yaml", "old"), bytes("plugin/b.yaml", "b")], Compression::Zstd);
    let upper = bench.write(
        vec![
            bytes("plugin/a.yaml", "new"),
            entry("plugin/b.yaml", EntryKind::Whiteout, 0),
            bytes("etc/c", "c"),
        ],
        Compression::Gzip,
    );
    let image = bench.image(vec![lower, upper]);
    let found = read_files(&Task::unobserved(), &bench.store, &image, 100, |path| path.starts_with("plugin"))
        .unwrap();
    assert_eq!(found, BTreeMap::from([(PathBuf::from("plugin/a.yaml"), b"new".to_vec())]));
}

fn hostile_entry() -> impl Strategy<Value = (String, EntryType, String)> {
    let path = "(\\.\\./|/|a/|b/|\\./|\\.wh\\.){0,4}(a|b|c|\\.\\.|\\.wh\\.a|\\.wh\\.\\.wh\\.\\.opq)";
    let kind = prop_oneof![
        Just(EntryType::Regular),
        Just(EntryType::Directory),
        Just(EntryType::Symlink),
        Just(EntryType::Link),
    ];
    (path, kind, "(\\.\\./|/|a/|b/){0,3}(a|b|\\.\\.)")
}

proptest! {
    #[test]
    fn nothing_is_written_beside_the_root_whatever_the_layers_say(
        layers in prop::collection::vec(prop::collection::vec(hostile_entry(), 1..8), 1..3)
    ) {
        let bench = Bench::new();
        let layers = layers.iter().map(|entries| {
            let entries: Vec<_> = entries.iter().map(|(path, kind, to)| (path.as_str(), *kind, to.as_str())).collect();
            bench.hostile(&entries)
        });
        let result = bench.unpack(layers.collect());
        let beside = fs::read_dir(bench.dir.path()).unwrap().count();
        prop_assert_eq!(beside, 2);
        if let Ok(tree) = result {
            prop_assert_eq!(on_disk(&bench.root()), tree.into_keys().collect::<Vec<_>>());
        }
    }
}

fn on_disk(root: &Path) -> Vec<PathBuf> {
    let found = walkdir::WalkDir::new(root).min_depth(1).into_iter();
    let mut found: Vec<PathBuf> =
        found.map(|entry| entry.unwrap().path().strip_prefix(root).unwrap().to_owned()).collect();
    found.sort();
    found
}
