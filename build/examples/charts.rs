//! Renders charts for comparisons: `charts DIR…` prints a line of JSON for each, its templates' texts
//! or what went wrong, and the images that they name.
#![allow(clippy::unwrap_used, reason = "a developer's program may panic")]

use std::path::Path;

fn main() {
    for dir in std::env::args().skip(1) {
        let answer = match sealer_build::render_chart(Path::new(&dir)) {
            Ok((pages, images)) => serde_json::json!({"chart": dir, "pages": pages, "images": images}),
            Err(error) => serde_json::json!({"chart": dir, "error": error}),
        };
        println!("{answer}");
    }
}
