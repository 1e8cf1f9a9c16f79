//! `set ipfix classify stream`, `ipfix classify table`, `show ipfix classify`.

use super::{registry::Registry, template::Transport};
use crate::{
    classify::TableIndex,
    command::{Align, Column, Record, Table, choice, keyword, positional, value},
    fib::Family,
    ipfix::export::{DEFAULT_PORT, StreamKey},
    plugin::{Command, CommandCx, Registrar},
};

crate::args! {
    struct SetStream {
        domain: u32 = keyword("domain", value::id("id")).or(1),
        source_port: u16 = keyword("src-port", value::id("port")).or(DEFAULT_PORT)
            .help("0: on no stream"),
    }
}

crate::args! {
    struct SetTable {
        add: bool = choice([("add", true), ("del", false)]),
        table: TableIndex = positional(value::id("table").map(TableIndex)),
        family: Family = choice([("ip4", Family::Ip4), ("ip6", Family::Ip6)]),
        transport: Transport = choice([("tcp", Transport::Tcp), ("udp", Transport::Udp)])
            .or(Transport::Any).help("what the ports are called"),
    }
}

/// Adds the commands to an engine.
pub(crate) fn register(r: &mut Registrar) {
    let registry = Registry::new(r.classifier(), r.ipfix());
    super::api::register(r, &registry);
    let of = registry.clone();
    let stream = move |cx: CommandCx, args: SetStream| {
        let SetStream { domain, source_port } = args;
        let stream = (source_port != 0).then_some(StreamKey { domain, source_port });
        cx.with(|main| of.set_stream(main, stream))
    };
    let help = "Say on which stream classifier tables are reported.";
    r.command(Command::sync("set ipfix classify stream", help, stream).details(
        "A stream that has reports already gets the new domain and port, with all of its reports, and begins anew.",
    ));
    let of = registry.clone();
    let table = move |cx: CommandCx, args: SetTable| {
        let SetTable { add, table, family, transport } = args;
        cx.with(|main| match add {
            true => of.add(main, table, family, transport),
            false => of.remove(main, table),
        })
    };
    let help = "Report the sessions of a classifier table by IPFIX, or do so no more.";
    r.command(Command::sync("ipfix classify table", help, table).details(
        "A record a session: the addresses, the protocol and the ports, as far as the mask compares them to their last bit, and \
         the packets counted. The whole table is reported every five seconds at least, and on `ipfix flush'.",
    ));
    let help = "Show the stream of classifier reports and the tables reported.";
    r.command(Command::sync("show ipfix classify", help, move |_, (): ()| show(&registry)));
}

fn show(registry: &Registry) -> Record {
    let record = match registry.stream() {
        Some(StreamKey { domain, source_port }) => Record::new()
            .line(format!("domain {domain} src-port {source_port}"))
            .field("domain", domain)
            .field("src_port", u32::from(source_port)),
        None => Record::new().line("no stream"),
    };
    let columns = ["Table", "Version", "Protocol", "Template"];
    let columns = columns.map(|title| Column::new(title, 10, Align::Right));
    let rows = registry.reported().into_iter().map(|(TableIndex(table), known, template)| {
        let protocol = match known.transport {
            Transport::Any => "any",
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
        };
        let template = template.map(|id| u32::from(id.get()));
        [table.into(), known.family.to_string().into(), protocol.into(), template.into()]
    });
    record.nested("tables", 0, Table::new(columns).rows(rows))
}
