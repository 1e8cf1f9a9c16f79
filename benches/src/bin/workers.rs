//! What workers bring, and what the barrier costs them.
//!
//! usage: `workers [SECONDS]`
//!
//! One worker forwards generated packets, then two do, each its own, for SECONDS (1) a turn, five turns; the ratio of their rates
//! is the median of turns. Then, while two forward, the main thread changes a setting a thousand times, a millisecond apart:
//! for how long it waits until they stand still, and for how long they do.
//!
//! The main thread needs a core for a moment, too: with two cores, two workers lose that moment.

use std::{env, error::Error, time::Duration};

use peloton::{
    args,
    bench::{
        measure::{Length, measure},
        workload::{Prepared, Workload},
    },
};
use vnet::plugin::Engine;

/// Turns of one worker and of two.
const TURNS: usize = 5;
/// Changes that workers stand still for.
const BARRIERS: usize = 1000;

fn main() -> Result<(), Box<dyn Error>> {
    let seconds = env::args_os().nth(1);
    let seconds = seconds.map_or(Ok(1), |n| args::number("SECONDS", &n, 1..=3600))?;
    let mut ratios = Vec::new();
    for turn in 0..TURNS {
        let rate = |workers| -> Result<f64, Box<dyn Error>> {
            let prepared = Workload { workers, ..Workload::default() }.prepare()?;
            let length = Length::Time(Duration::from_secs(seconds));
            let measured = measure(&prepared, length, || true);
            prepared.check(&measured)?;
            Ok(measured.packets_per_second() / 1e6)
        };
        let (one, two) = (rate(1)?, rate(2)?);
        println!(
            "turn {turn}: {one:.2} million packets/s with one worker, {two:.2} with two, {:.2} times",
            two / one
        );
        ratios.push(two / one);
    }
    ratios.sort_by(f64::total_cmp);
    println!("median: {:.2} times\n", ratios[TURNS / 2]);

    let Prepared { assembled, .. } = &Workload { workers: 2, ..Workload::default() }.prepare()?;
    barriers(&assembled.engine)
}

fn barriers(engine: &Engine) -> Result<(), Box<dyn Error>> {
    engine.command("clear barrier")?;
    for turn in 0..BARRIERS {
        let state = if turn % 2 == 0 { "on" } else { "off" };
        engine.command(&format!("set interface promiscuous {state} pg0"))?;
        let cx = engine.cx();
        engine.run_until(async move { cx.sleep(Duration::from_millis(1)).await });
    }
    print!("{}", engine.command("show barrier")?);
    Ok(())
}
