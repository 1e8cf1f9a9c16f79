//! The plugins of the program, and which of them an engine has.

use std::collections::BTreeMap;

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
    /// No engine goes without it.
    required: bool,
    make: fn() -> Plugin,
}

/// All plugins of this program.
pub const KNOWN: &[Known] = &[
    Known { name: "nodes", required: true, make: nodes::plugin },
    Known { name: "pg", required: false, make: pg::plugin },
    Known { name: "binary_api", required: true, make: binary_api::plugin },
    Known { name: "capture", required: false, make: || capture::plugin(Captures::new()) },
    Known { name: "acl", required: false, make: acl::plugin },
    Known { name: "af_packet", required: false, make: af_packet::plugin },
    Known { name: "af_xdp", required: false, make: af_xdp::plugin },
    Known { name: "flowprobe", required: false, make: flowprobe::plugin },
    Known { name: "ipfix_bridge", required: false, make: ipfix_bridge::plugin },
    Known { name: "ping", required: false, make: ping::plugin },
    Known { name: "tap", required: false, make: tap::plugin },
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
    words: Vec<PluginWord>,
}

/// A word of a plugin's stanza in the startup file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PluginWord {
    plugin: &'static str,
    word: String,
    value: String,
}

impl Choice {
    /// All plugins.
    #[must_use]
    pub const fn all() -> Self {
        Self { default: true, named: BTreeMap::new(), words: Vec::new() }
    }

    /// Enables or disables the plugin of that name. `false` when there is none, but its name is one of VPP's file names and
    /// it was to be disabled: then all is as it should be.
    ///
    /// # Errors
    /// When there is none of that name, or it cannot be disabled.
    pub fn choose(&mut self, name: &str, enable: bool) -> Result<bool, ChoiceError> {
        let short = name.strip_suffix("_plugin.so");
        let Some(known) = KNOWN.iter().find(|known| known.name == short.unwrap_or(name)) else {
            return match short {
                Some(_) if !enable => Ok(false),
                _ => Err(ChoiceError::Unknown { name: name.to_owned() }),
            };
        };
        if known.required && !enable {
            return Err(ChoiceError::Required(known.name));
        }
        self.named.insert(known.name, enable);
        Ok(true)
    }

    /// Has the plugin of that name told a word of its stanza, and a value that it takes.
    pub(crate) fn tell(&mut self, plugin: &'static str, word: String, value: String) {
        self.words.push(PluginWord { plugin, word, value });
    }

    /// Whether the engine has the plugin of that name.
    pub(crate) fn has_plugin(&self, name: &str) -> bool {
        KNOWN.iter().any(|known| known.name == name && self.has(known))
    }

    fn words_of(&self, plugin: &'static str) -> impl Iterator<Item = &PluginWord> {
        self.words.iter().filter(move |word| word.plugin == plugin)
    }

    fn has(&self, known: &Known) -> bool {
        known.required || self.named.get(known.name).copied().unwrap_or(self.default)
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
            for PluginWord { word, value, .. } in choice.words_of(known.name) {
                let word = plugin.stanza().and_then(|stanza| stanza.word(word));
                let was_set = word.is_none_or(|word| word.set(value));
                debug_assert!(was_set, "it was a value when the file was read");
            }
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
        assert_eq!(choice.choose("dpdk_plugin.so", true), unknown("dpdk_plugin.so"));
        assert_eq!(choice.choose("gp", false), unknown("gp"));
        assert_eq!(choice.choose("nodes", false), Err(ChoiceError::Required("nodes")));
        let has = |choice: &Choice| -> Vec<_> {
            KNOWN.iter().filter(|known| choice.has(known)).map(|known| known.name).collect()
        };
        let expected = [
            "nodes",
            "capture",
            "acl",
            "af_packet",
            "af_xdp",
            "flowprobe",
            "ipfix_bridge",
            "ping",
            "tap",
        ];
        assert_eq!(has(&choice), expected);
        assert_eq!(has(&Choice { default: false, ..choice }), ["nodes"]);
    }
}
