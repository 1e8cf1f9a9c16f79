//! Tables and sessions.

use super::{index, messages::*, table};
use crate::{
    action::ActionId,
    api::{Api, ApiCx, Part, Retval},
    classify::{
        Action, ClassifyError, Effect, Mask, NextSlot, Pattern, SessionState, TableIndex,
        TableSpec, VECTOR_BYTES,
        commands::{MAX_MEMORY, MIN_MEMORY},
    },
    command::ApiError,
    fib::{Family, FibError, FibIndex, TableId},
    runtime::Main,
};

/// Details that are told at a time.
const PART: usize = 256;

pub(super) fn register(api: &mut Api) {
    api.call(|cx, request: classify_add_del_table| {
        cx.with(|main| match request.is_add {
            true => add_table(main, &request),
            false => delete_table(main, &request),
        })
    });
    api.call(|cx, request: classify_add_del_session| cx.with(|main| session(main, &request)));
    api.call(|cx, _: classify_table_ids| {
        let ids = cx.with(|main| {
            let tables = main.classifier().tables(main).iter();
            tables.map(|(TableIndex(index), _)| index).collect()
        });
        Ok::<_, ApiError>(classify_table_ids_reply { ids })
    });
    api.call(|cx, request: classify_table_info| {
        let table = TableIndex(request.table_id);
        cx.with(|main| info(main, table)).ok_or(ApiError::ClassifyTableNotFound)
    });
    api.walk(sessions);
}

fn add_table(
    main: &mut Main,
    request: &classify_add_del_table,
) -> Result<classify_add_del_table_reply, Retval> {
    let classifier = main.classifier().clone();
    let spec = spec(request)?;
    let known = table(request.table_index).filter(|at| classifier.tables(main).get(*at).is_some());
    let added = match known {
        // What there is, is led elsewhere and nothing more, as with VPP.
        Some(known) => {
            classifier.change_table(main, known, Some(spec.next_table), None)?;
            known
        }
        None => classifier.add_table(main, spec)?,
    };
    let mask = classifier.tables(main).get(added).map_or(spec.mask, |table| table.spec.mask);
    Ok(classify_add_del_table_reply {
        new_table_index: added.0,
        skip_n_vectors: mask.skip() as u32,
        match_n_vectors: mask.vectors() as u32,
    })
}

fn delete_table(
    main: &mut Main,
    request: &classify_add_del_table,
) -> Result<classify_add_del_table_reply, Retval> {
    let classifier = main.classifier().clone();
    classifier.delete_table(main, TableIndex(request.table_index), request.del_chain)?;
    let none = index(None);
    Ok(classify_add_del_table_reply {
        new_table_index: none,
        skip_n_vectors: none,
        match_n_vectors: none,
    })
}

fn spec(request: &classify_add_del_table) -> Result<TableSpec, Retval> {
    let memory = request.memory_size as usize;
    if !(MIN_MEMORY..=MAX_MEMORY).contains(&memory) {
        return Err(ApiError::InvalidMemorySize.into());
    }
    let buckets = request.nbuckets.checked_next_power_of_two();
    let buckets = buckets.filter(|_| request.nbuckets > 0).ok_or(ApiError::InvalidValue)?;
    let current_data = match request.current_data_flag {
        0 => None,
        1 => Some(request.current_data_offset),
        _ => return Err(ApiError::InvalidValue.into()),
    };
    let mask = mask(request.skip_n_vectors, request.match_n_vectors, &request.mask)?;
    Ok(TableSpec {
        mask,
        buckets,
        memory,
        current_data,
        next_table: table(request.next_table_index),
        miss_next: NextSlot(request.miss_next_index),
    })
}

/// The mask of `matched` vectors behind `skip` ones, whose bytes are `bytes`.
pub(super) fn mask(skip: u32, matched: u32, bytes: &[u8]) -> Result<Mask, Retval> {
    let (skip, matched) = (skip as usize, matched as usize);
    if matched.checked_mul(VECTOR_BYTES) != Some(bytes.len()) || skip > crate::classify::MAX_SKIP {
        return Err(ApiError::InvalidValue.into());
    }
    let in_front = vec![0; skip * VECTOR_BYTES];
    let mask = Mask::new(&[&in_front, bytes].concat(), Some(skip), Some(matched));
    Ok(mask.map_err(ClassifyError::from)?)
}

