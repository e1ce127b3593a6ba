//! Helm charts, rendered as `helm template` renders them, to see which images they need.

mod functions;
mod load;
pub(crate) mod template;
mod values;
pub(crate) mod yaml;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use template::exec::Stop;
use template::value::Value;
use template::{Failure, Run, Templates};

use load::{Chart, of_files};
pub(crate) use load::{find, of_archive};

/// The release's name, as the original renders with.
const RELEASE: &str = "dryrun";
/// The Kubernetes that a chart is asked to be for where nothing says another.
const KUBERNETES: &str = "v1.33.0";
/// Rendering is recursive: so much stack lasts for the deepest that Helm allows.
const STACK: usize = 512 << 20;

/// What Kubernetes 1.33 serves, as Helm's default capabilities have it (`chartutil.DefaultVersionSet`).
const VERSIONS: &str = "v1 admissionregistration.k8s.io/v1 apiextensions.k8s.io/v1 apps/v1 \
    authentication.k8s.io/v1 authorization.k8s.io/v1 autoscaling/v1 autoscaling/v2 batch/v1 \
    certificates.k8s.io/v1 coordination.k8s.io/v1 discovery.k8s.io/v1 events.k8s.io/v1 \
    flowcontrol.apiserver.k8s.io/v1 networking.k8s.io/v1 node.k8s.io/v1 policy/v1 rbac.authorization.k8s.io/v1 \
    scheduling.k8s.io/v1 storage.k8s.io/v1";

/// A rendered template.
#[derive(Debug)]
pub(crate) struct Rendered {
    /// The template's file, from the image's root.
    pub(crate) file: String,
    pub(crate) text: String,
    /// For each line of the text, the line of the template that it comes from.
    pub(crate) lines: Vec<usize>,
}

/// Renders a chart, and the charts within it, with its default values under `given`. `root` is the
/// chart's folder, from the image's root.
///
/// # Errors
/// The first mistake, with its file from the image's root and its line.
pub(crate) fn render(
    files: &BTreeMap<PathBuf, Vec<u8>>,
    root: &Path,
    given: Option<&str>,
) -> Result<Vec<Rendered>, Failure> {
    let work = || {
        let chart = of_files(files, &root.display().to_string())?;
        let given = match given {
            Some(text) => values::parse("values", text)?,
            None => Value::of([]),
        };
        all(&chart, &given)
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
        match thread.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(rendered)) => rendered,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(error) => Err(Failure {
                file: root.display().to_string(),
                line: 0,
                message: format!("it cannot be rendered: {error}"),
            }),
        }
    })
}

/// Renders a chart of a folder, for comparisons with Helm: the text of each template by its name, and
/// the images that they name, sorted.
///
/// # Errors
/// The first mistake, as `file:line: message`.
pub fn render_chart(dir: &Path) -> Result<(BTreeMap<String, String>, Vec<String>), String> {
    let mut files = BTreeMap::new();
    for entry in walkdir::WalkDir::new(dir) {
        let entry = entry.map_err(|error| error.to_string())?;
        let path = entry.path().strip_prefix(dir).unwrap_or(entry.path()).to_owned();
        if entry.file_type().is_file() {
            files.insert(path, std::fs::read(entry.path()).map_err(|error| error.to_string())?);
        }
    }
    render_files(&files, Path::new(dir.file_name().unwrap_or_default()))
}

/// Renders a chart whose files are given by their paths from `root`, as [`render_chart`] does.
///
/// # Errors
/// Those of [`render_chart`].
pub fn render_files(
    files: &BTreeMap<PathBuf, Vec<u8>>,
    root: &Path,
) -> Result<(BTreeMap<String, String>, Vec<String>), String> {
    let pages = render(files, root, None)
        .map_err(|failure| format!("{}:{}: {}", failure.file, failure.line, failure.message))?;
    let images = pages.iter().flat_map(|page| crate::images::named(&page.file, &page.text));
    let images: std::collections::BTreeSet<String> = images.collect();
    let pages = pages.into_iter().map(|page| (page.file, page.text)).collect();
    Ok((pages, images.into_iter().collect()))
}

/// A template that is rendered, and what it sees.
struct Page {
    name: String,
    text: String,
    data: Value,
}

