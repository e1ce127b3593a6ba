//! `HOSTNAME`: gives hosts the names that `data` says, a line `IP name` each.

use sealer_plugin_sdk::wire::{Description, Invocation, Need};

use super::data::{Wish, by_host, wishes};
use super::{exec_on, quote};
use crate::plugin::{Error, Plugin, PluginHost, Verb};

pub(super) struct Hostname;

impl Plugin for Hostname {
    fn kind(&self) -> &'static str {
        "HOSTNAME"
    }

    fn offers(&self, verb: Verb) -> bool {
        verb != Verb::Undo
    }

    fn describe(&self) -> Result<Description, Error> {
        Ok(Description {
            summary: Some("gives hosts their names: a line `ADDRESS NAME` each".to_owned()),
            needs: Some(vec![Need::Exec]),
            idempotent: Some(true),
            ..Description::default()
        })
    }

    fn validate(&self, invocation: &Invocation) -> Result<(), Error> {
        read(invocation).map(|_| ())
    }

    fn plan(&self, invocation: &Invocation, _: &dyn PluginHost) -> Result<Vec<String>, Error> {
        let names = by_host(invocation, &read(invocation)?);
        Ok(names.iter().map(|(host, names)| format!("{host}: {}", names.join(" "))).collect())
    }

    fn run(&self, invocation: &Invocation, host: &dyn PluginHost) -> Result<(), Error> {
        let names = by_host(invocation, &read(invocation)?);
        let commands: Vec<(String, String)> = names
            .into_iter()
            .filter_map(|(address, mut names)| Some((address, quote(&names.pop()?))))
            .map(|(address, name)| {
                (address, format!("hostname {name} && rm -f /etc/hostname && echo {name} > /etc/hostname"))
            })
            .collect();
        exec_on(host, &commands, "hostname")
    }
}

fn read(invocation: &Invocation) -> Result<Vec<Wish<String>>, Error> {
    let names = wishes(invocation, "ADDRESS NAME", |name| {
        if is_hostname(name) {
            Ok(name.to_owned())
        } else {
            Err(format!("`{name}` is no host name (RFC 1123)"))
        }
    })?;
    let twice = names.iter().enumerate().find(|(at, wish)| {
        names[..*at].iter().any(|other| other.what == wish.what || other.address == wish.address)
    });
    match twice {
        Some((_, wish)) => {
            let message = format!("data names `{}` or {} twice", wish.what, wish.address);
            Err(Error::Returned { message })
        }
        None => Ok(names),
    }
}

fn is_hostname(name: &str) -> bool {
    let is_label = |label: &str| {
        let inner =
            label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        !label.is_empty() && label.len() <= 63 && inner && !label.starts_with('-') && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}
