//! What the tests share: an image in memory, and settings that are in a hurry.

use std::collections::HashMap;
use std::io::{Cursor, Read};
use std::sync::Mutex;
use std::time::Duration;

use sealer_image::digest::sha256;
use sealer_image::registry::Retry;
use sealer_image::{Descriptor, Error, Fetch, MediaType, Push, Reference, RegistrySettings, Result, Store};
use sealer_testkit::{Proxy, Registry, RegistryOptions};
use tempfile::{TempDir, tempdir};

/// Content in memory. Takes in only what is what its descriptor says.
#[derive(Default)]
pub(crate) struct Memory(Mutex<HashMap<String, Vec<u8>>>);

impl Memory {
    pub(crate) fn add(&self, media_type: &str, bytes: Vec<u8>) -> Descriptor {
        let digest = sha256(&bytes);
        let descriptor = Descriptor::new(MediaType::from(media_type), bytes.len() as u64, digest.clone());
        self.0.lock().unwrap().insert(digest.to_string(), bytes);
        descriptor
    }

    /// Adds an image of layers of these sizes. Different seeds give different layers.
    pub(crate) fn image(&self, seed: u64, sizes: &[usize]) -> Descriptor {
        let config = serde_json::json!({
            "architecture": "amd64", "os": "linux", "author": seed.to_string(),
            "rootfs": { "type": "layers", "diff_ids": [] },
        });
        let config = self.add("application/vnd.oci.image.config.v1+json", config.to_string().into());
        let layers: Vec<Descriptor> = (seed..)
            .zip(sizes)
            .map(|(seed, size)| self.add("application/vnd.oci.image.layer.v1.tar", noise(seed, *size)))
            .collect();
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config, "layers": layers,
        });
        self.add("application/vnd.oci.image.manifest.v1+json", manifest.to_string().into())
    }

    /// Changes a byte of the content, and not its name.
    pub(crate) fn damage(&self, content: &Descriptor) {
        let mut all = self.0.lock().unwrap();
        all.get_mut(&content.digest().to_string()).unwrap()[7] ^= 1;
    }

    /// Adds an image whose manifest gives its layers' sizes wrong by so much.
    pub(crate) fn lying_about_sizes(&self, image: &Descriptor, by: i64) -> Descriptor {
        let bytes = self.0.lock().unwrap()[&image.digest().to_string()].clone();
        let mut manifest: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        for layer in manifest["layers"].as_array_mut().unwrap() {
            layer["size"] = (layer["size"].as_i64().unwrap() + by).into();
        }
        self.add("application/vnd.oci.image.manifest.v1+json", manifest.to_string().into())
    }

    /// Returns what is there, as a sorted list of digests.
    pub(crate) fn digests(&self) -> Vec<String> {
        let mut digests: Vec<String> = self.0.lock().unwrap().keys().cloned().collect();
        digests.sort();
        digests
    }

    pub(crate) fn layers(&self, image: &Descriptor) -> Vec<Descriptor> {
        let bytes = self.0.lock().unwrap()[&image.digest().to_string()].clone();
        let manifest: sealer_image::ImageManifest = serde_json::from_slice(&bytes).unwrap();
        manifest.layers().clone()
    }
}

impl Fetch for Memory {
    fn fetch(&self, content: &Descriptor, from: u64) -> Result<Box<dyn Read + Send + '_>> {
        let mut reader = Cursor::new(self.0.lock().unwrap()[&content.digest().to_string()].clone());
        reader.set_position(from);
        Ok(Box::new(reader))
    }
}

impl Push for Memory {
    fn exists(&self, content: &Descriptor) -> Result<bool> {
        Ok(self.0.lock().unwrap().contains_key(&content.digest().to_string()))
    }

    fn push(&self, content: &Descriptor, source: &dyn Fetch) -> Result<()> {
        let mut bytes = Vec::new();
        let read = source.fetch(content, 0)?.read_to_end(&mut bytes);
        read.map_err(|error| Error::from_read(error, content.digest()))?;
        let (digest, found) = (content.digest().clone(), sha256(&bytes));
        if found != digest || bytes.len() as u64 != content.size() {
            let detail = format!("{} bytes of {}", bytes.len(), content.size());
            return Err(Error::Verify { what: "content", digest, detail });
        }
        self.0.lock().unwrap().insert(digest.to_string(), bytes);
        Ok(())
    }
}

/// An empty store, and the folder that goes with it.
pub(crate) fn store() -> (TempDir, Store) {
    let dir = tempdir().unwrap();
    let store = Store::open(&dir.path().join("images")).unwrap();
    (dir, store)
}

/// Bytes without a pattern, the same for the same seed.
pub(crate) fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// Settings that look at nothing outside the test and hardly wait.
pub(crate) fn settings() -> RegistrySettings {
    RegistrySettings {
        certs_dirs: Vec::new(),
        retry: Retry {
            times: 3,
            first_pause: Duration::from_millis(5),
            longest_pause: Duration::from_secs(2),
        },
        timeout: Duration::from_secs(20),
        ..RegistrySettings::default()
    }
}

pub(crate) fn reference(address: &str, rest: &str) -> Reference {
    format!("{address}/{rest}").parse().unwrap()
}

/// A registry that lets everybody in, behind a proxy that breaks things.
pub(crate) struct Wire {
    pub(crate) proxy: Proxy,
    pub(crate) registry: Registry,
}

impl Wire {
    pub(crate) fn start() -> Self {
        let registry = Registry::start(RegistryOptions::default());
        Self { proxy: Proxy::start(&registry.address()), registry }
    }

    pub(crate) fn reference(&self, rest: &str) -> Reference {
        reference(&self.proxy.address(), rest)
    }
}
