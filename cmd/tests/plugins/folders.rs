//! What is refused before it is loaded: the wrong machine, half a file, no plugin, another ABI.

use std::fs;
use std::path::Path;
use std::time::Duration;

use sealer_plugin::PluginSet;

use crate::fixture::{compile, loader};

/// Reads an image's folder with one shared object, made by `make`; returns why it is refused.
fn refused(make: impl FnOnce(&Path)) -> String {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("plugin");
    fs::create_dir(&folder).unwrap();
    make(&folder);
    match PluginSet::read(root.path(), &loader(Duration::from_secs(60))) {
        Ok((set, _)) => format!("taken as {}", set.kinds().join(", ")),
        Err(error) => error.to_string(),
    }
}

fn compiled(flags: &'static [&'static str]) -> impl FnOnce(&Path) {
    move |folder| {
        compile(folder, "a.so", flags);
    }
}

/// The compiled plugin with its bytes changed.
fn changed(change: impl FnOnce(&mut Vec<u8>)) -> impl FnOnce(&Path) {
    move |folder| {
        let file = compile(folder, "a.so", &[]);
        let mut bytes = fs::read(&file).unwrap();
        change(&mut bytes);
        fs::write(file, bytes).unwrap();
    }
}

#[test]
fn a_plugin_is_taken_by_its_type() {
    assert_eq!(refused(compiled(&[])), "taken as CLUSTERCHECK, ETCD, HOSTILE, HOSTNAME, LABEL, SHELL, TAINT");
}

#[test]
fn a_plugin_for_another_machine_is_refused() {
    // e_machine: 183 is AArch64.
    let arm = refused(changed(|bytes| bytes[18..20].copy_from_slice(&183_u16.to_le_bytes())));
    assert_eq!(arm, "`plugin/a.so` is built for arm64, this machine is amd64");
}

#[test]
fn half_a_file_is_refused() {
    let mut whole = 0;
    let cut = refused(changed(|bytes| {
        whole = bytes.len();
        bytes.truncate(bytes.len() / 2);
    }));
    let half = whole / 2;
    assert_eq!(
        cut,
        format!("`plugin/a.so` is truncated: it should have at least {whole} bytes and has {half}")
    );
    assert_eq!(refused(changed(|bytes| bytes.truncate(20))), "`plugin/a.so` is truncated");
    assert_eq!(refused(changed(Vec::clear)), "`plugin/a.so` is no ELF file");
}

#[test]
fn what_is_no_plugin_is_refused_for_what_it_lacks() {
    assert_eq!(refused(compiled(&["-DNO_TYPE"])), "`plugin/a.so` is no plugin: it exports no `PluginType`");
    assert_eq!(refused(compiled(&["-DNO_PLUGIN"])), "`plugin/a.so` is no plugin: it exports no `Plugin`");
    assert_eq!(
        refused(compiled(&["-DPOINTER"])),
        "`plugin/a.so` is no plugin: its `PluginType` is no array of characters"
    );
}

#[test]
fn another_version_of_the_abi_is_refused() {
    assert_eq!(
        refused(compiled(&["-DVERSION=2"])),
        "`plugin/a.so` has version 2 of the plugin ABI; this sealer knows version 1"
    );
}

#[test]
fn a_go_plugin_is_known_by_its_linkers_mark() {
    let go = refused(compiled(&["-DGO"]));
    assert_eq!(
        go,
        "`plugin/a.so` is a plugin of Go's `-buildmode=plugin`, which only the program it was built with can load"
    );
}

#[test]
fn two_plugins_of_one_type_are_refused() {
    let both = refused(|folder| {
        compile(folder, "a.so", &[]);
        compile(folder, "b.so", &[]);
    });
    assert_eq!(both, "`plugin/a.so` and `plugin/b.so` both have the type `HOSTILE`");
}
