//! What plugins say of their own YAML before anything is changed: `describe`, `validate`, `plan`.

use std::collections::BTreeMap;
use std::path::Path;

use sealer_plugin::{Invocation, Plugin, PluginSet, PluginSpec, Verb, schema};
use sealer_stdx::fanout::fanout;
use sealer_stdx::task::Task;

use crate::cluster::ClusterSpec;
use crate::cluster::state::State;
use crate::error::{Error, InputError, Result};
use crate::execute::{Member, Reach, invocation};
use crate::plan;

/// What plugins say that they would do, by [`plan::said_key`].
pub(crate) type Said = BTreeMap<String, Vec<String>>;

/// Asks every plugin whether its YAML is right. Nothing is reached but the plugins.
pub(crate) fn validate(
    spec: &ClusterSpec,
    plugins: &PluginSet,
    specs: &[PluginSpec],
    targets: &BTreeMap<String, Vec<String>>,
    (parallel, version): (usize, &str),
) -> Result<()> {
    let results = fanout(parallel, specs.iter().collect(), |document: &PluginSpec| {
        let plugin = plugins.find(&document.kind).expect("the types were checked");
        let mut call = invocation(spec, &[], document, document.phases[0]);
        call.hosts = targets.get(&plan::target_key(document)).cloned().unwrap_or_default();
        version.clone_into(&mut call.sealer_version);
        one(plugin, document, &call)
    });
    let mut wrong = Vec::new();
    for result in results {
        match result {
            Err(Error::Input(errors)) => wrong.extend(errors),
            result => result?,
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Error::Input(wrong)) }
}

fn one(plugin: &dyn Plugin, document: &PluginSpec, call: &Invocation) -> Result<()> {
    let refuse = |message: String, hint: Option<String>| {
        let place = format!("{}:{}", document.file, document.line);
        Error::Input(vec![InputError { place, message, hint }])
    };
    let described = plugin.describe().map_err(|error| failed(document, Verb::Describe, error))?;
    let stranger = document
        .phases
        .iter()
        .find(|phase| !described.phases.is_empty() && !described.phases.contains(&phase.to_string()));
    if let Some(phase) = stranger {
        let hint = format!("it runs at {}", described.phases.join(", "));
        return Err(refuse(format!("plugin `{}` does not run at {phase}", document.name), Some(hint)));
    }
    if let Some(schema) = &described.schema {
        schema::check(schema, &document.data)
            .map_err(|message| refuse(format!("`data` of plugin `{}`: {message}", document.name), None))?;
    }
    match plugin.validate(call) {
        Ok(()) => Ok(()),
        Err(sealer_plugin::Error::Returned { message }) => {
            Err(refuse(format!("`data` of plugin `{}`: {message}", document.name), None))
        }
        Err(error) => Err(failed(document, Verb::Validate, error)),
    }
}

/// Asks the plugins that can tell what they would do.
pub(crate) fn plans(
    task: &Task,
    (spec, members): (&ClusterSpec, &[Member]),
    plugins: &PluginSet,
    specs: &[PluginSpec],
    (targets, state): (&BTreeMap<String, Vec<String>>, &State),
) -> Result<Said> {
    let mut said = Said::new();
    let kubeconfig = state.kubeconfig();
    for document in specs {
        let plugin = plugins.find(&document.kind).expect("the types were checked");
        if !plugin.offers(Verb::Plan) {
            continue;
        }
        for phase in &document.phases {
            let mut call = invocation(spec, members, document, *phase);
            call.hosts = targets.get(&plan::target_key(document)).cloned().unwrap_or_default();
            call.cluster.kubeconfig = kubeconfig.exists().then(|| path(&kubeconfig));
            let task = task.child("ask", document.name.clone(), None)?;
            let state = state.of_plugin(&document.name);
            let reach = Reach { members, kubeconfig: &kubeconfig, state, task: &task };
            let lines = match plugin.plan(&call, &reach) {
                Ok(lines) => lines,
                Err(sealer_plugin::Error::Returned { message }) => {
                    vec![format!("it cannot tell what it would do: {message}")]
                }
                Err(error) => return Err(failed(document, Verb::Plan, error)),
            };
            said.insert(plan::said_key(document, *phase), lines);
            task.finish();
        }
    }
    Ok(said)
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

fn failed(document: &PluginSpec, verb: Verb, source: sealer_plugin::Error) -> Error {
    Error::Plugin {
        step: format!("{}/{}", verb.name(), document.name),
        plugin: document.name.clone(),
        host: None,
        file: document.file.clone(),
        source: Box::new(source),
    }
}
