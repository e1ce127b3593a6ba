//! Archives that strangers made, read entry by entry in bounded memory.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use tar::{Archive, Entries, Entry, EntryType};

/// What stands before an entry (its header, a long name, attributes) is held in memory, and is no
/// larger than this, in bytes. An archive that says otherwise was made to do harm.
const MOST_BEFORE: u64 = 1 << 20;
/// A tar archive is made of such blocks, in bytes.
pub(super) const BLOCK: u64 = 512;

/// An archive whose entries' names and attributes take bounded memory.
pub struct TarReader<R: Read> {
    archive: Archive<Metered<R>>,
    meter: Rc<Meter>,
}

/// The entries of a [`TarReader`], in the archive's order.
pub struct TarEntries<'a, R: Read> {
    entries: Entries<'a, Metered<R>>,
    meter: Rc<Meter>,
    /// Where the present entry's content begins, and how long it is.
    present: (u64, u64),
}

/// A source that is read no further than is allowed.
pub struct Metered<R> {
    source: R,
    meter: Rc<Meter>,
}

/// How far an archive is read, and how far it may be.
#[derive(Default)]
struct Meter {
    position: Cell<u64>,
    stop: Cell<u64>,
}

impl<R: Read> TarReader<R> {
    /// Begins to read an archive, which is not compressed any more.
    pub fn new(source: R) -> Self {
        let meter = Rc::new(Meter::default());
        meter.stop.set(MOST_BEFORE);
        Self { archive: Archive::new(Metered { source, meter: Rc::clone(&meter) }), meter }
    }

    /// Returns the entries. To be called once: they begin where the source is.
    ///
    /// # Errors
    /// When the archive was read before.
    pub fn entries(&mut self) -> io::Result<TarEntries<'_, R>> {
        let meter = Rc::clone(&self.meter);
        Ok(TarEntries { entries: self.archive.entries()?, meter, present: (0, 0) })
    }

    /// Returns the source, which stands behind what was read.
    pub fn into_inner(self) -> R {
        self.archive.into_inner().source
    }
}

impl<'a, R: Read> Iterator for TarEntries<'a, R> {
    type Item = io::Result<Entry<'a, Metered<R>>>;

    fn next(&mut self) -> Option<Self::Item> {
        let (begin, size) = self.present;
        let position = self.meter.position.get();
        let left = size.saturating_sub(position - begin);
        self.meter.stop.set(position.saturating_add(left).saturating_add(MOST_BEFORE));
        let entry = self.entries.next()?;
        if let Ok(entry) = &entry {
            self.meter.stop.set(u64::MAX);
            self.present = (self.meter.position.get(), stored(entry));
        }
        Some(entry)
    }
}

/// How many bytes of an archive an entry's content takes.
fn stored<R: Read>(entry: &Entry<'_, R>) -> u64 {
    match entry.header().entry_type() {
        // What it unpacks to is not what stands there.
        EntryType::GNUSparse => entry.header().entry_size().unwrap_or(0),
        _ => entry.size(),
    }
    .saturating_add(BLOCK)
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.meter.stop.get() - self.meter.position.get();
        if left == 0 && !buffer.is_empty() {
            return Err(io::Error::other("a name or the attributes of an entry are larger than 1 MiB"));
        }
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.source.read(&mut buffer[..most])?;
        self.meter.position.set(self.meter.position.get() + count as u64);
        Ok(count)
    }
}
