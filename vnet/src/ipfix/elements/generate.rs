//! Renders `table.rs` from `elements.tsv`.

use core::fmt::Write as _;

use super::{DataType, Semantics, Status, Units};

const FACTS: &str = include_str!("elements.tsv");
const TABLE: &str = include_str!("table.rs");

struct Row<'a> {
    id: u16,
    name: &'a str,
    data_type: DataType,
    semantics: Semantics,
    units: Units,
    range: Option<(u64, u64)>,
    status: Status,
}

impl<'a> Row<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut columns = line.split('\t');
        let id = columns.next()?.parse().ok()?;
        let name = columns.next()?;
        let data_type = DataType::from_name(columns.next()?)?;
        let mut given = || columns.next().filter(|c| *c != "-");
        let semantics = given().map_or(Some(Semantics::Default), Semantics::from_name)?;
        let units = given().map_or(Some(Units::None), Units::from_name)?;
        let range = match given() {
            None => None,
            Some(range) => {
                let (low, high) = range.split_once('-')?;
                Some((low.parse().ok()?, high.parse().ok()?))
            }
        };
        let status = given().map_or(Some(Status::Current), Status::from_name)?;
        columns.next().is_none().then_some(Self {
            id,
            name,
            data_type,
            semantics,
            units,
            range,
            status,
        })
    }
}

fn rows() -> Vec<Row<'static>> {
    let lines = FACTS.lines().filter(|l| !l.starts_with('#'));
    lines.map(|l| Row::parse(l).unwrap_or_else(|| panic!("elements.tsv: {l:?}"))).collect()
}

/// The text of `table.rs`.
fn render(rows: &[Row<'_>]) -> String {
    let mut text = String::from(
        "//! Rendered from `elements.tsv` by the test `the_table_is_rendered_from_the_facts`. Not edited by hand.\n\n\
         use super::{DataType as T, Element, Semantics as S, Status, Units as U};\n\n\
         const CURRENT: Status = Status::Current;\n\
         const DEPRECATED: Status = Status::Deprecated;\n\n\
         const fn e(\n    id: u16,\n    name: &'static str,\n    data_type: T,\n    semantics: S,\n    units: U,\n    \
         range: Option<(u64, u64)>,\n    status: Status,\n) -> Element {\n    \
         Element { id, name, data_type, semantics, units, range, status }\n}\n\n",
    );
    let _ = writeln!(
        text,
        "/// The elements by rising identifier.\n#[rustfmt::skip]\npub(super) static ELEMENTS: [Element; {}] = [",
        rows.len()
    );
    for r in rows {
        let _ = writeln!(
            text,
            "    e({}, {:?}, T::{:?}, S::{:?}, U::{:?}, {:?}, {}),",
            r.id,
            r.name,
            r.data_type,
            r.semantics,
            r.units,
            r.range,
            r.status.name().to_ascii_uppercase()
        );
    }
    text.push_str("];\n\n");

    let last = rows.iter().map(|r| usize::from(r.id)).max().unwrap_or(0);
    let mut by_id = vec![u16::MAX; last + 1];
    for (slot, r) in (0..).zip(rows) {
        by_id[usize::from(r.id)] = slot;
    }
    let doc = "Index into [`ELEMENTS`] by identifier; 65535 where the registry has none.";
    render_index(&mut text, doc, "BY_ID", &by_id);
    text.push('\n');

    let mut by_name: Vec<u16> = (0..).take(rows.len()).collect();
    by_name.sort_by_key(|&slot| rows[usize::from(slot)].name);
    render_index(&mut text, "Indices into [`ELEMENTS`] by rising name.", "BY_NAME", &by_name);
    text
}

fn render_index(text: &mut String, doc: &str, name: &str, index: &[u16]) {
    let _ = writeln!(
        text,
        "/// {doc}\n#[rustfmt::skip]\npub(super) static {name}: [u16; {}] = [",
        index.len()
    );
    for line in index.chunks(16) {
        let line: Vec<String> = line.iter().map(u16::to_string).collect();
        let _ = writeln!(text, "    {},", line.join(", "));
    }
    text.push_str("];\n");
}

#[test]
fn the_table_is_rendered_from_the_facts() {
    let rows = rows();
    assert!(rows.is_sorted_by(|a, b| a.id < b.id), "ids are unique and rise");
    let text = render(&rows);
    if std::env::var_os("PELOTON_RENDER").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/ipfix/elements/table.rs");
        std::fs::write(path, &text).unwrap();
    } else {
        let hint = "table.rs is stale: run the test once more with PELOTON_RENDER=1";
        assert!(text == TABLE, "{hint}");
    }
}
