//! Rules as they are typed, in VPP's words:
//!
//! ```text
//! [index <n>] permit|deny|permit+reflect|action <n> src <prefix> dst <prefix> [proto <n>] [sport <n>[-<m>]] [dport <n>[-<m>]]
//!     [tcpflags <value> mask <mask>] [action <name> [{ <arguments> }]] [tag <tag>] [, <the next rule>]...
//! ```
//!
//! Words of a rule come in any order. Without `src` and `dst` a rule is about all IPv4 packets, without one of them about any address
//! there.

use std::{net::IpAddr, rc::Rc, str::FromStr};

use vnet::{
    action::ActionId,
    command::{
        ApiError, Error, NoNames,
        lex::{self, TokenKind},
        value::{self, IpWithLength},
    },
    wire::ip4::protocol,
};

use crate::rule::{Named, Ports, Rule, TcpFlags, Verdict};

/// What a line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The list to replace; a new one without.
    pub index: Option<u32>,
    /// What others call it.
    pub tag: Option<String>,
    /// Its rules.
    pub rules: Vec<Rule>,
}

/// A word, a comma, or what stands in braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Word(String),
    Block(String),
    Comma,
}

/// The pieces of a line, from the first to the last.
pub(crate) struct Pieces(std::vec::IntoIter<Piece>);

impl Pieces {
    pub(crate) fn new(text: &str) -> Result<Self, Error> {
        let tokens = lex::tokens(text).map_err(|fault| fault.error)?;
        let mut pieces = Vec::new();
        for token in tokens {
            match token.kind {
                TokenKind::Block => pieces.push(Piece::Block(token.text.trim().to_owned())),
                TokenKind::Quoted => pieces.push(Piece::Word(token.text.into_owned())),
                // Commas stand by themselves or behind a word.
                TokenKind::Word => token.text.split_inclusive(',').for_each(|part| {
                    let word = part.trim_end_matches(',');
                    if !word.is_empty() {
                        pieces.push(Piece::Word(word.to_owned()));
                    }
                    pieces.extend((word.len() < part.len()).then_some(Piece::Comma));
                }),
            }
        }
        Ok(Self(pieces.into_iter()))
    }

    /// The word behind a keyword.
    pub(crate) fn value(&mut self, keyword: &str, expected: &str) -> Result<String, Error> {
        match self.next() {
            Some(Piece::Word(word)) => Ok(word),
            _ => Err(Error::MissingValue { keyword: keyword.into(), expected: expected.into() }),
        }
    }

    /// A number behind a keyword.
    pub(crate) fn number<T: FromStr>(&mut self, keyword: &str, expected: &str) -> Result<T, Error> {
        let word = self.value(keyword, expected)?;
        let digits = word.bytes().all(|byte| byte.is_ascii_digit());
        let number = word.parse().ok().filter(|_| digits);
        number.ok_or_else(|| Error::BadValue { word, expected: expected.to_owned() })
    }

    /// Whether a block comes next, which is taken then.
    fn block(&mut self) -> Option<String> {
        let Some(Piece::Block(text)) = self.0.as_slice().first().cloned() else { return None };
        self.0.next();
        Some(text)
    }
}

impl Iterator for Pieces {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        self.0.next()
    }
}

/// Takes a value that may be given once.
pub(crate) fn once<T>(place: &mut Option<T>, word: &str, value: T) -> Result<(), Error> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::Repeated { word: word.to_owned() }),
    }
}

/// An error with the number of the rule that it is in.
pub(crate) fn in_rule(rule: usize, error: &Error) -> Error {
    Error::failed(error.api_error(), format!("rule {rule}: {error}"))
}

/// What a rule cannot do without: any word of it.
const WORDS: &str = "permit|deny|permit+reflect";

