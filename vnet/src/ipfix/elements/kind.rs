//! The vocabulary of the registry: abstract data types, semantics, units, status.

/// An enum whose variants carry the registry's word for them.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $code:literal $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum $name {
            $($(#[$vdoc])* $variant = $code,)*
        }

        impl $name {
            /// The registry's word.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The value that the registry calls by this word.
            #[must_use]
            pub fn from_name(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

words! {
    /// Abstract data type (RFC 7012 section 3.1); the discriminants are those of RFC 5610.
    DataType {
        /// Octets without further meaning.
        OctetArray = 0 "octetArray",
        /// 0 to 2^8 - 1.
        Unsigned8 = 1 "unsigned8",
        /// 0 to 2^16 - 1.
        Unsigned16 = 2 "unsigned16",
        /// 0 to 2^32 - 1.
        Unsigned32 = 3 "unsigned32",
        /// 0 to 2^64 - 1.
        Unsigned64 = 4 "unsigned64",
        /// -2^7 to 2^7 - 1.
        Signed8 = 5 "signed8",
        /// -2^15 to 2^15 - 1.
        Signed16 = 6 "signed16",
        /// -2^31 to 2^31 - 1.
        Signed32 = 7 "signed32",
        /// -2^63 to 2^63 - 1.
        Signed64 = 8 "signed64",
        /// IEEE 754 single precision.
        Float32 = 9 "float32",
        /// IEEE 754 double precision.
        Float64 = 10 "float64",
        /// 1 is true, 2 is false.
        Boolean = 11 "boolean",
        /// IEEE 802 address, 6 octets.
        MacAddress = 12 "macAddress",
        /// UTF-8 text.
        String = 13 "string",
        /// Seconds since 1970, 32 bits.
        DateTimeSeconds = 14 "dateTimeSeconds",
        /// Milliseconds since 1970, 64 bits.
        DateTimeMilliseconds = 15 "dateTimeMilliseconds",
        /// NTP time of microsecond resolution, 64 bits.
        DateTimeMicroseconds = 16 "dateTimeMicroseconds",
        /// NTP time of nanosecond resolution, 64 bits.
        DateTimeNanoseconds = 17 "dateTimeNanoseconds",
        /// 4 octets.
        Ipv4Address = 18 "ipv4Address",
        /// 16 octets.
        Ipv6Address = 19 "ipv6Address",
        /// Values of one element (RFC 6313).
        BasicList = 20 "basicList",
        /// Records of one template (RFC 6313).
        SubTemplateList = 21 "subTemplateList",
        /// Records of several templates (RFC 6313).
        SubTemplateMultiList = 22 "subTemplateMultiList",
        /// 0 to 2^256 - 1 (RFC 9740).
        Unsigned256 = 23 "unsigned256",
    }
}

words! {
    /// Data type semantics (RFC 7012 section 3.2, RFC 8038); the discriminants are those of RFC 5610.
    Semantics {
        /// No rule.
        Default = 0 "default",
        /// A measured value at one time.
        Quantity = 1 "quantity",
        /// Counts from a start that does not move.
        TotalCounter = 2 "totalCounter",
        /// Counts since the previous report.
        DeltaCounter = 3 "deltaCounter",
        /// A number that only tells things apart.
        Identifier = 4 "identifier",
        /// Bits with a meaning each.
        Flags = 5 "flags",
        /// Structured data.
        List = 6 "list",
        /// An SNMP counter.
        SnmpCounter = 7 "snmpCounter",
        /// An SNMP gauge.
        SnmpGauge = 8 "snmpGauge",
    }
}

words! {
    /// What values count (RFC 5610 section 3.6, whose numbers the discriminants are).
    Units {
        /// Nothing.
        None = 0 "none",
        /// Bits.
        Bits = 1 "bits",
        /// Octets.
        Octets = 2 "octets",
        /// Packets.
        Packets = 3 "packets",
        /// Flows.
        Flows = 4 "flows",
        /// Seconds.
        Seconds = 5 "seconds",
        /// Milliseconds.
        Milliseconds = 6 "milliseconds",
        /// Microseconds.
        Microseconds = 7 "microseconds",
        /// Nanoseconds.
        Nanoseconds = 8 "nanoseconds",
        /// Words of 32 bits.
        FourOctetWords = 9 "4-octet words",
        /// IPFIX messages.
        Messages = 10 "messages",
        /// Hops.
        Hops = 11 "hops",
        /// Label stack entries.
        Entries = 12 "entries",
        /// Layer-2 frames.
        Frames = 13 "frames",
        /// Ports.
        Ports = 14 "ports",
        /// Those of another element of the record.
        Inferred = 15 "inferred",
    }
}

words! {
    /// Whether an element should be used.
    Status {
        /// In use.
        Current = 0 "current",
        /// Replaced by another; still decoded.
        Deprecated = 1 "deprecated",
    }
}
