//! The list of messages in docs/API.md is that of the engine. `PELOTON_REWRITE=1` writes it anew.

use std::{collections::BTreeSet, fmt::Write, fs, path::Path};

use vnet::api::{Definition, File, Header, Table};

const BEGIN: &str = "<!-- messages: written by `--test api reference` -->\n";
const END: &str = "<!-- end of messages -->\n";

#[test]
fn the_reference_lists_the_messages_that_are_served() {
    let engine = super::engine();
    let table = engine.with(|main| main.api().clone());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/API.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("where the list begins");
    let (_, after) = rest.split_once(END).expect("where it ends");
    let now = format!("{before}{BEGIN}{}{END}{after}", list(&table));
    if std::env::var_os("PELOTON_REWRITE").is_some() {
        fs::write(&path, now).unwrap();
        return;
    }
    assert!(
        now == text,
        "docs/API.md is not what the engine serves: run this test with PELOTON_REWRITE=1"
    );
}

fn list(table: &Table) -> String {
    let served: BTreeSet<&str> = table
        .messages()
        .filter(|(_, entry)| entry.is_served() || entry.definition.name.starts_with("sockclnt_"))
        .map(|(_, entry)| entry.definition.name)
        .collect();
    let mut text = String::new();
    for file in table.files().iter().filter(|file| file.messages().next().is_some()) {
        let [major, minor, patch] = file.version;
        let (yes, no) = divided(file, &served);
        writeln!(text, "\n### {} {major}.{minor}.{patch}\n", file.module).unwrap();
        writeln!(text, "Served: {}.", words(&yes)).unwrap();
        let events: Vec<&str> = events(file).collect();
        if !events.is_empty() {
            writeln!(text, "\nEvents: {}.", words(&events)).unwrap();
        }
        if !no.is_empty() {
            writeln!(
                text,
                "\nIn the table, and answered `UNIMPLEMENTED` or by nothing: {}.",
                words(&no)
            )
            .unwrap();
        }
    }
    text.push('\n');
    text
}

/// What clients send of a file: what is served, and what is not.
fn divided<'a>(file: &'a File, served: &BTreeSet<&str>) -> (Vec<&'a str>, Vec<&'a str>) {
    let requests = file.services().map(|service| service.request.name);
    requests.partition(|name| served.contains(name))
}

fn events(file: &File) -> impl Iterator<Item = &str> {
    let is_event = |definition: &&Definition| definition.header == Header::Event;
    file.messages().filter(is_event).map(|definition| definition.name)
}

fn words(names: &[&str]) -> String {
    match names {
        [] => "nothing".to_owned(),
        names => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    }
}
