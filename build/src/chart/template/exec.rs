//! Nodes and data → text, with the line that each piece of the text comes from.

use std::cell::Cell;
use std::rc::Rc;

use super::fields::{bytes_text, field};
use super::parser::{Kind, Node, Operand, Pipeline};
use super::value::Value;
use super::{Failure, Templates};

/// How deep templates may call each other, as Helm allows it.
const DEEPEST: usize = 1000;
/// How many nodes a rendering may visit, and how many bytes it may write.
const MOST_NODES: usize = 20_000_000;
const MOST_BYTES: usize = 128 << 20;

/// What functions are asked through: `name` with its arguments.
pub(crate) type Functions = dyn Fn(&Run<'_>, &str, &[Value]) -> Result<Value, Stop>;

/// Why a function has no value.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It cannot be called so.
    Message(String),
    /// A template that it called failed.
    Inner(Failure),
}

impl From<String> for Stop {
    fn from(message: String) -> Self {
        Self::Message(message)
    }
}

impl From<&str> for Stop {
    fn from(message: &str) -> Self {
        Self::Message(message.to_owned())
    }
}

/// A rendering.
pub(crate) struct Run<'a> {
    templates: Templates,
    functions: &'a Functions,
    depth: &'a Cell<usize>,
    visited: &'a Cell<usize>,
}

/// A rendered text.
#[derive(Debug, Default)]
pub(crate) struct Output {
    pub(crate) text: String,
    /// Where a piece begins, the line of the template that it comes from, and whether it stands there.
    marks: Vec<(usize, usize, bool)>,
}

impl Output {
    /// For each line of the text, the template's line that it comes from: where the last piece that
    /// stands in it comes from, for what a line begins with may end an earlier action.
    pub(crate) fn source_lines(&self) -> Vec<usize> {
        let mut lines = Vec::new();
        let (mut begins, mut next) = (0, 0);
        // The piece that reaches into the line, and its line at the line's beginning.
        let mut current = (0, false);
        for text in self.text.split_inclusive('\n') {
            let end = begins + text.trim_end_matches('\n').len();
            let mut line = current;
            while let Some((at, source, literal)) = self.marks.get(next).copied() {
                if at > end || (at == end && at > begins) {
                    break;
                }
                line = (source, literal);
                next += 1;
            }
            lines.push(line.0);
            begins += text.len();
            current = match line {
                (source, true) => (source + 1, true),
                other => other,
            };
            // What begins with the line's end goes on in the next line.
            while let Some((at, source, literal)) = self.marks.get(next).copied() {
                if at >= begins {
                    break;
                }
                let breaks = self.text[at..begins].bytes().filter(|byte| *byte == b'\n').count();
                current = (source + if literal { breaks } else { 0 }, literal);
                next += 1;
            }
        }
        lines
    }

    fn push(&mut self, line: usize, text: &str, literal: bool) {
        if !text.is_empty() {
            self.marks.push((self.text.len(), line, literal));
            self.text.push_str(text);
        }
    }
}

enum Flow {
    Next,
    Break,
    Continue,
}

impl<'a> Run<'a> {
    pub(crate) fn new(
        templates: Templates,
        functions: &'a Functions,
        depth: &'a Cell<usize>,
        visited: &'a Cell<usize>,
    ) -> Self {
        Self { templates, functions, depth, visited }
    }

    /// Renders a template.
    pub(crate) fn render(&self, name: &str, data: &Value) -> Result<Output, Stop> {
        let Some(template) = self.templates.0.get(name) else {
            return Err(format!("there is no template {name:?}").into());
        };
        if self.depth.get() >= DEEPEST {
            return Err(format!("template {name:?} calls itself without end").into());
        }
        self.depth.set(self.depth.get() + 1);
        let mut scope = Scope {
            run: self,
            file: Rc::clone(&template.file),
            variables: vec![(String::new(), data.clone())],
            out: Output::default(),
        };
        let walked = scope.walk(data, &template.body);
        self.depth.set(self.depth.get() - 1);
        walked.map(|_| scope.out).map_err(Stop::Inner)
    }

    /// Renders a text as a template, which sees all others (`tpl`).
    pub(crate) fn render_text(&self, text: &str, data: &Value) -> Result<String, Stop> {
        if !text.contains("{{") {
            return Ok(text.to_owned());
        }
        let mut templates = self.templates.clone();
        templates.add("gotpl", text).map_err(Stop::Inner)?;
        let run = Run { templates, functions: self.functions, depth: self.depth, visited: self.visited };
        run.render("gotpl", data).map(|output| output.text).map_err(|stop| match stop {
            // A text has no file: the place is where it is rendered.
            Stop::Inner(failure) if failure.file == "gotpl" => Stop::Message(failure.message),
            stop => stop,
        })
    }
}

