//! What the parts promise together, judged by golden bytes and by other people's collectors.

mod decoding;
mod golden;
mod nfcapd;
mod oracle;
pub(super) mod roundtrip;
pub(super) mod sample;
pub(super) mod tshark;
mod vpp;
