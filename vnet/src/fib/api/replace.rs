//! A table's routes of clients replaced as a whole, or flushed.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use super::{
    family, ip_table, ip_table_flush, ip_table_replace_begin, ip_table_replace_end,
    routes::next_routes,
};
use crate::{
    api::{Api, ApiCx, Retval},
    fib::{Family, FibError, FibIndex, IpPrefix, Source, TableId},
    runtime::Main,
};

type Table = (Family, FibIndex);

/// Tables whose routes are being replaced, and what clients have added to each since that began.
#[derive(Clone, Default)]
pub(super) struct Replacing(Rc<RefCell<BTreeMap<Table, BTreeSet<IpPrefix>>>>);

impl Replacing {
    fn begin(&self, table: Table) {
        self.0.borrow_mut().insert(table, BTreeSet::new());
    }

    /// A client has added a route.
    pub(super) fn keep(&self, table: Table, prefix: IpPrefix) {
        if let Some(added) = self.0.borrow_mut().get_mut(&table) {
            added.insert(prefix);
        }
    }

    /// Whether a route was added since the beginning; it is asked for once.
    fn take(&self, table: Table, prefix: IpPrefix) -> bool {
        self.0.borrow_mut().get_mut(&table).is_some_and(|added| added.remove(&prefix))
    }

    fn is_going_on(&self, table: Table) -> bool {
        self.0.borrow().contains_key(&table)
    }

    /// The end, also of the table.
    pub(super) fn end(&self, table: Table) {
        self.0.borrow_mut().remove(&table);
    }
}

pub(super) fn register(api: &mut Api, replacing: &Replacing) {
    let (of_begin, of_end) = (replacing.clone(), replacing.clone());
    api.call(move |cx, request: ip_table_replace_begin| {
        of_begin.begin(cx.with(|main| table(main, &request.table))?);
        Ok::<_, FibError>(())
    });
    api.call_waiting(move |cx, request: ip_table_replace_end| {
        let replacing = of_end.clone();
        async move {
            let table = cx.with(|main| table(main, &request.table))?;
            if replacing.is_going_on(table) {
                clear(&cx, table, |prefix| replacing.take(table, prefix)).await?;
                replacing.end(table);
            }
            Ok::<_, Retval>(())
        }
    });
    api.call_waiting(|cx, request: ip_table_flush| async move {
        let table = cx.with(|main| table(main, &request.table))?;
        clear(&cx, table, |_| false).await
    });
}

fn table(main: &Main, table: &ip_table) -> Result<Table, FibError> {
    let family = family(table.is_ip6);
    Ok((family, main.forwarding().table(family, TableId(table.table_id))?))
}

/// Takes from a table what clients have added, but what `stays`; packets move between the parts.
pub(super) async fn clear(
    cx: &ApiCx,
    table: Table,
    stays: impl Fn(IpPrefix) -> bool,
) -> Result<(), Retval> {
    let mut after = None;
    loop {
        after = cx.with(|main| clear_part(main, table, after, &stays))?;
        if after.is_none() {
            return Ok(());
        }
        cx.next_round().await;
    }
}

/// Clears the next part; the last prefix of it, when there may be another.
fn clear_part(
    main: &mut Main,
    (family, fib): Table,
    after: Option<IpPrefix>,
    stays: impl Fn(IpPrefix) -> bool,
) -> Result<Option<IpPrefix>, FibError> {
    let routes = next_routes(main, family, fib, after)?;
    for &(prefix, _) in &routes {
        if stays(prefix) {
            continue;
        }
        match main.forwarding_mut().delete_route(fib, prefix, Source::Api) {
            Ok(()) | Err(FibError::NoSuchRoute(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(routes.last().map(|(prefix, _)| *prefix))
}
