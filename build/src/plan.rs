//! The plan of a build: what each instruction will add, as data.

mod apps;
mod place;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use sealer_image::Platform;
use sealer_image::config::Application;
use serde::Serialize;

use crate::context::BuildContext;
use crate::kubefile::{Instruction, InstructionKind, Kubefile, KubefileError, Span, Word, expand};
pub use crate::remote::GitSource;

/// What a build will do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BuildPlan {
    /// The image it stands on; `None` for `scratch`.
    pub base: Option<String>,
    /// Where the base is named.
    pub base_span: Span,
    /// What makes layers, in order.
    pub steps: Vec<Step>,
    /// What the image is told.
    pub config: ConfigPlan,
}

/// What makes one layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The instruction, as one line.
    pub instruction: String,
    /// Where it stands.
    pub span: Span,
    /// What it does.
    pub action: Action,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Action {
    /// Takes files of the context.
    Copy {
        /// Which, and where they go.
        placements: Vec<Placement>,
        /// The mode of all of them; their own where there is none.
        mode: Option<u32>,
        /// What must come from the network (`sha256:…`, or a commit), where that was said.
        checksum: Option<String>,
        /// Whether archives are unpacked.
        unpacks: bool,
    },
    /// Runs a command on this machine.
    Run {
        /// The command line.
        command: String,
        /// Its environment: build arguments and `ENV`.
        env: BTreeMap<String, String>,
    },
}

/// A source and where it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Placement {
    /// The file, folder or link.
    pub source: Source,
    /// Its path in the image; a folder's content goes right below it.
    pub dest: PathBuf,
}

/// Where a source stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Source {
    /// In the context.
    Context(PathBuf),
    /// On the network, by its address.
    Remote(String),
    /// In a repository of git.
    Git(GitSource),
}

/// What the image is told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ConfigPlan {
    /// `ENV`.
    pub env: BTreeMap<String, String>,
    /// `LABEL`, and what other instructions note as labels.
    pub labels: BTreeMap<String, String>,
    /// `CMD` or `CMDS`, in order, or what launches the applications of `LAUNCH`.
    pub cmds: Vec<String>,
    /// `ARG`, with the values that the build was given.
    pub args: BTreeMap<String, String>,
    /// `APP`, `CNI`, `CSI`.
    pub applications: Vec<Application>,
    /// `LAUNCH`.
    pub launch: Vec<String>,
}

/// What a plan needs to know besides the Kubefile.
pub struct PlanInput<'a> {
    /// The files.
    pub context: &'a BuildContext,
    /// What the image is for.
    pub platform: &'a Platform,
    /// The values of `--build-arg`.
    pub build_args: &'a BTreeMap<String, String>,
    /// The variables that the base image sets.
    pub base_env: &'a BTreeMap<String, String>,
    /// Tells whether a path is a folder of the base image.
    pub base_has_folder: &'a dyn Fn(&Path) -> bool,
}

