//! The process that forgets old addresses and makes the MAC table larger.

use core::time::Duration;

use super::{L2, Minute, fib::behind};
use crate::process::Cx;

/// How often stations are looked at of which nothing was heard.
const PERIOD: Duration = Duration::from_secs(60);

/// `l2fib-mac-age-scanner-process`. Everything is done in slices, between which packets flow on the main thread, too.
pub(super) async fn scan(cx: Cx, l2: L2) {
    let mut due = cx.now().after(PERIOD);
    loop {
        let is_due = cx.until(due, l2.bell.wait()).await.is_err();
        sweep(&cx, &l2).await;
        grow(&cx, &l2).await;
        if is_due {
            due = cx.now().after(PERIOD);
        }
    }
}

async fn sweep(cx: &Cx, l2: &L2) {
    let mut from = 0;
    while cx.with(|main| {
        let minute = Minute::of(main.clock().now());
        l2.view(main).sweep_slice(from, minute)
    }) {
        from = behind(from);
        cx.yield_now().await;
    }
}

async fn grow(cx: &Cx, l2: &L2) {
    // Workers go on while memory is asked for.
    let Some(larger) = cx.with(|main| l2.view(main).macs.larger()) else { return };
    cx.with(|main| l2.write(main).macs.put(larger));
    let mut from = 0;
    while cx.with(|main| {
        let layer2 = l2.view(main);
        layer2.macs.move_slice(from, |key, entry| layer2.count_gone(key, entry))
    }) {
        from = behind(from);
        cx.yield_now().await;
    }
    cx.with(|main| l2.write(main).macs.settle());
}
