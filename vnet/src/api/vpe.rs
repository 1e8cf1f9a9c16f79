//! Messages about the program: version, time, log.

use std::time::{Duration, UNIX_EPOCH};

use crate::{
    api::Api,
    command::ApiError,
    log::{Entry, Level},
    runtime::EngineTime,
};

crate::api! {
    /// The file `vpe.api`.
    file VPE = "vpe", [1, 7, 0], 0xbbfa7484 aliases { timestamp = f64, timedelta = f64 };
    enum log_level: u32 {
        VPE_API_LOG_LEVEL_EMERG = 0,
        VPE_API_LOG_LEVEL_ALERT = 1,
        VPE_API_LOG_LEVEL_CRIT = 2,
        VPE_API_LOG_LEVEL_ERR = 3,
        VPE_API_LOG_LEVEL_WARNING = 4,
        VPE_API_LOG_LEVEL_NOTICE = 5,
        VPE_API_LOG_LEVEL_INFO = 6,
        VPE_API_LOG_LEVEL_DEBUG = 7,
        VPE_API_LOG_LEVEL_DISABLED = 8,
    };
    record version { major: u32, minor: u32, patch: u32, pre_release: [u8; 17], build_metadata: [u8; 17] };
    call show_version = 0x51077d14 {}
        -> show_version_reply = 0xc919bde1 {
        program: [string; 32],
        version: [string; 32],
        build_date: [string; 32],
        build_directory: [string; 256],
    };
    call show_vpe_system_time = 0x51077d14 {}
        -> show_vpe_system_time_reply = 0x7ffd8193 { vpe_system_time: timestamp };
    dump log_dump = 0x6ab31753 { start_timestamp: timestamp }
        -> log_details = 0x03d61cc0 {
        timestamp: timestamp,
        level: log_level,
        msg_class: [string; 32],
        message: [string; 256],
    };
}

pub(super) fn register(api: &mut Api) {
    api.file(&VPE);
    api.call(|_, _: show_version| {
        Ok::<_, ApiError>(show_version_reply {
            program: "peloton".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            ..Default::default()
        })
    });
    api.call(|cx, _: show_vpe_system_time| {
        let vpe_system_time = cx.clock().wall().0 as f64 / 1e9;
        Ok::<_, ApiError>(show_vpe_system_time_reply { vpe_system_time })
    });
    api.dump(|cx, request: log_dump| {
        let start = Duration::try_from_secs_f64(request.start_timestamp).unwrap_or_default();
        let entries = cx.with(|main| main.log().since(EngineTime(0)));
        let wanted = entries.into_iter().filter(move |entry| since_epoch(entry) >= start);
        wanted.map(log_line).collect::<Vec<_>>()
    });
}

/// Time of a message since 1970, as VPP's are.
fn since_epoch(entry: &Entry) -> Duration {
    entry.stamp.wall.duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn log_line(entry: Entry) -> log_details {
    log_details {
        timestamp: since_epoch(&entry).as_secs_f64(),
        level: level(entry.level),
        msg_class: entry.class.into(),
        message: entry.text.into(),
    }
}

/// Levels have VPP's numbers.
fn level(level: Level) -> log_level {
    log_level(level as u32)
}
