//! What docs/ARCHITECTURE.md lists is what the sources have.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use peloton_tests::program::workspace;

const LINT: &str = "unsafe_code";

fn read(path: impl AsRef<Path>) -> String {
    let path = workspace().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The part of the page behind a heading, up to the next one.
fn section(heading: &str) -> String {
    let page = read("docs/ARCHITECTURE.md");
    let (_, behind) = page.split_once(&format!("\n## {heading}\n")).expect("the heading is there");
    behind.split("\n## ").next().unwrap_or_default().to_owned()
}

/// The cells of all table rows of a section, without their headings.
fn rows(section: &str) -> Vec<Vec<&str>> {
    let cells = |line| -> Vec<&str> { str::split(line, '|').map(str::trim).collect() };
    let lines: Vec<_> = section.lines().filter(|line| line.starts_with('|')).map(cells).collect();
    let is_rule = |row: &[&str]| row.get(1).is_some_and(|cell| cell.starts_with("---"));
    let is_heading = |i: usize| lines.get(i + 1).is_some_and(|next| is_rule(next));
    let kept = lines.iter().enumerate().filter(|(i, row)| !is_rule(row) && !is_heading(*i));
    kept.map(|(_, row)| row[1..].to_vec()).collect()
}

/// What stands between backquotes.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// All Rust sources below a folder, by their paths from the workspace, and what is in them.
fn sources(folder: &Path, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).expect("a folder can be read") {
        let path = entry.expect("a folder can be read").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            sources(&path, found);
        } else if name.ends_with(".rs") {
            let short = path.strip_prefix(workspace()).expect("it lies in the workspace");
            found.insert(short.to_str().expect("a name in ASCII").to_owned(), read(&path));
        }
    }
}

fn all_sources() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    sources(workspace(), &mut found);
    found
}

/// The reason of an attribute that allows unsafe code.
fn reason(attribute: &str) -> Option<String> {
    let attribute = attribute.strip_prefix("![").or_else(|| attribute.strip_prefix('['))?;
    let attribute = attribute.split(']').next()?;
    let is_lifted = attribute.starts_with("allow(") || attribute.starts_with("expect(");
    if !is_lifted || !attribute.contains(LINT) {
        return None;
    }
    let (_, reason) = attribute.split_once("reason = \"").expect("each has a reason");
    Some(reason.split('"').next().unwrap_or_default().to_owned())
}

#[test]
fn unsafe_code_is_allowed_where_the_page_says_and_nowhere_else() {
    let mut allowed = BTreeMap::new();
    for (path, text) in all_sources() {
        for reason in text.split('#').filter_map(reason) {
            assert_eq!(allowed.insert(path.clone(), reason), None, "{path} allows it once");
        }
    }
    let section = section("Where `unsafe` is allowed");
    let listed = rows(&section).into_iter().map(|row| {
        assert!(row[2].len() > 10, "{row:?} says why it is sound");
        (row[0].trim_matches('`').to_owned(), row[1].to_owned())
    });
    assert_eq!(listed.collect::<BTreeMap<_, _>>(), allowed);
}

#[test]
fn every_crate_denies_unsafe_code_otherwise() {
    let workspace = read("Cargo.toml");
    assert!(workspace.contains(&format!("\n{LINT} = \"deny\"\n")));
    let (_, members) = workspace.split_once("members = [").expect("there are members");
    for member in members.split(']').next().unwrap_or_default().split('"').skip(1).step_by(2) {
        let manifest = read(format!("{member}/Cargo.toml"));
        assert!(manifest.contains("[lints]\nworkspace = true\n"), "{member}");
    }
    let outside = all_sources().into_iter().filter(|(path, _)| path.starts_with("fuzz/"));
    assert!(
        outside.inspect(|(path, text)| assert!(!text.contains("unsafe"), "{path}")).count() > 0
    );
}

#[test]
fn each_dependency_is_listed_with_a_purpose_and_used() {
    let manifest = read("Cargo.toml");
    let (_, behind) = manifest.split_once("[workspace.dependencies]\n").expect("there are some");
    let names = behind.lines().take_while(|line| !line.starts_with('['));
    let foreign = names.filter(|line| line.contains("version = "));
    let names: BTreeSet<_> = foreign.filter_map(|line| Some(line.split_once(" = ")?.0)).collect();
    let section = section("Dependencies");
    let listed: BTreeSet<_> = rows(&section).iter().map(|row| row[0].trim_matches('`')).collect();
    assert_eq!(listed, names);
    let sources = all_sources();
    for name in names {
        let path = format!("{}::", name.replace('-', "_"));
        assert!(sources.values().any(|text| text.contains(&path)), "{name} is not used");
    }
}

#[test]
fn each_folder_of_the_framework_and_of_the_nodes_has_its_line() {
    let section = section("Where things are");
    let rows = rows(&section);
    let listed: BTreeSet<_> = rows.iter().flat_map(|row| code(row[0])).collect();
    for sources in ["vnet/src", "nodes/src"] {
        for entry in fs::read_dir(workspace().join(sources)).expect("a folder can be read") {
            let entry = entry.expect("a folder can be read");
            let name = entry.file_name().to_string_lossy().into_owned();
            assert!(entry.path().is_file() || listed.contains(&*name), "{sources}/{name}");
        }
    }
    for name in listed {
        let places = [format!("vnet/src/{name}"), format!("nodes/src/{name}"), name.to_owned()];
        let exists = |place: &String| {
            workspace().join(place).exists() || workspace().join(format!("{place}.rs")).exists()
        };
        assert!(places.iter().any(exists), "{name}");
    }
}

#[test]
fn what_the_page_points_to_exists() {
    let page = read("docs/ARCHITECTURE.md");
    let docs = workspace().join("docs");
    let links = page.split("](").skip(1).filter_map(|tail| tail.split(')').next());
    assert!(links.inspect(|link| assert!(docs.join(link).exists(), "{link}")).count() > 5);
    let is_path = |text: &&str| {
        let top = text.split_once('/').map(|(top, _)| workspace().join(top));
        top.is_some_and(|top| top.is_dir()) && !text.contains(' ') && !text.starts_with('/')
    };
    let paths = code(&page).filter(is_path);
    let exists = |path: &&str| assert!(workspace().join(path).exists(), "{path}");
    assert!(paths.inspect(exists).count() > 20);
}
