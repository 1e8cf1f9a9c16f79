//! `show bihash`: the hash tables of an engine, in VPP's words. Each is told of by its owner.

use std::{cell::RefCell, rc::Rc};

use crate::{
    command::{Cell, Output, Record},
    plugin::{Command, CommandCx, Registrar},
    runtime::Main,
};

/// What is told of a hash table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashTable {
    /// What it is called: as in VPP where that has the same.
    pub name: String,
    /// What is in it.
    pub elements: usize,
    /// Buckets with something in them, where that is known.
    pub buckets: Option<usize>,
    /// Octets that are reserved for it.
    pub bytes: usize,
}

type Teller = Box<dyn Fn(&mut Main) -> Vec<HashTable>>;

/// Those who tell of hash tables. The engine provides it; clones are the same.
#[derive(Clone, Default)]
pub struct HashTables(Rc<RefCell<Vec<Teller>>>);

impl HashTables {
    /// Has the tables that `tell` returns told of, behind those of who registered before.
    pub fn tell(r: &mut Registrar, tell: impl Fn(&mut Main) -> Vec<HashTable> + 'static) {
        r.on_start(move |main| {
            if let Some(Self(tellers)) = main.provided() {
                tellers.borrow_mut().push(Box::new(tell));
            }
            Ok(())
        });
    }

    /// All tables.
    fn all(&self, main: &mut Main) -> Vec<HashTable> {
        self.0.borrow().iter().flat_map(|tell| tell(main)).collect()
    }
}

/// Provides the list, and registers the command.
pub(crate) fn register(registrar: &mut Registrar) {
    let tables = HashTables::default();
    registrar.provide(tables.clone());
    let show = move |cx: CommandCx, (): ()| {
        let all = cx.with(|main| tables.all(main));
        Output::List(all.iter().map(|table| describe(table).into()).collect())
    };
    let about = "Show how full the hash tables are.";
    registrar.command(Command::sync("show bihash", about, show).details(
        "Active buckets are those with something in them; not every table knows how many these are. IPv4 and IPv6 routes are in no hash \
         tables: `show ip fib memory'.",
    ));
}

fn describe(table: &HashTable) -> Record {
    let HashTable { name, elements, buckets, bytes } = table;
    let active = buckets.map(|buckets| format!(" {buckets} active buckets")).unwrap_or_default();
    let record = Record::new()
        .line("")
        .line(format!("Hash table '{name}'"))
        .line(format!("    {elements} active elements{active}"))
        .line(format!("           used {bytes} b ({} Mbytes)", bytes >> 20))
        .field("name", name.as_str())
        .field("elements", Cell::shown("", *elements as u64))
        .field("bytes", Cell::shown("", *bytes as u64));
    match buckets {
        Some(buckets) => record.field("buckets", Cell::shown("", *buckets as u64)),
        None => record,
    }
}
