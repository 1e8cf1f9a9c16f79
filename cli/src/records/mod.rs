//! What becomes of flow records, of captures as of live interfaces.
//!
//! | file | idea |
//! |---|---|
//! | `options` | what is measured and where it goes, as command lines say it |
//! | `file` | the IPFIX File, or several, one after the other |
//! | `outputs` | the table, JSON lines, an IPFIX File, a collector: any of them at once |
//! | `collector`, `target` | messages, and where they go |
//! | `datagrams`, `session` | over UDP; over TCP and TLS |
//! | `pace` | how fast over UDP |
//! | `top` | the top flows and their table |
//! | `lines` | the lines of a summary |

pub mod collector;
mod datagrams;
mod file;
pub mod lines;
pub mod options;
pub mod outputs;
mod pace;
mod session;
pub mod target;
pub mod top;
