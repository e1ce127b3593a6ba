//! Answers the field's questions about names of images, ignore patterns and shell words, and compares:
//! `vectors DIR` reads references.json, dockerignore-patterns.json and shell-words.json there.
//!
//! What differs on purpose stands in `ON_PURPOSE`, and for people in docs/reference/kubefile.md.
#![allow(clippy::unwrap_used, reason = "a developer's program may panic")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use sealer_build::ignore::Ignore;
use sealer_build::kubefile::expand;
use sealer_image::Reference;
use serde_json::Value;

/// Questions that are answered otherwise on purpose: the file, the question as it is printed, why.
/// None is at present.
const ON_PURPOSE: &[(&str, &str, &str)] = &[];

fn reason(file: &str, question: &str) -> Option<&'static str> {
    let of = ON_PURPOSE.iter().find(|(of, asked, _)| *of == file && *asked == question);
    of.map(|(_, _, reason)| *reason)
}

/// A question, the field's answer and ours.
struct Answer {
    question: String,
    field: String,
    ours: String,
}

fn main() -> ExitCode {
    let Some(dir) = std::env::args().nth(1) else {
        eprintln!("usage: vectors DIR");
        return ExitCode::FAILURE;
    };
    let dir = Path::new(&dir);
    let wrong = compare(dir, "references.json", reference)
        + compare(dir, "dockerignore-patterns.json", pattern)
        + compare(dir, "shell-words.json", word);
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints what differs of a file, and returns how much of it need not.
fn compare(dir: &Path, file: &str, answer: fn(&Value) -> Answer) -> usize {
    let text = std::fs::read_to_string(dir.join(file)).unwrap();
    let questions: Vec<Value> = serde_json::from_str(&text).unwrap();
    let answers = questions.iter().map(answer);
    let differing: Vec<Answer> = answers.filter(|answer| answer.field != answer.ours).collect();
    let mut wrong = 0;
    for answer in &differing {
        let reason = reason(file, &answer.question);
        wrong += usize::from(reason.is_none());
        println!("{file}: {}", answer.question);
        println!("  the field {}\n  sealer    {}", answer.field, answer.ours);
        println!("  {}", reason.unwrap_or("not on purpose"));
    }
    let (total, on_purpose) = (questions.len(), differing.len() - wrong);
    let agreed = total - differing.len();
    println!("{file}: {agreed} of {total} agree, {on_purpose} differ on purpose, {wrong} by mistake");
    wrong
}

fn text<'a>(question: &'a Value, field: &str) -> &'a str {
    question[field].as_str().unwrap_or_default()
}

/// A name, complete, with its parts. What the field completes is compared, for a name of ours is.
fn reference(question: &Value) -> Answer {
    let input = text(question, "input");
    let is_bare = question["tag"].is_null() && question["digest"].is_null();
    let familiar = format!("{}{}", text(question, "familiar"), if is_bare { ":latest" } else { "" });
    let tag = if is_bare { "latest" } else { text(question, "tag") };
    let field = match question["ok"].as_bool().unwrap() {
        true => [
            text(question, "with_default_tag"),
            &familiar,
            text(question, "domain"),
            text(question, "path"),
            tag,
            text(question, "digest"),
        ]
        .join(" "),
        false => "refuses it".to_owned(),
    };
    let ours = match input.parse::<Reference>() {
        Ok(name) => [
            &name.to_string(),
            &name.familiar(),
            name.registry(),
            name.repository(),
            name.tag().unwrap_or_default(),
            name.digest().unwrap_or_default(),
        ]
        .join(" "),
        Err(_) => "refuses it".to_owned(),
    };
    Answer { question: format!("{input:?}"), field, ours }
}

/// Whether rules leave a path out, and whether they are rules.
fn pattern(question: &Value) -> Answer {
    let rules: Vec<&str> =
        question["patterns"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let path = text(question, "path");
    let is_bad = question["bad_pattern"].as_bool().unwrap_or(false);
    let says = |is_bad: bool, leaves_out: bool| match (is_bad, leaves_out) {
        (true, _) => "refuses it".to_owned(),
        (_, true) => "leaves it out".to_owned(),
        (_, false) => "takes it".to_owned(),
    };
    let field = says(is_bad, question["match"].as_bool().unwrap());
    let ours = match Ignore::parse(".sealerignore", &rules.join("\n")) {
        Ok(ignore) => says(false, ignore.leaves_out(path).is_some()),
        Err(_) => says(true, false),
    };
    Answer { question: format!("{} {rules:?} {path:?}", text(question, "fn")), field, ours }
}

/// A word with its variables and without its quotes. It is never split: see docs/reference/kubefile.md.
fn word(question: &Value) -> Answer {
    let variables = [
        ("A", "a b"),
        ("KOREAN", "한국어"),
        ("N", "007"),
        ("NULL", ""),
        ("PATHS", "/a/b.tar.gz"),
        ("PWD", "/home"),
        ("SHELL", "bash"),
    ];
    let variables: BTreeMap<String, String> =
        variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let (input, escape) = (text(question, "input"), text(question, "escape"));
    let field = match question["error"].is_null() {
        true => format!("{:?}", text(question, "word")),
        false => "refuses it".to_owned(),
    };
    let ours = expand(input, escape.chars().next().unwrap(), &variables);
    let ours = ours.map_or_else(|_| "refuses it".to_owned(), |word| format!("{word:?}"));
    Answer { question: format!("{input:?} (escape {escape})"), field, ours }
}
