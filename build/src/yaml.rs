//! YAML as a tree that knows its lines. For reading what others wrote; not for our own formats.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle};

/// Aliases may make a document so large: what is larger was written to do harm.
const MOST_NODES: usize = 1_000_000;

/// A value and the line where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) line: usize,
    pub(crate) value: Value,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// A text; `plain` where it stands without quotes and may be a number, a truth value or nothing.
    Scalar {
        text: String,
        plain: bool,
    },
    Sequence(Vec<Node>),
    Mapping(Vec<(Node, Node)>),
}

/// Where a text is no YAML, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistake {
    pub(crate) line: usize,
    pub(crate) reason: String,
}

impl Node {
    /// The text of a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The value of a mapping's key.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
    }

    /// The entries of a mapping; none of anything else.
    pub(crate) fn entries(&self) -> &[(Node, Node)] {
        match &self.value {
            Value::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a sequence; none of anything else.
    pub(crate) fn items(&self) -> &[Node] {
        match &self.value {
            Value::Sequence(items) => items,
            _ => &[],
        }
    }
}

/// A collection that is being read.
struct Open {
    line: usize,
    anchor: usize,
    is_mapping: bool,
    children: Vec<Node>,
}

/// Reads all documents of a text.
///
/// # Errors
/// The first mistake.
pub(crate) fn documents(text: &str) -> Result<Vec<Node>, Mistake> {
    let mut reader = Reader { documents: Vec::new(), open: Vec::new(), anchors: HashMap::new(), count: 0 };
    for event in Parser::new_from_str(text) {
        let (event, span) =
            event.map_err(|error| Mistake { line: error.marker().line().max(1), reason: error.info() })?;
        reader.take(event, span.start.line())?;
    }
    Ok(reader.documents)
}

struct Reader {
    documents: Vec<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, usize)>,
    count: usize,
}

impl Reader {
    fn take(&mut self, event: Event<'_>, line: usize) -> Result<(), Mistake> {
        match event {
            Event::DocumentStart(..) => self.anchors.clear(),
            Event::Scalar(text, style, anchor, _) => {
                let plain = style == ScalarStyle::Plain;
                let value = Value::Scalar { text: text.into_owned(), plain };
                self.add(Node { line, value }, anchor, 1)?;
            }
            Event::SequenceStart(_, anchor, _) => {
                self.open.push(Open { line, anchor, is_mapping: false, children: Vec::new() });
            }
            Event::MappingStart(_, anchor, _) => {
                self.open.push(Open { line, anchor, is_mapping: true, children: Vec::new() });
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let open = self.open.pop().expect("the parser pairs beginnings and ends");
                let value = if open.is_mapping {
                    Value::Mapping(merged(pairs(open.children)))
                } else {
                    Value::Sequence(open.children)
                };
                self.add(Node { line: open.line, value }, open.anchor, 1)?;
            }
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor).cloned() else {
                    return Err(Mistake { line, reason: "an alias stands within what it names".to_owned() });
                };
                self.add(node, 0, size)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn add(&mut self, node: Node, anchor: usize, size: usize) -> Result<(), Mistake> {
        self.count += size;
        if self.count > MOST_NODES {
            let reason = format!("it has more than {MOST_NODES} values");
            return Err(Mistake { line: node.line, reason });
        }
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), size_of(&node)));
        }
        match self.open.last_mut() {
            Some(open) => open.children.push(node),
            None => self.documents.push(node),
        }
        Ok(())
    }
}

fn size_of(node: &Node) -> usize {
    match &node.value {
        Value::Scalar { .. } => 1,
        Value::Sequence(items) => 1 + items.iter().map(size_of).sum::<usize>(),
        Value::Mapping(entries) => {
            1 + entries.iter().map(|(key, value)| size_of(key) + size_of(value)).sum::<usize>()
        }
    }
}

fn pairs(children: Vec<Node>) -> Vec<(Node, Node)> {
    let mut children = children.into_iter();
    let mut pairs = Vec::new();
    while let (Some(key), Some(value)) = (children.next(), children.next()) {
        pairs.push((key, value));
    }
    pairs
}

/// Puts in what `<<` names: what the mapping has itself goes before it.
fn merged(entries: Vec<(Node, Node)>) -> Vec<(Node, Node)> {
    let is_merge = |key: &Node| matches!(&key.value, Value::Scalar { text, plain: true } if text == "<<");
    if !entries.iter().any(|(key, _)| is_merge(key)) {
        return entries;
    }
    let (merges, mut own): (Vec<_>, Vec<_>) = entries.into_iter().partition(|(key, _)| is_merge(key));
    for (_, value) in merges {
        let sources = if value.items().is_empty() { vec![value] } else { value.items().to_vec() };
        for (key, value) in sources.iter().flat_map(|source| source.entries().to_vec()) {
            if !own.iter().any(|(other, _)| other.text() == key.text()) {
                own.push((key, value));
            }
        }
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get<'n>(node: &'n Node, path: &[&str]) -> &'n Node {
        path.iter().fold(node, |node, key| node.get(key).unwrap())
    }

    #[test]
    fn every_value_knows_its_line_and_aliases_are_followed() {
        let text = "a: &x\n  image: one:1\nb:\n  <<: *x\n  more: 1\n---\n- [two, 'three']\n";
        let documents = documents(text).unwrap();
        let image = get(&documents[0], &["b", "image"]);
        assert_eq!((image.line, image.text()), (2, Some("one:1")));
        let items = documents[1].items()[0].items();
        let shown: Vec<_> = items.iter().map(|item| (item.line, item.text())).collect();
        assert_eq!(shown, [(7, Some("two")), (7, Some("three"))]);
    }

    #[test]
    fn what_is_no_yaml_or_too_large_is_refused_with_its_line() {
        assert_eq!(documents("a: 1\nb: [\n").unwrap_err().line, 2);
        let mut text = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for level in 1..9 {
            let below = format!("*a{},", level - 1).repeat(10);
            text += &format!("a{level}: &a{level} [{below}]\n");
        }
        assert_eq!(documents(&text).unwrap_err().reason, "it has more than 1000000 values");
    }
}
