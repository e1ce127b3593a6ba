//! Archives: unpacked whatever they are packed by, and refused.

use std::os::unix::fs::MetadataExt;

use bzip2::write::BzEncoder;
use flate2::write::GzEncoder;
use liblzma::stream::{Check, Filters, LzmaOptions};
use liblzma::write::XzEncoder;
use tar::{Builder, Header};

use super::*;

/// An archive of a folder, two files and a link.
fn sample() -> Vec<u8> {
    let mut archive = Builder::new(Vec::new());
    let mut put = |path: &str, kind: EntryType, mode: u32, content: &[u8]| {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(content.len() as u64);
        match kind {
            EntryType::Symlink => archive.append_link(&mut header, path, "tool").unwrap(),
            _ => archive.append_data(&mut header, path, content).unwrap(),
        }
    };
    put("bin/", EntryType::Directory, 0o755, b"");
    put("bin/tool", EntryType::Regular, 0o4755, b"the tool");
    put("bin/link", EntryType::Symlink, 0o777, b"");
    put("large", EntryType::Regular, 0o600, &[0; 1 << 20]);
    archive.into_inner().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut packer = XzEncoder::new(Vec::new(), 6);
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut packer = BzEncoder::new(Vec::new(), bzip2::Compression::best());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

/// Whether it is an archive, and what it holds: paths, modes, contents.
type Found = Result<Option<Vec<(String, u32, String)>>, String>;

/// Unpacks an archive into `etc`.
fn unpack(bytes: &[u8]) -> Found {
    let dir = tempfile::tempdir().unwrap();
    let (path, folder) = (dir.path().join("archive"), folder(dir.path(), 0).unwrap());
    fs::write(&path, bytes).unwrap();
    let content = |entry: Entry| {
        let content = match entry.kind {
            EntryKind::File(file) => {
                let (content, metadata) = (fs::read_to_string(&file).unwrap(), fs::metadata(&file).unwrap());
                match metadata.blocks() * 512 < metadata.len() / 2 {
                    true => format!("{} bytes, most of them holes", content.len()),
                    false => content,
                }
            }
            kind => format!("{kind:?}"),
        };
        (entry.path.display().to_string(), entry.mode, content)
    };
    let task = Task::unobserved();
    let unpacked = is_archive(&path).and_then(|is_archive| match is_archive {
        true => entries(&task, &path, Path::new("etc"), &folder).map(Some),
        false => Ok(None),
    });
    match unpacked {
        Ok(entries) => Ok(entries.map(|entries| entries.into_iter().map(content).collect())),
        Err(Refused::Wrong(reason)) => Err(reason),
        Err(Refused::Path(error)) => panic!("{error}"),
        Err(Refused::Cancelled(_)) => panic!("nobody cancelled"),
    }
}

fn held() -> Found {
    let entry = |path: &str, mode, content: &str| (path.to_owned(), mode, content.to_owned());
    Ok(Some(vec![
        entry("etc/bin", 0o755, "Dir"),
        entry("etc/bin/tool", 0o4755, "the tool"),
        entry("etc/bin/link", 0o777, "Symlink(\"tool\")"),
        entry("etc/large", 0o600, "1048576 bytes, most of them holes"),
    ]))
}

#[test]
fn an_archive_is_unpacked_whatever_it_is_packed_by() {
    let plain = sample();
    assert_eq!(unpack(&plain), held());
    for packed in [gzip(&plain), zstd::encode_all(&plain[..], 3).unwrap(), xz(&plain), bzip2(&plain)] {
        assert_eq!(unpack(&packed), held(), "{:02x?}", &packed[..6]);
    }
    // As pxz and pbzip2 make them: one stream after another.
    for pack in [xz, bzip2, gzip] {
        let (first, second) = plain.split_at(700);
        assert_eq!(unpack(&[pack(first), pack(second)].concat()), held());
    }
}

#[test]
fn what_only_looks_packed_is_no_archive() {
    for bytes in [&b"\xfd7zXZ\0and more"[..], b"BZh9 is no archive", b"\x1f\x8b neither", b"BZ", b""] {
        assert_eq!(unpack(bytes), Ok(None), "{bytes:02x?}");
    }
    for pack in [xz, bzip2, gzip] {
        assert_eq!(unpack(&pack(b"packed, but no archive")), Ok(None));
    }
}

#[test]
fn a_broken_archive_is_refused() {
    let plain = sample();
    let cut = |mut bytes: Vec<u8>, count: usize| {
        bytes.truncate(bytes.len() - count);
        bytes
    };
    let flipped = |mut bytes: Vec<u8>, from_end: usize| {
        let at = bytes.len() - from_end;
        bytes[at] ^= 1;
        bytes
    };
    let cases = [
        (cut(xz(&plain), 40), "is broken: premature eof"),
        (flipped(xz(&plain), 30), "is broken: lzma data error"),
        (cut(bzip2(&plain), 4), "is broken: decompression not finished but EOF reached"),
        // The checksum of the whole, behind the archive's end.
        (flipped(bzip2(&plain), 2), "is broken: bzip2: invalid data"),
        (flipped(gzip(&plain), 7), "is broken: corrupt gzip stream does not have a matching checksum"),
        (cut(plain.clone(), 4096), "is broken: unexpected EOF during skip"),
    ];
    let (archives, reasons): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    let told: Vec<String> = archives.iter().map(|bytes| unpack(bytes).unwrap_err()).collect();
    assert_eq!(told, reasons);
}

#[test]
fn an_archive_cannot_have_more_memory_than_is_allowed() {
    let mut options = LzmaOptions::new_preset(0).unwrap();
    options.dict_size(256 << 20);
    let stream = Stream::new_stream_encoder(Filters::new().lzma2(&options), Check::Crc32).unwrap();
    let mut packer = XzEncoder::new_stream(Vec::new(), stream);
    packer.write_all(&sample()).unwrap();
    let reason = "takes more than 80 MiB of memory to unpack: `xz -9` makes one that does not";
    assert_eq!(unpack(&packer.finish().unwrap()), Err(reason.to_owned()));

    let largest = {
        let mut packer = XzEncoder::new(Vec::new(), 9);
        packer.write_all(&sample()).unwrap();
        packer.finish().unwrap()
    };
    assert_eq!(unpack(&largest), held());

    for kind in [EntryType::GNULongName, EntryType::GNULongLink, EntryType::XHeader] {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(1 << 30);
        header.set_cksum();
        let mut bytes = header.as_bytes().to_vec();
        bytes.resize(4 << 20, b'x');
        let reason = "is broken: a name or the attributes of an entry are larger than 1 MiB";
        assert_eq!(unpack(&xz(&bytes)), Err(reason.to_owned()), "{kind:?}");
    }
}
