//! Messages about layer 2.

mod domain;
mod events;
mod features;
mod fib;
mod messages;
mod ports;
mod rewrite;

pub use messages::*;
pub(crate) use rewrite::operation_of;

use super::{BdId, L2};
use crate::{
    api::{Api, Call, Retval},
    command::ApiError,
    plugin::Registrar,
    runtime::Main,
};

/// Registers them. Those about BVIs and about answers to ARP are answered where these are.
pub(super) fn register(registrar: &mut Registrar, l2: &L2) {
    let api = registrar.api();
    api.file(&L2_FILE);
    domain::register(api, l2);
    features::register(api, l2);
    fib::register(api, l2);
    ports::register(api, l2);
    events::register(registrar, l2);
}

/// Has `f` answer requests of the type `M`.
fn call<M: Call, R: Into<M::Reply>>(
    api: &mut Api,
    l2: &L2,
    f: impl Fn(&L2, &mut Main, M) -> Result<R, Retval> + 'static,
) {
    let l2 = l2.clone();
    api.call(move |cx, request: M| cx.with(|main| f(&l2, main, request)));
}

/// The number of a bridge domain that is to be changed.
fn changed(bd_id: u32) -> Result<BdId, ApiError> {
    match bd_id {
        0 => Err(ApiError::BdNotModifiable),
        _ => Ok(BdId(bd_id)),
    }
}
