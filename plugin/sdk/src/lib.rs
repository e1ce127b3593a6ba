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

pub use edge::{Export, type_name, verb};
pub use host::Host;
pub use sealer_plugin_abi as abi;
pub use wire::{Cluster, ExecReply, Invocation};

/// What a plugin fails with: anything that can be printed. `?` and `.into()` make it.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// A plugin.
pub trait Plugin: Default {
    /// Does the plugin's work for one phase.
    ///
    /// # Errors
    /// What the plugin cannot go on from; the run ends with its message.
    fn run(&self, invocation: &Invocation, host: &Host<'_>) -> Result<(), Error>;
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
            run: ::core::option::Option::Some($crate::verb::<$plugin>),
            describe: ::core::option::Option::None,
            validate: ::core::option::Option::None,
            plan: ::core::option::Option::None,
            undo: ::core::option::Option::None,
        });
    };
}