/// A rule as far as it was read.
#[derive(Default, PartialEq)]
struct Draft {
    verdict: Option<Verdict>,
    source: Option<IpWithLength>,
    destination: Option<IpWithLength>,
    protocol: Option<u8>,
    source_ports: Option<Ports>,
    destination_ports: Option<Ports>,
    tcp_flags: Option<TcpFlags>,
    action: Option<Rc<Named>>,
}

impl Request {
    /// Reads a line.
    ///
    /// # Errors
    /// What is wrong with it, and in which rule.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut pieces = Pieces::new(text)?;
        let mut request = Self { index: None, tag: None, rules: Vec::new() };
        let mut draft = Draft::default();
        while let Some(piece) = pieces.next() {
            let at = request.rules.len();
            match piece {
                Piece::Comma => request.rules.push(
                    core::mem::take(&mut draft).finish().map_err(|error| in_rule(at, &error))?,
                ),
                Piece::Block(_) => {
                    return Err(in_rule(at, &Error::UnknownInput { word: "{".to_owned() }));
                }
                Piece::Word(word) => match word.as_str() {
                    "index" => {
                        once(
                            &mut request.index,
                            &word,
                            pieces.number(&word, "the number of a list")?,
                        )?;
                    }
                    "tag" => once(&mut request.tag, &word, pieces.value(&word, "<tag>")?)?,
                    _ => draft.take(&word, &mut pieces).map_err(|error| in_rule(at, &error))?,
                },
            }
        }
        let at = request.rules.len();
        request.rules.push(draft.finish().map_err(|error| in_rule(at, &error))?);
        Ok(request)
    }
}

impl Draft {
    /// Takes a word of a rule, with what belongs to it.
    fn take(&mut self, word: &str, pieces: &mut Pieces) -> Result<(), Error> {
        const FLAGS: &str = "a number from 0 to 255";
        match word {
            "permit" => once(&mut self.verdict, word, Verdict::Permit),
            "deny" => once(&mut self.verdict, word, Verdict::Deny),
            "permit+reflect" => once(&mut self.verdict, word, Verdict::Reflect),
            "action" => self.take_action(pieces),
            "src" => once(&mut self.source, word, prefix(&pieces.value(word, "<prefix>")?)?),
            "dst" => once(&mut self.destination, word, prefix(&pieces.value(word, "<prefix>")?)?),
            "proto" => {
                let value = pieces.value(word, "<protocol>")?;
                once(&mut self.protocol, word, protocol_number(value)?)
            }
            "sport" => {
                let value = pieces.value(word, "<port>[-<port>]")?;
                once(&mut self.source_ports, word, ports(value)?)
            }
            "dport" => {
                let value = pieces.value(word, "<port>[-<port>]")?;
                once(&mut self.destination_ports, word, ports(value)?)
            }
            "tcpflags" => {
                let value = pieces.number(word, FLAGS)?;
                // VPP takes the mask with and without its keyword.
                let next = pieces.value("tcpflags", "mask <mask>")?;
                let mask = match next.as_str() {
                    "mask" => pieces.number("mask", FLAGS)?,
                    other => other.parse().map_err(|_| Error::BadValue {
                        word: other.to_owned(),
                        expected: FLAGS.to_owned(),
                    })?,
                };
                once(&mut self.tcp_flags, word, TcpFlags { value, mask })
            }
            _ => Err(Error::UnknownInput { word: word.to_owned() }),
        }
    }

    /// VPP's number of a verdict, or the name of an action.
    fn take_action(&mut self, pieces: &mut Pieces) -> Result<(), Error> {
        let word = pieces.value("action", "<name>")?;
        if let Ok(number) = word.parse() {
            let expected = "0 (deny), 1 (permit) or 2 (permit+reflect)".to_owned();
            let verdict = Verdict::of_number(number);
            let verdict =
                verdict.ok_or_else(|| Error::BadValue { word: word.clone(), expected })?;
            return once(&mut self.verdict, "action", verdict);
        }
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if word.is_empty() || !word.chars().all(is_part) {
            let expected = "a name of letters, digits, - and _".to_owned();
            return Err(Error::BadValue { word, expected });
        }
        let arguments = pieces.block().unwrap_or_default();
        once(&mut self.action, "action", Rc::new(Named { name: word, arguments }))
    }

