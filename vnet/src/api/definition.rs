//! What is known of messages and types beside their values: names, fields, checksums, as VPP's `.api` files have them.

use super::Writer;

/// One of VPP's `.api` files, or as much of it as is served.
#[derive(Debug)]
pub struct File {
    /// Its name without folder and suffix.
    pub module: &'static str,
    /// Major, minor and patch number of its messages.
    pub version: [u32; 3],
    /// The checksum of the whole.
    pub crc: u32,
    /// Other names of types.
    pub aliases: &'static [Field],
    /// Types, messages and services.
    pub items: &'static [Item],
}

/// Something that a file defines.
#[derive(Debug)]
pub enum Item {
    /// A named number.
    Enum(EnumDefinition),
    /// Several fields.
    Struct(Definition),
    /// One of several fields.
    Union(Definition),
    /// A message that is no part of a service.
    Message(Definition),
    /// A request and what answers it.
    Service(Service),
}

/// A request and what answers it.
#[derive(Debug)]
pub struct Service {
    /// What a client sends.
    pub request: Definition,
    /// What comes once; none where the end of details is told by nothing but the next reply.
    pub reply: Option<Definition>,
    /// What comes any number of times before it.
    pub details: Option<Definition>,
    /// What comes later, by itself.
    pub events: &'static [&'static str],
}

/// A message, or a type with fields.
#[derive(Debug)]
pub struct Definition {
    /// Its name.
    pub name: &'static str,
    /// The checksum of its fields and their types; 0 for types.
    pub crc: u32,
    /// The fields that it has before its own.
    pub header: Header,
    /// Its own fields.
    pub fields: &'static [Field],
    /// Writes its own fields as zeros.
    pub zero: fn(&mut Writer),
}

/// What stands before the fields of a message, behind its 16-bit number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// Nothing.
    Bare,
    /// `u32 client_index; u32 context`.
    Request,
    /// `u32 context; i32 retval`.
    Reply,
    /// `u32 context; u32 retval`.
    UnsignedReply,
    /// `u32 context`.
    Details,
    /// `u32 client_index; u32 context`, where [`Self::Details`] is meant.
    DetailsOfClient,
    /// `u32 client_index; u32 pid`.
    Event,
}

/// A field of a message or a type.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// The name of its type, or of that of its elements: a basic one (`u32`), or one of a file without `vl_api_` and `_t`.
    pub of: &'static str,
    /// How many there are.
    pub shape: Shape,
    /// What it is when a client leaves it out.
    pub default: Option<&'static str>,
}

/// How many values a field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One.
    One,
    /// As many as it says; a text of so many octets at most.
    Array(usize),
    /// As many as the field before it says: type and name of that.
    Counted(&'static str, &'static str),
    /// As many as the field before the one before it says: type and name of both.
    CountedAcross([&'static str; 2], [&'static str; 2]),
    /// A text as long as it is.
    Text,
}

/// A number with names.
#[derive(Debug)]
pub struct EnumDefinition {
    /// Its name.
    pub name: &'static str,
    /// What holds it: `u8`, `u32`.
    pub of: &'static str,
    /// Whether values are added up.
    pub flags: bool,
    /// Names and values.
    pub values: &'static [(&'static str, u32)],
    /// Such as came when checksums were fixed already, and are in none.
    pub later: &'static [(&'static str, u32)],
}

impl Header {
    /// Its fields.
    #[must_use]
    pub fn fields(self) -> &'static [Field] {
        const fn of(name: &'static str, of: &'static str) -> Field {
            Field { name, of, shape: Shape::One, default: None }
        }
        const CLIENT: Field = of("client_index", "u32");
        const CONTEXT: Field = of("context", "u32");
        match self {
            Self::Bare => &[],
            Self::Request | Self::DetailsOfClient => const { &[CLIENT, CONTEXT] },
            Self::Reply => const { &[CONTEXT, of("retval", "i32")] },
            Self::UnsignedReply => const { &[CONTEXT, of("retval", "u32")] },
            Self::Details => const { &[CONTEXT] },
            Self::Event => const { &[CLIENT, of("pid", "u32")] },
        }
    }
}

impl Definition {
    /// Name and checksum, by which clients find a message.
    #[must_use]
    pub fn name_crc(&self) -> String {
        format!("{}_{:08x}", self.name, self.crc)
    }

    /// All fields, those of the header first.
    pub fn all_fields(&self) -> impl Iterator<Item = &Field> {
        self.header.fields().iter().chain(self.fields)
    }
}

impl Field {
    /// The name of its type in VPP's notation.
    #[must_use]
    pub fn type_name(&self) -> String {
        type_name(self.of)
    }
}

/// A name that is a word of Rust, too, without the mark of that.
#[must_use]
pub const fn plain_name(name: &'static str) -> &'static str {
    match name.as_bytes() {
        [b'r', b'#', plain @ ..] => match core::str::from_utf8(plain) {
            Ok(plain) => plain,
            Err(_) => name,
        },
        _ => name,
    }
}

/// The name of a type in VPP's notation: `vl_api_address_t`, but `u32`.
#[must_use]
pub fn type_name(of: &str) -> String {
    match of {
        "u8" | "u16" | "u32" | "u64" | "i8" | "i16" | "i32" | "i64" | "f64" | "bool" | "string" => {
            of.to_owned()
        }
        _ => format!("vl_api_{of}_t"),
    }
}

impl File {
    /// All messages, in the order in which they are numbered.
    pub fn messages(&self) -> impl Iterator<Item = &Definition> {
        self.items.iter().flat_map(Item::messages)
    }

    /// All services.
    pub fn services(&self) -> impl Iterator<Item = &Service> {
        self.items.iter().filter_map(|item| match item {
            Item::Service(service) => Some(service),
            _ => None,
        })
    }
}

impl Item {
    fn messages(&self) -> impl Iterator<Item = &Definition> {
        let (message, service) = match self {
            Self::Message(message) => (Some(message), None),
            Self::Service(service) => (None, Some(service)),
            Self::Enum(_) | Self::Struct(_) | Self::Union(_) => (None, None),
        };
        let of_service = service.into_iter().flat_map(|service| {
            let Service { request, reply, details, .. } = service;
            core::iter::once(request).chain(reply).chain(details)
        });
        message.into_iter().chain(of_service)
    }
}
