//! The shared object itself: what sealer reads of it without running it.

use object::{Object, ObjectSymbol};

#[test]
fn the_shared_object_exports_what_the_abi_wants_and_nothing_else() {
    // The folder `deps`: what a test belongs to is built beside it.
    let test = std::env::current_exe().unwrap();
    let file = test.with_file_name("liblist_nodes.so");
    let bytes = std::fs::read(&file).unwrap();
    let object = object::File::parse(&*bytes).unwrap();
    let mut names: Vec<&str> = object
        .dynamic_symbols()
        .filter(|symbol| symbol.is_definition() && symbol.is_global())
        .filter_map(|symbol| symbol.name().ok())
        .filter(|name| name.contains("lugin"))
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["Plugin", "PluginType"]);
}
