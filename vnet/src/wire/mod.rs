//! Header views and checksums, one file a protocol, no policy.
//!
//! A header is a `#[repr(C)]` type without alignment whose fields are in network byte order, so that it can be viewed
//! in place: `ip4::Header::ref_from_prefix(bytes)` checks the length once and then every field is a plain load. No
//! accessor of a view panics, whatever the bytes are. What a value means for forwarding or metering is decided
//! elsewhere.
//!
//! [`walk`] finds the outermost IP header of a frame and what a flow key needs from it, [`tunnel`] what a frame carries; [`checksum`] holds the
//! Internet checksum; [`trace`] writes headers as VPP's packet trace does.

pub mod arp;
pub mod checksum;
pub mod ethernet;
pub mod flow_hash;
pub mod fragment;
pub mod geneve;
pub mod gre;
pub mod gso;
pub mod icmp;
pub mod ip4;
pub mod ip6;
pub mod link;
pub mod mld;
pub mod mpls;
pub mod nd;
pub mod partial;
pub mod pppoe;
pub mod tcp;
pub mod trace;
pub mod tunnel;
pub mod udp;
pub mod virtio_net;
pub mod vxlan;
pub mod walk;
