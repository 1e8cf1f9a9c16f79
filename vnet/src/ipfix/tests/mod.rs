//! What the parts promise together, judged by golden bytes and by other people's collectors.

mod decoding;
mod golden;
mod nfcapd;
mod oracle;
mod roundtrip;
pub(super) mod sample;
mod tshark;
mod vpp;
