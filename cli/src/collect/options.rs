//! The command line of `peloton collect`.

use core::net::SocketAddr;

use lexopt::Arg;

use crate::args::{Failure, UsageError, text};

/// What `peloton collect --help` prints.
pub(super) const HELP: &str = "\
peloton collect - receive IPFIX messages over UDP and print their records

Usage: peloton collect [OPTION...]

Prints one line a record: exporter, observation domain and template, then the fields.
What is wrong with messages is told on standard error: malformed ones, data without a
template, gaps in the sequence numbers. An interrupt ends it and prints the counts.

Options:
      --listen ADDR:PORT  Where to listen; [ADDR]:PORT for IPv6 (default 127.0.0.1:4739)
      --json              Print one JSON object a record instead, its keys IANA names
      --once              End when a record has come and then no message for a second
  -h, --help              Print this
  -V, --version           Print the version

Exit status: 0 after --once; 1 when it cannot listen or print; 2 when the command line
makes no sense; 130 after an interrupt.
";

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    /// Where to listen.
    pub(super) listen: SocketAddr,
    /// JSON objects instead of text.
    pub(super) json: bool,
    /// End by itself.
    pub(super) once: bool,
}

impl Options {
    /// Reads the command line behind `collect`.
    pub(super) fn parse(parser: &mut lexopt::Parser) -> Result<Self, Failure> {
        let mut options =
            Self { listen: SocketAddr::from(([127, 0, 0, 1], 4739)), json: false, once: false };
        while let Some(arg) = parser.next().map_err(UsageError::from)? {
            match arg {
                Arg::Short('h') | Arg::Long("help") => return Err(Failure::Help),
                Arg::Short('V') | Arg::Long("version") => return Err(Failure::Version),
                Arg::Long("json") => options.json = true,
                Arg::Long("once") => options.once = true,
                Arg::Long("listen") => {
                    let value = parser.value().map_err(UsageError::from)?;
                    let error =
                        || UsageError::value("--listen", &value, "ADDR:PORT or [ADDR]:PORT");
                    options.listen = text("--listen", &value)?.parse().map_err(|_| error())?;
                }
                other => return Err(UsageError::from(other.unexpected()).into()),
            }
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_listens_on_a_network_address_unless_told_to() {
        let parse =
            |words: &str| Options::parse(&mut lexopt::Parser::from_args(words.split_whitespace()));
        assert!(parse("").unwrap().listen.ip().is_loopback());
        let options = parse("--listen [::]:9995 --json --once").unwrap();
        assert_eq!(options.listen.to_string(), "[::]:9995");
        assert!(options.json && options.once);
        for bad in ["--listen 4739", "--listen localhost:4739", "extra", "--help"] {
            parse(bad).unwrap_err();
        }
    }
}
