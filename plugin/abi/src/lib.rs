//! The C ABI between sealer and a plugin: frozen, without dependencies.
