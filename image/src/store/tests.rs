//! The store's own rules.

use std::io::Cursor;

use oci_spec::image::MediaType;

use super::*;

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("images")).unwrap();
    (dir, store)
}

fn described(bytes: &[u8]) -> Descriptor {
    Descriptor::new(MediaType::ImageLayerGzip, bytes.len() as u64, sha256(bytes))
}

fn ingest_files(store: &Store) -> usize {
    fs::read_dir(store.ingest_dir()).unwrap().count()
}

/// A source that breaks off, or lies, and notes where it was asked from.
struct Source {
    bytes: Vec<u8>,
    ends_at: usize,
    asked_from: Mutex<Vec<u64>>,
}

impl Source {
    fn new(bytes: &[u8], ends_at: usize) -> Self {
        Self { bytes: bytes.to_vec(), ends_at, asked_from: Mutex::default() }
    }
}

impl Fetch for Source {
    fn fetch(&self, _content: &Descriptor, from: u64) -> Result<Box<dyn Read + Send + '_>> {
        self.asked_from.lock().unwrap().push(from);
        let from = usize::try_from(from).unwrap();
        let there = Cursor::new(&self.bytes[from..self.ends_at.max(from)]);
        if self.ends_at == self.bytes.len() {
            return Ok(Box::new(there));
        }
        Ok(Box::new(there.chain(Broken)))
    }
}

struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::ConnectionReset.into())
    }
}

#[test]
fn goes_on_from_the_byte_where_a_source_broke_off() {
    let (_dir, store) = store();
    let content = described(b"0123456789");
    let broken = Source::new(b"0123456789", 4);
    assert!(matches!(store.push(&content, &broken), Err(Error::Read { .. })));
    let whole = Source::new(b"0123456789", 10);
    store.push(&content, &whole).unwrap();
    assert_eq!(*whole.asked_from.lock().unwrap(), [4]);
    assert_eq!(store.read(content.digest()).unwrap(), b"0123456789");
    assert_eq!(ingest_files(&store), 0);
}

#[test]
fn refuses_other_bytes_and_keeps_nothing_of_them() {
    let (_dir, store) = store();
    let content = described(b"0123456789");
    let error = store.push(&content, &Source::new(b"0123456780", 10)).unwrap_err();
    let found = sha256(b"0123456780");
    assert_eq!(
        error.to_string(),
        format!("layer {} is not what its descriptor says: its bytes are {found}", content.digest())
    );
    assert!(!store.exists(&content).unwrap());
    assert_eq!(ingest_files(&store), 0);
}

#[test]
fn what_is_there_is_not_asked_for_again() {
    let (_dir, store) = store();
    let content = described(b"layer");
    store.push(&content, &Source::new(b"layer", 5)).unwrap();
    let second = Source::new(b"layer", 5);
    store.push(&content, &second).unwrap();
    assert_eq!(*second.asked_from.lock().unwrap(), [0; 0]);
}

#[test]
fn of_two_that_want_the_same_content_one_does_the_work() {
    let (_dir, store) = store();
    let content = described(&[7; 1 << 20]);
    let source = Source::new(&[7; 1 << 20], 1 << 20);
    let results = sealer_stdx::fanout::fanout(4, vec![(); 4], |()| store.push(&content, &source).is_ok());
    assert_eq!(results, [true; 4]);
    assert_eq!(*source.asked_from.lock().unwrap(), [0]);
}

#[test]
fn a_name_moves_and_goes_and_collecting_frees_what_none_leads_to() {
    let (_dir, store) = store();
    let (one, two): (Reference, Reference) = ("demo:v1".parse().unwrap(), "demo:v2".parse().unwrap());
    let manifest = |bytes: &[u8]| {
        let digest = store.put_bytes(bytes).unwrap();
        Descriptor::new(MediaType::ImageManifest, bytes.len() as u64, digest)
    };
    let (first, second) = (manifest(b"{\"first\":1}"), manifest(b"{}"));
    store.tag(&first, &one).unwrap();
    store.tag(&second, &one).unwrap();
    store.tag(&second, &two).unwrap();
    assert_eq!(store.references().unwrap(), [(one.clone(), second.clone()), (two.clone(), second.clone())]);
    assert_eq!(store.collect(&[]).unwrap(), 11);
    store.untag(&one).unwrap();
    store.untag(&two).unwrap();
    assert!(matches!(store.untag(&two), Err(Error::NotFound { .. })));
    assert_eq!(store.collect(&[]).unwrap(), 2);
    assert!(matches!(store.resolve(&one), Err(Error::NotFound { .. })));
}

#[test]
fn collecting_waits_while_another_has_the_store_open() {
    let (_dir, store) = store();
    store.put_bytes(b"not named yet").unwrap();
    let other = Store::open(store.root()).unwrap();
    assert_eq!(store.collect(&[]).unwrap(), 0);
    drop(other);
    assert_eq!(store.collect(&[]).unwrap(), 13);
}

#[test]
fn a_folder_of_another_kind_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("oci-layout"), "{\"imageLayoutVersion\":\"2.0.0\"}").unwrap();
    let error = Store::open(dir.path()).unwrap_err();
    let path = dir.path().join("oci-layout");
    assert_eq!(error.to_string(), format!("{} has version 2.0.0; 1.0.0 is known", path.display()));
}
