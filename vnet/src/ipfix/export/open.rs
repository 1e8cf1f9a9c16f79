//! The messages of a stream that are not finished yet.

use super::ExportTime;
use crate::ipfix::{
    message::{Draft, MessageBuilder, SET_HEADER_LEN},
    profile::{Fill, Framing},
    template::{Template, TemplateId},
};

/// What a message may be longer than the path MTU allows where it may be at all: records of VPP's flowprobe have up to 94
/// octets, its template sets up to 72.
const OVERRUN: usize = 256;

/// The set that a data record belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataSet {
    /// Its template; without one the set has the identifier 0, which collectors pass over.
    pub template: Option<TemplateId>,
    /// Octets of a template set with that template alone, where [`Fill::TemplateSet`] asks for them.
    pub template_set_len: usize,
    /// How records of it are put into messages.
    pub framing: Framing,
    /// Whether its records are options data records.
    pub options: bool,
}

impl DataSet {
    /// Records of `template`.
    #[must_use]
    pub fn of(template: &Template, framing: Framing) -> Self {
        let template_set_len = match framing.fill {
            Fill::Record | Fill::One => 0,
            Fill::TemplateSet => SET_HEADER_LEN + template.wire_len(),
        };
        Self {
            template: Some(template.id()),
            template_set_len,
            framing,
            options: template.is_options(),
        }
    }

    /// Records that no template describes.
    #[must_use]
    pub const fn untold(framing: Framing) -> Self {
        Self { template: None, template_set_len: 0, framing, options: false }
    }

    /// The identifier of the set.
    pub(super) fn id(&self) -> u16 {
        self.template.map_or(0, TemplateId::get)
    }
}

/// Records of a template, in messages as RFC 7011 has them.
impl From<TemplateId> for DataSet {
    fn from(template: TemplateId) -> Self {
        Self { template: Some(template), ..Self::untold(Framing::RFC) }
    }
}

/// A message in the making.
#[derive(Debug)]
pub(super) struct Open {
    owner: Owner,
    pub(super) room: Vec<u8>,
    pub(super) draft: Draft,
    /// The export time of what is in it.
    pub(super) time: ExportTime,
}

/// What goes into one message together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    framing: Framing,
    /// The only set of the message, where it has no more than one.
    set: Option<u16>,
}

impl Owner {
    /// Of records.
    #[inline]
    pub(super) fn of(set: &DataSet) -> Self {
        Self::new(set.framing, set.id())
    }

    /// Of templates.
    pub(super) fn of_template(template: &Template, framing: Framing) -> Self {
        Self::new(framing, template.id().get())
    }

    #[inline]
    fn new(framing: Framing, set: u16) -> Self {
        Self { framing, set: framing.one_set.then_some(set) }
    }
}

impl Open {
    /// An empty message that is full with `limit` octets.
    pub(super) fn new(owner: Owner, limit: usize) -> Self {
        let room = match owner.framing.fill {
            Fill::Record => limit,
            Fill::TemplateSet => limit + OVERRUN,
            Fill::One => limit.max(Fill::TEMPLATES + OVERRUN),
        };
        let (draft, time) = (Draft::EMPTY, ExportTime::default());
        Self { owner, room: vec![0; room], draft, time }
    }

    #[inline]
    pub(super) fn is_of(&self, owner: Owner) -> bool {
        self.owner == owner
    }

    pub(super) fn framing(&self) -> Framing {
        self.owner.framing
    }

    #[inline]
    pub(super) fn builder(&mut self) -> MessageBuilder<'_> {
        MessageBuilder::resume(&mut self.room, self.draft)
    }

    /// Whether the message must leave before a template is added.
    pub(super) fn is_full_of_templates(&self) -> bool {
        self.owner.framing.fill == Fill::One && self.draft.len() >= Fill::TEMPLATES
    }

    /// Whether the message must leave before a record is added at `now`: its times are by another header.
    #[inline]
    pub(super) fn is_past(&self, now: ExportTime) -> bool {
        self.owner.framing.is_relative && !self.draft.is_empty() && self.time != now
    }

    /// Whether the message must leave now that a record of `set` was added.
    #[inline]
    pub(super) fn is_full(&self, set: &DataSet, limit: usize) -> bool {
        match self.owner.framing.fill {
            Fill::Record => false,
            Fill::TemplateSet => self.draft.len() + set.template_set_len > limit,
            Fill::One => true,
        }
    }
}
