//! `acl-plugin-fa-cleaner-process`: gives up sessions that are over.

use core::time::Duration;

use vnet::process::Cx;

use super::Heard;
use crate::lists::Acl;

/// Time between two slices.
const PERIOD: Duration = Duration::from_millis(500);
/// Buckets of a slice: 8,192 sessions. A table of half a million is gone through in a minute.
const SLICE: usize = 1 << 10;

/// The process. Packets do not wait for it: a session that is over is none to them, and its place is used at once.
pub(crate) async fn clean(cx: Cx, acl: Acl) {
    let mut from = 0;
    loop {
        cx.sleep(PERIOD).await;
        let more = cx.with(|main| {
            let now = Heard::at(main.clock().now());
            let tables = acl.view(main);
            let sessions = tables.sessions.as_ref().filter(|sessions| sessions.live() > 0)?;
            sessions.collapse();
            let timeouts = &tables.settings.timeouts;
            Some(sessions.sweep(from..from + SLICE, |session| session.is_over(timeouts, now)))
        });
        from = if more == Some(true) { from + SLICE } else { 0 };
    }
}
