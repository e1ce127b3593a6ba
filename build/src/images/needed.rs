//! The images that a cluster image's files name, each with the places that name it.

use std::collections::BTreeMap;
use std::fmt;

use sealer_image::Reference;
use serde::{Deserialize, Serialize};

/// A line of a file of the image, or of a list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The file, as its path in the image or as the person named it.
    pub file: String,
    /// The line, from 1; zero where only the file is known.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}", self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

/// What a file says, before anybody has looked whether it is a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Mention {
    pub(crate) name: String,
    pub(crate) place: Place,
    /// Whether it can be nothing but an image. What only looks like one may be something else.
    pub(crate) certain: bool,
}

/// An image that the cluster needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needed {
    /// Its name, complete.
    pub reference: Reference,
    /// Where it is named.
    pub places: Vec<Place>,
}

/// What the mentions come to.
#[derive(Debug, Default)]
pub(crate) struct Sorted {
    pub(crate) needed: Vec<Needed>,
    /// What can be nothing but an image and is no name of one.
    pub(crate) broken: Vec<(Mention, String)>,
    /// What looks like an image and is no name of one.
    pub(crate) doubtful: Vec<Mention>,
}

/// Sorts mentions by what they name. `ignored` tells which names are left out.
pub(crate) fn sort(mentions: Vec<Mention>, ignored: impl Fn(&str, &Reference) -> bool) -> Sorted {
    let mut sorted = Sorted::default();
    let mut needed: BTreeMap<String, Needed> = BTreeMap::new();
    for mention in mentions {
        match mention.name.parse::<Reference>() {
            Ok(reference) if ignored(&mention.name, &reference) => {}
            Ok(reference) => {
                let one = needed.entry(reference.to_string());
                let one = one.or_insert_with(|| Needed { reference, places: Vec::new() });
                if !one.places.contains(&mention.place) {
                    one.places.push(mention.place);
                }
            }
            Err(error) if mention.certain => {
                let reason = match error {
                    sealer_image::Error::Reference { reason, .. } => reason,
                    other => other.to_string(),
                };
                sorted.broken.push((mention, reason));
            }
            Err(_) => sorted.doubtful.push(mention),
        }
    }
    sorted.needed = needed.into_values().collect();
    sorted.needed.iter_mut().for_each(|one| one.places.sort());
    sorted
}
