//! The stanzas and their words.

use core::{ops::RangeInclusive, str::FromStr, time::Duration};
use std::path::PathBuf;

use vnet::{buffer::DATA_SIZE, command::value, log::Level};

use super::{
    ClassChange, Startup,
    stanza::{Kind, Refusal, Setting, Stanza},
};
use crate::plugins::ChoiceError;

const PATH: &str = "a path";
const LEVEL: &str = "emerg, alert, crit, err, warn, notice, info, debug or disabled";

/// The stanzas that are read. Those of plugins go before.
pub(super) const STANZAS: &[Stanza] = &[
    Stanza { name: "unix", words: UNIX },
    Stanza { name: "cpu", words: CPU },
    Stanza { name: "buffers", words: BUFFERS },
    Stanza { name: "plugins", words: PLUGINS },
    Stanza { name: "logging", words: LOGGING },
];

/// The stanzas of VPP that mean nothing here, whatever stands in them.
pub(super) const OF_VPP: &[&str] = &[
    "acl-plugin",
    "api-fuzz",
    "api-queue",
    "api-segment",
    "cnat",
    "crypto-engines",
    "crypto_sw_scheduler",
    "ct6",
    "devices",
    "dhcp",
    "dns",
    "dpdk",
    "dsa",
    "dslite",
    "ethernet",
    "fateshare",
    "http",
    "interface",
    "ip",
    "ip6",
    "ipsec",
    "l2fib",
    "l2learn",
    "l2tp",
    "l3fib",
    "linux-cp",
    "linux-nl",
    "mactime",
    "mc",
    "memory",
    "mpls",
    "nat",
    "nat44",
    "nat64",
    "node",
    "npol-plugin",
    "nsim",
    "physmem",
    "pvti",
    "quic",
    "selog",
    "session",
    "sfdp",
    "tcp",
    "test-proxy",
    "tls",
    "trace",
    "tuntap",
    "udp",
    "unix-cli",
    "vhost-user",
    "vlib",
];

const UNIX: &[(&str, Kind)] = &[
    ("interactive", Kind::Flag(|s| s.unix.interactive = true)),
    ("nodaemon", Kind::Flag(|s| s.unix.nodaemon = true)),
    (
        "cli-listen",
        Kind::Value(PATH, |s, value| {
            if value.contains(':') && !value.contains('/') {
                return Err(Refusal::Impossible("only Unix sockets are listened on, give a path"));
            }
            set_path(&mut s.unix.listen, value)
        }),
    ),
    (
        "cli-prompt",
        Kind::Value("a text", |s, value| {
            s.unix.prompt = Some(format!("{} ", value.trim_end()));
            Ok(())
        }),
    ),
    ("exec", Kind::Value(PATH, |s, value| set_path(&mut s.unix.exec, value))),
    ("startup-config", Kind::Value(PATH, |s, value| set_path(&mut s.unix.exec, value))),
    ("log", Kind::Value(PATH, |s, value| set_path(&mut s.unix.log, value))),
    ("pidfile", Kind::Value(PATH, |s, value| set_path(&mut s.unix.pidfile, value))),
    ("runtime-dir", Kind::Value(PATH, |s, value| set_path(&mut s.unix.runtime_dir, value))),
    (
        "cli-history-limit",
        Kind::Value("a number up to 1000000", |s, value| {
            s.unix.history_limit = number(value, 0..=1_000_000)?;
            Ok(())
        }),
    ),
    (
        "cli-pager-buffer-limit",
        Kind::Value("a number of lines", |s, value| {
            s.unix.pager_limit = number(value, 0..=usize::MAX)?;
            Ok(())
        }),
    ),
    ("cli-no-pager", Kind::Flag(|s| s.unix.pager = false)),
    ("cli-no-banner", Kind::Flag(|s| s.unix.banner = false)),
    ("nobanner", Kind::Flag(|s| s.unix.banner = false)),
    ("nocolor", Kind::Flag(|s| s.unix.color = false)),
    ("cli-line-mode", Kind::VppFlag),
    ("coredump-size", Kind::VppValue),
    ("full-coredump", Kind::VppFlag),
    ("gid", Kind::VppValue),
    ("nosyslog", Kind::VppFlag),
    ("poll-sleep-usec", Kind::VppValue),
    ("use-current-dir", Kind::VppFlag),
];

