//! The plan of a build: what each instruction will add, as data.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Component, Path, PathBuf};

use serde::Serialize;

use crate::context::{BuildContext, Found};
use crate::kubefile::ast::CopyRules;
use crate::kubefile::{Instruction, InstructionKind, Kubefile, KubefileError, Span, Word, expand};

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
    Copy(Vec<Placement>),
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
    pub source: PathBuf,
    /// Its path in the image; a folder's content goes right below it.
    pub dest: PathBuf,
}

/// What the image is told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ConfigPlan {
    /// `ENV`.
    pub env: BTreeMap<String, String>,
    /// `LABEL`.
    pub labels: BTreeMap<String, String>,
    /// `CMD`, in order.
    pub cmds: Vec<String>,
    /// `ARG`, with the values that the build was given.
    pub args: BTreeMap<String, String>,
}

/// What a plan needs to know besides the Kubefile.
pub struct PlanInput<'a> {
    /// The files.
    pub context: &'a BuildContext,
    /// The values of `--build-arg`.
    pub build_args: &'a BTreeMap<String, String>,
    /// The variables that the base image sets.
    pub base_env: &'a BTreeMap<String, String>,
    /// Tells whether a path is a folder of the base image.
    pub base_has_folder: &'a dyn Fn(&Path) -> bool,
}

