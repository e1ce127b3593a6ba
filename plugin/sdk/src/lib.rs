//! What the author of a plugin uses: a trait, an export macro and the messages.
//!
//! ```
//! use sealer_plugin_sdk::{Error, Host, Invocation, Plugin};
//!
//! #[derive(Default)]
//! struct Greeter;
//!
//! impl Plugin for Greeter {
//!     fn run(&self, invocation: &Invocation, host: &Host<'_>) -> Result<(), Error> {
//!         for address in &invocation.hosts {
//!             let output = host.exec(address, "hostname")?;
//!             host.log_for(address, &format!("hello, {}", output.stdout.trim()))?;
//!         }
//!         Ok(())
//!     }
//! }
//!
//! sealer_plugin_sdk::export!("GREETER", Greeter);
//! ```
//! Build it as a `cdylib` and copy the `.so` into the image's `plugin/`.

mod edge;
mod host;
pub mod wire;

pub use edge::{Describe, Export, Plan, Run, Undo, Validate, Verb, type_name, verb};
pub use host::Host;
pub use sealer_plugin_abi as abi;
pub use wire::{Cluster, Description, ExecReply, Invocation, KubeReply, KubeRequest, Need, Scope};

/// What a plugin fails with: anything that can be printed. `?` and `.into()` make it.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// A plugin. Only `run` has to be written.
pub trait Plugin: Default {
    /// Does the plugin's work for one phase.
    ///
    /// # Errors
    /// What the plugin cannot go on from; the run ends with its message.
    fn run(&self, invocation: &Invocation, host: &Host<'_>) -> Result<(), Error>;

    /// Says what the plugin is. Nothing can be asked of sealer here.
    #[must_use]
    fn describe(&self) -> Description {
        Description::default()
    }

    /// Checks `invocation.data` before anything is changed, and touches nothing.
    ///
    /// # Errors
    /// What is wrong with it.
    fn validate(&self, _invocation: &Invocation) -> Result<(), Error> {
        Ok(())
    }

    /// Says what `run` would do, a line each, and changes nothing: sealer refuses commands and copies
    /// meanwhile.
    ///
    /// # Errors
    /// Why it cannot tell.
    fn plan(&self, _invocation: &Invocation, _host: &Host<'_>) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }

    /// Takes back what `run` did: on a delete, and after a `run` that failed.
    ///
    /// # Errors
    /// What could not be taken back.
    fn undo(&self, _invocation: &Invocation, _host: &Host<'_>) -> Result<(), Error> {
        Ok(())
    }
}

/// Exports a plugin of the type that `spec.type` of its YAML names.
#[macro_export]
macro_rules! export {
    ($kind:literal, $plugin:ty) => {
        #[allow(unsafe_code, non_upper_case_globals, missing_docs)]
        #[unsafe(no_mangle)]
        pub static PluginType: [u8; $kind.len() + 1] = $crate::type_name($kind);

        #[allow(unsafe_code, non_upper_case_globals, missing_docs)]
        #[unsafe(no_mangle)]
        pub static Plugin: $crate::Export = $crate::Export($crate::abi::Plugin {
            size: ::core::mem::size_of::<$crate::abi::Plugin>() as u32,
            version: $crate::abi::VERSION,
            run: ::core::option::Option::Some($crate::verb::<$plugin, $crate::Run>),
            describe: ::core::option::Option::Some($crate::verb::<$plugin, $crate::Describe>),
            validate: ::core::option::Option::Some($crate::verb::<$plugin, $crate::Validate>),
            plan: ::core::option::Option::Some($crate::verb::<$plugin, $crate::Plan>),
            undo: ::core::option::Option::Some($crate::verb::<$plugin, $crate::Undo>),
        });
    };
}
