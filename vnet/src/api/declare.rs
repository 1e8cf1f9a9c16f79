//! The notation in which messages are written down, once: `vnet::api!`.

/// Declares types and messages of one of VPP's `.api` files, and the [`File`](crate::api::File) that describes them.
///
/// Each item becomes a Rust type of its name. Fields are written `name: type`, with ` = default` behind where a client may leave
/// them out; types are `u32`, `[u8; 16]`, `string` (of any length), `[string; 64]`, `[fib_path by n_paths: u8]` (behind the
/// number of its elements), `[u32 by count: u8 across n_input: u8]` (with another field between), and the names of other items. The fields that all requests, replies, details and events begin with
/// are not written.
///
/// | item | is |
/// |---|---|
/// | `call a = CRC { .. } -> a_reply = CRC { .. };` | a request and its reply |
/// | `ask a = CRC { .. } -> a_reply = CRC { .. };` | the same, where no number of an error comes first |
/// | `dump a = CRC { .. } -> a_details = CRC { .. };` | a request that any number of details answer |
/// | `get a = CRC { .. } -> a_reply = CRC { .. } of a_details = CRC { .. };` | the same, with a reply at their end |
/// | `event a = CRC { .. };` | what is sent to those who asked for it by a call with `events [a]` |
/// | `message a = CRC { .. };`, `bare a = CRC { .. } -> b = CRC { .. };` | anything else, with all of its fields |
/// | `enum a: u32 { A = 1 };`, `flags a: u8 { A = 1 };` | a number with names |
/// | `record a { .. };`, `union a[16] { .. };` | several fields, or one of several in so many octets |
///
/// ```
/// vnet::api! {
///     file LIGHTS = "lights", [1, 0, 0], 0x12345678 aliases { lamp_index = u32 };
///     enum colour: u8 { COLOUR_RED = 0, COLOUR_GREEN = 1 };
///     call lamp_set = 0xb4d8fd37 { lamp: lamp_index = 0, colour: colour } -> lamp_set_reply = 0xe8d4e804 {};
/// }
///
/// let request = lamp_set { lamp: 7, colour: colour::COLOUR_GREEN };
/// assert_eq!(vnet::api::to_bytes(&request), [0, 0, 0, 7, 1]);
/// assert_eq!(LIGHTS.messages().count(), 2);
/// ```
#[macro_export]
macro_rules! api {
    (
        $(#[$about:meta])*
        file $file:ident = $module:literal, [$major:literal, $minor:literal, $patch:literal], $file_crc:literal
        $( aliases { $( $alias:ident = $alias_type:tt ),* $(,)? } )? ;
        $(
            $kind:ident $name:ident
            $( = $crc:literal )? $( : $of:ident )? $( [ $size:literal ] )? { $($body:tt)* }
            $( later { $($later:tt)* } )?
            $( -> $reply:ident = $reply_crc:literal { $($reply_body:tt)* } )?
            $( of $details:ident = $details_crc:literal { $($details_body:tt)* } )?
            $( events [ $($event:ident),* ] )?
            ;
        )*
    ) => {
        $(#[$about])*
        #[allow(unreachable_pub, reason = "as far as its module is")]
        pub static $file: $crate::api::File = $crate::api::File {
            module: $module,
            version: [$major, $minor, $patch],
            crc: $file_crc,
            aliases: &[ $( $( $crate::api_field!(@ $alias $alias_type) ),* )? ],
            items: &[ $(
                $crate::api_entry!(
                    $kind $name $( -> $reply )? $( of $details )? $( events [ $($event),* ] )?
                )
            ),* ],
        };
        $( $(
            #[doc = concat!("`", stringify!($alias), "` of VPP's API.")]
            #[allow(non_camel_case_types, unreachable_pub, dead_code, reason = "the name is VPP's, and all are here")]
            pub type $alias = $crate::api_type!($alias_type);
        )* )?
        $(
            $crate::api_item!(
                $kind $name $( = $crc )? $( : $of )? $( [ $size ] )? { $($body)* }
                $( later { $($later)* } )?
                $( -> $reply = $reply_crc { $($reply_body)* } )?
                $( of $details = $details_crc { $($details_body)* } )?
            );
        )*
    };
}

/// Makes an older message into a newer one that has all of its fields under the same names: those, and what the others are for
/// the older one.
///
/// ```
/// vnet::api! {
///     file LIGHTS = "lights", [1, 0, 0], 0x12345678;
///     call lamp_set = 0x9c0d1a2b { lamp: u32, on: bool } -> lamp_set_reply = 0xe8d4e804 {};
///     call lamp_set_v2 = 0x5e6f7a8b { lamp: u32, on: bool, colour: u8 } -> lamp_set_v2_reply = 0xe8d4e804 {};
/// }
/// vnet::api_part!(lamp_set { lamp, on } of lamp_set_v2 { colour: 7 });
///
/// assert_eq!(lamp_set_v2::from(lamp_set { lamp: 1, on: true }).colour, 7);
/// ```
#[macro_export]
macro_rules! api_part {
    ($part:ident { $($same:ident),* $(,)? } of $whole:ident { $($field:ident : $value:expr),* $(,)? }) => {
        impl From<$part> for $whole {
            fn from(request: $part) -> Self {
                Self { $($same: request.$same.into(),)* $($field: $value,)* }
            }
        }
    };
}

/// One item of [`api!`].
#[doc(hidden)]
#[macro_export]
macro_rules! api_item {
    (enum $name:ident : $of:ident { $($values:tt)* } $( later { $($later:tt)* } )?) => {
        $crate::api_enum!($name $of false { $($values)* } { $( $($later)* )? });
    };
    (flags $name:ident : $of:ident { $($values:tt)* } $( later { $($later:tt)* } )?) => {
        $crate::api_enum!($name $of true { $($values)* } { $( $($later)* )? });
    };
    (record $name:ident { $($body:tt)* }) => {
        $crate::api_record!($name 0 Bare { $($body)* });
    };
    (union $name:ident [ $size:literal ] { $( $field:ident : $type:tt ),* $(,)? }) => {
        #[doc = concat!("`", stringify!($name), "` of VPP's API: the octets of one of its values.")]
        #[allow(non_camel_case_types, unreachable_pub, dead_code, reason = "the name is VPP's, and all are here")]
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name(pub [u8; $size]);

        $crate::api_value!($name);

        impl $name {
            pub(crate) const DEFINITION: $crate::api::Definition = $crate::api::Definition {
                name: stringify!($name),
                crc: 0,
                header: $crate::api::Header::Bare,
                fields: &[ $( $crate::api_field!(@ $field $type) ),* ],
                zero: |writer| $crate::api::Wire::write(&<Self as $crate::api::Wire>::zero(), writer),
            };
        }
    };
    (message $name:ident = $crc:literal { $($body:tt)* }) => {
        $crate::api_message!($name $crc Bare { $($body)* });
    };
    (bare $name:ident = $crc:literal { $($body:tt)* } -> $reply:ident = $reply_crc:literal { $($reply_body:tt)* }) => {
        $crate::api_message!($name $crc Bare { $($body)* });
        $crate::api_message!($reply $reply_crc Bare { $($reply_body)* });
    };
    (event $name:ident = $crc:literal { $($body:tt)* }) => {
        $crate::api_message!($name $crc Event { $($body)* });
        impl $crate::api::Event for $name {}
    };
    (call $name:ident = $crc:literal { $($body:tt)* } -> $reply:ident = $reply_crc:literal { $($reply_body:tt)* }) => {
        $crate::api_message!($name $crc Request { $($body)* });
        $crate::api_message!($reply $reply_crc Reply { $($reply_body)* });
        impl $crate::api::Call for $name { type Reply = $reply; }
    };
    (call_unsigned $name:ident = $crc:literal { $($body:tt)* } -> $reply:ident = $reply_crc:literal { $($reply_body:tt)* }) => {
        $crate::api_message!($name $crc Request { $($body)* });
        $crate::api_message!($reply $reply_crc UnsignedReply { $($reply_body)* });
        impl $crate::api::Call for $name { type Reply = $reply; }
    };
    (ask $name:ident = $crc:literal { $($body:tt)* } -> $reply:ident = $reply_crc:literal { $($reply_body:tt)* }) => {
        $crate::api_message!($name $crc Request { $($body)* });
        $crate::api_message!($reply $reply_crc Details { $($reply_body)* });
        impl $crate::api::Ask for $name { type Reply = $reply; }
    };
    (ask_of_client $name:ident = $crc:literal { $($body:tt)* } -> $reply:ident = $reply_crc:literal { $($reply_body:tt)* }) => {
        $crate::api_message!($name $crc Request { $($body)* });
        $crate::api_message!($reply $reply_crc DetailsOfClient { $($reply_body)* });
        impl $crate::api::Ask for $name { type Reply = $reply; }
    };
    (dump $name:ident = $crc:literal { $($body:tt)* } -> $details:ident = $details_crc:literal { $($details_body:tt)* }) => {
        $crate::api_message!($name $crc Request { $($body)* });
        $crate::api_message!($details $details_crc Details { $($details_body)* });
        impl $crate::api::Dump for $name { type Details = $details; }
    };
    (dump_of_client $name:ident = $crc:literal { $($body:tt)* } -> $details:ident = $details_crc:literal { $($details_body:tt)* }) => {
        $crate::api_message!($name $crc Request { $($body)* });
        $crate::api_message!($details $details_crc DetailsOfClient { $($details_body)* });
        impl $crate::api::Dump for $name { type Details = $details; }
    };
    (
        get $name:ident = $crc:literal { $($body:tt)* } -> $reply:ident = $reply_crc:literal { $($reply_body:tt)* }
        of $details:ident = $details_crc:literal { $($details_body:tt)* }
    ) => {
        $crate::api_item!(call $name = $crc { $($body)* } -> $reply = $reply_crc { $($reply_body)* });
        $crate::api_message!($details $details_crc Details { $($details_body)* });
        impl $crate::api::Get for $name { type Details = $details; }
    };
    (
        get_of_client $name:ident = $crc:literal { $($body:tt)* } -> $reply:ident = $reply_crc:literal { $($reply_body:tt)* }
        of $details:ident = $details_crc:literal { $($details_body:tt)* }
    ) => {
        $crate::api_item!(call $name = $crc { $($body)* } -> $reply = $reply_crc { $($reply_body)* });
        $crate::api_message!($details $details_crc DetailsOfClient { $($details_body)* });
        impl $crate::api::Get for $name { type Details = $details; }
    };
}

/// A type that is a message.
#[doc(hidden)]
#[macro_export]
macro_rules! api_message {
    ($name:ident $crc:literal $header:ident { $($body:tt)* }) => {
        $crate::api_record!($name $crc $header { $($body)* });

        impl $crate::api::Message for $name {
            const DEFINITION: $crate::api::Definition = Self::DEFINITION;
        }
    };
}

/// A type with fields, its octets, and its description.
#[doc(hidden)]
#[macro_export]
macro_rules! api_record {
    ($name:ident $crc:literal $header:ident { $( $field:ident : $type:tt $( = $default:literal )? ),* $(,)? }) => {
        #[doc = concat!("`", stringify!($name), "` of VPP's API.")]
        #[allow(
            non_camel_case_types,
            missing_docs,
            unreachable_pub,
            dead_code,
            reason = "the names are VPP's, and all are here"
        )]
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name { $( pub $field: $crate::api_type!($type), )* }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $field: $crate::api_zero!($type), )* }
            }
        }

        impl $crate::api::Wire for $name {
            fn zero() -> Self {
                Self::default()
            }

            fn write(&self, _writer: &mut $crate::api::Writer) {
                $( $crate::api_write!(_writer, self.$field, $type); )*
            }

            fn read(_reader: &mut $crate::api::Reader<'_>) -> Result<Self, $crate::api::Defect> {
                Ok(Self {
                    $( $field: $crate::api_read!(_reader, $type).map_err(|defect| defect.within(stringify!($field)))?, )*
                })
            }
        }

        #[allow(dead_code, unreachable_pub, reason = "all have it")]
        impl $name {
            /// Its name.
            pub const NAME: &'static str = stringify!($name);

            pub(crate) const DEFINITION: $crate::api::Definition = $crate::api::Definition {
                name: stringify!($name),
                crc: $crc,
                header: $crate::api::Header::$header,
                fields: &[ $( $crate::api_field!(@ $field $type $( $default )?) ),* ],
                zero: |writer| $crate::api::Wire::write(&Self::default(), writer),
            };
        }

        $crate::api_nothing!($name { $( $field )* });
    };
}

