//! The segment of counters for readers in other processes: `statseg { ... }` of VPP's startup file.
//!
//! | file | idea |
//! |---|---|
//! | `settings` | the stanza |
//! | `socket` | the socket at which readers get the segment's descriptor |
//! | `figures` | what has to be looked up now and then: rates, buffers, memory |
//! | `commands` | `show statistics ...` |
//!
//! Counters themselves are counted where readers read them, and nothing is copied (`docs/COUNTERS.md`).

mod commands;
mod figures;
mod settings;
mod socket;

use std::{cell::RefCell, rc::Rc, time::Duration};

use vnet::{
    plugin::{Plugin, Registrar},
    process::Cx,
    runtime::Main,
};

use figures::Figures;
use settings::Settings;
use socket::Listener;
pub use socket::SocketError;

/// Name of the socket where the file names none.
const SOCKET: &str = "stats.sock";

/// The plugin. It reads `statseg { ... }`, and without that has its commands alone.
#[must_use]
pub fn plugin() -> Plugin {
    let settings = Rc::new(RefCell::new(Settings::default()));
    let stanza = settings::stanza(&settings);
    let told = settings.clone();
    let register = move |r: &mut Registrar| {
        commands::register(r);
        let settings = settings.borrow();
        if settings.is_on {
            publish(r, &settings);
        }
        Ok(())
    };
    let about = "Statistics segment";
    Plugin::new("stats", env!("CARGO_PKG_VERSION"), about, register)
        .load_after("nodes")
        .reads(stanza)
        .builds_with(move |builder| builder.segment(told.borrow().size()))
}

/// What is made when the engine starts, for the processes that use it.
struct Published {
    listener: Listener,
    figures: Figures,
}

fn publish(r: &mut Registrar, settings: &Settings) {
    let path = settings.socket.as_deref().unwrap_or(SOCKET.as_ref());
    let (path, usual) = (r.runtime_dir().join(path), settings.socket.is_none());
    let (per_node, interval) = (settings.per_node, settings.interval);
    let published: Rc<RefCell<Option<Published>>> = Rc::default();
    let made = published.clone();
    r.on_start(move |main| {
        if per_node {
            main.count_nodes()?;
        }
        let figures = Figures::new(main)?;
        let segment = main.segment_mut().read_only()?;
        let listener = Listener::bind(&path, usual, segment)?;
        *made.borrow_mut() = Some(Published { listener, figures });
        Ok(())
    });
    r.process("statseg-collector-process", move |cx| async move {
        let Some(Published { listener, figures }) = published.take() else { return };
        cx.executor().spawn(listener.serve(cx.clone()));
        collect(cx, figures, interval).await;
    });
}

/// Updates the figures for as long as the engine runs.
async fn collect(cx: Cx, mut figures: Figures, interval: Duration) {
    loop {
        let processes = cx.executor().processes();
        cx.with(|main: &mut Main| figures.update(main, &processes));
        cx.sleep(interval).await;
    }
}
