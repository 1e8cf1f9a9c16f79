//! Names of things that exist while the engine runs: interfaces, nodes, streams.

/// A family of names. Open: a plugin that has objects of its own declares a kind of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameKind(pub &'static str);

impl NameKind {
    /// Software interfaces; the index is a `sw_if_index`.
    pub const INTERFACE: Self = Self("interface");
    /// Graph nodes; the index is a node index.
    pub const NODE: Self = Self("node");
}

/// Turns names into indices while a line is parsed, so that a handler never sees a name that means nothing.
pub trait Resolver {
    /// The index of the object of that kind and name.
    fn resolve(&self, kind: NameKind, name: &str) -> Option<u32>;

    /// All names of that kind, for completion. Any order.
    fn candidates(&self, kind: NameKind) -> Vec<String>;
}

/// Resolves nothing: for grammars without names, such as the startup file's.
#[derive(Clone, Copy, Debug)]
pub struct NoNames;

impl Resolver for NoNames {
    fn resolve(&self, _: NameKind, _: &str) -> Option<u32> {
        None
    }

    fn candidates(&self, _: NameKind) -> Vec<String> {
        Vec::new()
    }
}
