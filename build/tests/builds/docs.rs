//! What docs/reference/kubefile.md says is so.

use std::fs;
use std::path::Path;

use crate::kit::Bench;

/// The page's fenced blocks of one kind, in order.
struct Page(String);

impl Page {
    fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/kubefile.md");
        Self(fs::read_to_string(path).unwrap())
    }

    fn blocks(&self, kind: &str) -> Vec<&str> {
        let begin = format!("```{kind}\n");
        self.0.split(&begin).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
    }

    /// The code spans of the rows of the table below this heading row: the first, and the others.
    fn rows(&self, heading: &str) -> Vec<(&str, Vec<&str>)> {
        let after = self.0.split(heading).nth(1).unwrap();
        let rows = after.lines().skip(1).take_while(|line| line.starts_with('|'));
        rows.map(|row| {
            let mut spans = row.split('`').skip(1).step_by(2);
            (spans.next().unwrap(), spans.collect())
        })
        .collect()
    }

    /// A bench with the page's context.
    fn bench(&self) -> Bench {
        let bench = Bench::new();
        bench.touch(&self.blocks("files")[0].split_whitespace().collect::<Vec<_>>());
        bench
    }
}

/// The paths of an image's files.
fn files(bench: &Bench, kubefile: &str) -> Vec<String> {
    let tree = bench.tree(&bench.build(kubefile));
    let names = tree.into_iter().map(|line| line.split(": ").next().unwrap().to_owned());
    names.filter(|name| !name.ends_with('/')).collect()
}

#[test]
fn every_example_is_built() {
    let page = Page::read();
    let examples = page.blocks("kubefile");
    assert!(examples.len() >= 7);
    for example in examples {
        let mut bench = page.bench();
        bench.options.tag = "kubernetes:v1.19.8";
        bench.build("FROM scratch\nCOPY etc .\n");
        bench.options.tag = "demo:v1";
        bench.build(example);
    }
}

#[test]
fn every_row_of_the_tables_of_copy_is_so() {
    let page = Page::read();
    let sealer = page.rows("| instruction | files of the image |\n");
    let docker = page.rows("| instruction | files of the image, by Docker's rules |\n");
    assert!(sealer.len() >= 18 && docker.len() >= 4);
    for (instruction, expected) in sealer {
        assert_eq!(
            files(&page.bench(), &format!("FROM scratch\n{instruction}\n")),
            expected,
            "{instruction}"
        );
    }
    for (instruction, expected) in docker {
        let kubefile = format!("# syntax=docker/dockerfile:1\nFROM scratch\n{instruction}\n");
        assert_eq!(files(&page.bench(), &kubefile), expected, "{instruction}");
    }
}

#[test]
fn every_rule_of_an_ignore_file_is_so() {
    let page = Page::read();
    let rows = page.rows("| rule | leaves out |\n");
    assert!(rows.len() >= 6);
    for (rule, left_out) in rows {
        let bench = page.bench();
        bench.write(".sealerignore", format!("Kubefile\n.sealerignore\n{rule}\n"));
        let mut all: Vec<&str> = page.blocks("files")[0].split_whitespace().collect();
        all.retain(|file| !left_out.contains(file));
        all.sort_unstable();
        assert_eq!(files(&bench, "FROM scratch\nCOPY . .\n"), all, "{rule}");
    }
}

#[test]
fn every_error_is_what_the_builder_says() {
    let page = Page::read();
    let (wrong, texts) = (page.blocks("kubefile-wrong"), page.blocks("text"));
    assert_eq!((wrong.len(), texts.len()), (2, 2));
    for (kubefile, text) in wrong.into_iter().zip(texts) {
        let refused = page.bench().refused(kubefile).replace("~/context", "/src/demo");
        assert_eq!(format!("error: cannot build `demo:v1`\n{refused}"), text);
    }
}
