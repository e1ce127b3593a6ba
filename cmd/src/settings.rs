//! What is meant: arguments, environment and defaults put together. The only reader of the environment.

mod registries;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use sealer_image::{Platform, Registry, RegistrySettings, Store};
use sealer_runtime::host::config::{self, SshConfig};
use sealer_stdx::task::{Cancel, Task};

use crate::cli::{GlobalArgs, Output, RegistryArgs};
use crate::failure::{Failure, Kind};
use crate::given;
use crate::render::{self, Log};

/// The settings of one call of the program.
pub(crate) struct Settings {
    /// Where images and clusters are kept.
    pub(crate) root: PathBuf,
    /// How to print.
    pub(crate) output: Output,
    /// Docker's `config.json`, which registries' credentials are read from and kept in.
    pub(crate) auth_file: PathBuf,
    /// The user's home folder.
    pub(crate) home: Option<PathBuf>,
    /// This program's own file, which plugins' child processes are started from.
    pub(crate) program: PathBuf,
    /// Whether an agent of SSH holds keys.
    pub(crate) has_agent: bool,
    /// `SOURCE_DATE_EPOCH`: the time that images are given.
    pub(crate) source_date_epoch: Option<u64>,
    /// The descriptor over which a script that is a plugin asks things.
    pub(crate) plugin_socket: Option<i32>,
    /// Who runs the program, where: for others who want the same cluster.
    pub(crate) who: String,
    log: Arc<Log>,
    task: Task,
}

impl Settings {
    pub(crate) fn new(global: &GlobalArgs) -> Result<Self, Failure> {
        let home = env::var_os("HOME").map(PathBuf::from);
        let cancel = cancel_on_signals()?;
        let log = Arc::new(Log::new(render::observer(global, is_set("NO_COLOR"))));
        Ok(Self {
            root: global.root.clone().unwrap_or_else(|| default_root(home.as_ref())),
            output: global.output,
            auth_file: auth_file(home.as_ref()),
            program: env::current_exe()
                .map_err(|error| Failure::internal("cannot tell where this program is").because(error))?,
            has_agent: variable_path("SSH_AUTH_SOCK").is_some(),
            source_date_epoch: source_date_epoch()?,
            plugin_socket: env::var("SEALER_FD").ok().and_then(|text| text.parse().ok()),
            who: who(),
            home,
            task: Task::root(log.clone(), cancel),
            log,
        })
    }

    /// The root of the call's tasks.
    pub(crate) fn task(&self) -> &Task {
        &self.task
    }

    /// Has all events of this call written down with a cluster.
    pub(crate) fn log_with(&self, cluster: &str) -> Result<(), Failure> {
        self.log.keep_in(&self.root.join("clusters").join(cluster).join("logs")).map(drop)
    }

    /// Registries, as the arguments reach them.
    pub(crate) fn registry(&self, args: &RegistryArgs) -> Result<Registry, Failure> {
        for file in &args.ca_file {
            given::there("--ca-file", file)?;
        }
        let only = args.registries_conf.clone().or_else(|| variable_path("CONTAINERS_REGISTRIES_CONF"));
        let mirrors = registries::mirrors(only.as_deref(), self.home.as_deref())?;
        let mut insecure = args.insecure_registry.clone();
        insecure.extend(mirrors.insecure().map(str::to_owned));
        let mut settings = RegistrySettings {
            auth_file: Some(self.auth_file.clone()),
            ca_files: args.ca_file.clone(),
            cert_dirs: args.cert_dir.clone(),
            insecure,
            mirrors,
            plain_http: args.plain_http.clone(),
            ..RegistrySettings::default()
        };
        settings.certs_dirs.extend(self.home.as_ref().map(|home| home.join(".config/containers/certs.d")));
        Ok(Registry::new(settings))
    }

    /// The user's own way to reach hosts: `~/.ssh/config` and what it includes.
    pub(crate) fn ssh_config(&self) -> SshConfig {
        let Some(folder) = self.home.as_ref().map(|home| home.join(".ssh")) else {
            return SshConfig::default();
        };
        let include = |pattern: &str| {
            let path = folder.join(config::expand(pattern, self.home.as_deref()));
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let entries = path.parent().and_then(|folder| fs::read_dir(folder).ok());
            let mut found: Vec<PathBuf> =
                entries.into_iter().flatten().flatten().map(|entry| entry.path()).collect();
            found.retain(|path| {
                config::matches(&name, &path.file_name().unwrap_or_default().to_string_lossy())
            });
            found.sort();
            found.iter().filter_map(|path| fs::read_to_string(path).ok()).collect()
        };
        let text = fs::read_to_string(folder.join("config")).unwrap_or_default();
        SshConfig::parse(&text, &include)
    }

    /// Where builds keep their cache and unpacked images.
    pub(crate) fn build_dir(&self) -> PathBuf {
        self.root.join("build")
    }

    /// Opens the local images, and makes their folder if it is missing.
    pub(crate) fn store(&self) -> Result<Store, Failure> {
        Ok(Store::open(&self.root.join("images"))?)
    }
}

/// The platform that was asked for, else this machine's.
pub(crate) fn platform(asked: Option<Platform>) -> Platform {
    asked.unwrap_or_else(Platform::host)
}

/// `ops@laptop, process 4711`.
fn who() -> String {
    let user = env::var("USER").unwrap_or_else(|_| format!("user {}", rustix::process::getuid().as_raw()));
    let machine = rustix::system::uname();
    format!("{user}@{}, process {}", machine.nodename().to_string_lossy(), std::process::id())
}

/// Returns what was typed, the program's name first.
pub(crate) fn words() -> Vec<OsString> {
    env::args_os().collect()
}

/// Returns an environment variable that the user named.
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var(name).ok()
}

fn variable_path(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn is_set(name: &str) -> bool {
    env::var_os(name).is_some_and(|value| !value.is_empty())
}

fn default_root(home: Option<&PathBuf>) -> PathBuf {
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/lib/sealer");
    }
    let data = env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|dir| dir.is_absolute());
    data.or_else(|| Some(home?.join(".local/share")))
        .unwrap_or_else(|| PathBuf::from("/var/tmp"))
        .join("sealer")
}

fn auth_file(home: Option<&PathBuf>) -> PathBuf {
    if let Some(file) = env::var_os("REGISTRY_AUTH_FILE") {
        return PathBuf::from(file);
    }
    let folder = env::var_os("DOCKER_CONFIG").map(PathBuf::from);
    folder
        .or_else(|| Some(home?.join(".docker")))
        .unwrap_or_else(|| PathBuf::from("/root/.docker"))
        .join("config.json")
}

fn source_date_epoch() -> Result<Option<u64>, Failure> {
    let Some(value) = env::var_os("SOURCE_DATE_EPOCH") else { return Ok(None) };
    let seconds = value.to_str().and_then(|text| text.parse().ok());
    seconds.map(Some).ok_or_else(|| {
        Failure::new(
            Kind::Usage,
            format!("SOURCE_DATE_EPOCH is `{}`, not a number of seconds", value.display()),
        )
    })
}

/// The first signal asks the work to stop at its next boundary; the second ends the program.
fn cancel_on_signals() -> Result<Cancel, Failure> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&flag))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&flag)))
            .map_err(|error| Failure::internal("cannot listen to signals").because(error))?;
    }
    Ok(Cancel::from(flag))
}
