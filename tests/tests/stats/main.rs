//! The segment of counters over its socket, as VPP's own reader (`vpp_papi`'s `VPPStats`, unmodified) sees it, and as a reader
//! sees it that knows the layout alone.

mod engine;
mod life;
mod reader;
mod readers;
mod torn;
mod values;
