//! What nodes have of lists: compiled aside, and put in place by pointers.

use std::sync::Arc;

use vnet::{fib::Family, interface::SwIfIndex, reassembly, runtime::Main};

use super::{Acl, Applied, List};
use crate::{
    compile::{Lists, Source},
    direction::Direction,
    error::AclError,
    session::Sessions,
    tables::Context,
};

impl Acl {
    /// Compiles the lists anew of all interfaces that `concerned` names.
    pub(super) fn recompile(
        &self,
        main: &mut Main,
        concerned: impl Fn(&Applied) -> bool,
    ) -> Result<(), AclError> {
        let keys: Vec<_> = {
            let state = self.state.borrow();
            let all = state.applied.iter().filter(|(_, applied)| concerned(applied));
            all.map(|(&key, applied)| (key, applied.acls.clone())).collect()
        };
        // Interfaces with the same lists share what is made of them.
        let mut made: Vec<(Vec<u32>, Arc<Lists>)> = Vec::new();
        let mut contexts = Vec::new();
        for (key, acls) in keys {
            let lists = match made.iter().find(|(known, _)| *known == acls) {
                Some((_, lists)) => lists.clone(),
                None => {
                    let lists = self.compile(&acls);
                    made.push((acls, lists.clone()));
                    lists
                }
            };
            contexts.push((key, lists));
        }
        self.adopt(main, contexts)
    }

    /// Those of one interface, of which only these have changed.
    pub(super) fn recompile_one(
        &self,
        main: &mut Main,
        key: (SwIfIndex, Direction),
    ) -> Result<(), AclError> {
        let (acls, twin) = {
            let state = self.state.borrow();
            let acls = state.acls(key.0, key.1).to_vec();
            let mut others = state.applied.iter().filter(|(other, _)| **other != key);
            (acls.clone(), others.find(|(_, other)| other.acls == acls).map(|(twin, _)| *twin))
        };
        let twin = twin.and_then(|(interface, direction)| {
            Some(self.view(main).context(interface, direction)?.lists.clone())
        });
        let lists = twin.unwrap_or_else(|| self.compile(&acls));
        self.adopt(main, vec![(key, lists)])
    }

    fn compile(&self, acls: &[u32]) -> Arc<Lists> {
        let state = self.state.borrow();
        let sources = acls.iter().filter_map(|&acl| {
            let List { rules, counters, .. } = state.list(acl).ok()?;
            Some(Source { acl, counters: *counters, rules: rules.clone() })
        });
        Arc::new(Lists::new(&sources.collect::<Vec<_>>()))
    }

    /// Has nodes read new lists.
    fn adopt(
        &self,
        main: &mut Main,
        made: Vec<((SwIfIndex, Direction), Arc<Lists>)>,
    ) -> Result<(), AclError> {
        let reflects = made.iter().any(|(_, lists)| lists.reflects);
        let tables = self.view(main);
        if reflects && tables.sessions.is_none() {
            let limit = tables.settings.max_sessions;
            let sessions = Box::new(Sessions::new(limit).ok_or(AclError::NoMemory(limit))?);
            self.reader.tables.write(main.held_mut()).sessions = Some(sessions);
        }
        for (key, lists) in &made {
            let before = self.state.borrow().applied.get(key).map(|applied| applied.reassembled);
            reassemble(main, *key, before.unwrap_or_default(), lists.has_ports)?;
        }
        let contexts = made.into_iter().filter_map(|(key, lists)| {
            let mut state = self.state.borrow_mut();
            state.epochs = state.epochs.wrapping_add(1);
            let epoch = state.epochs;
            let applied = state.applied.get_mut(&key)?;
            applied.epoch = epoch;
            applied.reassembled = lists.has_ports;
            Some((key, Some(Context { index: applied.context, epoch, lists })))
        });
        let contexts = contexts.collect();
        self.publish(main, contexts);
        Ok(())
    }

    /// All that is changed under the barrier are pointers; but sessions end that lists no longer let begin.
    pub(super) fn publish(
        &self,
        main: &mut Main,
        contexts: Vec<((SwIfIndex, Direction), Option<Context>)>,
    ) {
        let tables = self.reader.tables.write(main.held_mut());
        let reflects = |context: &Context| context.lists.reflects;
        for ((interface, direction), context) in contexts {
            let before = tables.context(interface, direction).is_some_and(reflects);
            let after = context.as_ref().is_some_and(reflects);
            tables.set(interface, direction, context);
            if let Some(sessions) = tables.sessions.as_ref().filter(|_| before && !after) {
                sessions.sweep(0..usize::MAX, |session| {
                    session.key.interface() == interface && session.began == direction
                });
            }
        }
    }
}

/// Has the fragments of an interface know their ports, where lists compare any and the engine has the nodes for it.
pub(super) fn reassemble(
    main: &mut Main,
    (interface, direction): (SwIfIndex, Direction),
    before: [bool; 2],
    wanted: [bool; 2],
) -> Result<(), AclError> {
    let way = match direction {
        Direction::Input => reassembly::Direction::Input,
        Direction::Output => reassembly::Direction::Output,
    };
    for (family, (before, wanted)) in
        [Family::Ip4, Family::Ip6].into_iter().zip(before.into_iter().zip(wanted))
    {
        if main.graph().find(reassembly::node(family, way)).is_none() {
            continue;
        }
        match (before, wanted) {
            (false, true) => reassembly::enable(main, family, way, interface)?,
            (true, false) => reassembly::disable(main, family, way, interface)?,
            _ => {}
        }
    }
    Ok(())
}
