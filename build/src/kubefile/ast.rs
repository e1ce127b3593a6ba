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

impl Word {
    /// A word that is missing.
    pub(super) fn empty(span: Span) -> Self {
        Self { text: String::new(), span, literal: true }
    }
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
    /// `COPY source… dest`, `ADD source… dest`.
    Copy(Copying),
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
    /// `APP name source…`, `CNI name source…`, `CSI name source…`.
    App {
        /// The application's name.
        name: Word,
        /// `local://path` or an address.
        sources: Vec<Word>,
        /// What it is for.
        role: AppRole,
    },
    /// `APPCMDS name ["command", …]`.
    AppCmds {
        /// The application's name.
        app: Word,
        /// What launches it.
        cmds: Vec<String>,
    },
    /// `APPENV name name=value…`.
    AppEnv {
        /// The application's name.
        app: Word,
        /// Its variables.
        env: Vec<(String, Word)>,
    },
    /// `LAUNCH name…`.
    Launch(Vec<Word>),
    /// `CMDS ["command", …]`.
    Cmds(Vec<String>),
    /// `KUBEVERSION constraint`.
    KubeVersion(Word),
    /// `MAINTAINER name`.
    Maintainer(Word),
}

/// What `COPY` and `ADD` are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Copying {
    /// The sources.
    pub sources: Vec<Word>,
    /// The destination.
    pub dest: Word,
    /// `--chmod`: the mode of all that is copied.
    pub mode: Option<Word>,
    /// `--parents`: sources keep the folders that they stand in.
    pub parents: bool,
    /// `--checksum`: what a source on the network must be.
    pub checksum: Option<Word>,
    /// `--keep-git-dir`: of repositories of git, `.git` comes along.
    pub keeps_git_dir: bool,
    /// Whether archives of the context are unpacked: `ADD`.
    pub unpacks: bool,
}

/// What an application is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum AppRole {
    /// Whatever its author likes.
    Application,
    /// The cluster's network.
    Cni,
    /// The cluster's storage.
    Csi,
}