fn all(chart: &Chart, given: &Value) -> Result<Vec<Rendered>, Failure> {
    let mut pages = Vec::new();
    let values = values::prepare(chart, given)?;
    gather(chart, &values, chart.name(), &mut pages);
    // Where two charts define one template, the one nearer to the root stands.
    pages.sort_by(|one, other| {
        let depth = |page: &Page| page.name.matches('/').count();
        (depth(other), &one.name).cmp(&(depth(one), &other.name))
    });
    let folder = |failure: Failure| Failure { file: chart.place(&failure.file), ..failure };
    let mut templates = Templates::default();
    for page in &pages {
        templates.add(&page.name, &page.text).map_err(folder)?;
    }
    let (depth, visited) = (Cell::new(0), Cell::new(0));
    let run = Run::new(templates, &functions::call, &depth, &visited);
    let mut rendered = Vec::new();
    for page in pages.iter().filter(|page| is_shown(&page.name)) {
        let output = run.render(&page.name, &page.data).map_err(|stop| match stop {
            Stop::Inner(failure) => folder(failure),
            Stop::Message(message) => folder(Failure { file: page.name.clone(), line: 0, message }),
        })?;
        let lines = output.source_lines();
        rendered.push(Rendered { file: chart.place(&page.name), text: output.text, lines });
    }
    let crds = chart.crds().into_iter().map(|(file, text)| {
        let lines = (1..=text.lines().count()).collect();
        Rendered { file: chart.place(&file), text, lines }
    });
    rendered.extend(crds);
    Ok(rendered)
}

/// What begins with `_` only defines; notes are for people.
fn is_shown(name: &str) -> bool {
    let base = name.rsplit('/').next().unwrap_or_default();
    !base.starts_with('_') && base != "NOTES.txt"
}

/// Lists a chart's templates and those of the charts within it.
fn gather(chart: &Chart, values: &Value, path: &str, pages: &mut Vec<Page>) -> Value {
    let mut below = BTreeMap::new();
    for inner in values::enabled(chart, values) {
        let name = inner.name().to_owned();
        let own = values.get(&name).unwrap_or_else(|| Value::of([]));
        below.insert(name.clone(), gather(&inner, &own, &format!("{path}/charts/{name}"), pages));
    }
    let data = Value::of([
        ("Values", values.clone()),
        ("Chart", chart.metadata()),
        ("Release", release()),
        ("Capabilities", capabilities()),
        ("Files", Value::Files(Rc::new(chart.files()))),
        ("Subcharts", Value::map(below)),
    ]);
    let is_library = chart.metadata().get("Type").is_some_and(|kind| kind.shown() == "library");
    for (file, text) in chart.templates() {
        let base = file.rsplit('/').next().unwrap_or_default();
        if is_library && !base.starts_with('_') {
            continue;
        }
        let name = format!("{path}/{file}");
        let template =
            Value::of([("Name", Value::text(&name)), ("BasePath", Value::text(format!("{path}/templates")))]);
        let data = match &data {
            Value::Map(map) => {
                let mut map = map.borrow().clone();
                map.insert("Template".to_owned(), template);
                Value::map(map)
            }
            other => other.clone(),
        };
        pages.push(Page { name, text, data });
    }
    data
}

fn release() -> Value {
    Value::of([
        ("Name", Value::text(RELEASE)),
        ("Namespace", Value::text("default")),
        ("Service", Value::text("Helm")),
        ("Revision", Value::Int(1)),
        ("IsInstall", Value::Bool(true)),
        ("IsUpgrade", Value::Bool(false)),
    ])
}

fn capabilities() -> Value {
    let version = Value::of([
        ("Version", Value::text(KUBERNETES)),
        ("GitVersion", Value::text(KUBERNETES)),
        ("Major", Value::text("1")),
        ("Minor", Value::text("33")),
    ]);
    let helm = Value::of([
        ("Version", Value::text("v3.18.0")),
        ("GitCommit", Value::text("")),
        ("GitTreeState", Value::text("clean")),
        ("GoVersion", Value::text("go1.24")),
    ]);
    let versions = VERSIONS.split_whitespace().map(str::to_owned).collect();
    Value::of([
        ("KubeVersion", version),
        ("APIVersions", Value::Versions(Rc::new(versions))),
        ("HelmVersion", helm),
    ])
}