    fn finish(self) -> Result<Rule, Error> {
        if self == Self::default() {
            return Err(Error::Missing { what: WORDS.to_owned() });
        }
        let family = self.source.or(self.destination);
        let any = match family.map(|prefix| prefix.address) {
            Some(IpAddr::V6(_)) => {
                IpWithLength { address: std::net::Ipv6Addr::UNSPECIFIED.into(), length: 0 }
            }
            _ => IpWithLength { address: std::net::Ipv4Addr::UNSPECIFIED.into(), length: 0 },
        };
        let (source, destination) = (self.source.unwrap_or(any), self.destination.unwrap_or(any));
        if source.address.is_ipv6() != destination.address.is_ipv6() {
            return Err(refused("src and dst are of different families"));
        }
        let protocol = self.protocol.unwrap_or(0);
        let ports = [self.source_ports, self.destination_ports];
        let [source_ports, destination_ports] = ports.map(|ports| ports.unwrap_or(Ports::ANY));
        if protocol == 0 && (source_ports != Ports::ANY || destination_ports != Ports::ANY) {
            return Err(refused("sport and dport need proto"));
        }
        let tcp_flags = self.tcp_flags.unwrap_or_default();
        if self.tcp_flags.is_some() && protocol != protocol::TCP {
            return Err(refused("tcpflags need proto 6"));
        }
        if tcp_flags.value & !tcp_flags.mask != 0 {
            return Err(refused(
                "tcpflags has bits that its mask leaves out: no packet would match",
            ));
        }
        Ok(Rule {
            verdict: self.verdict.unwrap_or(Verdict::Permit),
            source,
            destination,
            protocol,
            source_ports,
            destination_ports,
            tcp_flags,
            action: self.action,
            action_id: ActionId::NONE,
        })
    }
}

pub(crate) fn refused(why: &str) -> Error {
    Error::failed(ApiError::InvalidValue, why)
}

pub(crate) fn prefix(word: &str) -> Result<IpWithLength, Error> {
    value::prefix().parse_text(word, &NoNames)
}

fn protocol_number(word: String) -> Result<u8, Error> {
    const NAMES: [(&str, u8); 5] = [
        ("icmp", protocol::ICMP),
        ("tcp", protocol::TCP),
        ("udp", protocol::UDP),
        ("icmp6", protocol::ICMP6),
        ("sctp", protocol::SCTP),
    ];
    let named = NAMES.iter().find(|(name, _)| *name == word).map(|(_, number)| *number);
    named.or_else(|| word.parse().ok()).ok_or_else(|| Error::BadValue {
        word,
        expected: "a protocol (tcp, udp, icmp, icmp6, sctp, or 0 to 255)".to_owned(),
    })
}

