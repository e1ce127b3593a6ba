//! A Clusterfile: YAML documents, chosen by their `kind`.

mod documents;
mod logins;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use sealer_plugin::spec;
use sealer_plugin::yaml::{self, documents};
use serde_saphyr::Spanned;

pub(crate) use logins::is_reference;
use logins::{Logins, Secret};

use documents::{ClusterBody, ClusterDocument, ConfigDocument, Header, SshDocument};

use super::flags::{Defaults, is_cluster_name};
use super::{ClusterSpec, ConfigSpec, Env, HostSpec, Jump, Strategy, add_env};
use crate::error::InputError;
use crate::render;

/// The kubeadm documents that a Clusterfile may hold: kept as they stand.
const KUBEADM: [&str; 5] = [
    "InitConfiguration",
    "ClusterConfiguration",
    "JoinConfiguration",
    "KubeletConfiguration",
    "KubeProxyConfiguration",
];

/// Reads a Clusterfile. `file` is its name, for messages.
///
/// # Errors
/// Everything that is wrong with it, in the order of the file.
pub fn parse(file: &str, text: &str, defaults: &Defaults) -> Result<ClusterSpec, Vec<InputError>> {
    let mut reader = Reader { file, defaults, errors: Vec::new() };
    let documents = documents(text);
    let cluster = documents.iter().find_map(|(first, text)| {
        let header: Header = serde_saphyr::from_str(text).ok()?;
        (header.kind == "Cluster").then_some((*first, *text, header))
    });
    let Some((first, document, header)) = cluster else {
        for (first, text) in &documents {
            if let Err(error) = serde_saphyr::from_str::<Header>(text) {
                reader.syntax(*first, &error);
            }
        }
        if reader.errors.is_empty() {
            reader.error(
                1,
                "it holds no document of `kind: Cluster`",
                Some("docs/reference/clusterfile.md shows one"),
            );
        }
        return Err(reader.errors);
    };
    if header.api_version.ends_with("/v1alpha1") || header.api_version.ends_with("/v1") {
        let message = format!(
            "`{}` is the original's first Clusterfile, which this version does not read",
            header.api_version
        );
        let hint = format!("`sealer convert {file}` writes it as `sealer.cloud/v2`");
        reader.error(first, &message, Some(&hint));
        return Err(reader.errors);
    }
    let spec = reader.cluster(first, document);
    let env = spec.as_ref().map(|spec| spec.env.clone()).unwrap_or_default();
    let mut rest = Rest::default();
    for (first, document) in documents.iter().filter(|(at, _)| *at != first) {
        reader.document(*first, document, &env, &mut rest);
    }
    match spec {
        Some(spec) if reader.errors.is_empty() => Ok(ClusterSpec {
            configs: rest.configs,
            plugins: rest.plugins,
            documents: rest.documents,
            ..spec
        }),
        _ => Err(reader.errors),
    }
}

#[derive(Default)]
struct Rest {
    configs: Vec<ConfigSpec>,
    plugins: Vec<sealer_plugin::PluginSpec>,
    documents: Vec<String>,
}

struct Reader<'a> {
    file: &'a str,
    defaults: &'a Defaults,
    errors: Vec<InputError>,
}

