//! Layers: whatever an archive says, nothing is written outside the folder that it is unpacked into.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use oci_spec::image::{Descriptor, ImageConfiguration, ImageManifest, ImageManifestBuilder, MediaType};
use sealer_image::layer::{read_files, trees, unpack};
use sealer_image::tree::Tree;
use sealer_image::{Image, SealerConfig, Store};
use sealer_stdx::task::Task;
use walkdir::WalkDir;

/// A tar archive is made of such blocks, in bytes.
const BLOCK: usize = 512;
/// No file of an input is larger, in bytes.
const MOST: usize = 1 << 16;
const SECRET: &[u8] = b"outside";

/// Unpacks archives, one over the other, as the layers of an image: an end of archive divides them.
pub(crate) fn run(bytes: &[u8]) {
    let folder = super::folder();
    let store = Store::open(&folder.path().join("images")).expect("a store can be made");
    let place = folder.path().join("place");
    fs::create_dir(&place).expect("a folder can be made");
    let outside = place.join("outside");
    fs::write(&outside, SECRET).expect("a file can be written");
    fs::set_permissions(&outside, fs::Permissions::from_mode(0o640)).expect("it is ours");
    let image = image(&store, bytes);
    let root = place.join("root");
    let unpacked = unpack(&Task::unobserved(), &store, &image, &root);
    check_outside(&place);
    let found = found(&root);
    if let Ok(tree) = unpacked {
        assert_eq!(found, tree.keys().cloned().collect::<BTreeSet<PathBuf>>());
        let (again, same) = trees(&Task::unobserved(), &store, (&image, &image)).expect("it was unpacked");
        assert_eq!((&again, &same), (&tree, &tree));
        check_files(&root, &tree);
    }
    let _ = read_files(&Task::unobserved(), &store, &image, MOST as u64, |_| true);
}

fn check_outside(place: &Path) {
    let names: BTreeSet<String> = fs::read_dir(place)
        .expect("it is there")
        .map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned())
        .collect();
    assert!(names.iter().all(|name| name == "outside" || name == "root"), "{names:?}");
    let outside = place.join("outside");
    let metadata = fs::symlink_metadata(&outside).expect("the file outside is there");
    assert_eq!((metadata.nlink(), metadata.mode() & 0o7777, metadata.is_file()), (1, 0o640, true));
    assert_eq!(fs::read(&outside).expect("it can be read"), SECRET);
}

/// What stands in the root: files, folders and links, and nothing else.
fn found(root: &Path) -> BTreeSet<PathBuf> {
    let walk = WalkDir::new(root).min_depth(1).into_iter().filter_map(Result::ok);
    let path = |entry: walkdir::DirEntry| {
        let kind = entry.file_type();
        assert!(kind.is_file() || kind.is_dir() || kind.is_symlink(), "{}: {kind:?}", entry.path().display());
        entry.path().strip_prefix(root).expect("it was found there").to_owned()
    };
    walk.map(path).collect()
}

fn check_files(root: &Path, tree: &Tree) {
    for (path, node) in tree {
        let metadata = fs::symlink_metadata(root.join(path)).expect("it was found");
        let mode = if metadata.is_symlink() { 0o777 } else { metadata.mode() & 0o7777 };
        assert_eq!(mode, node.mode, "{}", path.display());
    }
}

fn image(store: &Store, bytes: &[u8]) -> Image {
    let layer = |archive: Vec<u8>| {
        let digest = store.put_bytes(&archive).expect("a store can be written");
        Descriptor::new(MediaType::ImageLayer, archive.len() as u64, digest)
    };
    let layers: Vec<Descriptor> = archives(bytes).into_iter().map(layer).collect();
    let config = store.put_bytes(b"{}").expect("a store can be written");
    let config = Descriptor::new(MediaType::ImageConfig, 2, config);
    let manifest: ImageManifest = ImageManifestBuilder::default()
        .schema_version(2_u32)
        .config(config.clone())
        .layers(layers)
        .build()
        .expect("nothing is missing");
    Image {
        descriptor: config,
        manifest,
        config: ImageConfiguration::default(),
        sealer: SealerConfig::default(),
    }
}

/// Divides an input into archives, with sizes that are there and right checksums, which no fuzzer
/// would hit.
fn archives(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (mut archives, mut archive) = (Vec::new(), Vec::new());
    let mut rest = bytes;
    while rest.len() >= BLOCK && archives.len() < 4 {
        let (header, after) = rest.split_at(BLOCK);
        rest = after;
        if header.iter().all(|byte| *byte == 0) {
            if !archive.is_empty() {
                archive.extend([0; 2 * BLOCK]);
                archives.push(std::mem::take(&mut archive));
            }
            continue;
        }
        let (header, size) = mend(header, rest.len());
        let blocks = size.div_ceil(BLOCK) * BLOCK;
        archive.extend(header);
        archive.extend(&rest[..blocks]);
        rest = &rest[blocks..];
    }
    if !archive.is_empty() {
        archives.push(archive);
    }
    archives
}

/// Returns the header with a size of at most `left`, what a sparse file unpacks to bounded, and its
/// checksum; and the size.
fn mend(header: &[u8], left: usize) -> (Vec<u8>, usize) {
    let mut header = header.to_vec();
    let most = (left / BLOCK * BLOCK).min(MOST);
    let octal = |field: &[u8]| {
        let digits: String = field.iter().map(|byte| char::from(*byte)).collect();
        usize::from_str_radix(digits.trim_matches(['\0', ' ']), 8).unwrap_or(0)
    };
    let size = octal(&header[124..136]).min(most);
    header[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    if header[156] == b'S' {
        let real = octal(&header[483..495]).min(MOST);
        header[483..495].copy_from_slice(format!("{real:011o}\0").as_bytes());
    }
    header[148..156].copy_from_slice(b"        ");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    (header, size)
}
