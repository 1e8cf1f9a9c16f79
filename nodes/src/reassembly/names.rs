//! Names of what there is for each kind of reassembly and each family; VPP's, where it has them.

use vnet::fib::Family;

use super::settings::Kind;

/// Names of a kind of reassembly of a family.
#[derive(Clone, Copy)]
pub(super) struct Names {
    /// The process that calls the threads.
    pub(super) walk: &'static str,
    /// The node that it calls.
    pub(super) expire: &'static str,
    /// The command that shows it.
    pub(super) show: &'static str,
}

pub(super) const fn names(kind: Kind, family: Family) -> Names {
    let [walk, expire, show] = match (kind, family) {
        (Kind::Full, Family::Ip4) => [
            "ip4-full-reassembly-expire-walk",
            "ip4-full-reassembly-expire",
            "show ip4-full-reassembly",
        ],
        (Kind::Full, Family::Ip6) => [
            "ip6-full-reassembly-expire-walk",
            "ip6-full-reassembly-expire",
            "show ip6-full-reassembly",
        ],
        (Kind::ShallowVirtual, Family::Ip4) => {
            ["ip4-sv-reassembly-expire-walk", "ip4-sv-reassembly-expire", "show ip4-sv-reassembly"]
        }
        (Kind::ShallowVirtual, Family::Ip6) => {
            ["ip6-sv-reassembly-expire-walk", "ip6-sv-reassembly-expire", "show ip6-sv-reassembly"]
        }
    };
    Names { walk, expire, show }
}