struct Scope<'r, 'a> {
    run: &'r Run<'a>,
    file: Rc<str>,
    variables: Vec<(String, Value)>,
    out: Output,
}

impl Scope<'_, '_> {
    fn fail(&self, line: usize, stop: Stop) -> Failure {
        match stop {
            Stop::Message(message) => Failure { file: self.file.to_string(), line, message },
            Stop::Inner(failure) => failure,
        }
    }

    fn walk(&mut self, dot: &Value, nodes: &[Node]) -> Result<Flow, Failure> {
        let kept = self.variables.len();
        for node in nodes {
            let visited = self.run.visited.get() + 1;
            self.run.visited.set(visited);
            if visited > MOST_NODES || self.out.text.len() > MOST_BYTES {
                return Err(self.fail(node.line, "it has no end".into()));
            }
            match self.node(dot, node)? {
                Flow::Next => {}
                flow => {
                    self.variables.truncate(kept);
                    return Ok(flow);
                }
            }
        }
        self.variables.truncate(kept);
        Ok(Flow::Next)
    }

    fn node(&mut self, dot: &Value, node: &Node) -> Result<Flow, Failure> {
        match &node.kind {
            Kind::Text(text) => self.out.push(node.line, text, true),
            Kind::Action(pipeline) => {
                let value = self.pipeline(dot, pipeline)?;
                if pipeline.names.is_empty() && !matches!(value, Value::Nil) {
                    self.out.push(node.line, &value.shown().replace("<no value>", ""), false);
                }
            }
            Kind::If { test, then, other } => {
                let kept = self.variables.len();
                let truth = self.pipeline(dot, test)?.is_true();
                let flow = self.walk(dot, if truth { then } else { other })?;
                self.variables.truncate(kept);
                return Ok(flow);
            }
            Kind::With { test, then, other } => {
                let kept = self.variables.len();
                let value = self.pipeline(dot, test)?;
                let flow = if value.is_true() { self.walk(&value, then)? } else { self.walk(dot, other)? };
                self.variables.truncate(kept);
                return Ok(flow);
            }
            Kind::Range { over, body, other } => return self.range(dot, over, body, other),
            Kind::Template { name, data } => {
                let data = match data {
                    Some(pipeline) => self.pipeline(dot, pipeline)?,
                    None => Value::Nil,
                };
                let output = self.run.render(name, &data).map_err(|stop| self.fail(node.line, stop))?;
                self.out.push(node.line, &output.text, false);
            }
            Kind::Break => return Ok(Flow::Break),
            Kind::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    fn range(
        &mut self,
        dot: &Value,
        over: &Pipeline,
        body: &[Node],
        other: &[Node],
    ) -> Result<Flow, Failure> {
        let kept = self.variables.len();
        let bare = Pipeline { names: Vec::new(), ..over.clone() };
        let value = self.pipeline(dot, &bare)?;
        let items: Vec<(Value, Value)> = match &value {
            Value::Nil => Vec::new(),
            Value::List(items) => items
                .iter()
                .enumerate()
                .map(|(index, item)| (Value::Int(index as i64), item.clone()))
                .collect(),
            Value::Map(map) => {
                map.borrow().iter().map(|(key, item)| (Value::text(key), item.clone())).collect()
            }
            Value::Files(files) => {
                files.iter().map(|(name, bytes)| (Value::text(name), bytes_text(bytes))).collect()
            }
            Value::Int(count) => (0..*count).map(|index| (Value::Int(index), Value::Int(index))).collect(),
            other => {
                let message = format!("range can't iterate over {}", other.shown());
                return Err(self.fail(over.line, message.into()));
            }
        };
        if items.is_empty() {
            return self.walk(dot, other);
        }
        for (key, item) in items {
            match over.names.as_slice() {
                [one] => self.variables.push((one.clone(), item.clone())),
                [one, two] => {
                    self.variables.push((one.clone(), key));
                    self.variables.push((two.clone(), item.clone()));
                }
                _ => {}
            }
            let flow = self.walk(&item, body)?;
            self.variables.truncate(kept);
            if let Flow::Break = flow {
                break;
            }
        }
        Ok(Flow::Next)
    }

    fn pipeline(&mut self, dot: &Value, pipeline: &Pipeline) -> Result<Value, Failure> {
        let mut value = None;
        for command in &pipeline.commands {
            value = Some(self.command(dot, pipeline.line, command, value)?);
        }
        let value = value.unwrap_or(Value::Nil);
        for name in &pipeline.names {
            if pipeline.declares {
                self.variables.push((name.clone(), value.clone()));
            } else {
                match self.variables.iter_mut().rev().find(|(other, _)| other == name) {
                    Some((_, place)) => *place = value.clone(),
                    None => return Err(self.fail(pipeline.line, undefined(name))),
                }
            }
        }
        Ok(value)
    }

    fn command(
        &mut self,
        dot: &Value,
        line: usize,
        operands: &[Operand],
        last: Option<Value>,
    ) -> Result<Value, Failure> {
        let (first, rest) = operands.split_first().expect("the parser refuses empty commands");
        if let Operand::Function(name) = first {
            if matches!(name.as_str(), "and" | "or") {
                return self.lazy(dot, line, name == "and", rest, last);
            }
            let args = self.arguments(dot, line, rest, last)?;
            return (self.run.functions)(self.run, name, &args).map_err(|stop| {
                self.fail(
                    line,
                    match stop {
                        Stop::Message(message) => Stop::Message(format!("{name}: {message}")),
                        stop @ Stop::Inner(_) => stop,
                    },
                )
            });
        }
        if rest.is_empty() && last.is_none() {
            return self.operand(dot, line, first);
        }
        let args = self.arguments(dot, line, rest, last)?;
        let (value, path) = match first {
            Operand::Field(path) => (dot.clone(), path),
            Operand::Variable(name, path) => (self.variable(line, name)?, path),
            Operand::Paren(inner, path) => (self.pipeline(dot, inner)?, path),
            _ => return Err(self.fail(line, "can't give argument to non-function".into())),
        };
        let Some((method, path)) = path.split_last() else {
            return Err(self.fail(line, "can't give argument to non-function".into()));
        };
        let value = self.path(line, value, path)?;
        field(&value, method, &args).map_err(|stop| self.fail(line, stop))
    }

    /// `and` and `or` look at no more than they need.
    fn lazy(
        &mut self,
        dot: &Value,
        line: usize,
        all: bool,
        operands: &[Operand],
        last: Option<Value>,
    ) -> Result<Value, Failure> {
        let mut value = Value::Nil;
        for operand in operands {
            value = self.operand(dot, line, operand)?;
            if value.is_true() != all {
                return Ok(value);
            }
        }
        Ok(last.unwrap_or(value))
    }

    fn arguments(
        &mut self,
        dot: &Value,
        line: usize,
        operands: &[Operand],
        last: Option<Value>,
    ) -> Result<Vec<Value>, Failure> {
        let mut args = Vec::with_capacity(operands.len() + 1);
        for operand in operands {
            args.push(self.operand(dot, line, operand)?);
        }
        args.extend(last);
        Ok(args)
    }

    fn operand(&mut self, dot: &Value, line: usize, operand: &Operand) -> Result<Value, Failure> {
        Ok(match operand {
            Operand::Dot => dot.clone(),
            Operand::Nil => Value::Nil,
            Operand::Bool(value) => Value::Bool(*value),
            Operand::Int(value) => Value::Int(*value),
            Operand::Float(value) => Value::Float(*value),
            Operand::Text(text) => Value::text(text),
            Operand::Field(path) => self.path(line, dot.clone(), path)?,
            Operand::Variable(name, path) => {
                let value = self.variable(line, name)?;
                self.path(line, value, path)?
            }
            Operand::Paren(inner, path) => {
                let value = self.pipeline(dot, inner)?;
                self.path(line, value, path)?
            }
            Operand::Function(_) => self.command(dot, line, std::slice::from_ref(operand), None)?,
        })
    }

    fn variable(&self, line: usize, name: &str) -> Result<Value, Failure> {
        let found = self.variables.iter().rev().find(|(other, _)| other == name);
        found.map(|(_, value)| value.clone()).ok_or_else(|| self.fail(line, undefined(name)))
    }

    /// A chain of fields. As in Go, nothing has fields that are nothing; but what a map on the way
    /// lacks has none.
    fn path(&self, line: usize, mut value: Value, path: &[String]) -> Result<Value, Failure> {
        if matches!(value, Value::Nil) {
            return Ok(Value::Nil);
        }
        for name in path {
            value = field(&value, name, &[]).map_err(|stop| self.fail(line, stop))?;
        }
        Ok(value)
    }
}

fn undefined(name: &str) -> Stop {
    Stop::Message(format!("undefined variable \"${name}\""))
}
