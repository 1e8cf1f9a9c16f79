//! Values as they lie in messages: packed, big-endian, `f64` little-endian.

use std::fmt;

/// A value that messages carry.
pub trait Wire: Sized {
    /// Nothing but zeros: what a reply carries beside the number of an error.
    fn zero() -> Self;

    /// Appends it.
    fn write(&self, writer: &mut Writer);

    /// Takes it from the front of what is left.
    ///
    /// # Errors
    /// When too little is left, or what is there is no such value.
    fn read(reader: &mut Reader<'_>) -> Result<Self, Defect>;
}

/// A message as it grows.
#[derive(Clone, Debug, Default)]
pub struct Writer(pub(super) Vec<u8>);

/// What is left of a message that is read.
#[derive(Clone, Debug)]
pub struct Reader<'a>(&'a [u8]);

/// What is wrong with a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("field `{field}': {kind}")]
pub struct Defect {
    /// In which field, from the outermost inwards.
    pub field: String,
    /// What it is.
    pub kind: DefectKind,
}

/// A way in which a field can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DefectKind {
    /// The message ends too early.
    #[error("{wanted} octets expected, {left} remain")]
    Short {
        /// Octets that the field has.
        wanted: usize,
        /// Octets that are left.
        left: usize,
    },
    /// A text of something else than UTF-8.
    #[error("it is not UTF-8 text")]
    NotText,
}

impl Defect {
    fn new(kind: DefectKind) -> Self {
        Self { field: String::new(), kind }
    }

    /// The same, in a field of the name `field` of something larger.
    #[must_use]
    pub fn within(mut self, field: &str) -> Self {
        self.field = match self.field.is_empty() {
            true => field.to_owned(),
            false => format!("{field}.{}", self.field),
        };
        self
    }
}

impl Writer {
    /// Appends octets as they are.
    pub fn octets(&mut self, octets: &[u8]) {
        self.0.extend_from_slice(octets);
    }

    /// Appends an array behind the number of its elements; what that number cannot say is left out.
    pub fn counted<N: Wire + TryFrom<usize>, T: Wire>(&mut self, elements: &[T]) {
        let elements = self.count::<N, T>(elements);
        elements.iter().for_each(|element| element.write(self));
    }

    /// The same, with another value between number and array.
    pub fn counted_across<N: Wire + TryFrom<usize>, B: Wire, T: Wire>(
        &mut self,
        (between, elements): &(B, Vec<T>),
    ) {
        let elements = self.count::<N, T>(elements);
        between.write(self);
        elements.iter().for_each(|element| element.write(self));
    }

    /// Appends the number of those that it can say.
    fn count<'e, N: Wire + TryFrom<usize>, T>(&mut self, elements: &'e [T]) -> &'e [T] {
        let mut elements = elements;
        let count = loop {
            match N::try_from(elements.len()) {
                Ok(count) => break count,
                Err(_) => elements = &elements[..elements.len() / 2],
            }
        };
        count.write(self);
        elements
    }

    /// What was written.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl<'a> Reader<'a> {
    /// Reads `octets`.
    #[must_use]
    pub fn new(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    /// Octets that nobody has read.
    #[must_use]
    pub fn left(&self) -> usize {
        self.0.len()
    }

    /// Takes `count` octets.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn octets(&mut self, count: usize) -> Result<&'a [u8], Defect> {
        let short = DefectKind::Short { wanted: count, left: self.0.len() };
        let (taken, left) = self.0.split_at_checked(count).ok_or(Defect::new(short))?;
        self.0 = left;
        Ok(taken)
    }

    /// Takes an array behind the number of its elements. Memory is taken as elements are found, whatever the number says.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn counted<N: Wire + Into<u64>, T: Wire>(&mut self) -> Result<Vec<T>, Defect> {
        let count = N::read(self)?.into();
        self.elements(count)
    }

    /// The same, with another value between number and array.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn counted_across<N: Wire + Into<u64>, B: Wire, T: Wire>(
        &mut self,
    ) -> Result<(B, Vec<T>), Defect> {
        let count = N::read(self)?.into();
        Ok((B::read(self)?, self.elements(count)?))
    }

    fn elements<T: Wire>(&mut self, count: u64) -> Result<Vec<T>, Defect> {
        let mut elements = Vec::new();
        for _ in 0..count {
            elements.push(T::read(self)?);
        }
        Ok(elements)
    }
}

macro_rules! numbers {
    ($($number:ident $write:ident $read:ident),*) => {$(
        impl Wire for $number {
            fn zero() -> Self {
                Default::default()
            }

            fn write(&self, writer: &mut Writer) {
                writer.octets(&self.$write());
            }

            fn read(reader: &mut Reader<'_>) -> Result<Self, Defect> {
                Ok(Self::$read(<[u8; _]>::read(reader)?))
            }
        }
    )*};
}

