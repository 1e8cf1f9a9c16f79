//! Packets in, packets out: what a router does to them, judged by tshark.

mod arp;
mod basics;
mod cut;
mod faults;
mod forms;
mod fragments;
mod headers;
mod icmp;
mod law;
mod link_local;
mod nd;
mod nd_router;
mod options;
mod packets;
mod pcap;
mod reassembly;
mod refusals;
mod routes;
mod scene;
mod shallow;
mod sharing;
mod shows;
mod urpf;
mod vlan;
mod vrf;
mod waiting;
