//! `set ip icmp-error-limit`, `show ip icmp-error-limit`.

use vnet::{
    command::{Align, Cell, Column, Error, Table, keyword, value},
    fib::Family,
    plugin::{Command, CommandCx, Registrar},
};

use super::limit::{Limit, Limits};

vnet::args! {
    struct Set {
        rate: Option<u32> = keyword("rate", value::number(0..=1_000_000)).optional()
            .help("messages a second, of each thread; 0 turns them off"),
        burst: Option<u32> = keyword("burst", value::number(0..=1_000_000)).optional()
            .help("messages at once"),
        sender_rate: Option<u32> = keyword("sender-rate", value::number(0..=1_000_000)).optional()
            .help("messages a second to one sender"),
        sender_burst: Option<u32> = keyword("sender-burst", value::number(0..=1_000_000)).optional()
            .help("messages at once to one sender"),
    }
}

pub(super) fn register(r: &mut Registrar, limits: &Limits) {
    for (word, family) in [("ip", Family::Ip4), ("ip6", Family::Ip6)] {
        let of = limits.clone();
        let set = move |cx: CommandCx, args: Set| {
            cx.with(|main| {
                let limit = &mut of.write(main.held_mut())[family as usize];
                *limit = args.apply(*limit)?;
                Ok::<(), Error>(())
            })
        };
        let about = "Limit how often ICMP errors are sent.";
        r.command(Command::sync(&format!("set {word} icmp-error-limit"), about, set));
        let of = limits.clone();
        let show = move |cx: CommandCx, (): ()| {
            cx.with(|main| table(of.held(main.held())[family as usize]))
        };
        let about = "Show how often ICMP errors are sent.";
        r.command(Command::sync(&format!("show {word} icmp-error-limit"), about, show));
    }
}

impl Set {
    fn apply(self, old: Limit) -> Result<Limit, Error> {
        if [self.rate, self.burst, self.sender_rate, self.sender_burst].iter().all(Option::is_none)
        {
            return Err(Error::Missing {
                what: "rate, burst, sender-rate or sender-burst".to_owned(),
            });
        }
        Ok(Limit {
            rate: self.rate.unwrap_or(old.rate),
            burst: self.burst.unwrap_or(old.burst),
            sender_rate: self.sender_rate.unwrap_or(old.sender_rate),
            sender_burst: self.sender_burst.unwrap_or(old.sender_burst),
        })
    }
}

fn table(limit: Limit) -> Table {
    let columns = ["Rate", "Burst", "Sender-Rate", "Sender-Burst"];
    Table::new(columns.map(|name| Column::new(name, 14, Align::Right))).rows([[
        limit.rate,
        limit.burst,
        limit.sender_rate,
        limit.sender_burst,
    ]
    .map(Cell::from)])
}
