//! The plugins of the program, and which of them an engine has.

use std::collections::{BTreeMap, BTreeSet};

use nodes::{
    capture::{self, Captures},
    pg::{self, Generator},
    ping,
};
use vnet::{
    command::Shown,
    plugin::{BuildError, Builder, Engine, Plugin},
};

use crate::args::Failure;

/// A plugin that this program was built with.
pub struct Known {
    /// Its name, as `show plugins` and the startup file have it. VPP's file name for it, `NAME_plugin.so`, will do as well.
    pub name: &'static str,
    standing: Standing,
    make: fn() -> Plugin,
}

/// When an engine has a plugin of which the startup file says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Always: no engine goes without it.
    Required,
    /// Always, since in VPP it is none: `plugin default { disable }` does not mean it.
    Core,
    /// Unless the file disables plugins by default.
    Plugin,
}

/// All plugins of this program.
pub const KNOWN: &[Known] = &[
    Known { name: "nodes", standing: Standing::Required, make: nodes::plugin },
    Known { name: "pg", standing: Standing::Core, make: pg::plugin },
    Known { name: "binary_api", standing: Standing::Core, make: binary_api::plugin },
    Known { name: "capture", standing: Standing::Core, make: || capture::plugin(Captures::new()) },
    Known { name: "acl", standing: Standing::Plugin, make: acl::plugin },
    Known { name: "af_packet", standing: Standing::Plugin, make: af_packet::plugin },
    Known { name: "af_xdp", standing: Standing::Plugin, make: af_xdp::plugin },
    Known { name: "flowprobe", standing: Standing::Plugin, make: flowprobe::plugin },
    Known { name: "ipfix_bridge", standing: Standing::Plugin, make: ipfix_bridge::plugin },
    Known { name: "ping", standing: Standing::Plugin, make: ping::plugin },
    Known { name: "stats", standing: Standing::Core, make: stats::plugin },
    Known { name: "tap", standing: Standing::Core, make: tap::plugin },
];

/// What is wrong with the choice of a plugin.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChoiceError {
    /// There is none of that name.
    #[error("no plugin `{}', there are {}", Shown(name), names())]
    Unknown {
        /// The name.
        name: String,
    },
    /// Nothing works without it.
    #[error("plugin `{0}' cannot be disabled")]
    Required(&'static str),
}

/// Which plugins an engine has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Of those that are not named.
    pub default: bool,
    named: BTreeMap<&'static str, bool>,
    /// The stanzas of plugins that the file has.
    present: BTreeSet<&'static str>,
    words: Vec<PluginWord>,
}

/// A word of a plugin's stanza in the startup file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PluginWord {
    stanza: &'static str,
    word: String,
    value: String,
}

impl Choice {
    /// All plugins.
    #[must_use]
    pub const fn all() -> Self {
        Self { default: true, named: BTreeMap::new(), present: BTreeSet::new(), words: Vec::new() }
    }

    /// Enables or disables the plugin of that name. `false` when there is none, but its name is that of a file of VPP's, which does
    /// not mind either.
    ///
    /// # Errors
    /// When there is none of that name, or it cannot be disabled.
    pub fn choose(&mut self, name: &str, enable: bool) -> Result<bool, ChoiceError> {
        let short = name.strip_suffix("_plugin.so");
        let Some(known) = KNOWN.iter().find(|known| known.name == short.unwrap_or(name)) else {
            return match short {
                Some(_) => Ok(false),
                None => Err(ChoiceError::Unknown { name: name.to_owned() }),
            };
        };
        if known.standing == Standing::Required && !enable {
            return Err(ChoiceError::Required(known.name));
        }
        self.named.insert(known.name, enable);
        Ok(true)
    }

    /// Has the plugin whose stanza that is told that it is there.
    pub(crate) fn tell_present(&mut self, stanza: &'static str) {
        self.present.insert(stanza);
    }

    /// Has the plugin whose stanza that is told a word of it, and a value that it takes.
    pub(crate) fn tell(&mut self, stanza: &'static str, word: String, value: String) {
        self.words.push(PluginWord { stanza, word, value });
    }

