//! Renders charts and reads manifests for comparisons: `charts PATH…` prints a line of JSON for each,
//! its templates' texts or what went wrong, and the images that they name.
#![allow(clippy::unwrap_used, reason = "a developer's program may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use sealer_build::images::named;
use sealer_build::render_chart;

fn main() {
    for path in std::env::args().skip(1) {
        let answer = match Path::new(&path) {
            file if file.is_file() => {
                let images: BTreeSet<String> =
                    named(&path, &fs::read_to_string(file).unwrap()).into_iter().collect();
                serde_json::json!({"chart": path, "images": images})
            }
            dir => match render_chart(dir) {
                Ok((pages, images)) => serde_json::json!({"chart": path, "pages": pages, "images": images}),
                Err(error) => serde_json::json!({"chart": path, "error": error}),
            },
        };
        println!("{answer}");
    }
}
