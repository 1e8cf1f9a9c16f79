//! What the startup file says: `socksvr { ... }` and `api-trace { ... }`.

use std::{cell::RefCell, path::PathBuf, rc::Rc};

use vnet::plugin::Stanza;

use crate::trace::{MESSAGES, MOST_MESSAGES};

/// Where the socket is for `socksvr { default }`.
pub const DEFAULT_PATH: &str = "/run/vpp/api.sock";

/// What was said.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Where clients come.
    pub(crate) socket: Option<PathBuf>,
    /// Messages of clients are recorded from the start.
    pub(crate) trace: bool,
    /// As many of them.
    pub(crate) nitems: u32,
    /// Where the table of messages goes.
    pub(crate) table: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { socket: None, trace: false, nitems: MESSAGES, table: None }
    }
}

/// The stanzas, and what they set.
pub(crate) fn stanzas() -> (Rc<RefCell<Settings>>, [Stanza; 2]) {
    let settings: Rc<RefCell<Settings>> = Rc::default();
    let flag = |set: fn(&mut Settings)| {
        let settings = settings.clone();
        move || set(&mut settings.borrow_mut())
    };
    let value = |set: fn(&mut Settings, &str) -> Option<()>| {
        let settings = settings.clone();
        move |value: &str| set(&mut settings.borrow_mut(), value).is_some()
    };
    let socket = Stanza::new("socksvr")
        .flag("default", flag(|s| s.socket = Some(DEFAULT_PATH.into())))
        .value(
            "socket-name",
            "a path, or default",
            value(|s, name| {
                let path = if name == "default" { DEFAULT_PATH } else { name };
                s.socket = (!name.is_empty()).then(|| path.into());
                s.socket.as_ref().map(drop)
            }),
        );
    let trace = Stanza::new("api-trace")
        .flag("on", flag(|s| s.trace = true))
        .flag("enable", flag(|s| s.trace = true))
        .value(
            "nitems",
            "a number from 1 to 16777216",
            value(|s, number| {
                s.nitems = number.parse().ok().filter(|n| (1..=MOST_MESSAGES).contains(n))?;
                Some(())
            }),
        )
        .value(
            "save-api-table",
            "the name of a file in /tmp",
            value(|s, name| {
                let is_name = !name.is_empty() && !name.contains('/') && !name.contains("..");
                s.table = is_name.then(|| PathBuf::from("/tmp").join(name));
                s.table.as_ref().map(drop)
            }),
        );
    (settings, [socket, trace])
}
