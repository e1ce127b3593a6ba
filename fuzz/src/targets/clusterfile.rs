//! Clusterfiles, today's and those that are written anew.

use sealer_runtime::cluster::clusterfile::parse;
use sealer_runtime::cluster::convert::convert;
use sealer_runtime::cluster::flags::Defaults;

/// Reads a Clusterfile. Every mistake has a line; a cluster has a master, which comes first.
pub(crate) fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let defaults = Defaults { secrets: Some(|_| Ok("secret".into())), ..Defaults::default() };
    match parse("Clusterfile", text, &defaults) {
        Ok(spec) => assert!(spec.first_master().has_role("master")),
        Err(errors) => {
            assert!(!errors.is_empty());
            assert!(errors.iter().all(|error| error.place.starts_with("Clusterfile:")));
        }
    }
}

/// Writes a Clusterfile anew. What comes of it stays as it is when that is done again.
pub(crate) fn anew(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match convert("Clusterfile", text) {
        Ok(converted) => {
            let again = convert("Clusterfile", &converted.text).expect("what was written is read");
            assert_eq!(again.text, converted.text);
        }
        Err(errors) => assert!(errors.iter().all(|error| error.place.starts_with("Clusterfile:"))),
    }
}
