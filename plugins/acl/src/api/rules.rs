//! Rules as messages have them.

use std::net::IpAddr;

use vnet::{
    action::ActionId,
    api::ip_types::{ip_proto, prefix},
    command::{ApiError, value::IpWithLength},
};

use super::messages::{acl_action, acl_rule, macip_acl_rule};
use crate::{MacipRule, Ports, Rule, TcpFlags, Verdict};

impl TryFrom<&acl_rule> for Rule {
    type Error = ApiError;

    fn try_from(rule: &acl_rule) -> Result<Self, ApiError> {
        let source = address(&rule.src_prefix).map_err(|_| ApiError::InvalidSrcAddress)?;
        let destination = address(&rule.dst_prefix).map_err(|_| ApiError::InvalidDstAddress)?;
        if source.address.is_ipv6() != destination.address.is_ipv6() {
            return Err(ApiError::InvalidSrcAddress);
        }
        Ok(Self {
            verdict: Verdict::of_number(rule.is_permit.0).ok_or(ApiError::InvalidValue)?,
            source,
            destination,
            protocol: rule.proto.0,
            source_ports: ports(rule.srcport_or_icmptype_first, rule.srcport_or_icmptype_last)?,
            destination_ports: ports(
                rule.dstport_or_icmpcode_first,
                rule.dstport_or_icmpcode_last,
            )?,
            tcp_flags: TcpFlags { value: rule.tcp_flags_value, mask: rule.tcp_flags_mask },
            action: None,
            action_id: ActionId::NONE,
        })
    }
}

/// Messages have no words for actions.
impl From<&Rule> for acl_rule {
    fn from(rule: &Rule) -> Self {
        Self {
            is_permit: acl_action(rule.verdict as u8),
            src_prefix: message(rule.source),
            dst_prefix: message(rule.destination),
            proto: ip_proto(rule.protocol),
            srcport_or_icmptype_first: rule.source_ports.first,
            srcport_or_icmptype_last: rule.source_ports.last,
            dstport_or_icmpcode_first: rule.destination_ports.first,
            dstport_or_icmpcode_last: rule.destination_ports.last,
            tcp_flags_mask: rule.tcp_flags.mask,
            tcp_flags_value: rule.tcp_flags.value,
        }
    }
}

impl TryFrom<&macip_acl_rule> for MacipRule {
    type Error = ApiError;

    fn try_from(rule: &macip_acl_rule) -> Result<Self, ApiError> {
        let verdict = match rule.is_permit {
            acl_action::ACL_ACTION_API_DENY => Verdict::Deny,
            acl_action::ACL_ACTION_API_PERMIT => Verdict::Permit,
            _ => return Err(ApiError::InvalidValue),
        };
        let source = address(&rule.src_prefix).map_err(|_| ApiError::InvalidSrcAddress)?;
        Ok(Self { verdict, source, mac: rule.src_mac, mac_mask: rule.src_mac_mask })
    }
}

impl From<&MacipRule> for macip_acl_rule {
    fn from(rule: &MacipRule) -> Self {
        Self {
            is_permit: acl_action(rule.verdict as u8),
            src_mac: rule.mac,
            src_mac_mask: rule.mac_mask,
            src_prefix: message(rule.source),
        }
    }
}

fn address(prefix: &prefix) -> Result<IpWithLength, ApiError> {
    let (address, length) = <(IpAddr, u8)>::try_from(prefix)?;
    Ok(IpWithLength { address, length })
}

fn message(IpWithLength { address, length }: IpWithLength) -> prefix {
    (address, length).into()
}

fn ports(first: u16, last: u16) -> Result<Ports, ApiError> {
    if first <= last { Ok(Ports { first, last }) } else { Err(ApiError::InvalidValue2) }
}