fn session(main: &mut Main, request: &classify_add_del_session) -> Result<(), Retval> {
    let classifier = main.classifier().clone();
    let table = TableIndex(request.table_index);
    let known = classifier.tables(main).get(table).ok_or(ApiError::NoSuchTable)?;
    let mask = known.spec.mask;
    let bytes = request.r#match.clone();
    if bytes.len() != (mask.skip() + mask.vectors()) * VECTOR_BYTES {
        return Err(ApiError::InvalidValue.into());
    }
    // Bits that the table does not compare mean nothing.
    let pattern = Pattern { bytes, is_words: false };
    if !request.is_add {
        return Ok(classifier.delete_session(main, table, &pattern)?);
    }
    let action = Action {
        next: NextSlot(request.hit_next_index),
        opaque: request.opaque_index,
        advance: i16::try_from(request.advance).map_err(|_| ApiError::InvalidValue)?,
        effect: effect(main, request.action, request.metadata)?,
        named: ActionId::NONE,
    };
    Ok(classifier.add_session(main, table, &pattern, action)?)
}

fn effect(main: &mut Main, action: classify_action, metadata: u32) -> Result<Effect, Retval> {
    match action {
        classify_action::CLASSIFY_API_ACTION_NONE => Ok(Effect::None),
        classify_action::CLASSIFY_API_ACTION_SET_IP4_FIB_INDEX => {
            Ok(Effect::SetIp4Fib(fib(main, Family::Ip4, metadata)?))
        }
        classify_action::CLASSIFY_API_ACTION_SET_IP6_FIB_INDEX => {
            Ok(Effect::SetIp6Fib(fib(main, Family::Ip6, metadata)?))
        }
        classify_action::CLASSIFY_API_ACTION_SET_METADATA => Err(ApiError::Unimplemented.into()),
        classify_action::CLASSIFY_API_ACTION_MARK_FLOW if metadata != 0 => {
            Err(ApiError::Unimplemented.into())
        }
        _ => Err(ApiError::InvalidValue.into()),
    }
}

/// The table of that number, which is made unless it is there, as with VPP.
fn fib(main: &mut Main, family: Family, id: u32) -> Result<FibIndex, FibError> {
    match main.forwarding().table(family, TableId(id)) {
        Err(_) => main.forwarding_mut().add_table(family, TableId(id)),
        known => known,
    }
}

/// What `show classify tables` shows of a table.
fn info(main: &mut Main, at: TableIndex) -> Option<classify_table_info_reply> {
    let classifier = main.classifier().clone();
    let TableSpec { mask, buckets, next_table, miss_next, .. } =
        *classifier.tables(main).get(at)?.spec();
    let sessions = classifier.sessions(main, at).ok()?;
    Some(classify_table_info_reply {
        table_id: at.0,
        nbuckets: buckets,
        match_n_vectors: mask.vectors() as u32,
        skip_n_vectors: mask.skip() as u32,
        active_sessions: sessions.len() as u32,
        next_table_index: index(next_table),
        miss_next_index: miss_next.0,
        mask: mask.bytes(),
    })
}

/// The sessions as they were when they were asked for; the cursor is what is left of them.
fn sessions(
    cx: &ApiCx,
    request: &classify_session_dump,
    left: Option<std::vec::IntoIter<SessionState>>,
) -> Part<classify_session_details, std::vec::IntoIter<SessionState>> {
    let table = TableIndex(request.table_id);
    let mut left = left.unwrap_or_else(|| {
        let all = cx.with(|main| main.classifier().clone().sessions(main, table));
        // No table, no sessions.
        all.unwrap_or_default().into_iter()
    });
    let part = left.by_ref().take(PART).map(|session| classify_session_details {
        retval: 0,
        table_id: table.0,
        hit_next_index: session.action.next.0,
        advance: session.action.advance.into(),
        opaque_index: session.action.opaque,
        r#match: session.key,
    });
    let details = part.collect();
    Part { details, next: (left.len() > 0).then_some(left) }
}
