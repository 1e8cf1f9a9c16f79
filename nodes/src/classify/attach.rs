//! Which interface has which classifier table where: one table for each kind of use.

use std::{cell::RefCell, collections::BTreeMap, fmt, rc::Rc};

use thiserror::Error;
use vnet::{
    api::Retval,
    classify::{Classifier, ClassifyError, TableIndex},
    command::{Align, ApiError, Column, OperationError, Table},
    graph::FeatureError,
    interface::{Event, SwIfIndex},
    plugin::{CommandCx, Registrar},
    runtime::Main,
};

/// Where tables can be: a node, and the arcs on which that is.
pub(crate) trait Place: Copy + Ord + fmt::Display + 'static {
    /// All of them.
    const ALL: &'static [Self];
    /// What tables are there for, as their other users hear of it.
    const PURPOSE: &'static str;

    fn node(self) -> &'static str;
    fn arcs(self) -> &'static [&'static str];
}

/// Why a table is not given to an interface, or not taken from it; nothing is applied.
#[derive(Debug, Error)]
pub(crate) enum AttachError {
    /// The command does not say which table.
    #[error("{0}")]
    Unclear(&'static str),
    #[error("the interface has {place} table {table} already: take it away with `del' first")]
    Taken { place: String, table: u32 },
    #[error("the interface does not have {place} table {table}")]
    NotAttached { place: String, table: u32 },
    #[error(transparent)]
    Table(#[from] ClassifyError),
    #[error(transparent)]
    Feature(#[from] FeatureError),
}

impl OperationError for AttachError {
    fn api_error(&self) -> ApiError {
        match self {
            Self::Unclear(_) => ApiError::InvalidValue,
            Self::Taken { .. } => ApiError::ValueExist,
            Self::NotAttached { .. } => ApiError::NoSuchTable,
            Self::Table(error) => error.api_error(),
            Self::Feature(_) => ApiError::CannotEnableDisableFeature,
        }
    }
}

/// The tables of all interfaces. Clones are the same ones; they belong to the main thread.
#[derive(Clone)]
pub(crate) struct Attachments<P> {
    classifier: Classifier,
    tables: Rc<RefCell<BTreeMap<(P, SwIfIndex), TableIndex>>>,
}

impl<P: Place> Attachments<P> {
    /// Without any yet. Those of an interface go with it.
    pub(crate) fn new(r: &mut Registrar, classifier: Classifier) -> Self {
        let all = Self { classifier, tables: Rc::default() };
        let attachments = all.clone();
        r.on_interface_event(move |main, event| {
            let Event::Deleted { sw_if_index, .. } = event else { return };
            P::ALL.iter().for_each(|place| attachments.forget(main, *place, *sw_if_index));
        });
        all
    }

    /// Gives tables to an interface, or none of them.
    pub(crate) fn attach(
        &self,
        main: &mut Main,
        interface: SwIfIndex,
        wanted: &[(P, TableIndex)],
    ) -> Result<(), AttachError> {
        for &(place, table) in wanted {
            if let Some(TableIndex(table)) = self.table(place, interface) {
                return Err(AttachError::Taken { place: place.to_string(), table });
            }
            let known = self.classifier.tables(main).get(table);
            known.ok_or(ClassifyError::NoSuchTable(table.0))?;
        }
        for &(place, table) in wanted {
            for arc in place.arcs() {
                main.enable_feature(arc, place.node(), interface, table.0)?;
            }
            self.classifier.hold(main, table, user(place, interface))?;
            self.tables.borrow_mut().insert((place, interface), table);
        }
        Ok(())
    }

    /// Takes tables from an interface, or none of them.
    pub(crate) fn detach(
        &self,
        main: &mut Main,
        interface: SwIfIndex,
        unwanted: &[(P, TableIndex)],
    ) -> Result<(), AttachError> {
        for &(place, table) in unwanted {
            if self.table(place, interface) != Some(table) {
                let (place, table) = (place.to_string(), table.0);
                return Err(AttachError::NotAttached { place, table });
            }
        }
        for &(place, _) in unwanted {
            for arc in place.arcs() {
                main.disable_feature(arc, place.node(), interface)?;
            }
            self.forget(main, place, interface);
        }
        Ok(())
    }

    /// Who has a table at a place, by their numbers.
    pub(crate) fn at(&self, place: P) -> Vec<(SwIfIndex, TableIndex)> {
        let tables = self.tables.borrow();
        let here = tables.iter().filter(|((known, _), _)| *known == place);
        here.map(|(&(_, interface), &table)| (interface, table)).collect()
    }

    /// Does what a message says, for which nothing is to be done where that is so already.
    pub(crate) fn set(
        &self,
        main: &mut Main,
        interface: SwIfIndex,
        mut named: Vec<(P, TableIndex)>,
        is_add: bool,
    ) -> Result<(), Retval> {
        main.interfaces().interface(interface).ok_or(ApiError::InvalidSwIfIndex)?;
        if !is_add {
            return Ok(self.detach(main, interface, &named)?);
        }
        named.retain(|(place, table)| self.table(*place, interface) != Some(*table));
        Ok(self.attach(main, interface, &named)?)
    }

    /// What an interface has at a place.
    pub(crate) fn table(&self, place: P, interface: SwIfIndex) -> Option<TableIndex> {
        self.tables.borrow().get(&(place, interface)).copied()
    }

    fn forget(&self, main: &mut Main, place: P, interface: SwIfIndex) {
        let known = self.tables.borrow_mut().remove(&(place, interface));
        if let Some(table) = known {
            self.classifier.release(main, table, &user(place, interface));
        }
    }
}

/// How the table's other users hear of this one. By number, since an interface that has gone has no name.
fn user<P: Place>(place: P, SwIfIndex(interface): SwIfIndex) -> String {
    format!("{place} {} of sw_if_index {interface}", P::PURPOSE)
}

/// As VPP lists them.
pub(crate) fn listed(cx: &CommandCx, attached: &[(SwIfIndex, TableIndex)]) -> Table {
    let columns = [
        Column::new("Intfc idx", 10, Align::Right),
        Column::new("Classify table", 20, Align::Right),
        Column::new("Interface name", 0, Align::Left).gap(4),
    ];
    let rows = attached.iter().map(|&(interface, TableIndex(table))| {
        [interface.0.into(), table.into(), cx.interface_name(interface).into()]
    });
    Table::new(columns).rows(rows)
}
