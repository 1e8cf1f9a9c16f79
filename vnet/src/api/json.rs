//! The answer to `get_api_json`: files in the form of VPP's `.api.json`.

use serde_json::{Map, Value, json};

use super::{Definition, EnumDefinition, Field, File, Item, Service, Shape};

/// A file as clients that learn messages at run time want to read it.
pub(super) fn file(file: &File) -> Value {
    let types = |item: &Item| match item {
        Item::Struct(definition) => Some(record(definition)),
        _ => None,
    };
    let unions = |item: &Item| match item {
        Item::Union(definition) => Some(record(definition)),
        _ => None,
    };
    let numbers = |flags: bool| {
        move |item: &Item| match item {
            Item::Enum(definition) if definition.flags == flags => Some(number(definition)),
            _ => None,
        }
    };
    let [major, minor, patch] = file.version;
    json!({
        "module": file.module,
        "types": file.items.iter().filter_map(types).collect::<Vec<_>>(),
        "messages": file.messages().map(message).collect::<Vec<_>>(),
        "unions": file.items.iter().filter_map(unions).collect::<Vec<_>>(),
        "enums": file.items.iter().filter_map(numbers(false)).collect::<Vec<_>>(),
        "enumflags": file.items.iter().filter_map(numbers(true)).collect::<Vec<_>>(),
        "services": file.services().map(service).collect::<Map<_, _>>(),
        "options": { "version": format!("{major}.{minor}.{patch}") },
        "aliases": file.aliases.iter().map(alias).collect::<Map<_, _>>(),
        "vl_api_version": format!("{:#x}", file.crc),
        "imports": [],
        "counters": [],
        "paths": [],
    })
}

fn record(definition: &Definition) -> Value {
    let name = core::iter::once(json!(definition.name));
    name.chain(definition.all_fields().flat_map(field)).collect()
}

fn message(definition: &Definition) -> Value {
    let mut all = vec![json!(definition.name), json!(["u16", "_vl_msg_id"])];
    all.extend(definition.all_fields().flat_map(field));
    all.push(json!({ "crc": format!("{:#010x}", definition.crc), "options": {} }));
    all.into()
}

/// A field; in front of an array the number of its elements, and what is between the two.
fn field(field: &Field) -> Vec<Value> {
    let of = field.type_name();
    let mut in_front = Vec::new();
    let mut value = match field.shape {
        Shape::One => vec![json!(of), json!(field.name)],
        Shape::Text => vec![json!(of), json!(field.name), json!(0)],
        Shape::Array(size) => vec![json!(of), json!(field.name), json!(size)],
        Shape::Counted(count_of, name) => {
            in_front = vec![json!([count_of, name])];
            vec![json!(of), json!(field.name), json!(0), json!(name)]
        }
        Shape::CountedAcross([count_of, name], between) => {
            in_front = vec![json!([count_of, name]), json!(between)];
            vec![json!(of), json!(field.name), json!(0), json!(name)]
        }
    };
    let default = field.default.and_then(|text| serde_json::from_str::<Value>(text).ok());
    value.extend(default.map(|default| json!({ "default": default })));
    in_front.into_iter().chain([value.into()]).collect()
}

fn number(definition: &EnumDefinition) -> Value {
    let values = definition.values.iter().chain(definition.later);
    let name = core::iter::once(json!(definition.name));
    let values = values.map(|(name, value)| json!([name, value]));
    name.chain(values).chain([json!({ "enumtype": definition.of })]).collect()
}

fn alias(alias: &Field) -> (String, Value) {
    let mut value = json!({ "type": alias.type_name() });
    if let Shape::Array(size) = alias.shape {
        value["length"] = json!(size);
    }
    (alias.name.to_owned(), value)
}

fn service(service: &Service) -> (String, Value) {
    let Service { request, reply, details, events } = service;
    let mut value = json!({});
    match (reply, details) {
        (Some(reply), Some(details)) => {
            value = json!({ "reply": reply.name, "stream": true, "stream_msg": details.name });
        }
        (Some(reply), None) => value["reply"] = json!(reply.name),
        (None, Some(details)) => value = json!({ "reply": details.name, "stream": true }),
        (None, None) => value["reply"] = json!("null"),
    }
    if !events.is_empty() {
        value["events"] = json!(events);
    }
    (request.name.to_owned(), value)
}
