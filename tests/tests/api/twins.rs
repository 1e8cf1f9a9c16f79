//! Two engines alike: what a message does in one, a command does in the other, and both show the same.

use peloton_tests::api::ApiClient;
use vnet::{
    api::{
        fib_types::{fib_path, fib_path_nh_proto, fib_path_type},
        ip_types::{address, prefix},
    },
    fib::IpPrefix,
    plugin::Engine,
};

pub(crate) struct Twins {
    pub(crate) asked: Engine,
    pub(crate) told: Engine,
}

impl Twins {
    /// Two engines with the same configuration.
    pub(crate) fn new(lines: &[&str]) -> Self {
        let twins = Self { asked: super::engine(), told: super::engine() };
        for line in lines {
            twins.asked.command(line).unwrap();
            twins.told.command(line).unwrap();
        }
        twins
    }

    /// A client of the first.
    pub(crate) fn client(&self) -> ApiClient<'_> {
        ApiClient::new(&self.asked)
    }

    /// Runs `line` in the second; processes of the first do what follows from its message.
    pub(crate) fn tell(&self, line: &str) {
        self.asked.run_until_idle();
        self.told.command(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    }

    /// That both show the same.
    pub(crate) fn agree(&self, show: &str) {
        let [asked, told] = [&self.asked, &self.told].map(|engine| engine.command(show).unwrap());
        assert_eq!(asked, told, "{show}");
    }
}

/// The number of an interface.
pub(crate) fn index(engine: &Engine, name: &str) -> u32 {
    engine.with(|main| main.interfaces().find(name)).unwrap().0
}

pub(crate) fn ip(text: &str) -> address {
    text.parse::<std::net::IpAddr>().unwrap().into()
}

pub(crate) fn net(text: &str) -> prefix {
    text.parse::<IpPrefix>().unwrap().into()
}

/// A path to `next_hop` by an interface, or by none.
pub(crate) fn path(next_hop: &str, sw_if_index: u32) -> fib_path {
    let address = ip(next_hop);
    let proto = fib_path_nh_proto(address.af.0.into());
    let mut path = fib_path { sw_if_index, weight: 1, proto, ..fib_path::default() };
    path.nh.address = address.un;
    path
}

/// A path of a kind, by an interface or by none.
pub(crate) fn special(kind: fib_path_type, of: &str, sw_if_index: u32) -> fib_path {
    fib_path { r#type: kind, ..path(of, sw_if_index) }
}
