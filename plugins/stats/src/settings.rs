//! `statseg { ... }` of the startup file.

use std::{cell::RefCell, path::PathBuf, rc::Rc, time::Duration};

use vnet::{
    counter::{SegmentPages, SegmentSize},
    plugin::Stanza,
};

/// Seconds between two updates of the figures unless told otherwise, as in VPP.
const INTERVAL: f64 = 10.0;
/// Seconds that there can be between them.
const INTERVALS: core::ops::RangeInclusive<f64> = 0.01..=86_400.0;

/// What the stanza says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// The file has the stanza: there is a socket.
    pub(crate) is_on: bool,
    /// Where it is, if not at the usual place.
    pub(crate) socket: Option<PathBuf>,
    /// Address space, if not the usual one.
    bytes: Option<usize>,
    pages: SegmentPages,
    pub(crate) per_node: bool,
    pub(crate) interval: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            is_on: false,
            socket: None,
            bytes: None,
            pages: SegmentPages::Small,
            per_node: false,
            interval: Duration::from_secs_f64(INTERVAL),
        }
    }
}

impl Settings {
    /// The size of the segment.
    pub(crate) fn size(&self) -> SegmentSize {
        let bytes = self.bytes.unwrap_or(SegmentSize::default().bytes);
        SegmentSize { bytes, pages: self.pages }
    }
}

/// The stanza, which leaves what it is told in `settings`.
pub(crate) fn stanza(settings: &Rc<RefCell<Settings>>) -> Stanza {
    let change = |set: fn(&mut Settings, &str) -> Option<()>| {
        let settings = settings.clone();
        move |value: &str| set(&mut settings.borrow_mut(), value).is_some()
    };
    let present = settings.clone();
    Stanza::new("statseg")
        .present(move || present.borrow_mut().is_on = true)
        .flag("default", || ())
        .value("page-size", "default, default-hugepage, 4k, 2m or 1g", change(set_pages))
        .value("per-node-counters", "on or off", change(set_per_node))
        .value("size", "a number of bytes, such as 64m or 1g", change(set_size))
        .value("socket-name", "a path, or default", change(set_socket))
        .value("update-interval", "a number of seconds, 0.01 to 86400", change(set_interval))
}

fn set_socket(settings: &mut Settings, value: &str) -> Option<()> {
    settings.socket = (value != "default").then(|| PathBuf::from(value));
    (!value.is_empty()).then_some(())
}

fn set_size(settings: &mut Settings, value: &str) -> Option<()> {
    settings.bytes = Some(bytes(value)?);
    Some(())
}

fn set_pages(settings: &mut Settings, value: &str) -> Option<()> {
    settings.pages = match value {
        "default" | "4k" | "4K" => SegmentPages::Small,
        "default-hugepage" => SegmentPages::Huge(None),
        _ => match bytes(value)? {
            size if size.is_power_of_two() && size > 4096 => {
                SegmentPages::Huge(Some(u8::try_from(size.trailing_zeros()).ok()?))
            }
            _ => return None,
        },
    };
    Some(())
}

fn set_per_node(settings: &mut Settings, value: &str) -> Option<()> {
    settings.per_node = match value {
        "on" => true,
        "off" => false,
        _ => return None,
    };
    Some(())
}

fn set_interval(settings: &mut Settings, value: &str) -> Option<()> {
    let seconds = value.parse().ok().filter(|seconds| INTERVALS.contains(seconds))?;
    settings.interval = Duration::from_secs_f64(seconds);
    Some(())
}

/// A number of bytes: digits, and `k`, `m` or `g` for powers of 1024.
fn bytes(text: &str) -> Option<usize> {
    let (digits, shift) = match text.as_bytes().last()?.to_ascii_lowercase() {
        b'k' => (&text[..text.len() - 1], 10),
        b'm' => (&text[..text.len() - 1], 20),
        b'g' => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let plain = digits.bytes().all(|digit| digit.is_ascii_digit());
    let number: usize = digits.parse().ok().filter(|&number| plain && number > 0)?;
    number.checked_mul(1 << shift).filter(|&bytes| isize::try_from(bytes).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(words: &[(&str, &str)]) -> Option<Settings> {
        let settings = Rc::new(RefCell::new(Settings::default()));
        let stanza = stanza(&settings);
        stanza.tell_present();
        let all = words.iter().all(|(word, value)| stanza.word(word).unwrap().set(value));
        let told = settings.borrow().clone();
        all.then_some(told)
    }

    #[test]
    fn words_of_vpp_are_understood_and_others_are_refused() {
        let words = [
            ("socket-name", "/run/vpp/stats.sock"),
            ("size", "64M"),
            ("page-size", "2M"),
            ("per-node-counters", "on"),
            ("update-interval", "0.5"),
        ];
        let settings = told(&words).unwrap();
        let pages = SegmentPages::Huge(Some(21));
        assert_eq!(settings.size(), SegmentSize { bytes: 64 << 20, pages });
        assert!(settings.is_on && settings.per_node);
        assert_eq!(settings.socket, Some(PathBuf::from("/run/vpp/stats.sock")));
        assert_eq!(settings.interval, Duration::from_millis(500));
        let plain = told(&[("socket-name", "default"), ("default", "")]).unwrap();
        assert_eq!(plain, Settings { is_on: true, ..Settings::default() });
        for (word, value) in [
            ("size", "0"),
            ("size", "m"),
            ("size", "-1k"),
            ("size", "+1k"),
            ("size", "99999999999g"),
            ("size", "1\u{e9}"),
            ("page-size", "3m"),
            ("page-size", "huge"),
            ("per-node-counters", "yes"),
            ("update-interval", "0"),
            ("update-interval", "NaN"),
            ("update-interval", "inf"),
            ("socket-name", ""),
        ] {
            assert_eq!(told(&[(word, value)]), None, "{word} {value}");
        }
    }
}
