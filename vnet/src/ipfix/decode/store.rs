//! The templates that a decoder remembers.

use std::{borrow::Cow, collections::HashMap};

use super::error::Problem;
use crate::ipfix::{
    elements::{DataType, Registry},
    template::{FieldSpecifier, Template, TemplateId},
};

/// Fields of all templates that one session may have. A field takes about 120 octets of memory, so that a session takes
/// at most 2 MB.
pub const MAX_SESSION_FIELDS: usize = 16_384;

/// A template, resolved against the registry when it arrived.
#[derive(Clone, Debug)]
pub struct KnownTemplate {
    template: Template,
    fields: Box<[FieldInfo]>,
    record_len: Option<usize>,
    min_record_len: usize,
    repeats: bool,
}

/// A field of a template, with what the registry knows of it.
#[derive(Clone, Debug)]
pub struct FieldInfo {
    /// Element and length.
    pub specifier: FieldSpecifier,
    /// See [`crate::ipfix::elements::ElementInfo::name`].
    pub name: Cow<'static, str>,
    /// How the octets are read.
    pub data_type: DataType,
    /// An earlier field has the same name.
    pub(in crate::ipfix) repeated: bool,
    /// The next field of the same name.
    pub(in crate::ipfix) next_same: Option<u16>,
}

impl KnownTemplate {
    fn new(template: Template, registry: &Registry) -> Self {
        let mut last: HashMap<Cow<'static, str>, usize> = HashMap::new();
        let mut fields: Vec<FieldInfo> = Vec::with_capacity(template.fields().len());
        for &specifier in template.fields() {
            let info = registry.resolve(specifier.element);
            let earlier = last.insert(info.name.clone(), fields.len());
            if let Some(earlier) = earlier {
                // A template has at most 16,383 fields: each has four octets of a message.
                fields[earlier].next_same = Some(fields.len() as u16);
            }
            fields.push(FieldInfo {
                specifier,
                name: info.name,
                data_type: info.data_type,
                repeated: earlier.is_some(),
                next_same: None,
            });
        }
        Self {
            record_len: template.record_len(),
            min_record_len: template.min_record_len(),
            repeats: last.len() < fields.len(),
            template,
            fields: fields.into(),
        }
    }

    /// The template itself.
    #[must_use]
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// Its fields with names and types.
    #[must_use]
    pub fn fields(&self) -> &[FieldInfo] {
        &self.fields
    }

    /// Octets of the shortest record; never 0.
    #[must_use]
    pub fn min_record_len(&self) -> usize {
        self.min_record_len
    }

    /// Whether a name occurs twice.
    pub(in crate::ipfix) fn repeats(&self) -> bool {
        self.repeats
    }

    /// Octets of the record at the start of `octets`, which has at least [`Self::min_record_len`]. When a field does
    /// not fit: its offset, and what is wrong.
    pub(super) fn measure(&self, octets: &[u8]) -> Result<usize, (usize, Problem)> {
        if let Some(len) = self.record_len {
            return Ok(len);
        }
        let mut offset = 0;
        for field in self.template.fields() {
            let rest = &octets[offset..];
            let len = field_extent(field.length, rest).map_or(rest.len() + 1, |extent| extent.end);
            if len > rest.len() {
                let problem = Problem::FieldLength {
                    template: self.template.id().get(),
                    element: field.element,
                    len,
                    left: rest.len(),
                };
                return Err((offset, problem));
            }
            offset += len;
        }
        Ok(offset)
    }
}

/// Where the octets of a field lie in what begins with it: behind one or three length octets if its length is
/// variable (RFC 7011 section 7). May reach beyond `octets`; `None` if even the length does.
pub(super) fn field_extent(length: u16, octets: &[u8]) -> Option<core::ops::Range<usize>> {
    let (start, len) = match (length, octets) {
        (u16::MAX, [255, high, low, ..]) => (3, u16::from_be_bytes([*high, *low])),
        (u16::MAX, [255, ..] | []) => return None,
        (u16::MAX, [len, ..]) => (1, u16::from(*len)),
        (length, _) => (0, length),
    };
    Some(start..start + usize::from(len))
}

/// The templates of one observation domain.
#[derive(Debug, Default)]
pub(in crate::ipfix) struct TemplateStore {
    templates: HashMap<TemplateId, KnownTemplate>,
}

impl TemplateStore {
    pub(in crate::ipfix) fn get(&self, id: TemplateId) -> Option<&KnownTemplate> {
        self.templates.get(&id)
    }

    /// Adds a template; `total` counts the fields of the whole session. `Ok(None)`: it was known already.
    pub(super) fn insert(
        &mut self,
        template: Template,
        registry: &Registry,
        total: &mut usize,
    ) -> Result<Option<&KnownTemplate>, Problem> {
        let id = template.id();
        let old = self.templates.get(&id);
        if old.is_some_and(|old| old.template == template) {
            return Ok(None);
        }
        let freed = old.map_or(0, |old| old.fields.len());
        let fields = template.fields().len();
        let left = MAX_SESSION_FIELDS - (*total - freed);
        if fields > left {
            return Err(Problem::TooManyFields { id: id.get(), fields, left });
        }
        *total = *total - freed + fields;
        let known = KnownTemplate::new(template, registry);
        Ok(Some(self.templates.entry(id).insert_entry(known).into_mut()))
    }

    /// Forgets a template; whether it was there.
    pub(super) fn remove(&mut self, id: TemplateId, total: &mut usize) -> bool {
        let removed = self.templates.remove(&id);
        *total -= removed.as_ref().map_or(0, |old| old.fields.len());
        removed.is_some()
    }

    /// Forgets all templates, or all options templates.
    pub(super) fn remove_all(&mut self, options: bool, total: &mut usize) {
        self.templates.retain(|_, known| {
            let keep = known.template.is_options() != options;
            *total -= if keep { 0 } else { known.fields.len() };
            keep
        });
    }
}
