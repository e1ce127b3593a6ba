//! What each host is to have: the image's tree, but for what is rendered for the host.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sealer_image::digest::{Hasher, sha256};
use sealer_image::layer::Unpacked;
use sealer_image::tree::{Node, NodeKind, Tree};
use sealer_stdx::fs::At;

use super::config;
use crate::cluster::{ClusterSpec, Env};
use crate::error::{Error, InputError, Result};
use crate::render;

/// Where templates are looked for, as in the original.
const TEMPLATES: [&str; 3] = ["etc", "charts", "manifests"];
/// What only hosts of the cluster's registry need: the masters.
pub(super) const REGISTRY: &str = "registry";

/// What a host is to have.
#[derive(Debug, Clone)]
pub(crate) struct HostTree {
    /// All of it.
    pub(crate) tree: Arc<Tree>,
    /// The content of what is not the image's own.
    pub(crate) own: Arc<BTreeMap<PathBuf, Vec<u8>>>,
    /// Of the tree: what a host's record of it is called by.
    pub(crate) digest: Arc<str>,
}

/// Returns what each host is to have, in the order of the cluster's hosts.
pub(crate) fn trees(spec: &ClusterSpec, unpacked: &Unpacked) -> Result<Vec<HostTree>> {
    let configured = config::apply(&spec.configs, unpacked)?;
    // Hosts differ in their environment, hardly ever in what templates make of it: the trees of a
    // thousand hosts are a few.
    let mut known: Vec<(bool, HostTree)> = Vec::new();
    let mut trees = Vec::new();
    for host in &spec.hosts {
        let has_registry = host.has_role("master");
        let mut own = configured.clone();
        own.extend(rendered(unpacked, &configured, &host.env)?);
        let same = known.iter().find(|(registry, tree)| *registry == has_registry && *tree.own == own);
        let tree = match same {
            Some((_, tree)) => tree.clone(),
            None => {
                let tree = host_tree(unpacked, own, has_registry);
                known.push((has_registry, tree.clone()));
                tree
            }
        };
        trees.push(tree);
    }
    Ok(trees)
}

fn host_tree(unpacked: &Unpacked, own: BTreeMap<PathBuf, Vec<u8>>, has_registry: bool) -> HostTree {
    let wanted = |path: &Path| has_registry || !path.starts_with(REGISTRY);
    let mut tree: Tree = unpacked
        .tree
        .iter()
        .filter(|(path, _)| wanted(path))
        .map(|(path, node)| (path.clone(), node.clone()))
        .collect();
    for (path, bytes) in &own {
        for parent in path.ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty()) {
            tree.entry(parent.to_owned()).or_insert(Node { kind: NodeKind::Dir, mode: 0o755 });
        }
        let mode = tree.get(path).map_or(0o644, |node| node.mode);
        let kind = NodeKind::File { size: bytes.len() as u64, digest: sha256(bytes) };
        tree.insert(path.clone(), Node { kind, mode });
    }
    make_scripts_executable(&mut tree);
    let digest = digest(&tree).into();
    HostTree { tree: Arc::new(tree), own: Arc::new(own), digest }
}

/// The digest of a tree: its paths, modes, targets and contents.
fn digest(tree: &Tree) -> String {
    let mut hasher = Hasher::default();
    for (path, node) in tree {
        hasher.update(path.as_os_str().as_bytes());
        hasher.update(format!("\0{node:?}\0").as_bytes());
    }
    hasher.finish().digest().to_owned()
}

/// The script contract makes `scripts/*` executable on every host (docs/reference/plugins.md): so they arrive,
/// and a second run finds them as they are to be.
fn make_scripts_executable(tree: &mut Tree) {
    let scripts = tree.iter_mut().filter(|(path, _)| path.parent() == Some(Path::new("scripts")));
    for (_, node) in scripts.filter(|(_, node)| matches!(node.kind, NodeKind::File { .. })) {
        node.mode |= 0o111;
    }
}

/// Renders `*.tmpl` files to the names without that ending.
fn rendered(
    unpacked: &Unpacked,
    configured: &BTreeMap<PathBuf, Vec<u8>>,
    env: &Env,
) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let is_template = |path: &Path| {
        path.extension().is_some_and(|extension| extension == "tmpl")
            && TEMPLATES.iter().any(|folder| path.starts_with(folder))
    };
    let files = unpacked
        .tree
        .iter()
        .filter(|(_, node)| matches!(node.kind, NodeKind::File { .. }))
        .map(|(path, _)| path);
    let templates: std::collections::BTreeSet<&PathBuf> =
        files.chain(configured.keys()).filter(|path| is_template(path)).collect();
    let (mut rendered, mut errors) = (BTreeMap::new(), Vec::new());
    for path in templates {
        let bytes = match configured.get(path) {
            Some(bytes) => bytes.clone(),
            None => fs::read(unpacked.dir.join(path)).at(unpacked.dir.join(path))?,
        };
        match render::text(&String::from_utf8_lossy(&bytes), env) {
            Ok(text) => {
                rendered.insert(path.with_extension(""), text.into_bytes());
            }
            Err((line, message)) => errors.push(InputError {
                place: format!("{}:{line}", path.display()),
                message,
                hint: Some("give it a value with `-e NAME=value`, or in the Clusterfile's `env`".to_owned()),
            }),
        }
    }
    if errors.is_empty() { Ok(rendered) } else { Err(Error::Input(errors)) }
}
