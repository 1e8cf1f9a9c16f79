//! Why a field list is refused, and what was probably meant.

use super::Field;
use crate::{
    command::{ApiError, OperationError, Shown},
    ipfix::elements::{Element, ElementId, REVERSE_PEN, VendorElement},
};

/// Why a field list is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// Not `NAME[/OCTETS]` or `PEN/ID[/OCTETS]`.
    #[error(
        "`{}' is no field: give an IANA name or PEN/ID, and /OCTETS for a shorter integer",
        Shown(word)
    )]
    Malformed {
        /// As written.
        word: String,
    },
    /// Neither IANA nor a vendor of whom flow records have elements knows such a name.
    #[error("unknown element '{}'{}", Shown(name), suggestion(nearest))]
    Unknown {
        /// As written.
        name: String,
        /// Names that look like it.
        nearest: Vec<&'static str>,
    },
    /// Nothing here has a value for it.
    #[error("flow records cannot have {name}: {reason}")]
    Unfilled {
        /// The element, by name or by number.
        name: String,
        /// Why not.
        reason: &'static str,
    },
    /// It is not in packets, and not known where they are measured.
    #[error("{name} is known {place}, and not {point}")]
    NotKnown {
        /// The element.
        name: &'static str,
        /// Where it is known.
        place: &'static str,
        /// Where packets are measured.
        point: String,
    },
    /// It is not of a type that can be shortened.
    #[error("{name} has {full} octets and not {octets}: only integers can be shorter")]
    NotReducible {
        /// The element.
        name: &'static str,
        /// Its octets.
        full: u16,
        /// Those asked for.
        octets: u16,
    },
    /// Its octets are counted in each record.
    #[error("{name} is text, and as long as it is: leave out /{octets}")]
    Text {
        /// The element.
        name: &'static str,
        /// Those asked for.
        octets: u16,
    },
    /// It has not so many octets.
    #[error("{name} has 1 to {full} octets, not {octets}")]
    Octets {
        /// The element.
        name: &'static str,
        /// Its octets.
        full: u16,
        /// Those asked for.
        octets: u16,
    },
    /// A direction is the reverse of another one when both ends are the same.
    #[error("records of both directions need both ends as keys: add {missing}")]
    OneEnd {
        /// What tells the ends.
        missing: &'static str,
    },
    /// Nothing is told by a value that is there twice.
    #[error("{name} is there twice")]
    Twice {
        /// The element.
        name: &'static str,
    },
}

impl OperationError for FieldError {
    fn api_error(&self) -> ApiError {
        ApiError::InvalidValue
    }
}

impl FieldError {
    pub(super) fn unfilled(id: ElementId) -> Self {
        let (name, reason) = match (id.enterprise, Element::by_id(id.id)) {
            (0, Some(element)) => (element.name.to_owned(), reason(element.name)),
            (REVERSE_PEN, Some(element)) => (id.to_string(), reverse_reason(element.name)),
            _ => (id.to_string(), "it is neither in the IANA registry nor one of Peloton's own"),
        };
        Self::Unfilled { name, reason }
    }
}

/// Why nothing has values of elements whose names begin so, the first that fits.
const REASONS: &[(&[&str], &str)] = &[
    (&["application"], "no meter classifies applications"),
    (&["bgp", "srcTrafficIndex", "dstTrafficIndex"], "routes here have no BGP attributes"),
    (
        &["postNAT", "postNAPT", "nat", "internalAddress", "externalAddress"],
        "nothing here translates addresses",
    ),
    (&["wlan", "wtp", "sta", "mobile"], "nothing here knows radio networks"),
    (&["mib"], "MIB objects are not packets' fields"),
    (
        &["http", "userName", "p2p", "tunnelTech", "encryptedTech"],
        "no meter looks into application data",
    ),
    (&["sampl", "selector", "selection", "hash"], "samplers are told of in options records"),
    (
        &["export", "notSent", "ignored", "collector", "message", "session"],
        "it tells of the exporter, not of a flow",
    ),
    (&["VRFname"], "records know tables by number"),
    (
        &["flowStartSysUpTime", "flowEndSysUpTime"],
        "times are of the clock and not of the uptime: use flowStartMilliseconds",
    ),
    (&["post"], "flows are measured at one point: measure the other side, too"),
    (&["basicList", "subTemplate"], "records have no lists"),
    (&["pathDelay", "rfc3550", "rtp"], "no meter measures delays"),
    (
        &["gtpu", "srh", "IPSec"],
        "flows are those of the outermost IP header, and nothing behind it is read but ports",
    ),
];

fn reason(name: &str) -> &'static str {
    let of_name = REASONS.iter().find(|(starts, _)| starts.iter().any(|s| name.starts_with(s)));
    match of_name {
        Some((_, reason)) => reason,
        None if name == "ipv6ExtensionHeaders" => {
            "RFC 9740 replaced it by ipv6ExtensionHeadersFull"
        }
        None if name == "tcpOptions" => "RFC 9740 replaced it by tcpOptionsFull",
        None if name.starts_with("mplsLabelStackSection") => "no more than four labels are kept",
        None if name.contains("TotalCount") => {
            "counts begin anew with each record: use delta counts"
        }
        None => "no meter has a value for it; `show ipfix element' lists those that can be had",
    }
}

fn reverse_reason(name: &str) -> &'static str {
    match Field::named(name) {
        Some(_) => "of the reverse direction there are counts, times and TCP flags alone",
        None => reason(name),
    }
}

/// The error for a name that IANA does not know.
pub(super) fn unknown(name: &str) -> FieldError {
    FieldError::Unknown { name: name.to_owned(), nearest: nearest(name) }
}

fn suggestion(nearest: &[&str]) -> String {
    match nearest {
        [] => "; `show ipfix element' lists the names".to_owned(),
        names => format!("; did you mean {}?", names.join(", ")),
    }
}

/// Up to three names that differ from `name` by few letters, the nearest first, and of those first what can be had.
fn nearest(name: &str) -> Vec<&'static str> {
    let name: Vec<u8> = name.bytes().take(64).map(|b| b.to_ascii_lowercase()).collect();
    let most = (name.len() / 3).clamp(1, 6);
    let vendors = VendorElement::all().iter().map(|vendor| &vendor.element);
    let mut near: Vec<(usize, bool, &'static str)> = Element::all()
        .iter()
        .chain(vendors)
        .map(|e| (distance(&name, e.name), Field::named(e.name).is_none(), e.name))
        .filter(|(distance, ..)| *distance <= most)
        .collect();
    near.sort_unstable();
    // Beside a name that is almost right, one that is far off is no help.
    let far = near.first().map_or(0, |(best, ..)| best * 2 + 1);
    near.retain(|(distance, ..)| *distance <= far);
    near.into_iter().take(3).map(|(.., name)| name).collect()
}

/// Letters to insert, delete or replace (Levenshtein), whatever their case.
fn distance(one: &[u8], other: &str) -> usize {
    let mut row: Vec<usize> = (0..=one.len()).collect();
    for (y, b) in other.bytes().map(|b| b.to_ascii_lowercase()).enumerate() {
        let mut diagonal = row[0];
        row[0] = y + 1;
        for (x, &a) in one.iter().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[x + 1];
            row[x + 1] = replaced.min(row[x] + 1).min(diagonal + 1);
        }
    }
    row[one.len()]
}
