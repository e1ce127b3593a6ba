//! Applications: their files, what sort they are of, and what launches them.
//!
//! As the original's 0.9 and later (`build/kubefile/parser`, `pkg/application`): an application's
//! files stand in `application/apps/NAME/`.

use std::path::{Path, PathBuf};

use sealer_image::config::{Application, ApplicationKind};

use super::{Placement, Planner, Source, place};
use crate::context::Found;
use crate::kubefile::ast::AppRole;
use crate::kubefile::{KubefileError, Word, quote};

/// Where applications stand in an image.
const APPS: &str = "application/apps";
/// The label that says which Kubernetes an image is for.
pub(super) const KUBE_VERSION: &str = "app.alpha.sealer.io/supported-kube-version";
/// The label that says who made an image (OCI image annotations).
pub(super) const AUTHORS: &str = "org.opencontainers.image.authors";

impl Planner<'_> {
    /// Notes an application and returns where its files go.
    pub(super) fn app(
        &mut self,
        name: &Word,
        sources: &[Word],
        role: AppRole,
    ) -> Result<Vec<Placement>, Vec<KubefileError>> {
        let (mut found, mut errors) = (Vec::new(), Vec::new());
        for source in sources {
            match self.app_source(source) {
                Ok(more) => found.extend(more),
                Err(error) => errors.push(error),
            }
        }
        let app = self.text(name).map_err(|error| errors.push(error)).unwrap_or_default();
        if !errors.is_empty() {
            return Err(errors);
        }
        let root = Path::new(APPS).join(&app);
        let place = |one: &Found| {
            let dest = match &one.name {
                Some(name) if !one.is_dir => root.join(name),
                _ => root.clone(),
            };
            place::placement(one, dest)
        };
        let placements: Vec<Placement> = found.iter().map(place).collect();
        let files = self.files(&placements, &root).map_err(|reason| vec![self.error(name.span, reason)])?;
        let label = match role {
            AppRole::Application => None,
            AppRole::Cni => Some(format!("cluster.alpha.sealer.io/kube-cni-{app}")),
            AppRole::Csi => Some(format!("cluster.alpha.sealer.io/kube-csi-{app}")),
        };
        self.plan.config.labels.extend(label.map(|label| (label, "true".to_owned())));
        let kind = kind(&files);
        let cmds = commands(&app, &root, kind, &files);
        self.plan.config.applications.push(Application {
            name: app,
            kind,
            files,
            cmds,
            ..Application::default()
        });
        self.remember(&placements);
        Ok(placements)
    }

    fn app_source(&self, source: &Word) -> Result<Vec<Found>, KubefileError> {
        let text = self.text(source)?;
        match text.strip_prefix("local://") {
            Some(path) => self.found(path, source.span),
            None if text.contains("://") => match self.found(&text, source.span)? {
                found if found.iter().any(|one| matches!(one.source, Source::Git(_))) => {
                    let error = self.error(source.span, "an application takes no repository of git");
                    Err(error.hint(format!("`ADD {text} application/apps/NAME` puts it there")))
                }
                found => Ok(found),
            },
            None => {
                let error = self.error(source.span, format!("`{text}` is no source of an application"));
                Err(error.hint(format!("write `local://{text}` for a file of the context")))
            }
        }
    }

    /// The files of an application, by their paths from its folder, sorted.
    fn files(&self, placements: &[Placement], root: &Path) -> Result<Vec<String>, String> {
        let mut files: Vec<String> = Vec::new();
        for placement in placements {
            let Source::Context(source) = &placement.source else {
                files
                    .push(placement.dest.strip_prefix(root).unwrap_or(&placement.dest).display().to_string());
                continue;
            };
            let items = self.input.context.items(source).map_err(|error| error.to_string())?;
            for item in items.iter().filter(|item| !item.metadata.is_dir()) {
                let path: PathBuf = if item.below.as_os_str().is_empty() {
                    placement.dest.clone()
                } else {
                    placement.dest.join(&item.below)
                };
                let below = path.strip_prefix(root).unwrap_or(&path);
                files.push(below.display().to_string());
            }
        }
        files.sort();
        files.dedup();
        Ok(files)
    }

    pub(super) fn app_cmds(&mut self, app: &Word, cmds: &[String]) -> Result<(), KubefileError> {
        let root = Path::new(APPS).join(self.text(app)?);
        let inside = |cmd: &String| format!("cd {} && {cmd}", quote(&root.display().to_string()));
        self.application(app)?.cmds = cmds.iter().map(inside).collect();
        Ok(())
    }

    pub(super) fn app_env(&mut self, app: &Word, env: &[(String, Word)]) -> Result<(), KubefileError> {
        for (name, word) in env {
            let value = self.text(word)?;
            self.application(app)?.env.insert(name.clone(), value);
        }
        Ok(())
    }

    fn application(&mut self, app: &Word) -> Result<&mut Application, KubefileError> {
        let name = self.text(app)?;
        let error = self.error(app.span, format!("there is no application `{name}`"));
        self.plan.config.applications.iter_mut().find(|one| one.name == name).ok_or(error)
    }

    /// Notes what is launched: each application by its commands, with its variables.
    pub(super) fn launch(&mut self, names: &[Word]) -> Result<(), KubefileError> {
        for word in names {
            let app = self.application(word)?.clone();
            if app.cmds.is_empty() {
                let message =
                    format!("nothing tells how `{}` is launched: its files are of several sorts", app.name);
                let error = self.error(word.span, message);
                return Err(error.hint(format!("add `APPCMDS {} [\"command\"]`", app.name)));
            }
            let exports: String =
                app.env.iter().map(|(name, value)| format!("export {name}={}; ", quote(value))).collect();
            // A command that changes its folder must not move the next.
            let command = |cmd: &String| match exports.is_empty() && !cmd.starts_with("cd ") {
                true => cmd.clone(),
                false => format!("({exports}{cmd})"),
            };
            self.plan.config.cmds.extend(app.cmds.iter().map(command));
            self.plan.config.launch.push(app.name);
        }
        Ok(())
    }
}

/// What sort an application is of: its files tell.
fn kind(files: &[String]) -> ApplicationKind {
    let has = |name: &str| files.iter().any(|file| file == name);
    let all = |endings: &[&str]| files.iter().all(|file| endings.iter().any(|end| file.ends_with(end)));
    let is_chart =
        has("Chart.yaml") && has("values.yaml") && files.iter().any(|file| file.starts_with("templates/"));
    match () {
        () if files.is_empty() => ApplicationKind::Mixed,
        () if is_chart => ApplicationKind::Helm,
        () if all(&[".sh"]) => ApplicationKind::Shell,
        () if all(&[".yaml", ".yml"]) => ApplicationKind::Kube,
        () => ApplicationKind::Mixed,
    }
}

/// What launches an application where no `APPCMDS` says another.
fn commands(name: &str, root: &Path, kind: ApplicationKind, files: &[String]) -> Vec<String> {
    let place = |file: &String| quote(&root.join(file).display().to_string());
    match kind {
        ApplicationKind::Helm => vec![format!("helm install {name} {}", quote(&root.display().to_string()))],
        ApplicationKind::Kube => {
            files.iter().map(|file| format!("kubectl apply -f {}", place(file))).collect()
        }
        ApplicationKind::Shell => files.iter().map(|file| format!("bash {}", place(file))).collect(),
        ApplicationKind::Mixed => Vec::new(),
    }
}
