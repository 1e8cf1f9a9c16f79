//! What a running engine survives, on interfaces of the host: afterwards it forwards again, no buffer is missing, and what it
//! counted adds up with what the kernel counted.

mod books;
mod buffers;
mod clients;
mod links;
mod live_captures;
mod permissions;
mod restart;
mod stop;
mod taps;
