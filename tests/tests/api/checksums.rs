//! Clients find a message by its name and a checksum of its fields and their types: VPP's, since ours is computed from what
//! is declared as VPP's is from its `.api` files, and both must be what is declared.

use std::collections::HashMap;

use vnet::api::{EnumDefinition, Field, File, Item, Shape, type_name};

/// CRC-32 of IEEE 802.3, going on from `crc`.
fn crc32(octets: &[u8], crc: u32) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !octets.iter().fold(!crc, |crc, octet| (0..8).fold(crc ^ u32::from(*octet), step))
}

/// What there is to know of a type: the text that stands for it, and the types of its fields.
struct Known {
    text: String,
    fields: Vec<Field>,
}

fn field_text(field: &Field) -> Vec<String> {
    let (of, name) = (field.type_name(), field.name);
    match field.shape {
        Shape::One => vec![format!("['{of}', '{name}']")],
        Shape::Array(size) => vec![format!("['{of}', '{name}', {size}, None]")],
        Shape::Text => vec![format!("['{of}', '{name}', 0, None]")],
        Shape::Counted(count_of, count) => {
            vec![format!("['{count_of}', '{count}']"), format!("['{of}', '{name}', 0, '{count}']")]
        }
        Shape::CountedAcross([count_of, count], [between_of, between]) => vec![
            format!("['{count_of}', '{count}']"),
            format!("['{between_of}', '{between}']"),
            format!("['{of}', '{name}', 0, '{count}']"),
        ],
    }
}

fn fields_text<'a>(fields: impl Iterator<Item = &'a Field>) -> String {
    format!("[{}]", fields.flat_map(field_text).collect::<Vec<_>>().join(", "))
}

fn enum_text(definition: &EnumDefinition) -> String {
    let values: Vec<_> =
        definition.values.iter().map(|(name, value)| format!("['{name}', {value}]")).collect();
    format!("[{}]", values.join(", "))
}

fn known(files: &[&File]) -> HashMap<String, Known> {
    let mut all = HashMap::new();
    for file in files {
        for alias in file.aliases {
            // Aliases count for nothing, whatever they are of.
            all.insert(type_name(alias.name), Known { text: "[]".into(), fields: Vec::new() });
        }
        for item in file.items {
            let (name, text, fields) = match item {
                Item::Enum(definition) => (definition.name, enum_text(definition), Vec::new()),
                Item::Struct(definition) | Item::Union(definition) => (
                    definition.name,
                    fields_text(definition.fields.iter()),
                    definition.fields.to_vec(),
                ),
                Item::Message(_) | Item::Service(_) => continue,
            };
            assert!(
                all.insert(type_name(name), Known { text, fields }).is_none(),
                "type {name} is there twice"
            );
        }
    }
    all
}

fn folded(crc: u32, fields: &[Field], known: &HashMap<String, Known>) -> u32 {
    fields.iter().fold(crc, |crc, field| match known.get(&field.type_name()) {
        Some(of) => folded(crc32(of.text.as_bytes(), crc), &of.fields, known),
        None => {
            assert!(!field.type_name().starts_with("vl_api_"), "type {} is in no file", field.of);
            crc
        }
    })
}

#[test]
fn crc32_is_that_of_zlib() {
    assert_eq!(crc32(b"123456789", 0), 0xcbf4_3926);
    assert_eq!(crc32(b"456789", crc32(b"123", 0)), 0xcbf4_3926);
}

#[test]
fn each_message_has_the_checksum_of_its_fields() {
    let engine = super::engine();
    let table = engine.with(|main| main.api().clone());
    let known = known(table.files());
    let mut wrong = Vec::new();
    for (_, entry) in table.messages() {
        let definition = entry.definition;
        let fields: Vec<Field> = definition.all_fields().copied().collect();
        let crc = folded(crc32(fields_text(fields.iter()).as_bytes(), 0), &fields, &known);
        if crc != definition.crc {
            wrong.push(format!(
                "{}: {crc:08x} of {}",
                definition.name_crc(),
                fields_text(fields.iter())
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn numbers_that_clients_know_beforehand_are_vpps() {
    let engine = super::engine();
    let table = engine.with(|main| main.api().clone());
    assert_eq!(table.number("sockclnt_create"), Some(15));
    assert_eq!(table.number("sockclnt_create_reply"), Some(16));
    // Names with checksums fit into the table's 64 octets.
    assert!(table.messages().all(|(_, entry)| entry.definition.name_crc().len() < 64));
}
