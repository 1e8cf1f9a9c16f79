//! Interfaces of the host: `peloton` between network namespaces, judged by the kernel's ping, iperf3 and tshark.

mod fragments;
mod icmp;
mod link;
mod modes;
mod neighbors;
mod offloads;
mod router;
mod unit;
