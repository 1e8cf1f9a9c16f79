//! How a node is registered.

use bitflags::bitflags;

use super::{ArcIndex, DynNode, Features, NextSet, Node, adapter::Adapter, node::MapAdapter};
use crate::{
    error::{ErrorInfo, ErrorSet},
    graph::Map,
    trace::{FormatTrace, TraceRecord},
};

/// When a node runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NodeKind {
    /// Every loop or when its interrupt is set, before the inputs: cleaning of transmit rings and the like.
    PreInput,
    /// Every loop or when its interrupt is set: brings packets in.
    Input,
    /// When a frame waits for it.
    Internal,
    /// An asynchronous function on the main thread.
    Process,
}

impl NodeKind {
    /// The word that `show node` prints.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::PreInput => "pre-input",
            Self::Input => "input",
            Self::Internal => "internal",
            Self::Process => "process",
        }
    }
}

/// How an input node gets to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InputMode {
    /// In every loop.
    Polling,
    /// When its interrupt is set.
    Interrupt,
    /// By interrupt while there is little to do, polling while there is much.
    Adaptive,
    /// Not at all.
    Disabled,
}

impl InputMode {
    /// VPP's word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::Interrupt => "interrupt",
            Self::Adaptive => "adaptive",
            Self::Disabled => "disabled",
        }
    }
}

bitflags! {
    /// What a node is for, as far as the rates of `show runtime` and the tracer ask.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct NodeFlags: u8 {
        /// Packets leave the engine here.
        const OUTPUT = 1 << 0;
        /// Packets are dropped here.
        const DROP = 1 << 1;
        /// Packets are given to the host here.
        const PUNT = 1 << 2;
        /// `trace add` may name it.
        const TRACE_SUPPORTED = 1 << 3;
    }
}

/// For which thread a factory is to make a node, and what it may look up for it.
#[derive(Clone, Copy)]
pub struct Instance<'a> {
    /// Number of the thread; 0 is the main thread.
    pub thread: usize,
    pub(crate) features: &'a Features,
}

impl Instance<'_> {
    /// The arc called `name`; where no plugin registered it, one on which nothing is ever enabled.
    #[must_use]
    pub fn arc(&self, name: &str) -> ArcIndex {
        self.features.arc(name).unwrap_or(ArcIndex::ABSENT)
    }
}

pub(crate) type Factory = Box<dyn Fn(&Instance<'_>) -> Box<dyn DynNode>>;

/// A node as it is registered: its name, its kind, and how a worker's own instance of it is made.
pub struct NodeSpec {
    pub(crate) name: String,
    pub(crate) kind: NodeKind,
    pub(crate) mode: InputMode,
    pub(crate) flags: NodeFlags,
    pub(crate) sibling_of: Option<String>,
    pub(crate) nexts: Vec<String>,
    pub(crate) errors: &'static [ErrorInfo],
    pub(crate) format_trace: FormatTrace,
    pub(crate) factory: Option<Factory>,
}

impl NodeSpec {
    fn new<Next: NextSet, Error: ErrorSet, Trace: TraceRecord>(
        name: &str,
        kind: NodeKind,
        factory: Option<Factory>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            mode: InputMode::Polling,
            flags: NodeFlags::empty(),
            sibling_of: None,
            nexts: Next::NAMES.iter().map(|&s| s.to_owned()).collect(),
            errors: Error::COUNTERS,
            format_trace: crate::trace::formatter::<Trace>(),
            factory,
        }
    }

    /// An internal node that takes whole frames.
    pub fn internal<N: Node>(name: &str, make: impl Fn(&Instance<'_>) -> N + 'static) -> Self {
        let factory: Factory = Box::new(move |at| Box::new(Adapter(make(at))));
        Self::new::<N::Next, N::Error, N::Trace>(name, NodeKind::Internal, Some(factory))
    }

    /// An internal node that looks at one packet at a time.
    pub fn map<N: Map>(name: &str, make: impl Fn(&Instance<'_>) -> N + 'static) -> Self {
        let factory: Factory = Box::new(move |at| Box::new(Adapter(MapAdapter(make(at)))));
        Self::new::<N::Next, N::Error, N::Trace>(name, NodeKind::Internal, Some(factory))
    }

    /// An input node: it is given an empty frame, fills it and says where the packets go.
    pub fn input<N: Node>(name: &str, make: impl Fn(&Instance<'_>) -> N + 'static) -> Self {
        let mut spec = Self::internal(name, make);
        spec.kind = NodeKind::Input;
        spec.flags |= NodeFlags::TRACE_SUPPORTED;
        spec
    }

    /// As [`Self::input`], run before the inputs.
    pub fn pre_input<N: Node>(name: &str, make: impl Fn(&Instance<'_>) -> N + 'static) -> Self {
        let mut spec = Self::internal(name, make);
        spec.kind = NodeKind::PreInput;
        spec
    }

    /// A process node; its function is kept by the executor.
    pub(crate) fn process(name: &str) -> Self {
        Self::new::<super::NoNext, crate::error::NoError, crate::trace::NoTrace>(
            name,
            NodeKind::Process,
            None,
        )
    }

    /// How an input node gets to run; polling unless said otherwise.
    #[must_use]
    pub fn mode(mut self, mode: InputMode) -> Self {
        self.mode = mode;
        self
    }

    /// Adds `flags`.
    #[must_use]
    pub fn flags(mut self, flags: NodeFlags) -> Self {
        self.flags |= flags;
        self
    }

    /// Shares the next slots of the node `name`: what is added to one is added to the other. The node's own `NextSet` must
    /// be that of the other node, or empty.
    #[must_use]
    pub fn sibling_of(mut self, name: &str) -> Self {
        self.sibling_of = Some(name.to_owned());
        self
    }
}
