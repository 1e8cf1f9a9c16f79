//! A data record, viewed in place.

use super::{
    store::{FieldInfo, KnownTemplate, TemplateStore, field_extent},
    value::Value,
};
use crate::ipfix::elements::Registry;

/// What it takes to understand lists within a record.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    pub(in crate::ipfix) templates: &'a TemplateStore,
    pub(in crate::ipfix) registry: &'a Registry,
}

/// A data record or options data record in a received message.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    pub(super) context: Context<'a>,
    pub(super) template: &'a KnownTemplate,
    /// Exactly the record: its length has been checked against the template.
    pub(super) octets: &'a [u8],
}

/// One field of a record.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// What the template says.
    pub info: &'a FieldInfo,
    /// The value as it was sent, without length octets.
    pub octets: &'a [u8],
}

impl<'a> Record<'a> {
    /// The template that describes it.
    #[must_use]
    pub fn template(&self) -> &'a KnownTemplate {
        self.template
    }

    /// What lists within it need.
    #[must_use]
    pub fn context(&self) -> Context<'a> {
        self.context
    }

    /// The octets of the record.
    #[must_use]
    pub fn octets(&self) -> &'a [u8] {
        self.octets
    }

    /// The fields, in order.
    pub fn fields(&self) -> impl Iterator<Item = Field<'a>> + use<'a> {
        let mut rest = self.octets;
        self.template.fields().iter().map_while(move |info| {
            let extent = field_extent(info.specifier.length, rest)?;
            let octets = rest.get(extent.clone())?;
            rest = &rest[extent.end..];
            Some(Field { info, octets })
        })
    }
}

impl<'a> Field<'a> {
    /// The typed value.
    #[must_use]
    pub fn value(&self) -> Value<'a> {
        Value::read(self.info.data_type, self.octets)
    }
}
