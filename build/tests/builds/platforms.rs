//! One image for several platforms.

use sealer_image::{Platform, image};

use crate::kit::Bench;

fn platform(text: &str) -> Platform {
    text.parse().unwrap()
}

#[test]
fn several_platforms_are_one_index_of_which_each_has_its_own_files() {
    let mut bench = Bench::new();
    bench.write("tool-amd64", "for amd64");
    bench.write("tool-arm64", "for arm64");
    bench.write("Kubefile", "FROM scratch\nCOPY tool-${ARCH} bin\nCMD echo\n");
    let platforms = [platform("linux/amd64"), platform("linux/arm64")];
    let built = bench.build_for(&platforms).unwrap();
    assert_eq!((built.layers, built.cached), (2, 0));
    let entries = image::entries(&bench.store, &built.descriptor).unwrap();
    let found: Vec<Option<Platform>> = entries.iter().map(image::platform_of).collect();
    assert_eq!(found, platforms.clone().map(Some));
    assert_eq!(bench.store.resolve(&"demo:v1".parse().unwrap()).unwrap(), built.descriptor);
    for (name, one) in ["amd64", "arm64"].iter().zip(platforms.clone()) {
        bench.options.platform = one;
        assert_eq!(bench.tree(&built), ["bin/".to_owned(), format!("bin/tool-{name}: for {name}")]);
    }
    let again = bench.build_for(&platforms).unwrap();
    assert_eq!((again.descriptor, again.cached), (built.descriptor, 2));
}

#[test]
fn what_fails_for_one_platform_names_nothing() {
    let bench = Bench::new();
    bench.write("tool-amd64", "for amd64");
    bench.write("Kubefile", "FROM scratch\nCOPY tool-${ARCH} bin\n");
    bench.build_for(&[platform("linux/amd64"), platform("linux/arm64")]).unwrap_err();
    assert_eq!(bench.store.references().unwrap(), []);
}
