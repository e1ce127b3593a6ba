//! A context, a store and a work folder of one test's own.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use sealer_build::images::{ChartValues, Collecting};
use sealer_build::{BuildRequest, Built, Error, KubefileError, Mode, build, build_index};
use sealer_image::config::ImageKind;
use sealer_image::layer::{Compression, unpack};
use sealer_image::registry::Retry;
use sealer_image::{Descriptor, Image, Platform, Reference, Registry, RegistrySettings, Store};
use sealer_stdx::task::{Cancel, Event, Observe, Task};
use tempfile::TempDir;
use walkdir::WalkDir;

/// A workbench. Everything on it goes with it.
pub(crate) struct Bench {
    dir: TempDir,
    pub(crate) store: Store,
    /// What `build` takes unless a test says otherwise.
    pub(crate) options: Options,
    pub(crate) seen: Arc<Seen>,
    pub(crate) cancel: Cancel,
}

/// What a test may set of a request.
#[derive(Clone)]
pub(crate) struct Options {
    pub(crate) tag: &'static str,
    pub(crate) build_args: BTreeMap<String, String>,
    pub(crate) no_cache: bool,
    pub(crate) platform: Platform,
    pub(crate) kind: ImageKind,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) compression: Compression,
    pub(crate) time: u64,
    pub(crate) allow_missing: bool,
    pub(crate) chart_values: Vec<ChartValues>,
    /// Whether the lock is written into the context.
    pub(crate) write_lock: bool,
}

/// Every event of a bench's builds.
#[derive(Default)]
pub(crate) struct Seen(Mutex<Vec<Event>>);

impl Observe for Seen {
    fn observe(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

impl Seen {
    pub(crate) fn warnings(&self) -> Vec<String> {
        let warning = |event: &Event| match event {
            Event::Warned { message, .. } => Some(message.clone()),
            _ => None,
        };
        self.0.lock().unwrap().iter().filter_map(warning).collect()
    }

    pub(crate) fn output(&self) -> Vec<String> {
        let line = |event: &Event| match event {
            Event::Output { line, .. } => Some(line.clone()),
            _ => None,
        };
        self.0.lock().unwrap().iter().filter_map(line).collect()
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("context")).unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let options = Options {
            tag: "demo:v1",
            build_args: BTreeMap::new(),
            no_cache: false,
            platform: Platform::host(),
            kind: ImageKind::KubeInstaller,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            compression: Compression::Zstd,
            time: 0,
            allow_missing: false,
            chart_values: Vec::new(),
            write_lock: false,
        };
        Self { dir, store, options, seen: Arc::default(), cancel: Cancel::default() }
    }

    /// Returns a path beside context and store.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Returns a path in the context.
    pub(crate) fn context(&self, name: &str) -> PathBuf {
        self.path("context").join(name)
    }

    /// Writes a file of the context, and its folders.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.context(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Writes empty files of the context.
    pub(crate) fn touch(&self, names: &[&str]) {
        names.iter().for_each(|name| self.write(name, ""));
    }

    /// Builds the context with this Kubefile.
    pub(crate) fn try_build(&self, kubefile: &str) -> Result<Built, Error> {
        self.write("Kubefile", kubefile);
        self.build_for(std::slice::from_ref(&self.options.platform))
    }

    /// Builds the context for these platforms, as one image where there are several.
    pub(crate) fn build_for(&self, platforms: &[Platform]) -> Result<Built, Error> {
        let pull = |_: &Task, reference: &Reference| {
            Err(sealer_image::Error::NotFound { reference: reference.clone() })
        };
        let options = self.options.clone();
        let registry = Registry::new(RegistrySettings {
            retry: Retry { times: 1, ..Retry::default() },
            ..RegistrySettings::default()
        });
        let request = |platform: &Platform| BuildRequest {
            mode: Mode::Lite,
            tag: options.tag.parse().unwrap(),
            context: self.path("context"),
            kubefile: None,
            build_args: options.build_args.clone(),
            no_cache: options.no_cache,
            platform: platform.clone(),
            kind: options.kind,
            labels: options.labels.clone(),
            annotations: options.annotations.clone(),
            compression: options.compression,
            time: options.time,
            version: "1.2.3",
            work_dir: self.path("work"),
            images: Collecting {
                registry: &registry,
                lists: Vec::new(),
                ignored: Vec::new(),
                with_auth: None,
                chart_values: options.chart_values.clone(),
                allow_missing: options.allow_missing,
                write_lock: options.write_lock.then(|| self.context("image.lock")),
            },
            policy: None,
            pull: &pull,
        };
        let task = Task::root(self.seen.clone(), self.cancel.clone());
        match platforms {
            [one] => build(&task, &request(one), &self.store),
            several => build_index(&task, &several.iter().map(request).collect::<Vec<_>>(), &self.store),
        }
    }

    pub(crate) fn build(&self, kubefile: &str) -> Built {
        self.try_build(kubefile).unwrap_or_else(|error| panic!("{}", shown(&error)))
    }

    /// Builds what must be refused, and returns the mistakes as text. No image may be left.
    pub(crate) fn refused(&self, kubefile: &str) -> String {
        let before = self.store.references().unwrap();
        let error = self.try_build(kubefile).expect_err("the build must be refused");
        assert_eq!(self.store.references().unwrap(), before);
        shown(&error).replace(&self.dir.path().canonicalize().unwrap().display().to_string(), "~")
    }

    pub(crate) fn image(&self, built: &Built) -> Image {
        self.open(&built.descriptor)
    }

    fn open(&self, descriptor: &Descriptor) -> Image {
        Image::open(&self.store, descriptor, &self.options.platform).unwrap()
    }

    /// Lists what an image's root holds: `folder/`, `file: its content`, `link -> target`.
    pub(crate) fn tree(&self, built: &Built) -> Vec<String> {
        let dest = tempfile::tempdir_in(self.dir.path()).unwrap();
        let root = dest.path().join("rootfs");
        unpack(&Task::unobserved(), &self.store, &self.image(built), &root).unwrap();
        list(&root)
    }
}

/// Lists a folder as [`Bench::tree`] does.
pub(crate) fn list(root: &Path) -> Vec<String> {
    let walk = WalkDir::new(root).min_depth(1).sort_by_file_name();
    walk.into_iter().map(|entry| line(root, entry.unwrap().path())).collect()
}

fn line(root: &Path, path: &Path) -> String {
    let name = path.strip_prefix(root).unwrap().display();
    let metadata = fs::symlink_metadata(path).unwrap();
    if metadata.is_symlink() {
        format!("{name} -> {}", fs::read_link(path).unwrap().display())
    } else if metadata.is_dir() {
        format!("{name}/")
    } else {
        let content = String::from_utf8_lossy(&fs::read(path).unwrap()).trim_end().to_owned();
        let runs = if metadata.permissions().mode() & 0o111 == 0 { "" } else { "*" };
        let separator = if content.is_empty() { "" } else { ": " };
        format!("{name}{runs}{separator}{content}")
    }
}

/// An error as the program shows it, but for its first line.
pub(crate) fn shown(error: &Error) -> String {
    match error {
        Error::Kubefile(errors) => errors.iter().map(mistake).collect::<Vec<_>>().join(""),
        other => format!("{other}\n"),
    }
}

fn mistake(error: &KubefileError) -> String {
    let hint = error.hint.as_ref().map(|hint| format!("hint: {hint}\n")).unwrap_or_default();
    format!("{error}\n{hint}")
}

/// The keys and values of a map, for comparisons.
pub(crate) fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
