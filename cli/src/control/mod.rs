//! The control socket: sessions at a running engine.
//!
//! | file | idea |
//! |---|---|
//! | `frame` | length-prefixed frames, from whatever bytes come |
//! | `message` | requests and answers, and their bytes |
//! | `telnet` | the greeting, and commands among text |
//! | `server` | a session of frames, a task of the engine's executor |
//! | `user` | a session over Telnet |
//! | `edit` | a line that is edited on a terminal |
//! | `wire` | bytes in and out, without blocking |
//! | `places` | how many sessions there can be, and who makes place for another |
//! | `listener` | the socket file: its mode, its owner, its end |
//! | `client` | the other end, which may block |
//! | `vpp` | the same, at a VPP |
//!
//! The prompt of the program itself is such a session too, over a socket pair: the engine runs on the main thread, the
//! prompt on another, and there is one way in.
//!
//! Two kinds of clients share the socket. The server [greets](telnet::greeting) both with what VPP's CLI socket says first, behind
//! a mark of its own that Telnet skips. The first byte that a client says tells which it is: the length of a frame begins with 0,
//! and nothing that a terminal sends does.
//!
//! - `peloton ctl` sends frames: [`Request::Begin`], which is answered by [`Answer::Hello`], then one [`Request`] after the other;
//!   each is answered in order, an [`Request::Execute`] by pieces of output and [`Answer::Done`]. [`Request::Interrupt`] is not
//!   answered: it ends the command that runs, if one does, which then is done and has failed. What comes before the
//!   first byte of 0 is for terminals, and a frame client skips it.
//! - `vppctl`, and whatever else speaks Telnet or nothing at all, gets the session of VPP's CLI socket: see `user`.
//!
//! A client that goes ends its command as well. `peloton ctl` does what `vppctl` does where the mark is missing: then it is a VPP.

pub mod client;
mod edit;
mod frame;
pub mod listener;
pub mod message;
mod places;
pub mod server;
pub mod telnet;
mod user;
mod vpp;
mod wire;

pub use frame::{FrameError, Frames};
pub use message::{Answer, MessageError, Request};
pub use user::UserLook;
