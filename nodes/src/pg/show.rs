//! `show packet-generator`, `show packet-generator interface`.

use serde_json::json;
use vnet::{
    command::{Align, Cell, Column, Record, Table},
    gro::Coalescer,
    runtime::Main,
    wire::ethernet::MacAddress,
};

use super::{Mode, Offload, Rate, Size, port::Port};

/// Where the last column begins.
const PARAMETERS: usize = 44;

/// A stream as it is listed.
#[derive(Clone, Debug)]
pub struct StreamRow {
    /// Its name.
    pub name: String,
    /// Whether it sends.
    pub enabled: bool,
    /// Packets that it made since it was enabled.
    pub count: u64,
    /// Packets after which it is done; 0 for never.
    pub limit: u64,
    /// How fast it sends.
    pub rate: Rate,
    /// Sizes of its packets.
    pub size: Size,
    /// The size of buffers that it was defined with.
    pub buffer_size: usize,
    /// The worker that it was defined with.
    pub worker: u32,
    /// Offset and size of each header and of the payload, in bytes.
    pub groups: Vec<(usize, usize)>,
}

impl StreamRow {
    /// The last column, in VPP's words and with VPP's last comma; `verbose` adds a line for each header.
    fn parameters(&self, verbose: bool) -> Cell {
        let Self { limit, rate, size, buffer_size, worker, .. } = self;
        let (pps, sign) = (rate.as_f64(), size.sign());
        let mut text = format!(
            "limit {limit}, rate {pps:.2e} pps, size {}{sign}{}, buffer-size {buffer_size}, worker {worker}, ",
            size.min, size.max
        );
        let mut json = json!({
            "limit": limit,
            "rate": pps,
            "size": { "min": size.min, "max": size.max, "random": size.random },
            "buffer_size": buffer_size,
            "worker": worker,
        });
        if verbose {
            for (offset, size) in &self.groups {
                text += &format!("\n{:PARAMETERS$}hdr-size {size}, offset {offset}, ", "");
            }
            let group = |(offset, size): &(usize, usize)| json!({ "offset": offset, "size": size });
            json["groups"] = self.groups.iter().map(group).collect();
        }
        Cell::shown(text, json)
    }
}

/// What `show packet-generator [verbose]` prints of at least one stream.
#[must_use]
pub fn show(rows: &[StreamRow], verbose: bool) -> Table {
    let mut table = Table::new([
        Column::new("Name", 16, Align::Left),
        Column::new("Enabled", 12, Align::Center),
        Column::new("Count", 16, Align::Center),
        Column::new("Parameters", 0, Align::Left),
    ]);
    for row in rows {
        let enabled = if row.enabled { "Yes" } else { "No" };
        table.row([
            row.name.as_str().into(),
            Cell::shown(enabled, row.enabled),
            row.count.into(),
            row.parameters(verbose),
        ]);
    }
    table
}

/// What `show packet-generator interface` prints, in VPP's lines; VPP has what was coalesced elsewhere.
pub(super) fn interface(main: &Main, port: &Port) -> Record {
    let name = main.interface_name(port.sw_if_index);
    let mode = match port.mode {
        Mode::Ethernet => "ethernet",
        Mode::Ip4 => "ip4",
        Mode::Ip6 => "ip6",
    };
    let hardware = main.interfaces().hardware_of(port.sw_if_index);
    let mac =
        hardware.ok().and_then(|hardware| hardware.mac).map(|mac| MacAddress(mac).to_string());
    let mut record = Record::new()
        .line(format!("Interface: {name}"))
        .line(format!("  id: {}", port.number))
        .line(format!("  mode: {mode}"))
        .field("interface", name)
        .field("id", port.number)
        .field("mode", mode);
    if let Some(mac) = mac {
        record = record.line(format!("  hw-addr: {mac}")).field("hw_addr", mac);
    }
    let (gso, checksum) = (port.offload.is_gso(), port.offload == Offload::Checksum);
    record = record
        .line(format!("  csum_offload_enabled: {}", u8::from(checksum)))
        .line(format!("  gso_enabled: {}", u8::from(gso)))
        .field("csum_offload_enabled", Cell::shown("", checksum))
        .field("gso_enabled", Cell::shown("", gso));
    if let Offload::Gso { size, .. } = port.offload {
        record = record.line(format!("    gso_size: {size}")).field("gso_size", u32::from(size));
    }
    let held = port.tx.coalescer();
    record = record
        .line(format!("  coalesce_enabled: {}", u8::from(held.is_some())))
        .field("coalesce_enabled", Cell::shown("", held.is_some()));
    held.iter().fold(record, |record, coalescer| coalesced(record, coalescer))
}

fn coalesced(record: Record, coalescer: &Coalescer) -> Record {
    let (counts, streams) = (coalescer.counts(), coalescer.streams());
    let rate = if counts.sent == 0 { 0.0 } else { counts.taken as f64 / counts.sent as f64 };
    record
        .line(format!(
            "    flow-table: size {streams} gro-total-vectors {} gro-n-vectors {} gro-average-rate {rate:.2}",
            counts.taken, counts.sent
        ))
        .line(format!(
            "    waiting {}, large packets {} of {} segments, without buffers {}",
            coalescer.waiting(),
            counts.large,
            counts.joined,
            counts.apart
        ))
        .field("streams", streams as u64)
        .field("waiting", coalescer.waiting() as u64)
        .field("taken", counts.taken)
        .field("sent", counts.sent)
        .field("large", counts.large)
        .field("joined", counts.joined)
        .field("without_buffers", counts.apart)
}
