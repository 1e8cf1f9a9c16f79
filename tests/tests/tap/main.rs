//! TAP and TUN interfaces, judged by the kernel at their other ends.

mod life;
mod link;
mod net;
mod traffic;
