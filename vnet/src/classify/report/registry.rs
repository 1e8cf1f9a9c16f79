//! Which tables are reported, and on which stream.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use super::template::{TableReport, Transport};
use crate::{
    classify::{Classifier, ClassifyError, TableIndex},
    command::{ApiError, OperationError},
    fib::Family,
    ipfix::{
        engine::Ipfix,
        export::{AddReportError, ReportId, ReportKey, StreamConflict, StreamKey},
        template::TemplateId,
    },
    runtime::Main,
};

/// Why a stream or a table is not reported; nothing is applied.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReportError {
    #[error("no stream: `set ipfix classify stream' first")]
    NoStream,
    #[error("tables are reported on the stream: `ipfix classify table del' them first")]
    StreamInUse,
    #[error("classifier table {0} is reported already")]
    Exists(u32),
    #[error("classifier table {0} is not reported")]
    NotReported(u32),
    #[error(transparent)]
    Conflict(#[from] StreamConflict),
    #[error(transparent)]
    Report(#[from] AddReportError),
    #[error(transparent)]
    Table(#[from] ClassifyError),
}

impl OperationError for ReportError {
    fn api_error(&self) -> ApiError {
        match self {
            Self::NoStream | Self::StreamInUse => ApiError::Unspecified,
            Self::Exists(_) => ApiError::ValueExist,
            Self::NotReported(_) => ApiError::NoSuchEntry,
            Self::Conflict(_) | Self::Report(AddReportError::Conflict(_)) => ApiError::InvalidValue,
            Self::Report(_) => ApiError::Unspecified,
            Self::Table(error) => error.api_error(),
        }
    }
}

/// A table that is reported.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reported {
    pub(super) id: ReportId,
    pub(super) family: Family,
    pub(super) transport: Transport,
}

/// The classifier reports of an engine. Clones are the same ones; they belong to the main thread.
#[derive(Clone)]
pub(super) struct Registry {
    classifier: Classifier,
    ipfix: Ipfix,
    state: Rc<RefCell<State>>,
}

#[derive(Default)]
struct State {
    stream: Option<StreamKey>,
    tables: BTreeMap<TableIndex, Reported>,
    /// Tells a report from one of the same table that has been taken away and may still have something to say.
    generation: u64,
}

const USER: &str = "it is reported by IPFIX";

impl Registry {
    pub(super) fn new(classifier: Classifier, ipfix: Ipfix) -> Self {
        Self { classifier, ipfix, state: Rc::default() }
    }

    /// Reports on this stream from now on: tables that are reported already move there with all that is on their stream.
    /// `None`: on none.
    pub(super) fn set_stream(
        &self,
        main: &mut Main,
        stream: Option<StreamKey>,
    ) -> Result<(), ReportError> {
        let mut state = self.state.borrow_mut();
        if !state.tables.is_empty() {
            let new = stream.ok_or(ReportError::StreamInUse)?;
            let old = state.stream.unwrap_or(new);
            self.ipfix.rename_stream(main, old, new)?;
        }
        state.stream = stream;
        Ok(())
    }

    /// The stream.
    pub(super) fn stream(&self) -> Option<StreamKey> {
        self.state.borrow().stream
    }

    /// Reports a table, which stays as long as it is reported.
    pub(super) fn add(
        &self,
        main: &mut Main,
        table: TableIndex,
        family: Family,
        transport: Transport,
    ) -> Result<(), ReportError> {
        let mut state = self.state.borrow_mut();
        let stream = state.stream.ok_or(ReportError::NoStream)?;
        if state.tables.contains_key(&table) {
            return Err(ReportError::Exists(table.0));
        }
        let reader = self.classifier.reader(main, table)?;
        let known = self.classifier.tables(main).get(table);
        let spec = *known.ok_or(ClassifyError::NoSuchTable(table.0))?.spec();
        let report = TableReport::new(&spec, reader, family, transport);
        let key = ReportKey { name: "classify", opaque: state.generation };
        let id = self.ipfix.add_report(key, stream, Box::new(report))?;
        self.classifier.hold(main, table, USER.to_owned())?;
        state.generation += 1;
        state.tables.insert(table, Reported { id, family, transport });
        Ok(())
    }

    /// Reports a table no more, after a last time.
    pub(super) fn remove(&self, main: &mut Main, table: TableIndex) -> Result<(), ReportError> {
        let removed = self.state.borrow_mut().tables.remove(&table);
        let Reported { id, .. } = removed.ok_or(ReportError::NotReported(table.0))?;
        self.ipfix.retire_report(id);
        self.classifier.release(main, table, USER);
        Ok(())
    }

    /// The tables that are reported, with the identifiers of their templates.
    pub(super) fn reported(&self) -> Vec<(TableIndex, Reported, Option<TemplateId>)> {
        let state = self.state.borrow();
        let template = |id: ReportId| {
            self.ipfix.with_exporter(|exporter| {
                let of = exporter.reports().find(|report| report.id == id);
                of.and_then(|report| report.template_ids.first().copied())
            })
        };
        state.tables.iter().map(|(&table, &known)| (table, known, template(known.id))).collect()
    }
}