const CPU: &[(&str, Kind)] = &[
    (
        "main-core",
        Kind::Value("the number of a core", |s, value| {
            s.cpu.main_core = Some(number(value, 0..=1023)?);
            Ok(())
        }),
    ),
    (
        "workers",
        Kind::Value("a number from 0 to 128", |s, value| {
            s.cpu.workers = number(value, 0..=128)?;
            Ok(())
        }),
    ),
    (
        "corelist-workers",
        Kind::Value("a list of cores", |s, list| {
            s.cpu.worker_cores = value::number_list(list, 1023).ok_or(Refusal::BadValue)?;
            Ok(())
        }),
    ),
    ("relative", Kind::VppFlag),
    ("coremask-workers", Kind::VppValue),
    ("numa-heap-size", Kind::VppValue),
    ("scheduler-policy", Kind::VppValue),
    ("scheduler-priority", Kind::VppValue),
    (
        "skip-cores",
        Kind::Value("a number from 0 to 1023", |s, value| {
            s.cpu.skip_cores = number(value, 0..=1023)?;
            Ok(())
        }),
    ),
    ("thread-prefix", Kind::VppValue),
    ("translate", Kind::VppFlag),
    ("use-pthreads", Kind::VppFlag),
];

const BUFFERS: &[(&str, Kind)] = &[
    (
        "buffers-per-numa",
        Kind::Value("a number from 256 to 1800000", |s, value| {
            s.buffers = Some(number(value, 256..=1_800_000)?);
            Ok(())
        }),
    ),
    // VPP's name of the pool whose data size follows.
    ("default", Kind::Flag(|_| ())),
    (
        "data-size",
        Kind::Value("a number of bytes", |_, value| match number(value, 1..=usize::MAX)? {
            DATA_SIZE => Ok(()),
            _ => Err(Refusal::Impossible("buffers hold 2048 bytes, longer packets take several")),
        }),
    ),
    ("layout", Kind::VppValue),
    ("numa", Kind::VppBlock),
    ("page-size", Kind::VppValue),
];

const PLUGINS: &[(&str, Kind)] = &[
    (
        "plugin",
        Kind::Named(
            "the name of a plugin",
            &[
                ("enable", Setting::Flag(|s, name| choose(s, name, true))),
                ("disable", Setting::Flag(|s, name| choose(s, name, false))),
                ("skip-version-check", Setting::VppFlag),
            ],
        ),
    ),
    ("add-path", Kind::VppValue),
    ("name-filter", Kind::VppValue),
    ("path", Kind::VppValue),
    ("vat-name-filter", Kind::VppValue),
    ("vat-path", Kind::VppValue),
];

const LOGGING: &[(&str, Kind)] = &[
    (
        "size",
        Kind::Value("a number from 1 to 1000000", |s, value| {
            s.logging.size = Some(number(value, 1..=1_000_000)?);
            Ok(())
        }),
    ),
    (
        "unthrottle-time",
        Kind::Value("a number of seconds", |s, value| {
            s.logging.unthrottle_time =
                Some(Duration::from_secs(number(value, 0_u32..=u32::MAX)?.into()));
            Ok(())
        }),
    ),
    ("nosyslog", Kind::VppFlag),
    ("add-to-elog", Kind::VppFlag),
    ("default-kmsg-log-level", Kind::VppValue),
    ("default-log-level", Kind::VppValue),
    ("default-syslog-log-level", Kind::VppValue),
    (
        "class",
        Kind::Named(
            "a class of messages",
            &[
                (
                    "level",
                    Setting::Value(LEVEL, |s, class, value| {
                        change(s, class, ClassChange::Level(level(value)?))
                    }),
                ),
                (
                    "syslog-level",
                    Setting::Value(LEVEL, |s, class, value| {
                        change(s, class, ClassChange::SyslogLevel(level(value)?))
                    }),
                ),
                (
                    "rate-limit",
                    Setting::Value("messages a second", |s, class, value| {
                        change(s, class, ClassChange::RateLimit(number(value, 0..=u32::MAX)?))
                    }),
                ),
            ],
        ),
    ),
];

fn set_path(place: &mut Option<PathBuf>, value: &str) -> Result<(), Refusal> {
    if value.is_empty() {
        return Err(Refusal::BadValue);
    }
    *place = Some(PathBuf::from(value));
    Ok(())
}

fn number<T: FromStr + PartialOrd>(value: &str, range: RangeInclusive<T>) -> Result<T, Refusal> {
    value.parse().ok().filter(|number| range.contains(number)).ok_or(Refusal::BadValue)
}

fn level(value: &str) -> Result<Level, Refusal> {
    value.parse().map_err(|_| Refusal::BadValue)
}

fn change(startup: &mut Startup, class: &str, change: ClassChange) -> Result<(), Refusal> {
    startup.logging.classes.push((class.to_owned(), change));
    Ok(())
}

fn choose(startup: &mut Startup, name: &str, enable: bool) -> Result<bool, Refusal> {
    if name == "default" {
        startup.plugins.default = enable;
        return Ok(true);
    }
    let chosen: Result<bool, ChoiceError> = startup.plugins.choose(name, enable);
    chosen.map_err(Refusal::Plugin)
}
