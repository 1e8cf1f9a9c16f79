//! Rules as they are typed: `permit|deny|action <n> [ip <prefix>] [[src] mac <mac> [mask <mac>]] [tag <tag>]`, with commas between them.

use std::net::Ipv4Addr;

use vnet::command::{
    Error, NoNames,
    value::{self, IpWithLength},
};

use super::MacipRule;
use crate::{
    grammar::{Piece, Pieces, in_rule, once, prefix},
    rule::Verdict,
};

/// What a line asks for.
pub(super) struct Request {
    pub(super) tag: Option<String>,
    pub(super) rules: Vec<MacipRule>,
}

#[derive(Default, PartialEq)]
struct Draft {
    verdict: Option<Verdict>,
    source: Option<IpWithLength>,
    mac: Option<[u8; 6]>,
    mask: Option<[u8; 6]>,
}

impl Request {
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let mut pieces = Pieces::new(text)?;
        let mut request = Self { tag: None, rules: Vec::new() };
        let mut draft = Draft::default();
        while let Some(piece) = pieces.next() {
            let at = request.rules.len();
            match piece {
                Piece::Comma => {
                    let rule = core::mem::take(&mut draft).finish();
                    request.rules.push(rule.map_err(|error| in_rule(at, &error))?);
                }
                Piece::Word(word) if word == "tag" => {
                    once(&mut request.tag, &word, pieces.value(&word, "<tag>")?)?;
                }
                Piece::Word(word) => {
                    draft.take(&word, &mut pieces).map_err(|error| in_rule(at, &error))?;
                }
                Piece::Block(_) => {
                    return Err(in_rule(at, &Error::UnknownInput { word: "{".to_owned() }));
                }
            }
        }
        let at = request.rules.len();
        request.rules.push(draft.finish().map_err(|error| in_rule(at, &error))?);
        Ok(request)
    }
}

impl Draft {
    fn take(&mut self, word: &str, pieces: &mut Pieces) -> Result<(), Error> {
        let mac = |pieces: &mut Pieces| {
            value::mac().parse_text(&pieces.value(word, "<mac-address>")?, &NoNames)
        };
        match word {
            "permit" => once(&mut self.verdict, word, Verdict::Permit),
            "deny" => once(&mut self.verdict, word, Verdict::Deny),
            "action" => {
                let number: u8 = pieces.number(word, "0 (deny) or 1 (permit)")?;
                let verdict = if number == 0 { Verdict::Deny } else { Verdict::Permit };
                once(&mut self.verdict, word, verdict)
            }
            "ip" => once(&mut self.source, word, prefix(&pieces.value(word, "<prefix>")?)?),
            // All that such a list is about are sources.
            "src" => Ok(()),
            "mac" => once(&mut self.mac, word, mac(pieces)?),
            "mask" => once(&mut self.mask, word, mac(pieces)?),
            _ => Err(Error::UnknownInput { word: word.to_owned() }),
        }
    }

    fn finish(self) -> Result<MacipRule, Error> {
        if self == Self::default() {
            return Err(Error::Missing { what: "permit|deny".to_owned() });
        }
        let any = IpWithLength { address: Ipv4Addr::UNSPECIFIED.into(), length: 0 };
        let whole = if self.mac.is_some() { [0xff; 6] } else { [0; 6] };
        Ok(MacipRule {
            verdict: self.verdict.unwrap_or(Verdict::Permit),
            source: self.source.unwrap_or(any),
            mac: self.mac.unwrap_or_default(),
            mac_mask: self.mask.unwrap_or(whole),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_and_shown_as_vpp_does() {
        let text = "permit ip 10.0.0.1/32 mac 02:00:00:00:00:01, deny src mac 02:00:00:00:00:00 mask ff:ff:00:00:00:00, \
                    action 1 ip 2001:db8::/32 tag hosts";
        let request = Request::parse(text).unwrap();
        assert_eq!(request.tag.as_deref(), Some("hosts"));
        let shown: Vec<_> = request.rules.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "ipv4 action 1 ip 10.0.0.1/32 mac 02:00:00:00:00:01 mask ff:ff:ff:ff:ff:ff",
                "ipv4 action 0 ip 0.0.0.0/0 mac 02:00:00:00:00:00 mask ff:ff:00:00:00:00",
                "ipv6 action 1 ip 2001:db8::/32 mac 00:00:00:00:00:00 mask 00:00:00:00:00:00",
            ]
        );
        let refused = |text: &str| Request::parse(text).err().unwrap().to_string();
        assert_eq!(refused("permit, mac 1"), "rule 1: `1' is not an Ethernet address");
        assert_eq!(refused("permit dst"), "rule 0: unknown input `dst'");
        assert_eq!(refused("permit,"), "rule 1: missing permit|deny");
        assert_eq!(refused("permit ip"), "rule 0: `ip' needs <prefix>");
    }
}
