//! Tables: made, named, deleted, told.

use std::{cell::RefCell, collections::BTreeSet, rc::Rc};

use super::{
    family, ip_table, ip_table_add_del, ip_table_add_del_v2, ip_table_allocate,
    ip_table_allocate_reply, ip_table_details, ip_table_dump,
    replace::{Replacing, clear},
};
use crate::{
    api::{ApiCx, Retval},
    command::ApiError,
    fib::{Family, FibError, FibIndex, Forwarding, TableId, deleted::swept},
    interface::Event,
    plugin::Registrar,
};

/// What is kept for messages about tables.
#[derive(Clone, Default)]
struct Tables {
    replacing: Replacing,
    /// Those that clients have deleted, and interfaces or paths still use: they go with the last of these.
    left: Rc<RefCell<BTreeSet<(Family, TableId)>>>,
}

pub(super) fn register(registrar: &mut Registrar, replacing: &Replacing) {
    let tables = Tables { replacing: replacing.clone(), ..Tables::default() };
    let (of_first, of_second, of_hook) = (tables.clone(), tables.clone(), tables);
    registrar.on_interface_event(move |main, event| {
        if matches!(event, Event::Table { .. } | Event::Deleted { .. }) {
            of_hook.delete_left(main.forwarding_mut());
        }
    });
    let api = registrar.api();
    api.call_waiting(move |cx, request: ip_table_add_del| {
        let tables = of_first.clone();
        async move { tables.add_del(&cx, request.is_add, &request.table).await }
    });
    // There are no multicast tables: whether one is wanted beside it makes no difference.
    api.call_waiting(move |cx, request: ip_table_add_del_v2| {
        let tables = of_second.clone();
        async move { tables.add_del(&cx, request.is_add, &request.table).await }
    });
    api.call(|cx, request: ip_table_allocate| {
        cx.with(|main| {
            let forwarding = main.forwarding_mut();
            let mut table = request.table;
            if table.table_id == u32::MAX {
                table.table_id = unused(forwarding, family(table.is_ip6))?;
            }
            add(forwarding, &table)?;
            Ok::<_, Retval>(ip_table_allocate_reply { table })
        })
    });
    api.dump(|cx, _: ip_table_dump| {
        cx.with(|main| {
            let forwarding = main.forwarding();
            let of_family = |family| {
                let all = forwarding.tables(family).into_iter();
                all.map(move |(id, fib)| (family, id, fib))
            };
            let all = of_family(Family::Ip4).chain(of_family(Family::Ip6));
            let details = |(family, id, fib): (_, TableId, _)| ip_table_details {
                table: ip_table {
                    table_id: id.0,
                    is_ip6: family == Family::Ip6,
                    name: forwarding.table_name(family, fib).unwrap_or_default().into(),
                },
            };
            all.map(details).collect::<Vec<_>>()
        })
    });
}

impl Tables {
    /// A client adds a table as often as it likes, and deletes it once. The default table is always there. Of one that is in use the routes
    /// of clients go at once.
    async fn add_del(&self, cx: &ApiCx, is_add: bool, table: &ip_table) -> Result<(), Retval> {
        let key = (family(table.is_ip6), TableId(table.table_id));
        if is_add {
            self.left.borrow_mut().remove(&key);
            return Ok(cx.with(|main| add(main.forwarding_mut(), table))?);
        }
        let fib = match cx.with(|main| main.forwarding().table(key.0, key.1)) {
            Ok(FibIndex::DEFAULT) | Err(FibError::NoSuchTable(..)) => return Ok(()),
            found => found?,
        };
        self.left.borrow_mut().insert(key);
        cx.with(|main| self.delete_left(main.forwarding_mut()));
        if self.left.borrow().contains(&key) {
            clear(cx, (key.0, fib), |_| false).await?;
            cx.with(|main| self.delete_left(main.forwarding_mut()));
        }
        swept(cx).await;
        Ok(())
    }

    /// Deletes the tables that nobody uses any more.
    fn delete_left(&self, forwarding: &mut Forwarding) {
        self.left.borrow_mut().retain(|&(family, id)| {
            let fib = forwarding.table(family, id);
            let is_used =
                matches!(forwarding.delete_table(family, id), Err(FibError::TableInUse(..)));
            if let (Ok(fib), false) = (fib, is_used) {
                self.replacing.end((family, fib));
            }
            is_used
        });
    }
}

fn add(forwarding: &mut Forwarding, table: &ip_table) -> Result<(), FibError> {
    let (family, id) = (family(table.is_ip6), TableId(table.table_id));
    match forwarding.add_table(family, id) {
        Ok(fib) => forwarding.name_table(family, fib, table.name.as_str()),
        Err(FibError::TableExists(..)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The lowest number that no table has.
fn unused(forwarding: &Forwarding, family: Family) -> Result<u32, ApiError> {
    let taken = |id: &u32| forwarding.table(family, TableId(*id)).is_err();
    (1..u32::MAX).find(taken).ok_or(ApiError::Eagain)
}