/// Returns the image that a Kubefile stands on, with variables put in; `None` for `scratch`.
///
/// # Errors
/// When the reference's variables cannot be put in.
pub fn base(
    kubefile: &Kubefile,
    build_args: &BTreeMap<String, String>,
) -> Result<Option<String>, KubefileError> {
    let mut args = BTreeMap::new();
    for instruction in &kubefile.instructions {
        match &instruction.kind {
            InstructionKind::Arg(items) => {
                declare(kubefile, items, build_args, &BTreeMap::new(), &mut args)?;
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
    let base = base(kubefile, input.build_args).map_err(|error| vec![error])?;
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
        if let InstructionKind::Copy { sources, dest } = &instruction.kind {
            let placements = self.copy(sources, dest)?;
            self.step(instruction, Action::Copy(placements));
            return Ok(());
        }
        self.add_other(instruction).map_err(|error| vec![error])
    }

    fn add_other(&mut self, instruction: &Instruction) -> Result<(), KubefileError> {
        match &instruction.kind {
            InstructionKind::From(_) | InstructionKind::Copy { .. } => Ok(()),
            InstructionKind::Arg(items) => {
                let env = self.env();
                declare(self.kubefile, items, self.input.build_args, &env, &mut self.plan.config.args)
            }
            InstructionKind::Env(items) => {
                for (name, word) in items {
                    let value = self.text(word)?;
                    self.plan.config.env.insert(name.clone(), value);
                }
                Ok(())
            }
            InstructionKind::Label(items) => {
                for (name, word) in items {
                    let value = self.text(word)?;
                    self.plan.config.labels.insert(name.clone(), value);
                }
                Ok(())
            }
            InstructionKind::Cmd(command) => {
                self.plan.config.cmds.push(command.clone());
                Ok(())
            }
            InstructionKind::Run(command) => {
                let action = Action::Run { command: command.clone(), env: self.variables() };
                self.step(instruction, action);
                Ok(())
            }
        }
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

    fn text(&self, word: &Word) -> Result<String, KubefileError> {
        text(self.kubefile, word, &self.variables())
    }

    fn copy(&mut self, sources: &[Word], dest: &Word) -> Result<Vec<Placement>, Vec<KubefileError>> {
        let (mut found, mut errors) = (Vec::new(), Vec::new());
        for source in sources {
            match self.find(source) {
                Ok(more) => found.extend(more),
                Err(error) => errors.push(error),
            }
        }
        let written = self.text(dest).map_err(|error| errors.push(error)).unwrap_or_default();
        let Some(folder) = image_path(&written) else {
            errors.push(self.error(dest.span, "leaves the image's root by `..`"));
            return Err(errors);
        };
        if !errors.is_empty() {
            return Err(errors);
        }
        let placements = match self.kubefile.copy_rules {
            CopyRules::Sealer => self.place_as_sealer(&found, &folder, &written),
            CopyRules::Docker => {
                self.place_as_docker(&found, &folder, &written, dest.span).map_err(|error| vec![error])?
            }
        };
        for placement in &placements {
            self.folders.extend(placement.dest.ancestors().skip(1).map(Path::to_owned));
            if placement.source.is_dir() {
                self.folders.insert(placement.dest.clone());
            }
        }
        Ok(placements)
    }

    fn find(&self, source: &Word) -> Result<Vec<Found>, KubefileError> {
        let pattern = self.text(source)?;
        if pattern.contains("://") {
            return Err(self.error(source.span, "remote sources are not taken by this version"));
        }
        self.input.context.find(&pattern).map_err(|(message, hint)| {
            let error = self.error(source.span, message);
            match hint {
                Some(hint) => error.hint(hint),
                None => error,
            }
        })
    }

    /// The destination is a folder, in which sources keep their names. One file to a name with a
    /// dot, which is no folder, is that file.
    fn place_as_sealer(&self, found: &[Found], folder: &Path, written: &str) -> Vec<Placement> {
        let renames = match found {
            [one] if !one.is_dir && !written.ends_with('/') => {
                let last = folder.file_name().map(|name| name.to_string_lossy().into_owned());
                last.is_some_and(|last| last.contains('.')) && !self.is_folder(folder)
            }
            _ => false,
        };
        let place = |one: &Found| {
            let dest = match &one.name {
                Some(name) if !renames => folder.join(name),
                _ => folder.to_owned(),
            };
            Placement { source: one.path.clone(), dest }
        };
        found.iter().map(place).collect()
    }

    /// A folder's content goes into the destination; a file goes into it where it is a folder or
    /// ends with `/`, and is it otherwise.
    fn place_as_docker(
        &self,
        found: &[Found],
        folder: &Path,
        written: &str,
        span: Span,
    ) -> Result<Vec<Placement>, KubefileError> {
        let into = written.ends_with('/')
            || written == "."
            || folder.as_os_str().is_empty()
            || self.is_folder(folder);
        if found.len() > 1 && !into {
            let error = self.error(span, "must be a folder, for there are several sources");
            return Err(error.hint(format!("write `{written}/`")));
        }
        let place = |one: &Found| {
            let dest = match &one.name {
                Some(name) if !one.is_dir && into => folder.join(name),
                _ => folder.to_owned(),
            };
            Placement { source: one.path.clone(), dest }
        };
        Ok(found.iter().map(place).collect())
    }

    fn is_folder(&self, path: &Path) -> bool {
        self.folders.contains(path) || (self.input.base_has_folder)(path)
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

fn declare(
    kubefile: &Kubefile,
    items: &[(String, Option<Word>)],
    build_args: &BTreeMap<String, String>,
    env: &BTreeMap<String, String>,
    args: &mut BTreeMap<String, String>,
) -> Result<(), KubefileError> {
    for (name, default) in items {
        if let Some(value) = build_args.get(name) {
            args.insert(name.clone(), value.clone());
        } else if let Some(word) = default {
            let mut variables = args.clone();
            variables.extend(env.clone());
            args.insert(name.clone(), text(kubefile, word, &variables)?);
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

/// A destination as a path from the image's root; nothing where it would leave that.
fn image_path(written: &str) -> Option<PathBuf> {
    let mut path = PathBuf::new();
    for part in Path::new(written).components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
            Component::ParentDir => {
                if !path.pop() {
                    return None;
                }
            }
        }
    }
    Some(path)
}

impl fmt::Display for BuildPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "from {}", self.base.as_deref().unwrap_or("scratch"))?;
        for step in &self.steps {
            writeln!(f, "layer {}", step.instruction)?;
            if let Action::Copy(placements) = &step.action {
                for placement in placements {
                    writeln!(f, "  {} -> {}", placement.source.display(), placement.dest.display())?;
                }
            }
        }
        self.config.cmds.iter().try_for_each(|command| writeln!(f, "cmd {command}"))
    }
}