    /// Whether the engine has the plugin of that name.
    pub(crate) fn has_plugin(&self, name: &str) -> bool {
        KNOWN.iter().any(|known| known.name == name && self.has(known))
    }

    /// Tells a plugin what the file says to it.
    fn say_to(&self, plugin: &Plugin) {
        for stanza in plugin.stanzas() {
            if self.present.contains(stanza.name()) {
                stanza.tell_present();
            }
            let words = self.words.iter().filter(|word| word.stanza == stanza.name());
            for PluginWord { word, value, .. } in words {
                let was_set = stanza.word(word).is_none_or(|word| word.set(value));
                debug_assert!(was_set, "it was a value when the file was read");
            }
        }
    }

    fn has(&self, known: &Known) -> bool {
        let by_default = match known.standing {
            Standing::Required => return true,
            Standing::Core => true,
            Standing::Plugin => self.default,
        };
        self.named.get(known.name).copied().unwrap_or(by_default)
    }
}

/// All plugins, to be asked for their stanzas.
pub(crate) fn all() -> impl Iterator<Item = Plugin> {
    KNOWN.iter().map(|known| (known.make)())
}

fn names() -> String {
    KNOWN.iter().map(|known| known.name).collect::<Vec<_>>().join(", ")
}

/// An engine, and what the program needs to know of its plugins.
pub struct Assembled {
    /// The engine.
    pub engine: Engine,
    generator: Option<Generator>,
}

impl Assembled {
    /// Puts the chosen plugins into an engine, told what the startup file says to them.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn build(builder: Builder, choice: &Choice) -> Result<Self, BuildError> {
        let chosen = KNOWN.iter().filter(|known| choice.has(known));
        let builder = chosen.fold(builder, |builder, known| {
            let plugin = (known.make)();
            choice.say_to(&plugin);
            builder.plugin(plugin)
        });
        let engine = builder.build()?;
        Ok(Self { generator: engine.provided(), engine })
    }

    /// The packet generator, where the engine has one.
    #[must_use]
    pub fn generator(&self) -> Option<&Generator> {
        self.generator.as_ref()
    }

    /// Has the records of all flows made and sent, and files written.
    ///
    /// # Errors
    /// What could not be sent or written.
    pub(crate) fn end(&self) -> Result<(), Failure> {
        let errors: Vec<_> = self.engine.stop().iter().map(ToString::to_string).collect();
        if errors.is_empty() { Ok(()) } else { Err(Failure::Failed(errors.join("; "))) }
    }

    /// Whether streams with a limit are still sending.
    #[must_use]
    pub fn is_generating(&self) -> bool {
        let streams = self.generator().map(Generator::streams).unwrap_or_default();
        streams.iter().any(|stream| stream.enabled && stream.limit > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugins_go_by_their_names_and_by_the_file_names_of_vpp() {
        let mut choice = Choice::all();
        assert_eq!(choice.choose("pg_plugin.so", false), Ok(true));
        assert_eq!(choice.choose("dpdk_plugin.so", false), Ok(false));
        let unknown = |name: &str| Err(ChoiceError::Unknown { name: name.to_owned() });
        assert_eq!(choice.choose("unittest_plugin.so", true), Ok(false));
        assert_eq!(choice.choose("gp", false), unknown("gp"));
        assert_eq!(choice.choose("nodes", false), Err(ChoiceError::Required("nodes")));
        let has = |choice: &Choice| -> Vec<_> {
            KNOWN.iter().filter(|known| choice.has(known)).map(|known| known.name).collect()
        };
        let expected = [
            "nodes",
            "binary_api",
            "capture",
            "acl",
            "af_packet",
            "af_xdp",
            "flowprobe",
            "ipfix_bridge",
            "ping",
            "stats",
            "tap",
        ];
        assert_eq!(has(&choice), expected);
        let mut few = Choice { default: false, ..choice };
        assert_eq!(few.choose("flowprobe_plugin.so", true), Ok(true));
        let core = ["nodes", "binary_api", "capture", "flowprobe", "stats", "tap"];
        assert_eq!(has(&few), core);
    }
}