/// A record without fields is what nothing is made into.
#[doc(hidden)]
#[macro_export]
macro_rules! api_nothing {
    ($name:ident { }) => {
        impl From<()> for $name {
            fn from((): ()) -> Self {
                Self {}
            }
        }
    };
    ($name:ident { $($field:ident)+ }) => {};
}

/// A number with names.
#[doc(hidden)]
#[macro_export]
macro_rules! api_enum {
    ($name:ident $of:ident $flags:literal { $( $value:ident = $number:literal ),* $(,)? } { $( $later:ident = $later_number:literal ),* $(,)? }) => {
        #[doc = concat!("`", stringify!($name), "` of VPP's API.")]
        #[allow(non_camel_case_types, unreachable_pub, dead_code, reason = "the name is VPP's, and all are here")]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub $of);

        #[allow(missing_docs, unreachable_pub, dead_code, reason = "the names are VPP's, and all are here")]
        impl $name {
            $( pub const $value: Self = Self($number); )*
            $( pub const $later: Self = Self($later_number); )*
            pub(crate) const DEFINITION: $crate::api::EnumDefinition = $crate::api::EnumDefinition {
                name: stringify!($name),
                of: stringify!($of),
                flags: $flags,
                values: &[ $( (stringify!($value), $number) ),* ],
                later: &[ $( (stringify!($later), $later_number) ),* ],
            };

            /// Whether all bits of `other` are set.
            #[must_use]
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// `flag` where `set` says so, else nothing.
            #[must_use]
            pub const fn when(self, set: bool) -> Self {
                if set { self } else { Self(0) }
            }
        }

        impl core::ops::BitOr for $name {
            type Output = Self;

            fn bitor(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }
        }

        $crate::api_value!($name);
    };
}

