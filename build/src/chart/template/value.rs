//! The values of Go's templates: maps are shared, as Go's are, so that `set` is seen by all.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::print;

/// A map that every copy of it shares.
pub(crate) type Shared = Rc<RefCell<BTreeMap<String, Value>>>;

/// The files of a chart, by their path in it.
pub(crate) type Files = Rc<BTreeMap<String, Vec<u8>>>;

/// A value.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Rc<str>),
    List(Rc<Vec<Value>>),
    Map(Shared),
    /// `.Files` and what `.Files.Glob` returns.
    Files(Files),
    /// `.Capabilities.APIVersions`.
    Versions(Rc<Vec<String>>),
}

impl Value {
    pub(crate) fn text(text: impl AsRef<str>) -> Self {
        Self::Text(Rc::from(text.as_ref()))
    }

    pub(crate) fn list(items: Vec<Value>) -> Self {
        Self::List(Rc::new(items))
    }

    pub(crate) fn map(entries: BTreeMap<String, Value>) -> Self {
        Self::Map(Rc::new(RefCell::new(entries)))
    }

    pub(crate) fn of<const N: usize>(entries: [(&str, Value); N]) -> Self {
        Self::map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }

    /// Whether `if` takes it: not what is empty or nothing.
    pub(crate) fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::List(items) => !items.is_empty(),
            Self::Map(map) => !map.borrow().is_empty(),
            Self::Files(files) => !files.is_empty(),
            Self::Versions(versions) => !versions.is_empty(),
        }
    }

    /// Go's word for what sort it is.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Nil => "invalid",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int64",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::List(_) | Self::Versions(_) => "slice",
            Self::Map(_) | Self::Files(_) => "map",
        }
    }

    /// Go's name of its type.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "<nil>",
            Self::List(_) => "[]interface {}",
            Self::Map(_) => "map[string]interface {}",
            Self::Files(_) => "engine.files",
            Self::Versions(_) => "common.VersionSet",
            other => other.kind(),
        }
    }

    /// As Go's `%v` prints it.
    pub(crate) fn shown(&self) -> String {
        print::plain(self)
    }

    pub(crate) fn get(&self, key: &str) -> Option<Value> {
        match self {
            Self::Map(map) => map.borrow().get(key).cloned(),
            _ => None,
        }
    }

    /// The items of a list, the values of a map; one item of anything else.
    pub(crate) fn items(&self) -> Vec<Value> {
        match self {
            Self::Nil => Vec::new(),
            Self::List(items) => items.to_vec(),
            Self::Versions(versions) => versions.iter().map(Value::text).collect(),
            Self::Map(map) => map.borrow().values().cloned().collect(),
            other => vec![other.clone()],
        }
    }

    /// A copy that shares nothing with it.
    pub(crate) fn deep(&self) -> Self {
        match self {
            Self::List(items) => Self::list(items.iter().map(Value::deep).collect()),
            Self::Map(map) => {
                Self::map(map.borrow().iter().map(|(key, value)| (key.clone(), value.deep())).collect())
            }
            other => other.clone(),
        }
    }

    /// As a number, the way sprig's `int64` and `float64` make one of anything.
    pub(crate) fn number(&self) -> f64 {
        match self {
            Self::Bool(value) => f64::from(u8::from(*value)),
            Self::Int(value) => *value as f64,
            Self::Float(value) => *value,
            Self::Text(text) => text.trim().parse().unwrap_or(0.0),
            _ => 0.0,
        }
    }

    pub(crate) fn integer(&self) -> i64 {
        match self {
            Self::Int(value) => *value,
            Self::Text(text) => text.trim().parse().unwrap_or_else(|_| self.number() as i64),
            other => other.number() as i64,
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Nil, Self::Nil) => true,
            (Self::Bool(one), Self::Bool(other)) => one == other,
            (Self::Int(one), Self::Int(other)) => one == other,
            (Self::Text(one), Self::Text(other)) => one == other,
            (Self::List(one), Self::List(other)) => one == other,
            (Self::Map(one), Self::Map(other)) => Rc::ptr_eq(one, other) || *one.borrow() == *other.borrow(),
            (Self::Int(_) | Self::Float(_), Self::Int(_) | Self::Float(_)) => self.number() == other.number(),
            _ => false,
        }
    }
}