impl Reader<'_> {
    fn error(&mut self, line: usize, message: &str, hint: Option<&str>) {
        let place = format!("{}:{line}", self.file);
        self.errors.push(InputError { place, message: message.to_owned(), hint: hint.map(str::to_owned) });
    }

    fn at<T>(&mut self, first: usize, value: &Spanned<T>, message: &str, hint: Option<&str>) {
        let line = first + usize::try_from(value.referenced.line()).unwrap_or(1) - 1;
        self.error(line, message, hint);
    }

    fn syntax(&mut self, first: usize, error: &serde_saphyr::Error) {
        let (line, message, hint) = yaml::explain(error);
        self.error(first + line - 1, &message, hint.as_deref());
    }

    fn document(&mut self, first: usize, text: &str, env: &Env, rest: &mut Rest) {
        let rendered = match render::text(text, env) {
            Ok(rendered) => rendered,
            Err((line, message)) => return self.error(first + line - 1, &message, None),
        };
        let header: Header = match serde_saphyr::from_str(&rendered) {
            Ok(header) => header,
            Err(error) => return self.syntax(first, &error),
        };
        match header.kind.as_str() {
            "Plugin" => match spec::parse(self.file, &rendered) {
                Ok(plugins) => rest.plugins.extend(plugins.into_iter().map(|mut plugin| {
                    plugin.line = first;
                    plugin
                })),
                Err(errors) => {
                    for error in errors {
                        self.error(first + error.line - 1, &error.message, error.hint.as_deref());
                    }
                }
            },
            "Config" => rest.configs.extend(self.config(first, &rendered)),
            "Cluster" => self.error(first, "there is a `kind: Cluster` already", None),
            kind if KUBEADM.contains(&kind) => {}
            kind => {
                let message = format!("`kind: {kind}` is unknown");
                let hint = format!("kinds are Cluster, Config, Plugin, {}", KUBEADM.join(", "));
                return self.error(first, &message, Some(&hint));
            }
        }
        rest.documents.push(rendered.trim().to_owned());
    }

    fn cluster(&mut self, first: usize, text: &str) -> Option<ClusterSpec> {
        let document: ClusterDocument = match serde_saphyr::from_str(text) {
            Ok(document) => document,
            Err(error) => {
                self.syntax(first, &error);
                return None;
            }
        };
        let name = document.metadata.name;
        if !is_cluster_name(&name.value) {
            let message =
                format!("`{}` is no name of a cluster: letters, digits, `-`, `_` and `.` are", name.value);
            self.at(first, &name, &message, None);
        }
        let body = document.spec;
        let image = body.image.value.parse().map_err(|error: sealer_image::Error| {
            self.at(first, &body.image, &error.to_string(), None);
        });
        let mut env = Env::new();
        let own = self.items(first, &body.env);
        add_env(&mut env, own);
        add_env(&mut env, self.defaults.env.clone());
        let mut cmd_args: BTreeMap<String, String> = self.items(first, &body.cmd_args).into_iter().collect();
        cmd_args.extend(self.defaults.cmd_args.clone());
        let hosts = self.hosts(first, &body, &env);
        Some(ClusterSpec {
            name: name.value,
            image: image.ok()?,
            hosts,
            env,
            cmd_args,
            cmd: body.cmd,
            configs: Vec::new(),
            plugins: Vec::new(),
            documents: Vec::new(),
        })
    }

    fn hosts(&mut self, first: usize, body: &ClusterBody, env: &Env) -> Vec<HostSpec> {
        let mut hosts: Vec<HostSpec> = Vec::new();
        let mut seen = BTreeSet::new();
        for group in &body.hosts {
            let mut group_env = env.clone();
            let own = self.items(first, &group.value.env);
            add_env(&mut group_env, own);
            if group.value.roles.is_empty() && !group.value.ips.is_empty() {
                self.at(
                    first,
                    group,
                    "these hosts have no role",
                    Some("add `roles: [master]` or `roles: [node]`"),
                );
            }
            let logins = self.ssh(first, &body.ssh, &group.value.ssh);
            for ip in &group.value.ips {
                let endpoints = match super::hosts::parse("ips", &ip.value) {
                    Ok(endpoints) => endpoints,
                    Err(error) => {
                        self.at(first, ip, &error.message, error.hint.as_deref());
                        continue;
                    }
                };
                for (address, port) in endpoints {
                    if !seen.insert(address) {
                        self.at(
                            first,
                            ip,
                            &format!("`{address}` is given twice"),
                            Some("each host is named once, with all its roles"),
                        );
                        continue;
                    }
                    let mut ssh = logins.over(self.defaults, self.defaults.of_host(address));
                    ssh.port = port.unwrap_or(ssh.port);
                    self.defaults.unlock(&mut ssh);
                    hosts.push(HostSpec {
                        address,
                        roles: group.value.roles.clone(),
                        env: group_env.clone(),
                        ssh,
                    });
                }
            }
        }
        if !hosts.iter().any(|host| host.has_role("master")) && self.errors.is_empty() {
            self.error(
                first,
                "no host has the role `master`",
                Some("give one `roles: [master]`: the first is where the image's commands run"),
            );
        }
        hosts.sort_by_key(|host| !host.has_role("master"));
        hosts
    }

    fn ssh(&mut self, first: usize, cluster: &SshDocument, host: &SshDocument) -> Logins {
        let port = host.port.as_ref().or(cluster.port.as_ref());
        let port = port.and_then(|port| {
            let number = port.value.parse().ok().filter(|number: &u16| *number > 0);
            if number.is_none() {
                self.at(first, port, &format!("`{}` is no port", port.value), None);
            }
            number
        });
        let jump = host.jump.as_ref().or(cluster.jump.as_ref());
        let jump = jump.and_then(|jump| match Jump::chain(&jump.value) {
            Ok(chain) => Some(chain),
            Err(message) => {
                self.at(first, jump, &message, None);
                None
            }
        });
        let said = &self.defaults.ssh;
        let (password, passphrase) = (said.password.is_some(), said.passphrase.is_some());
        let passwd = host.passwd.as_ref().or(cluster.passwd.as_ref()).filter(|_| !password);
        let pk_passwd = host.pk_passwd.as_ref().or(cluster.pk_passwd.as_ref()).filter(|_| !passphrase);
        Logins {
            user: host.user.clone().or_else(|| cluster.user.clone()),
            port,
            jump,
            local: host.local.or(cluster.local),
            password: self.secret(first, passwd),
            key: host.pk.clone().or_else(|| cluster.pk.clone()),
            passphrase: self.secret(first, pk_passwd),
        }
    }

    /// Gets a secret; flags that say it were asked before.
    fn secret(&mut self, first: usize, text: Option<&Spanned<String>>) -> Option<Secret> {
        let text = text.filter(|text| !text.value.is_empty())?;
        match Secret::read(&text.value, self.defaults.secrets) {
            Ok(secret) => Some(secret),
            Err(message) => {
                self.at(first, text, &message, None);
                None
            }
        }
    }

    fn items(&mut self, first: usize, items: &[Spanned<String>]) -> Vec<(String, String)> {
        let mut read = Vec::new();
        for item in items {
            match item.value.split_once('=') {
                Some((name, value)) if is_variable(name) => read.push((name.to_owned(), value.to_owned())),
                _ => self.at(first, item, &format!("`{}` is not `NAME=value`", item.value), None),
            }
        }
        read
    }

    fn config(&mut self, first: usize, text: &str) -> Option<ConfigSpec> {
        let document: ConfigDocument = match serde_saphyr::from_str(text) {
            Ok(document) => document,
            Err(error) => {
                self.syntax(first, &error);
                return None;
            }
        };
        let body = document.spec;
        if let Some(process) = &body.process {
            self.at(
                first,
                process,
                "`process` is not done by this version",
                Some("write the data as it is to be"),
            );
        }
        let strategy = match body.strategy.as_ref().map(|strategy| strategy.value.as_str()) {
            None | Some("overwrite") => Strategy::Overwrite,
            Some("merge") => Strategy::Merge,
            Some(other) => {
                let message = format!("strategy `{other}` does not exist");
                self.at(first, body.strategy.as_ref()?, &message, Some("strategies are overwrite and merge"));
                return None;
            }
        };
        let path = Path::new(&body.path.value);
        let inside: PathBuf = path.components().filter(|part| matches!(part, Component::Normal(_))).collect();
        if path.components().any(|part| part == Component::ParentDir) || inside.as_os_str().is_empty() {
            self.at(
                first,
                &body.path,
                &format!("`{}` is no path within the image's root", body.path.value),
                None,
            );
            return None;
        }
        let line = first + usize::try_from(body.path.referenced.line()).unwrap_or(1) - 1;
        Some(ConfigSpec {
            name: document.metadata.name.value,
            path: inside,
            data: body.data,
            strategy,
            place: format!("{}:{line}", self.file),
        })
    }
}

fn is_variable(name: &str) -> bool {
    let inner = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    inner && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
}
