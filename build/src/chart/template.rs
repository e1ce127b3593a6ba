//! Go's `text/template`, as far as charts need it, with the line of everything that goes wrong.
//!
//! Not gtmpl-ng, which renders hosts' files: its values are copied where Go's maps are shared (charts
//! pass results through `set`), and its functions cannot see the templates (`include`, `tpl`).

pub(crate) mod exec;
mod fields;
mod lexer;
mod parser;
pub(crate) mod print;
pub(crate) mod value;

use std::collections::BTreeMap;
use std::rc::Rc;

pub(crate) use exec::Run;
use parser::{Kind, Node};

/// What went wrong, in which template and line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The file.
    pub(crate) file: String,
    /// The line; zero where only the file is known.
    pub(crate) line: usize,
    /// What, as a phrase.
    pub(crate) message: String,
}

/// A template and the file that it comes from.
#[derive(Debug, Clone)]
struct Template {
    file: Rc<str>,
    body: Rc<Vec<Node>>,
}

/// Templates by name; a later one takes the name of an earlier one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Templates(BTreeMap<String, Template>);

impl Templates {
    /// Adds a file and all that it defines.
    ///
    /// # Errors
    /// The first mistake of the file.
    pub(crate) fn add(&mut self, file: &str, text: &str) -> Result<(), Failure> {
        let parsed = parser::parse(text).map_err(|(line, message)| Failure {
            file: file.to_owned(),
            line,
            message,
        })?;
        let file: Rc<str> = Rc::from(file);
        for (name, body) in parsed.defined {
            let is_blank = |node: &Node| matches!(&node.kind, Kind::Text(text) if text.trim().is_empty());
            // Go keeps what is there rather than take an empty body.
            if body.iter().all(is_blank) && self.0.contains_key(&name) {
                continue;
            }
            self.0.insert(name, Template { file: Rc::clone(&file), body: Rc::new(body) });
        }
        self.0.insert(file.to_string(), Template { file, body: Rc::new(parsed.body) });
        Ok(())
    }
}
