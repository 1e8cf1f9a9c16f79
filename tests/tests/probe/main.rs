//! `peloton probe` between network namespaces: what it measures is judged by tcpdump and tshark on the same interface, what it
//! exports by those who receive it.

mod ends;
mod export;
mod pair;
mod sums;
mod tunnels;
