//! `show packet-generator`.

use serde_json::json;
use vnet::command::{Align, Cell, Column, Table};

use super::{Rate, Size};

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
