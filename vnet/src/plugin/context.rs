//! What the handler of a command is given.

use std::{ops::Deref, rc::Rc, time::Duration};

use crate::{
    command::{Context, LocalFuture, NameKind, Resolver, Session, Terminal, Tree},
    interface::SwIfIndex,
    process::Cx,
};

/// A command's way to the engine, and to the session that it was typed in.
#[derive(Clone)]
pub struct CommandCx {
    cx: Cx,
    session: Session,
    tree: Rc<Tree<Self>>,
}

/// A command of an engine.
pub type Command = crate::command::Command<CommandCx>;

impl CommandCx {
    pub(crate) fn new(cx: Cx, session: Session, tree: Rc<Tree<Self>>) -> Self {
        Self { cx, session, tree }
    }

    /// A new session of the engine that `cx` leads to.
    #[must_use]
    pub fn of(cx: &Cx, terminal: Terminal) -> Self {
        let tree = cx.with(|main| main.commands.clone());
        Self::new(cx.clone(), Session::new(terminal), tree)
    }

    /// A new session of the same engine.
    #[must_use]
    pub fn new_session(&self, terminal: Terminal) -> Self {
        Self { session: Session::new(terminal), ..self.clone() }
    }

    /// The name of an interface, or its number where it has gone.
    #[must_use]
    pub fn interface_name(&self, interface: SwIfIndex) -> String {
        self.with(|main| main.interface_name(interface))
    }
}

impl Deref for CommandCx {
    type Target = Cx;

    fn deref(&self) -> &Cx {
        &self.cx
    }
}

impl Resolver for CommandCx {
    fn resolve(&self, kind: NameKind, name: &str) -> Option<u32> {
        self.with(|main| match kind {
            NameKind::INTERFACE => main.interfaces().find(name).ok().map(|i| i.0),
            NameKind::NODE => main.graph().find(name).map(|n| n.0.into()),
            _ => None,
        })
    }

    fn candidates(&self, kind: NameKind) -> Vec<String> {
        self.with(|main| match kind {
            NameKind::INTERFACE => main.interfaces().interfaces().map(|i| i.name.clone()).collect(),
            NameKind::NODE => main.graph().nodes().map(|(_, n)| n.name.clone()).collect(),
            _ => Vec::new(),
        })
    }
}

impl Context for CommandCx {
    fn tree(&self) -> Rc<Tree<Self>> {
        self.tree.clone()
    }

    fn session(&self) -> Session {
        self.session.clone()
    }

    fn sleep(&self, duration: Duration) -> LocalFuture<()> {
        let cx = self.cx.clone();
        Box::pin(async move { cx.sleep(duration).await })
    }

    fn turn(&self) -> LocalFuture<()> {
        let cx = self.cx.clone();
        Box::pin(async move { cx.next_round().await })
    }
}
