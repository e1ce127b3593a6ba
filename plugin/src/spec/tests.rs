//! What a plugin's YAML may say.

use super::*;

/// The owner's page, letter for letter.
const PAGE: &str = "apiVersion: sealer.aliyun.com/v1alpha1
kind: Plugin
metadata:
  name: list_nodes.so # out of tree plugin name
spec:
  type: LIST_NODE # define your own plugin type.
  action: PostInstall # which stage will this plugin be applied.
";

fn spec(on: Option<Selector>, phases: &[Phase]) -> PluginSpec {
    PluginSpec {
        name: "list_nodes.so".into(),
        kind: "LIST_NODE".into(),
        phases: phases.to_vec(),
        on,
        data: String::new(),
        file: "plugin/list_nodes.yaml".into(),
        line: 1,
        order: 0,
        on_failure: OnFailure::Abort,
        timeout: None,
    }
}

#[test]
fn reads_the_owners_page_letter_for_letter() {
    assert_eq!(parse("plugin/list_nodes.yaml", PAGE), Ok(vec![spec(None, &[Phase::PostInstall])]));
}

#[test]
fn reads_several_documents_and_passes_over_other_kinds() {
    let text = format!("---\nkind: Cluster\nanything: [1]\n---\n{PAGE}  on: master0\n---\n# nothing\n");
    let mut expected = spec(Some(Selector::FirstMaster), &[Phase::PostInstall]);
    expected.line = 5;
    assert_eq!(parse("plugin/list_nodes.yaml", &text), Ok(vec![expected]));
}

#[test]
fn an_action_may_name_several_phases() {
    let text = PAGE.replace("PostInstall", "PostClean|PreInit | PreInit");
    assert_eq!(
        parse("plugin/list_nodes.yaml", &text),
        Ok(vec![spec(None, &[Phase::PreInit, Phase::PostClean])])
    );
}

#[test]
fn all_mistakes_come_with_their_lines() {
    let text = "kind: Plugin\nmetadata: {name: a}\nspec:\n  type: SHELL\n  action: PostInstal|Nonsense\n  on: 10.0.0.x\n---\n\
                kind: Plugin\nmetadata: {name: b}\nspec:\n  tpye: SHELL\n  action: PreInit\n";
    let phases = Phase::names();
    let error = |line, message: &str, hint: Option<String>| SpecError {
        file: "p.yaml".into(),
        line,
        message: message.into(),
        hint,
    };
    assert_eq!(
        parse("p.yaml", text).unwrap_err(),
        [
            error(
                5,
                "phase `PostInstal` does not exist",
                Some(format!("did you mean `PostInstall`? phases that take plugins: {phases}"))
            ),
            error(5, "phase `Nonsense` does not exist", Some(format!("phases that take plugins: {phases}"))),
            error(6, "`10.0.0.x` is no address", None),
            error(
                11,
                "unknown field `tpye`, expected one of type, action, on, scope, data, order, onFailure, timeout",
                Some("did you mean `type`?".into())
            ),
        ]
    );
}

#[test]
fn selectors_select() {
    let host = |address: &str, roles: &[&str]| Host {
        address: address.into(),
        roles: roles.iter().map(|role| (*role).into()).collect(),
        ..Host::default()
    };
    let cluster = Cluster {
        hosts: vec![
            host("10.0.0.1", &["master"]),
            host("10.0.0.2", &["master"]),
            host("10.0.0.3", &["node", "gpu"]),
        ],
        ..Cluster::default()
    };
    let select = |on: &str| Selector::parse(on).and_then(|selector| selector.select(&cluster));
    let addresses = |addresses: &[&str]| Ok(addresses.iter().map(|address| (*address).to_owned()).collect());
    assert_eq!(select("master"), addresses(&["10.0.0.1", "10.0.0.2"]));
    assert_eq!(select("master0"), addresses(&["10.0.0.1"]));
    assert_eq!(select("gpu"), addresses(&["10.0.0.3"]));
    assert_eq!(select("10.0.0.3,10.0.0.1-10.0.0.2"), addresses(&["10.0.0.1", "10.0.0.2", "10.0.0.3"]));
    assert_eq!(select("10.0.0.9"), Err("`10.0.0.9` is no host of the cluster".into()));
    let masters = Cluster { hosts: cluster.hosts[..1].to_vec(), ..cluster.clone() };
    assert_eq!(Selector::parse("node").and_then(|selector| selector.select(&masters)), addresses(&[]));
    assert_eq!(select("etcd"), Err("no host of the cluster has the role `etcd`".into()));
    assert_eq!(
        select("10.0.0.2-10.0.0.1"),
        Err("the range `10.0.0.2-10.0.0.1` ends before it begins, or is too long".into())
    );
}