/// Octets of a type around one value.
#[doc(hidden)]
#[macro_export]
macro_rules! api_value {
    ($name:ident) => {
        impl $crate::api::Wire for $name {
            fn zero() -> Self {
                Self($crate::api::Wire::zero())
            }

            fn write(&self, writer: &mut $crate::api::Writer) {
                $crate::api::Wire::write(&self.0, writer);
            }

            fn read(reader: &mut $crate::api::Reader<'_>) -> Result<Self, $crate::api::Defect> {
                Ok(Self($crate::api::Wire::read(reader)?))
            }
        }
    };
}

/// The Rust type of a field.
#[doc(hidden)]
#[macro_export]
macro_rules! api_type {
    (string) => { String };
    ([string; $size:literal]) => { $crate::api::Text<$size> };
    ([$of:ident; $size:literal]) => { [$of; $size] };
    ([$of:ident by $count:ident : $count_of:ident]) => { Vec<$of> };
    ([$of:ident by $count:ident : $count_of:ident across $between:ident : $between_of:ident]) => {
        ($between_of, Vec<$of>)
    };
    ($of:ident) => { $of };
}

#[doc(hidden)]
#[macro_export]
macro_rules! api_zero {
    ([$of:ident by $($count:tt)*]) => {
        Default::default()
    };
    ($type:tt) => {
        $crate::api::Wire::zero()
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! api_write {
    ($writer:ident, $value:expr, [$of:ident by $count:ident : $count_of:ident]) => {
        $writer.counted::<$count_of, $of>(&$value)
    };
    ($writer:ident, $value:expr, [$of:ident by $count:ident : $count_of:ident across $between:ident : $between_of:ident]) => {
        $writer.counted_across::<$count_of, $between_of, $of>(&$value)
    };
    ($writer:ident, $value:expr, $type:tt) => {
        $crate::api::Wire::write(&$value, $writer)
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! api_read {
    ($reader:ident, [$of:ident by $count:ident : $count_of:ident]) => {
        $reader.counted::<$count_of, $of>()
    };
    ($reader:ident, [$of:ident by $count:ident : $count_of:ident across $between:ident : $between_of:ident]) => {
        $reader.counted_across::<$count_of, $between_of, $of>()
    };
    ($reader:ident, $type:tt) => {
        $crate::api::Wire::read($reader)
    };
}

/// The description of a field.
#[doc(hidden)]
#[macro_export]
macro_rules! api_field {
    (@ $name:ident string $($default:literal)?) => { $crate::api_field!($name, "string", Text, $($default)?) };
    (@ $name:ident [$of:ident; $size:literal] $($default:literal)?) => {
        $crate::api_field!($name, stringify!($of), Array($size), $($default)?)
    };
    (@ $name:ident [$of:ident by $count:ident : $count_of:ident] $($default:literal)?) => {
        $crate::api_field!($name, stringify!($of), Counted(stringify!($count_of), stringify!($count)), $($default)?)
    };
    (
        @ $name:ident [$of:ident by $count:ident : $count_of:ident across $between:ident : $between_of:ident]
        $($default:literal)?
    ) => {
        $crate::api_field!(
            $name,
            stringify!($of),
            CountedAcross(
                [stringify!($count_of), stringify!($count)],
                [stringify!($between_of), stringify!($between)]
            ),
            $($default)?
        )
    };
    (@ $name:ident $of:ident $($default:literal)?) => { $crate::api_field!($name, stringify!($of), One, $($default)?) };
    ($name:ident, $of:expr, $shape:ident $( ($($argument:expr),*) )?,) => {
        $crate::api::Field {
            name: $crate::api::plain_name(stringify!($name)),
            of: $of,
            shape: $crate::api::Shape::$shape $( ($($argument),*) )?,
            default: None,
        }
    };
    ($name:ident, $of:expr, $shape:ident $( ($($argument:expr),*) )?, $default:literal) => {
        $crate::api::Field {
            name: $crate::api::plain_name(stringify!($name)),
            of: $of,
            shape: $crate::api::Shape::$shape $( ($($argument),*) )?,
            default: Some(stringify!($default)),
        }
    };
}

/// An item's place in the description of its file.
#[doc(hidden)]
#[macro_export]
macro_rules! api_entry {
    (enum $name:ident) => { $crate::api::Item::Enum($name::DEFINITION) };
    (flags $name:ident) => { $crate::api::Item::Enum($name::DEFINITION) };
    (record $name:ident) => { $crate::api::Item::Struct($name::DEFINITION) };
    (union $name:ident) => { $crate::api::Item::Union($name::DEFINITION) };
    (message $name:ident) => { $crate::api::Item::Message($name::DEFINITION) };
    (event $name:ident) => { $crate::api::Item::Message($name::DEFINITION) };
    (dump $name:ident -> $details:ident) => { $crate::api_entry!(@ $name, None, Some($details::DEFINITION), []) };
    (dump_of_client $name:ident -> $details:ident) => { $crate::api_entry!(dump $name -> $details) };
    ($kind:ident $name:ident -> $reply:ident of $details:ident) => {
        $crate::api_entry!(@ $name, Some($reply::DEFINITION), Some($details::DEFINITION), [])
    };
    ($kind:ident $name:ident -> $reply:ident $( events [ $($event:ident),* ] )?) => {
        $crate::api_entry!(@ $name, Some($reply::DEFINITION), None, [ $( $( stringify!($event) ),* )? ])
    };
    (@ $name:ident, $reply:expr, $details:expr, [ $($event:expr),* ]) => {
        $crate::api::Item::Service($crate::api::Service {
            request: $name::DEFINITION,
            reply: $reply,
            details: $details,
            events: &[ $($event),* ],
        })
    };
}
