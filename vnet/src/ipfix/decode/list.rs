//! Structured data: lists of values and of records (RFC 6313).

use super::{
    record::{Context, Record},
    store::field_extent,
    value::Value,
};
use crate::ipfix::{
    elements::{DataType, ElementId, ElementInfo},
    template::{ENTERPRISE_BIT, TemplateId},
};

/// A list as it lies in a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct List<'a> {
    /// How the items relate (IANA "IPFIX Structured Data Types Semantics").
    pub semantic: u8,
    /// The whole field.
    pub octets: &'a [u8],
    content: Content<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content<'a> {
    Values { element: ElementId, length: u16, octets: &'a [u8] },
    Records { template: u16, octets: &'a [u8] },
    MultiRecords { octets: &'a [u8] },
}

/// A list, looked into.
#[derive(Debug)]
pub enum Items<'a> {
    /// A basicList: values of one element.
    Values(ElementInfo, Vec<Value<'a>>),
    /// A subTemplateList or subTemplateMultiList.
    Records(Vec<Record<'a>>),
}

impl<'a> List<'a> {
    /// Reads the head of a list; `None` when there is not even that.
    pub(super) fn read(data_type: DataType, field: &'a [u8]) -> Option<Self> {
        let (&semantic, octets) = field.split_first()?;
        let content = match data_type {
            DataType::BasicList => {
                let (id, octets) = split_u16(octets)?;
                let (length, octets) = split_u16(octets)?;
                let (enterprise, octets) = match id & ENTERPRISE_BIT {
                    0 => (0, octets),
                    _ => {
                        let (number, octets) = octets.split_first_chunk()?;
                        (u32::from_be_bytes(*number), octets)
                    }
                };
                let element = ElementId { enterprise, id: id & !ENTERPRISE_BIT };
                Content::Values { element, length, octets }
            }
            DataType::SubTemplateList => {
                let (template, octets) = split_u16(octets)?;
                Content::Records { template, octets }
            }
            _ => Content::MultiRecords { octets },
        };
        Some(Self { semantic, octets: field, content })
    }

    /// The registry's word for [`Self::semantic`].
    #[must_use]
    pub fn semantic_name(&self) -> &'static str {
        match self.semantic {
            0 => "noneOf",
            1 => "exactlyOneOf",
            2 => "oneOrMoreOf",
            3 => "allOf",
            4 => "ordered",
            _ => "undefined",
        }
    }

    /// Looks into the list; `None` when an item does not fit or a template is not known.
    #[must_use]
    pub fn items(&self, context: Context<'a>) -> Option<Items<'a>> {
        match self.content {
            Content::Values { element, length, octets } => {
                let info = context.registry.resolve(element);
                let values = values(info.data_type, length, octets)?;
                Some(Items::Values(info, values))
            }
            Content::Records { template, octets } => {
                let mut records = Vec::new();
                sub_records(context, template, octets, &mut records)?;
                Some(Items::Records(records))
            }
            Content::MultiRecords { mut octets } => {
                let mut records = Vec::new();
                while !octets.is_empty() {
                    let (template, rest) = split_u16(octets)?;
                    let (len, rest) = split_u16(rest)?;
                    let (content, rest) =
                        rest.split_at_checked(usize::from(len).checked_sub(4)?)?;
                    sub_records(context, template, content, &mut records)?;
                    octets = rest;
                }
                Some(Items::Records(records))
            }
        }
    }
}

fn values(data_type: DataType, length: u16, mut octets: &[u8]) -> Option<Vec<Value<'_>>> {
    let mut values = Vec::new();
    while !octets.is_empty() {
        let extent = field_extent(length, octets)?;
        // Items without octets could not be counted.
        if extent.end == 0 {
            return None;
        }
        values.push(Value::read(data_type, octets.get(extent.clone())?));
        octets = &octets[extent.end..];
    }
    Some(values)
}

fn sub_records<'a>(
    context: Context<'a>,
    template: u16,
    mut octets: &'a [u8],
    records: &mut Vec<Record<'a>>,
) -> Option<()> {
    let template = context.templates.get(TemplateId::new(template)?)?;
    while octets.len() >= template.min_record_len() {
        let (record, rest) = octets.split_at(template.measure(octets).ok()?);
        records.push(Record { context, template, octets: record });
        octets = rest;
    }
    octets.is_empty().then_some(())
}

fn split_u16(octets: &[u8]) -> Option<(u16, &[u8])> {
    let (number, rest) = octets.split_first_chunk()?;
    Some((u16::from_be_bytes(*number), rest))
}
