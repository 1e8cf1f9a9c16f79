//! `sw_interface_dump`: all that there is to know of an interface, or of those whose names have a text in them.

use super::{sw_interface_details, sw_interface_dump};
use crate::{
    api::{
        Api, Part,
        interface_types::{if_status_flags, if_type, link_duplex, sub_if_flags},
    },
    interface::{
        Duplex, HwInterface, SubInterface, SwIfIndex, SwInterface, TagMatch, TagType, VlanMatch,
    },
    l2::{L2, api::operation_of},
    runtime::Main,
};

/// Details that are told at a time.
const PART: usize = 256;

pub(super) fn register(api: &mut Api) {
    api.walk(|cx, request: &sw_interface_dump, from| cx.with(|main| dump(main, request, from)));
}

fn dump(
    main: &Main,
    request: &sw_interface_dump,
    from: Option<SwIfIndex>,
) -> Part<sw_interface_details, SwIfIndex> {
    let filter = request.name_filter_valid.then(|| request.name_filter.to_ascii_lowercase());
    // An index counts only where there is no filter, and 0 is all of them.
    let one = SwIfIndex(request.sw_if_index);
    let all = filter.is_some() || [SwIfIndex::LOCAL0, SwIfIndex::NONE].contains(&one);
    let wanted = |interface: &&SwInterface| {
        let named = |text: &String| interface.name.to_ascii_lowercase().contains(text);
        (all || interface.index == one) && filter.as_ref().is_none_or(named)
    };
    let from = from.unwrap_or(SwIfIndex::LOCAL0);
    let behind = main.interfaces().interfaces().filter(|interface| interface.index >= from);
    let mut found = behind.filter(wanted);
    let details =
        found.by_ref().take(PART).filter_map(|interface| details(main, interface)).collect();
    Part { details, next: found.next().map(|interface| interface.index) }
}

fn details(main: &Main, interface: &SwInterface) -> Option<sw_interface_details> {
    let hardware = main.interfaces().hardware_interface(interface.hw_if_index)?;
    let is_ethernet = hardware.is_ethernet();
    let l2 = main.provided::<L2>().filter(|_| is_ethernet);
    let rewrite = l2.and_then(|l2| l2.view(main).port(interface.index).tag_rewrite);
    let [vtr_op, vtr_push_dot1q, vtr_tag1, vtr_tag2] = operation_of(rewrite);
    let mtu = interface.mtu;
    let of_interface = sw_interface_details {
        sw_if_index: interface.index.0,
        sup_sw_if_index: hardware.sw_if_index.0,
        flags: status(interface, hardware),
        link_duplex: duplex(hardware.link.duplex),
        link_speed: hardware.link.speed.unwrap_or(0),
        link_mtu: u16::try_from(hardware.link_mtu).unwrap_or(u16::MAX),
        mtu: [mtu.l3, mtu.ip4, mtu.ip6, mtu.mpls],
        vtr_op,
        vtr_push_dot1q,
        vtr_tag1,
        vtr_tag2,
        interface_name: interface.name.as_str().into(),
        interface_dev_type: hardware.device_class.into(),
        tag: interface.tag.as_str().into(),
        ..Default::default()
    };
    Some(match interface.sub() {
        Some(sub) => with_sub(of_interface, sub),
        None => sw_interface_details {
            r#type: if_type::IF_API_TYPE_HARDWARE,
            l2_address: hardware.mac.unwrap_or_default(),
            ..of_interface
        },
    })
}

fn status(interface: &SwInterface, hardware: &HwInterface) -> if_status_flags {
    if_status_flags::IF_STATUS_API_FLAG_ADMIN_UP.when(interface.admin_up)
        | if_status_flags::IF_STATUS_API_FLAG_LINK_UP.when(hardware.link.up)
}

const fn duplex(duplex: Duplex) -> link_duplex {
    match duplex {
        Duplex::Unknown => link_duplex::LINK_DUPLEX_API_UNKNOWN,
        Duplex::Half => link_duplex::LINK_DUPLEX_API_HALF,
        Duplex::Full => link_duplex::LINK_DUPLEX_API_FULL,
    }
}

/// The same of a sub-interface, which has no address of its own there.
fn with_sub(details: sw_interface_details, sub: &SubInterface) -> sw_interface_details {
    let (flags, tags) = flags_of(sub.tags);
    let id = |tag: Option<VlanMatch>| match tag {
        Some(VlanMatch::Id(id)) => id.number(),
        _ => 0,
    };
    sw_interface_details {
        r#type: if_type::IF_API_TYPE_SUB,
        sub_id: sub.id,
        sub_number_of_tags: tags.iter().flatten().count() as u8,
        sub_outer_vlan_id: id(tags[0]),
        sub_inner_vlan_id: id(tags[1]),
        sub_if_flags: flags,
        ..details
    }
}

/// What a sub-interface takes, as flags and tags. There are no numbers for a range of tags: it is like `any`.
fn flags_of(tags: TagMatch) -> (sub_if_flags, [Option<VlanMatch>; 2]) {
    let TagMatch::Tagged { outer_type, outer, inner, exact } = tags else {
        let flags = match tags {
            TagMatch::Default => sub_if_flags::SUB_IF_API_FLAG_DEFAULT,
            _ => sub_if_flags::SUB_IF_API_FLAG_NO_TAGS | sub_if_flags::SUB_IF_API_FLAG_EXACT_MATCH,
        };
        return (flags, [None; 2]);
    };
    let count = match inner {
        None => sub_if_flags::SUB_IF_API_FLAG_ONE_TAG,
        Some(_) => sub_if_flags::SUB_IF_API_FLAG_TWO_TAGS,
    };
    let is_any = |tag| !matches!(tag, VlanMatch::Id(_));
    let flags = count
        | sub_if_flags::SUB_IF_API_FLAG_DOT1AD.when(outer_type == TagType::Dot1ad)
        | sub_if_flags::SUB_IF_API_FLAG_EXACT_MATCH.when(exact)
        | sub_if_flags::SUB_IF_API_FLAG_OUTER_VLAN_ID_ANY.when(is_any(outer))
        | sub_if_flags::SUB_IF_API_FLAG_INNER_VLAN_ID_ANY.when(inner.is_some_and(is_any));
    (flags, [Some(outer), inner])
}
