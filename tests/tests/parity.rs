//! What docs/IPV6.md says that one version of IP has alone is all that it has alone: nodes, features, reasons and commands.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use peloton_tests::{Lab, program::workspace};
use vnet::plugin::Plugin;

/// An engine with all that has to do with packets of either version.
fn lab() -> Lab {
    let plugins: Vec<Plugin> = vec![acl::plugin(), flowprobe::plugin(), nodes::ping::plugin()];
    Lab::new(plugins)
}

/// The names of both versions of one thing become one, so that what is left over is alone. `None` for names of neither.
fn version(name: &str) -> Option<(u8, String)> {
    let find = |digit: char| {
        let words = [format!("ip{digit}"), format!("vxlan{digit}"), format!("geneve{digit}")];
        let more = [format!("gre{digit}"), format!("ipip{digit}"), format!("ip{digit}-")];
        let word = words.into_iter().chain(more).find(|word| name.contains(word.as_str()))?;
        Some(name.replacen(&word, &word.replace(digit, "N"), 1))
    };
    find('4').map(|name| (4, name)).or_else(|| find('6').map(|name| (6, name)))
}

/// What is of one version alone.
fn alone<'a>(names: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let mut known: BTreeMap<String, Vec<(u8, String)>> = BTreeMap::new();
    for name in names {
        if let Some((of, common)) = version(name) {
            known.entry(common).or_default().push((of, name.to_owned()));
        }
    }
    let single = known.into_values().filter(|of| of.iter().all(|(version, _)| *version == of[0].0));
    single.flatten().map(|(_, name)| name).collect()
}

/// The first cells of the table under a heading of the page, without their backquotes. Each has a reason beside it.
fn listed(heading: &str) -> BTreeSet<String> {
    let path = workspace().join("docs/IPV6.md");
    let page = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let (_, behind) = page.split_once(&format!("\n## {heading}\n")).expect("the heading is there");
    let section = behind.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let mut all = BTreeSet::new();
    for row in rows {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        assert!(cells.len() > 1 && cells[1].len() > 10, "a reason: {row}");
        all.extend(cells[0].split('`').skip(1).step_by(2).map(ToOwned::to_owned));
    }
    all
}

#[test]
fn each_node_of_one_version_alone_is_listed_with_its_reason() {
    let lab = lab();
    let found = lab.engine.with(|main| {
        let names: Vec<_> = main.graph().nodes().map(|(_, node)| node.name.clone()).collect();
        alone(names.iter().map(String::as_str))
    });
    assert_eq!(found, listed("Nodes of one version alone"));
}

#[test]
fn each_arc_has_the_features_of_its_twin() {
    let shown = lab().run("show features");
    let mut arcs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut arc = String::new();
    for line in shown.lines().skip(1) {
        match line.strip_prefix("  ") {
            None => arc = line.trim_end_matches(':').to_owned(),
            Some(feature) => {
                let common = version(feature).map_or(feature.to_owned(), |(_, name)| name);
                arcs.entry(arc.clone()).or_default().insert(common.trim().to_owned());
            }
        }
    }
    let mut compared = 0;
    for (arc, features) in &arcs {
        if arc.contains("ip4") {
            assert_eq!(Some(features), arcs.get(&arc.replace("ip4", "ip6")), "{arc}");
            compared += 1;
        }
    }
    assert!(compared >= 5, "{arcs:?}");
}

#[test]
fn each_reason_of_one_version_alone_is_listed_with_its_reason() {
    let lab = lab();
    let mut reasons: BTreeMap<String, BTreeMap<u8, BTreeSet<String>>> = BTreeMap::new();
    lab.engine.with(|main| {
        for row in main.errors().rows() {
            if let Some((of, common)) = version(row.node) {
                let of = reasons.entry(common).or_default().entry(of).or_default();
                of.insert(row.reason.name.clone());
            }
        }
    });
    let mut found = BTreeSet::new();
    for (node, of) in &reasons {
        let (Some(four), Some(six)) = (of.get(&4), of.get(&6)) else { continue };
        let name = |version: u8, reason: &String| {
            format!("{}: {reason}", node.replacen('N', &version.to_string(), 1))
        };
        found.extend(four.difference(six).map(|reason| name(4, reason)));
        found.extend(six.difference(four).map(|reason| name(6, reason)));
    }
    assert_eq!(found, listed("Reasons of one version alone"));
}

#[test]
fn each_command_of_one_version_alone_is_listed_with_its_reason() {
    let page = fs::read_to_string(workspace().join("docs/COMMANDS.md")).unwrap();
    let commands = page.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'));
    // VPP calls what is of IPv4 `ip`, or `ip4`.
    let common = |word: &str| match word {
        "ip" | "ip4" => (Some(4), "ipN".to_owned()),
        "ip6" => (Some(6), "ipN".to_owned()),
        _ => (None, word.replacen("ip4-", "ipN-", 1).replacen("ip6-", "ipN-", 1)),
    };
    let mut known: BTreeMap<String, Vec<(u8, String)>> = BTreeMap::new();
    for command in commands {
        let words: Vec<_> = command.split(' ').map(common).collect();
        let by_word = words.iter().find_map(|(version, _)| *version);
        let by_name = if command.contains("ip4-") { Some(4) } else { None };
        let by_name = by_name.or(if command.contains("ip6-") { Some(6) } else { None });
        if let Some(version) = by_word.or(by_name) {
            let name: Vec<_> = words.into_iter().map(|(_, word)| word).collect();
            known.entry(name.join(" ")).or_default().push((version, command.to_owned()));
        }
    }
    let single = known.into_values().filter(|of| of.iter().all(|(version, _)| *version == of[0].0));
    let found: BTreeSet<String> = single.flatten().map(|(_, name)| name).collect();
    assert_eq!(found, listed("Commands of one version alone"));
}
