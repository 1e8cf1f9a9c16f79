//! Which interface has which table where.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use thiserror::Error;
use vnet::{
    classify::{Classifier, ClassifyError, TableIndex},
    command::{ApiError, OperationError},
    graph::FeatureError,
    interface::{Event, SwIfIndex},
    plugin::Registrar,
    runtime::Main,
};

use super::place::{Kind, Place};

/// Why a table is not given to an interface, or not taken from it; nothing is applied.
#[derive(Debug, Error)]
pub(super) enum AttachError {
    #[error("Table index should be specified.")]
    Nothing,
    #[error("Only one table index per API is allowed.")]
    Several,
    #[error("the interface has {place} table {table} already: take it away with `del' first")]
    Taken { place: Place, table: u32 },
    #[error("the interface does not have {place} table {table}")]
    NotAttached { place: Place, table: u32 },
    #[error(transparent)]
    Table(#[from] ClassifyError),
    #[error(transparent)]
    Feature(#[from] FeatureError),
}

impl OperationError for AttachError {
    fn api_error(&self) -> ApiError {
        match self {
            Self::Nothing | Self::Several => ApiError::InvalidValue,
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
    tables: Rc<RefCell<BTreeMap<(Place, SwIfIndex), TableIndex>>>,
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
            for place in Place::ALL {
                attachments.forget(main, place, *sw_if_index);
            }
        });
    }

    /// Gives a table to an interface.
    pub(super) fn attach(
        &self,
        main: &mut Main,
        place: Place,
        interface: SwIfIndex,
        table: TableIndex,
    ) -> Result<(), AttachError> {
        if let Some(TableIndex(table)) = self.table(place, interface) {
            return Err(AttachError::Taken { place, table });
        }
        self.classifier.hold(main, table, user(place, interface))?;
        for arc in place.arcs() {
            main.enable_feature(arc, place.node(), interface, table.0)?;
        }
        self.tables.borrow_mut().insert((place, interface), table);
        Ok(())
    }

    /// Takes a table from an interface.
    pub(super) fn detach(
        &self,
        main: &mut Main,
        place: Place,
        interface: SwIfIndex,
        table: TableIndex,
    ) -> Result<(), AttachError> {
        if self.table(place, interface) != Some(table) {
            return Err(AttachError::NotAttached { place, table: table.0 });
        }
        for arc in place.arcs() {
            main.disable_feature(arc, place.node(), interface)?;
        }
        self.forget(main, place, interface);
        Ok(())
    }

    /// Who has a table at a place, by their numbers.
    pub(super) fn at(&self, place: Place) -> Vec<(SwIfIndex, TableIndex)> {
        let tables = self.tables.borrow();
        let here = tables.iter().filter(|((known, _), _)| *known == place);
        here.map(|(&(_, interface), &table)| (interface, table)).collect()
    }

    fn table(&self, place: Place, interface: SwIfIndex) -> Option<TableIndex> {
        self.tables.borrow().get(&(place, interface)).copied()
    }

    fn forget(&self, main: &mut Main, place: Place, interface: SwIfIndex) {
        let known = self.tables.borrow_mut().remove(&(place, interface));
        if let Some(table) = known {
            self.classifier.release(main, table, &user(place, interface));
        }
    }
}

/// The one table that is named, and what it is asked about.
pub(super) fn named(tables: [Option<TableIndex>; 3]) -> Result<(Kind, TableIndex), AttachError> {
    let mut named = Kind::ALL.into_iter().zip(tables).filter_map(|(kind, t)| Some((kind, t?)));
    match (named.next(), named.next()) {
        (None, _) => Err(AttachError::Nothing),
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => Err(AttachError::Several),
    }
}

/// How the table's other users hear of this one. By number, since an interface that has gone has no name.
fn user(place: Place, interface: SwIfIndex) -> String {
    format!("{place} access list of sw_if_index {interface}")
}