numbers! {
    u16 to_be_bytes from_be_bytes,
    u32 to_be_bytes from_be_bytes,
    u64 to_be_bytes from_be_bytes,
    i8 to_be_bytes from_be_bytes,
    i16 to_be_bytes from_be_bytes,
    i32 to_be_bytes from_be_bytes,
    i64 to_be_bytes from_be_bytes,
    f64 to_le_bytes from_le_bytes
}

impl Wire for u8 {
    fn zero() -> Self {
        0
    }

    fn write(&self, writer: &mut Writer) {
        writer.0.push(*self);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Defect> {
        Ok(reader.octets(1)?[0])
    }
}

impl Wire for bool {
    fn zero() -> Self {
        false
    }

    fn write(&self, writer: &mut Writer) {
        writer.0.push((*self).into());
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Defect> {
        Ok(u8::read(reader)? != 0)
    }
}

impl<T: Wire, const N: usize> Wire for [T; N] {
    fn zero() -> Self {
        core::array::from_fn(|_| T::zero())
    }

    fn write(&self, writer: &mut Writer) {
        self.iter().for_each(|element| element.write(writer));
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Defect> {
        let mut elements = Self::zero();
        for element in &mut elements {
            *element = T::read(reader)?;
        }
        Ok(elements)
    }
}

/// A text behind its length, `string x[]`.
impl Wire for String {
    fn zero() -> Self {
        Self::new()
    }

    fn write(&self, writer: &mut Writer) {
        writer.counted::<u32, u8>(self.as_bytes());
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Defect> {
        let length = u32::read(reader)? as usize;
        text(reader.octets(length)?)
    }
}

/// A text of at most `N - 1` octets in a field of `N`, `string x[N]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Text<const N: usize>(String);

impl<const N: usize> Text<N> {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The beginning of the text, as much as there is room for.
impl<const N: usize, S: Into<String>> From<S> for Text<N> {
    fn from(text: S) -> Self {
        let mut text = text.into();
        if text.len() >= N {
            let end = (0..N).rev().find(|end| text.is_char_boundary(*end));
            text.truncate(end.unwrap_or(0));
        }
        Self(text)
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<const N: usize> Wire for Text<N> {
    fn zero() -> Self {
        Self::default()
    }

    fn write(&self, writer: &mut Writer) {
        writer.octets(self.0.as_bytes());
        writer.0.resize(writer.0.len() + N - self.0.len(), 0);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Defect> {
        let octets = reader.octets(N)?;
        let end = octets.iter().position(|octet| *octet == 0).unwrap_or(N);
        Ok(Self::from(text(&octets[..end])?))
    }
}

fn text(octets: &[u8]) -> Result<String, Defect> {
    let text = core::str::from_utf8(octets).map_err(|_| Defect::new(DefectKind::NotText))?;
    Ok(text.trim_end_matches('\0').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: &impl Wire) -> Vec<u8> {
        let mut writer = Writer::default();
        value.write(&mut writer);
        writer.into_bytes()
    }

    #[test]
    fn numbers_are_big_endian_and_floats_are_not() {
        assert_eq!(written(&0x0102_0304_u32), [1, 2, 3, 4]);
        assert_eq!(written(&-2_i32), [255, 255, 255, 254]);
        assert_eq!(written(&1.0_f64), [0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
        assert_eq!(f64::read(&mut Reader::new(&written(&2.5_f64))), Ok(2.5));
    }

    #[test]
    fn texts_have_a_length_or_are_padded() {
        assert_eq!(written(&"ab".to_owned()), [0, 0, 0, 2, b'a', b'b']);
        assert_eq!(written(&Text::<4>::from("ab")), [b'a', b'b', 0, 0]);
        assert_eq!(written(&Text::<4>::from("abcdef")), [b'a', b'b', b'c', 0]);
        // Cut between characters.
        assert_eq!(Text::<4>::from("abä").as_str(), "ab");
        assert_eq!(Text::<3>::read(&mut Reader::new(b"xyz")).unwrap().as_str(), "xy");
    }

    #[test]
    fn a_count_that_lies_takes_no_memory_and_is_an_error() {
        let message = [0xff, 0xff, 0xff, 0xff, 1, 2, 3];
        let defect = Reader::new(&message).counted::<u32, u8>().unwrap_err();
        assert_eq!(defect.kind, DefectKind::Short { wanted: 1, left: 0 });
        let defect = String::read(&mut Reader::new(&message)).unwrap_err();
        assert_eq!(defect.kind, DefectKind::Short { wanted: 0xffff_ffff, left: 3 });
        assert_eq!(
            String::read(&mut Reader::new(&[0, 0, 0, 1, 0xff])).unwrap_err().kind,
            DefectKind::NotText
        );
    }

    #[test]
    fn what_a_count_cannot_say_is_left_out() {
        let mut writer = Writer::default();
        writer.counted::<u8, u8>(&[7; 300]);
        assert_eq!(writer.into_bytes().len(), 1 + 150);
    }
}