fn ports(word: String) -> Result<Ports, Error> {
    let read = || {
        let (first, last) = word.split_once('-').unwrap_or((&word, &word));
        Some(Ports { first: first.parse().ok()?, last: last.parse().ok()? })
    };
    match read() {
        Some(ports) if ports.first <= ports.last => Ok(ports),
        _ => Err(Error::BadValue {
            word,
            expected: "a port from 0 to 65535, or two of them in order with `-'".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let request = Request::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        request.rules.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn rules_are_read_in_vpps_words_and_shown_as_vpp_does() {
        let text = "index 3 permit src 10.0.0.0/8 dst 10.1.2.3/32 proto 6 sport 80-90 dport 443 tcpflags 2 mask 18, \
                    deny src 2001:db8::/32 proto udp dport 53 , permit+reflect tag web";
        let request = Request::parse(text).unwrap();
        assert_eq!((request.index, request.tag.as_deref()), (Some(3), Some("web")));
        assert_eq!(
            shown(text),
            [
                "ipv4 permit src 10.0.0.0/8 dst 10.1.2.3/32 proto 6 sport 80-90 dport 443 tcpflags 2 mask 18",
                "ipv6 deny src 2001:db8::/32 dst ::/0 proto 17 sport 0-65535 dport 53",
                "ipv4 permit+reflect src 0.0.0.0/0 dst 0.0.0.0/0 proto 0 sport 0-65535 dport 0-65535",
            ]
        );
        assert_eq!(
            shown("action 0 dst 10.1.2.3/8,action 2"),
            shown("deny dst 10.0.0.0/8 , permit+reflect")
        );
        assert_eq!(shown("permit proto 6 tcpflags 2 18"), shown("proto tcp tcpflags 2 mask 18"));
    }

    #[test]
    fn an_action_has_a_name_and_what_stands_in_braces() {
        let [rule] = &*shown("permit action sample { collector-set 1, probability 100 } proto 17")
        else {
            panic!("one rule")
        };
        assert!(
            rule.ends_with("dport 0-65535 action sample { collector-set 1, probability 100 }"),
            "{rule}"
        );
        assert!(shown("permit action count")[0].ends_with("dport 0-65535 action count"));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_rule() {
        let refused = |text: &str| Request::parse(text).unwrap_err().to_string();
        for (text, error) in [
            ("permit, allow", "rule 1: unknown input `allow'"),
            ("permit permit", "rule 0: `permit' given twice"),
            ("permit deny", "rule 0: `deny' given twice"),
            ("permit src", "rule 0: `src' needs <prefix>"),
            ("permit src , deny", "rule 0: `src' needs <prefix>"),
            ("permit src 10.0.0.0/33", "rule 0: `10.0.0.0/33' is not an IP prefix"),
            ("permit src 10.0.0.0/8 dst ::/0", "rule 0: src and dst are of different families"),
            ("permit sport 80", "rule 0: sport and dport need proto"),
            (
                "permit proto tcpp",
                "rule 0: `tcpp' is not a protocol (tcp, udp, icmp, icmp6, sctp, or 0 to 255)",
            ),
            (
                "permit proto 256",
                "rule 0: `256' is not a protocol (tcp, udp, icmp, icmp6, sctp, or 0 to 255)",
            ),
            (
                "permit proto 6 dport 90-80",
                "rule 0: `90-80' is not a port from 0 to 65535, or two of them in order with `-'",
            ),
            (
                "permit proto 6 dport 65536",
                "rule 0: `65536' is not a port from 0 to 65535, or two of them in order with `-'",
            ),
            ("permit proto 17 tcpflags 2 mask 2", "rule 0: tcpflags need proto 6"),
            (
                "permit proto 6 tcpflags 3 mask 2",
                "rule 0: tcpflags has bits that its mask leaves out: no packet would match",
            ),
            ("permit proto 6 tcpflags 3", "rule 0: `tcpflags' needs mask <mask>"),
            ("permit proto 6 tcpflags 3 mask 256", "rule 0: `256' is not a number from 0 to 255"),
            ("permit action \"\"", "rule 0: `' is not a name of letters, digits, - and _"),
            ("permit action a;b", "rule 0: `a;b' is not a name of letters, digits, - and _"),
            ("permit action 3", "rule 0: `3' is not 0 (deny), 1 (permit) or 2 (permit+reflect)"),
            ("permit,", "rule 1: missing permit|deny|permit+reflect"),
            (", permit", "rule 0: missing permit|deny|permit+reflect"),
            ("tag a", "rule 0: missing permit|deny|permit+reflect"),
            ("permit { a }", "rule 0: unknown input `{'"),
            ("index x permit", "`x' is not the number of a list"),
            ("permit tag a tag b", "`tag' given twice"),
        ] {
            assert_eq!(refused(text), error, "{text}");
        }
    }
}
