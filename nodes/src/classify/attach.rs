//! Which interface has which table.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use thiserror::Error;
use vnet::{
    classify::{Classifier, ClassifyError, TableIndex},
    command::{ApiError, OperationError},
    fib::Family,
    graph::FeatureError,
    interface::{Event, SwIfIndex},
    plugin::Registrar,
    runtime::Main,
};

use super::{FAMILIES, place};

/// Why a table is not given to an interface, or not taken from it; nothing is applied.
#[derive(Debug, Error)]
pub(super) enum AttachError {
    #[error("nothing to do: neither ip4-table nor ip6-table was given")]
    Nothing,
    #[error("the interface has {family} table {table} already: take it away with `del' first")]
    Taken { family: Family, table: u32 },
    #[error("the interface does not have {family} table {table}")]
    NotAttached { family: Family, table: u32 },
    #[error(transparent)]
    Table(#[from] ClassifyError),
    #[error(transparent)]
    Feature(#[from] FeatureError),
}

impl OperationError for AttachError {
    fn api_error(&self) -> ApiError {
        match self {
            Self::Nothing => ApiError::InvalidValue,
            Self::Taken { .. } => ApiError::ValueExist,
            Self::NotAttached { .. } => ApiError::NoSuchEntry,
            Self::Table(error) => error.api_error(),
            Self::Feature(_) => ApiError::CannotEnableDisableFeature,
        }
    }
}

/// The tables of all interfaces. Clones are the same ones; they belong to the main thread.
#[derive(Clone)]
pub(super) struct Attachments {
    classifier: Classifier,
    tables: Rc<RefCell<BTreeMap<(SwIfIndex, Family), TableIndex>>>,
}

impl Attachments {
    pub(super) fn new(classifier: Classifier) -> Self {
        Self { classifier, tables: Rc::default() }
    }

    /// Has the tables of an interface go with it.
    pub(super) fn register(&self, r: &mut Registrar) {
        let attachments = self.clone();
        r.on_interface_event(move |main, event| {
            let Event::Deleted { sw_if_index, .. } = event else { return };
            for family in FAMILIES {
                attachments.forget(main, *sw_if_index, family);
            }
        });
    }

    /// Gives `interface` the tables that are named, in the order of [`FAMILIES`].
    pub(super) fn attach(
        &self,
        main: &mut Main,
        interface: SwIfIndex,
        tables: [Option<TableIndex>; 2],
    ) -> Result<(), AttachError> {
        let named = named(tables)?;
        for &(family, table) in &named {
            if let Some(TableIndex(table)) = self.table(interface, family) {
                return Err(AttachError::Taken { family, table });
            }
            let known = self.classifier.tables(main).get(table);
            known.ok_or(ClassifyError::NoSuchTable(table.0))?;
        }
        for (family, table) in named {
            let (arc, node) = place(family);
            main.enable_feature(arc, node, interface, table.0)?;
            let user = user(interface, family);
            self.classifier.hold(main, table, user)?;
            self.tables.borrow_mut().insert((interface, family), table);
        }
        Ok(())
    }

    /// Takes the tables that are named from `interface`.
    pub(super) fn detach(
        &self,
        main: &mut Main,
        interface: SwIfIndex,
        tables: [Option<TableIndex>; 2],
    ) -> Result<(), AttachError> {
        let named = named(tables)?;
        for &(family, table) in &named {
            if self.table(interface, family) != Some(table) {
                return Err(AttachError::NotAttached { family, table: table.0 });
            }
        }
        for (family, _) in named {
            let (arc, node) = place(family);
            main.disable_feature(arc, node, interface)?;
            self.forget(main, interface, family);
        }
        Ok(())
    }

    /// What has tables of a family.
    pub(super) fn of(&self, family: Family) -> Vec<(SwIfIndex, TableIndex)> {
        let tables = self.tables.borrow();
        let of_family = tables.iter().filter(|((_, known), _)| *known == family);
        of_family.map(|(&(interface, _), &table)| (interface, table)).collect()
    }

    fn table(&self, interface: SwIfIndex, family: Family) -> Option<TableIndex> {
        self.tables.borrow().get(&(interface, family)).copied()
    }

    fn forget(&self, main: &mut Main, interface: SwIfIndex, family: Family) {
        let known = self.tables.borrow_mut().remove(&(interface, family));
        if let Some(table) = known {
            let user = user(interface, family);
            self.classifier.release(main, table, &user);
        }
    }
}

fn named(tables: [Option<TableIndex>; 2]) -> Result<Vec<(Family, TableIndex)>, AttachError> {
    let pairs = FAMILIES.into_iter().zip(tables);
    let named: Vec<_> = pairs.filter_map(|(family, table)| Some((family, table?))).collect();
    if named.is_empty() { Err(AttachError::Nothing) } else { Ok(named) }
}

/// How the table's other users hear of this one. By number, since an interface that has gone has no name.
fn user(interface: SwIfIndex, family: Family) -> String {
    format!("{family} flow classification of sw_if_index {interface}")
}
