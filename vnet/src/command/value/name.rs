//! Names of objects, resolved while the line is parsed.

use super::Value;
use crate::command::error::Error;
use crate::command::resolve::NameKind;
use crate::interface::SwIfIndex;

/// The name of an object of `kind`, as its index: `named(NameKind::NODE, NodeIndex)`.
pub fn named<T: 'static>(
    kind: NameKind,
    index: impl Fn(u32) -> T + Send + Sync + 'static,
) -> Value<T> {
    let mut value = Value::new(kind.0, move |text, resolver| match resolver.resolve(kind, text) {
        Some(found) => Ok(index(found)),
        None => Err(Error::NoSuch { kind: kind.0.to_owned(), name: text.to_owned() }),
    });
    value.offers.names = Some(kind);
    value
}

/// The name of a software interface.
pub fn interface() -> Value<SwIfIndex> {
    named(NameKind::INTERFACE, SwIfIndex)
}
