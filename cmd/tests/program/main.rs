//! The real program, against real files, registries and hosts: what it prints and its exit code.

mod kit;
