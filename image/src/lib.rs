//! Content: references, digests, layers, the local store, registries, and copying between them.
//!
//! Everything an image is made of is *content*, named by its digest. Content has few verbs (fetch,
//! push, exists, resolve, tag); pull, push, save and load are the same `copy` between two ends.
//!
//! This crate never names a host, a Kubefile or a plugin. It prints nothing and reads no environment.

pub mod archive;
pub mod attached;
pub mod config;
pub mod content;
pub mod digest;
pub mod error;
pub mod image;
pub mod layer;
mod legacy;
pub mod platform;
pub mod reference;
pub mod registry;
pub mod signature;
pub mod store;
pub mod transfer;
pub mod tree;

pub use config::SealerConfig;
pub use content::{Fetch, Push};
pub use error::{Error, Result};
pub use image::Image;
pub use oci_spec::image::{Descriptor, Digest, ImageConfiguration, ImageIndex, ImageManifest, MediaType};
pub use platform::Platform;
pub use reference::Reference;
pub use registry::{Registry, RegistryError, RegistrySettings};
pub use store::Store;
