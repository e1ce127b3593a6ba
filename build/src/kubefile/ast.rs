//! A Kubefile as a value.

use serde::Serialize;

/// A stretch of one line of a file. Line and column count from 1, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Span {
    /// The line.
    pub line: usize,
    /// The first character.
    pub column: usize,
    /// How many characters.
    pub length: usize,
}

/// A word as written, before variables are put in, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Word {
    /// The text, with its quotes and variables.
    pub text: String,
    /// Where.
    pub span: Span,
    /// Whether it is meant as it stands: it came from a JSON array.
    pub literal: bool,
}

/// A whole Kubefile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kubefile {
    /// The instructions, in order.
    pub instructions: Vec<Instruction>,
    /// How `COPY` understands its destination.
    pub copy_rules: CopyRules,
    /// What takes a sign its meaning and continues a line.
    pub escape: char,
    /// The lines of the file, for messages.
    #[serde(skip)]
    pub lines: Vec<String>,
}

/// How `COPY` understands its destination (docs/reference/kubefile.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum CopyRules {
    /// As the original up to 0.8: a folder, in which sources keep their names.
    Sealer,
    /// As Docker.
    Docker,
}

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Instruction {
    /// What it says.
    pub kind: InstructionKind,
    /// Its text as one line, for the image's history.
    pub text: String,
    /// Where its first word stands.
    pub span: Span,
}

/// What an instruction says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum InstructionKind {
    /// `FROM image`.
    From(Word),
    /// `COPY source… dest`.
    Copy {
        /// The sources.
        sources: Vec<Word>,
        /// The destination.
        dest: Word,
    },
    /// `RUN command`.
    Run(String),
    /// `CMD command`.
    Cmd(String),
    /// `ARG name[=default]…`.
    Arg(Vec<(String, Option<Word>)>),
    /// `ENV name=value…`.
    Env(Vec<(String, Word)>),
    /// `LABEL name=value…`.
    Label(Vec<(String, Word)>),
}
