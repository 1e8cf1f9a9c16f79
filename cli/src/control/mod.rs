//! The control socket: sessions at a running engine.
//!
//! | file | idea |
//! |---|---|
//! | `frame` | length-prefixed frames, from whatever bytes come |
//! | `message` | requests and answers, and their bytes |
//! | `server` | a session, a task of the engine's executor |
//! | `places` | how many sessions there can be, and who makes place for another |
//! | `listener` | the socket file: its mode, its owner, its end |
//! | `client` | the other end, which may block |
//!
//! The prompt of the program itself is such a session too, over a socket pair: the engine runs on the main thread, the
//! prompt on another, and there is one way in.
//!
//! The server greets with [`Answer::Hello`]. Then the client sends one [`Request`] after the other; each is answered in order,
//! an [`Request::Execute`] by pieces of output and [`Answer::Done`]. [`Request::Interrupt`] is not answered: it ends the
//! command that runs, if one does, which then is done and has failed. A client that goes ends its command as well.

pub mod client;
mod frame;
pub mod listener;
pub mod message;
mod places;
pub mod server;

pub use frame::{FrameError, Frames};
pub use message::{Answer, MessageError, Request};