/// The arguments that have a value without `--build-arg`, once an `ARG` declares them: Docker's.
fn predefined(platform: &Platform) -> BTreeMap<String, String> {
    let values = [
        ("TARGETARCH", platform.architecture.clone()),
        ("TARGETOS", platform.os.clone()),
        ("TARGETPLATFORM", platform.to_string()),
        ("TARGETVARIANT", platform.variant.clone().unwrap_or_default()),
    ];
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Returns the image that a Kubefile stands on, with variables put in; `None` for `scratch`.
///
/// # Errors
/// When the reference's variables cannot be put in.
pub fn base(
    kubefile: &Kubefile,
    build_args: &BTreeMap<String, String>,
    platform: &Platform,
) -> Result<Option<String>, KubefileError> {
    let mut args = BTreeMap::new();
    for instruction in &kubefile.instructions {
        match &instruction.kind {
            InstructionKind::Arg(items) => {
                let given = Given { build_args, platform, env: &BTreeMap::new() };
                declare(kubefile, items, &given, &mut args)?;
            }
            InstructionKind::From(word) => {
                let name = text(kubefile, word, &args)?;
                return Ok(if name == "scratch" { None } else { Some(name) });
            }
            _ => {}
        }
    }
    Ok(None)
}

/// Plans a build. Reads names of files, never what is in them.
///
/// # Errors
/// Everything that is wrong, in the order of the Kubefile.
pub fn plan(kubefile: &Kubefile, input: &PlanInput<'_>) -> Result<BuildPlan, Vec<KubefileError>> {
    let base = base(kubefile, input.build_args, input.platform).map_err(|error| vec![error])?;
    let from =
        kubefile.instructions.iter().find(|instruction| matches!(instruction.kind, InstructionKind::From(_)));
    let base_span = from.map_or(Span { line: 1, column: 1, length: 1 }, |instruction| instruction.span);
    let mut planner = Planner {
        kubefile,
        input,
        folders: BTreeSet::new(),
        plan: BuildPlan { base, base_span, steps: Vec::new(), config: ConfigPlan::default() },
    };
    let mut errors = Vec::new();
    for instruction in &kubefile.instructions {
        if let Err(found) = planner.add(instruction) {
            errors.extend(found);
        }
    }
    errors.extend(planner.unused_build_args());
    if errors.is_empty() { Ok(planner.plan) } else { Err(errors) }
}

struct Planner<'a> {
    kubefile: &'a Kubefile,
    input: &'a PlanInput<'a>,
    /// The folders that earlier instructions made, as far as their names tell.
    folders: BTreeSet<PathBuf>,
    plan: BuildPlan,
}

impl Planner<'_> {
    fn add(&mut self, instruction: &Instruction) -> Result<(), Vec<KubefileError>> {
        match &instruction.kind {
            InstructionKind::Copy(copying) => {
                let action = self.copy(copying)?;
                self.step(instruction, action);
                Ok(())
            }
            InstructionKind::App { name, sources, role } => {
                let placements = self.app(name, sources, *role)?;
                self.step(
                    instruction,
                    Action::Copy { placements, mode: None, checksum: None, unpacks: false },
                );
                Ok(())
            }
            _ => self.add_other(instruction).map_err(|error| vec![error]),
        }
    }

    fn add_other(&mut self, instruction: &Instruction) -> Result<(), KubefileError> {
        match &instruction.kind {
            InstructionKind::From(_) | InstructionKind::Copy(_) | InstructionKind::App { .. } => {}
            InstructionKind::Arg(items) => {
                let env = self.env();
                let given =
                    Given { build_args: self.input.build_args, platform: self.input.platform, env: &env };
                declare(self.kubefile, items, &given, &mut self.plan.config.args)?;
            }
            InstructionKind::Env(items) => {
                for (name, word) in items {
                    let value = self.text(word)?;
                    self.plan.config.env.insert(name.clone(), value);
                }
            }
            InstructionKind::Label(items) => {
                for (name, word) in items {
                    let value = self.text(word)?;
                    self.plan.config.labels.insert(name.clone(), value);
                }
            }
            InstructionKind::Cmd(command) => self.plan.config.cmds.push(command.clone()),
            InstructionKind::Cmds(cmds) => self.plan.config.cmds.extend(cmds.iter().cloned()),
            InstructionKind::Run(command) => {
                let action = Action::Run { command: command.clone(), env: self.variables() };
                self.step(instruction, action);
            }
            InstructionKind::AppCmds { app, cmds } => self.app_cmds(app, cmds)?,
            InstructionKind::AppEnv { app, env } => self.app_env(app, env)?,
            InstructionKind::Launch(names) => self.launch(names)?,
            InstructionKind::KubeVersion(word) => self.label(apps::KUBE_VERSION, word)?,
            InstructionKind::Maintainer(word) => self.label(apps::AUTHORS, word)?,
        }
        Ok(())
    }

    fn label(&mut self, name: &str, word: &Word) -> Result<(), KubefileError> {
        let value = self.text(word)?;
        self.plan.config.labels.insert(name.to_owned(), value);
        Ok(())
    }

    fn step(&mut self, instruction: &Instruction, action: Action) {
        self.plan.steps.push(Step { instruction: instruction.text.clone(), span: instruction.span, action });
    }

    fn variables(&self) -> BTreeMap<String, String> {
        let mut variables = self.plan.config.args.clone();
        variables.extend(self.env());
        variables
    }

    fn env(&self) -> BTreeMap<String, String> {
        let mut env = self.input.base_env.clone();
        env.extend(self.plan.config.env.clone());
        env
    }

    /// A word's text. `ARCH` is there without an `ARG`, as in the original since 0.8.
    fn text(&self, word: &Word) -> Result<String, KubefileError> {
        let mut variables = self.variables();
        variables.entry("ARCH".to_owned()).or_insert_with(|| self.input.platform.architecture.clone());
        text(self.kubefile, word, &variables)
    }

    /// A `--build-arg` that no `ARG` declares is a slip of the pen.
    fn unused_build_args(&self) -> Option<KubefileError> {
        let unused: Vec<&str> = self
            .input
            .build_args
            .keys()
            .filter(|name| !self.plan.config.args.contains_key(*name))
            .map(String::as_str)
            .collect();
        if unused.is_empty() {
            return None;
        }
        let plural = if unused.len() == 1 { "" } else { "s" };
        let message = format!("no `ARG` declares the build argument{plural} `{}`", unused.join("`, `"));
        let hint = match nearest(&unused, self.plan.config.args.keys()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("add `ARG {}` after `FROM`", unused.join(" ")),
        };
        Some(KubefileError::whole(message).hint(hint))
    }

    fn error(&self, span: Span, message: impl Into<String>) -> KubefileError {
        KubefileError::new(&self.kubefile.lines, span, message)
    }
}

