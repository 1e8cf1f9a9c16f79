//! Actions of rules, which are held as long as their list is there.

use vnet::{action::ActionId, runtime::Main};

use super::List;
use crate::{error::AclError, rule::Rule};

/// Has the actions of rules configured; all or none.
pub(super) fn configure(main: &mut Main, rules: &mut [Rule]) -> Result<(), AclError> {
    let actions = main.actions().clone();
    for at in 0..rules.len() {
        let Some(named) = rules[at].action.clone() else { continue };
        match actions.configure(main, &named.name, &named.arguments) {
            Ok(id) => rules[at].action_id = id,
            Err(why) => {
                release_all(main, &rules[..at]);
                return Err(AclError::Action { rule: at, why: why.to_string() });
            }
        }
    }
    Ok(())
}

/// A list has gone.
pub(super) fn release(main: &mut Main, list: Option<List>) {
    if let Some(list) = list {
        release_all(main, &list.rules);
    }
}

fn release_all(main: &mut Main, rules: &[Rule]) {
    let actions = main.actions().clone();
    let ids = rules.iter().map(|rule| rule.action_id).filter(|id| *id != ActionId::NONE);
    ids.for_each(|id| actions.release(main, id));
}
