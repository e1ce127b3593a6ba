//! What manifests may say of one another.

use std::collections::BTreeMap;

use super::*;
use crate::config::SealerConfig;
use crate::image::{Image, NewImage, assemble, commit, for_platform};

/// A store with an image that stands in so many indexes, and the outermost.
fn nested_in(depth: usize) -> (tempfile::TempDir, Store, Descriptor) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("images")).unwrap();
    let image = NewImage {
        base: None,
        layers: Vec::new(),
        platform: Platform::host(),
        env: BTreeMap::new(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        sealer: SealerConfig::default(),
        time: 0,
    };
    let image = commit(&Task::unobserved(), &store, image).unwrap();
    let outermost = (0..depth)
        .fold(image, |inner, _| assemble(&store, vec![for_platform(&inner, &Platform::host())]).unwrap());
    (dir, store, outermost)
}

#[test]
fn an_image_stands_in_few_indexes() {
    for (depth, is_taken) in [(0, true), (1, true), (4, true), (5, false), (40, false)] {
        let (dir, store, root) = nested_in(depth);
        let other = Store::open(&dir.path().join("other")).unwrap();
        let told = [
            copy(&Task::unobserved(), &store, &other, &root, 1),
            choose(&store, &root, &Platform::host()).map(drop),
            Image::open(&store, &root, &Platform::host()).map(drop),
        ];
        for told in told {
            let told = told.map_err(|error| error.to_string());
            match told {
                Ok(()) => assert!(is_taken, "{depth}"),
                Err(reason) => {
                    assert!(!is_taken, "{depth}: {reason}");
                    let tail = "cannot be read: it stands in more than 4 indexes, one in the other";
                    assert!(reason.ends_with(tail), "{reason}");
                }
            }
        }
        assert_eq!(other.blob_path(root.digest()).exists(), is_taken, "{depth}");
    }
}

#[test]
fn a_manifest_larger_than_any_registry_takes_is_not_read() {
    let (_dir, store, root) = nested_in(0);
    let large = Descriptor::new(root.media_type().clone(), (4 << 20) + 1, root.digest().clone());
    let error = choose(&store, &large, &Platform::host()).unwrap_err().to_string();
    assert_eq!(error, format!("manifest {} cannot be read: it is larger than 4 MiB", root.digest()));
}