/// The declared argument that the only unused one is nearly.
fn nearest<'k>(unused: &[&str], declared: impl Iterator<Item = &'k String>) -> Option<&'k String> {
    let [name] = unused else { return None };
    let near = declared.filter(|other| strsim::damerau_levenshtein(other, name) <= 2);
    near.min_by_key(|other| strsim::damerau_levenshtein(other, name))
}

/// Where arguments get their values from.
struct Given<'a> {
    build_args: &'a BTreeMap<String, String>,
    platform: &'a Platform,
    env: &'a BTreeMap<String, String>,
}

fn declare(
    kubefile: &Kubefile,
    items: &[(String, Option<Word>)],
    given: &Given<'_>,
    args: &mut BTreeMap<String, String>,
) -> Result<(), KubefileError> {
    for (name, default) in items {
        if let Some(value) = given.build_args.get(name) {
            args.insert(name.clone(), value.clone());
        } else if let Some(word) = default {
            let mut variables = args.clone();
            variables.extend(given.env.clone());
            args.insert(name.clone(), text(kubefile, word, &variables)?);
        } else if let Some(value) = predefined(given.platform).remove(name) {
            args.insert(name.clone(), value);
        }
    }
    Ok(())
}

fn text(
    kubefile: &Kubefile,
    word: &Word,
    variables: &BTreeMap<String, String>,
) -> Result<String, KubefileError> {
    if word.literal {
        return Ok(word.text.clone());
    }
    expand(&word.text, kubefile.escape, variables)
        .map_err(|message| KubefileError::new(&kubefile.lines, word.span, message))
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Context(path) => write!(f, "{}", path.display()),
            Self::Remote(address) => f.write_str(address),
            Self::Git(source) => source.fmt(f),
        }
    }
}

impl fmt::Display for BuildPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "from {}", self.base.as_deref().unwrap_or("scratch"))?;
        for step in &self.steps {
            writeln!(f, "layer {}", step.instruction)?;
            if let Action::Copy { placements, .. } = &step.action {
                for placement in placements {
                    writeln!(f, "  {} -> {}", placement.source, placement.dest.display())?;
                }
            }
        }
        self.config.cmds.iter().try_for_each(|command| writeln!(f, "cmd {command}"))
    }
}
