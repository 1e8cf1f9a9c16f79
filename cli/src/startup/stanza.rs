//! How stanzas are read by a table of their words.

use vnet::{
    command::Shown,
    plugin::{self, Plugin, StanzaWord},
};

use super::{
    Startup,
    text::{Block, Problem, StartupError, Text, Word},
};
use crate::plugins::{self, ChoiceError};

/// A stanza: `name { ... }`.
pub(super) struct Stanza {
    pub(super) name: &'static str,
    /// What can stand in it.
    pub(super) words: &'static [(&'static str, Kind)],
}

/// What a word of a stanza takes and does.
pub(super) enum Kind {
    /// Stands alone.
    Flag(fn(&mut Startup)),
    /// Takes a value; the text says what would be one.
    Value(&'static str, fn(&mut Startup, &str) -> Result<(), Refusal>),
    /// Takes a name and a block with words of its own.
    Named(&'static str, &'static [(&'static str, Setting)]),
    /// Is VPP's and has no effect; stands alone.
    VppFlag,
    /// Is VPP's and has no effect; takes a value.
    VppValue,
    /// Is VPP's and has no effect; takes a value and a block.
    VppBlock,
}

/// What a word in the block of a name takes and does.
pub(super) enum Setting {
    /// Stands alone. `false` when there is nothing that it could change.
    Flag(fn(&mut Startup, &str) -> Result<bool, Refusal>),
    /// Takes a value.
    Value(&'static str, fn(&mut Startup, &str, &str) -> Result<(), Refusal>),
    /// Is VPP's and has no effect; stands alone.
    VppFlag,
}

/// Why a value is not taken.
pub(super) enum Refusal {
    /// It is none.
    BadValue,
    /// This engine cannot do that.
    Impossible(&'static str),
    /// A plugin.
    Plugin(ChoiceError),
}

/// Reads all of `text`: the stanzas of plugins, then those of `stanzas`, and those of VPP that have no effect.
pub(super) fn read(
    startup: &mut Startup,
    text: &Text,
    stanzas: &[Stanza],
    of_vpp: &[&str],
) -> Result<(), StartupError> {
    let mut file = text.block()?;
    let mut of_plugins = Vec::new();
    while let Some(name) = file.word()? {
        if let Some(plugin) = plugin_of(&name.text) {
            let mut block = file.block(&name)?;
            for stanza in plugin.stanzas().iter().filter(|stanza| stanza.name() == name.text) {
                read_plugin(startup, stanza, &mut block)?;
            }
            of_plugins.push((name, plugin.name()));
        } else if let Some(stanza) = stanzas.iter().find(|stanza| stanza.name == name.text) {
            let mut block = file.block(&name)?;
            read_words(startup, &name.text, &mut block, stanza.words)?;
        } else if of_vpp.contains(&name.text.as_str()) {
            let block = file.block(&name)?;
            note(startup, &block, &name, &name.text);
        } else {
            return Err(unknown(text, name, stanzas));
        }
    }
    // Only now it is known which plugins there will be.
    for (name, plugin) in of_plugins {
        if !startup.plugins.has_plugin(plugin) {
            note(startup, &file, &name, &name.text);
        }
    }
    Ok(())
}

/// The plugin whose stanza it is.
pub(super) fn plugin_of(name: &str) -> Option<Plugin> {
    plugins::all().find(|plugin| plugin.stanzas().iter().any(|stanza| stanza.name() == name))
}

fn unknown(text: &Text, name: Word, stanzas: &[Stanza]) -> StartupError {
    let plugins: Vec<_> = plugins::all().collect();
    let of_plugins = plugins.iter().flat_map(Plugin::stanzas).map(plugin::Stanza::name);
    let known = list(stanzas.iter().map(|stanza| stanza.name).chain(of_plugins));
    text.error(name.at, Problem::UnknownStanza { word: name.text, known })
}

/// Reads the stanza of a plugin, which is asked whether the values are any. They are kept for the plugin that the engine will
/// have.
fn read_plugin(
    startup: &mut Startup,
    stanza: &plugin::Stanza,
    block: &mut Block<'_>,
) -> Result<(), StartupError> {
    let words: Vec<(&'static str, &StanzaWord)> =
        stanza.words().iter().map(|w| (w.name(), w)).collect();
    startup.plugins.tell_present(stanza.name());
    let mut behind = None;
    while let Some(word) = behind.take().map_or_else(|| block.word(), |word| Ok(Some(word)))? {
        let known = find(block, stanza.name(), &word, &words)?;
        let Some(expected) = known.expected() else {
            startup.plugins.tell(stanza.name(), word.text, String::new());
            continue;
        };
        let value = block.value(&word, expected)?;
        let taken = match known.set(&value.text) {
            true => value.text,
            false => match run_on(&words, &value).filter(|(front, _)| known.set(front)) {
                Some((front, next)) => {
                    behind = Some(next);
                    front
                }
                None => {
                    let refusal = Refusal::BadValue;
                    return Err(refused(block, &word.text, &value, expected, refusal));
                }
            },
        };
        startup.plugins.tell(stanza.name(), word.text, taken);
    }
    Ok(())
}

/// A value and the word that stands behind it without a blank: VPP needs none there, and its test harness leaves one out.
fn run_on(words: &[(&'static str, &StanzaWord)], value: &Word) -> Option<(String, Word)> {
    words.iter().find_map(|(name, _)| {
        let front = value.text.strip_suffix(name).filter(|front| !front.is_empty())?;
        let next = Word { text: (*name).to_owned(), at: value.at + front.len() };
        Some((front.to_owned(), next))
    })
}

fn read_words(
    startup: &mut Startup,
    stanza: &str,
    block: &mut Block<'_>,
    words: &[(&'static str, Kind)],
) -> Result<(), StartupError> {
    while let Some(word) = block.word()? {
        match find(block, stanza, &word, words)? {
            Kind::Flag(set) => set(startup),
            Kind::Value(expected, set) => {
                let value = block.value(&word, expected)?;
                let refused = |refusal| refused(block, &word.text, &value, expected, refusal);
                set(startup, &value.text).map_err(refused)?;
            }
            Kind::Named(expected, settings) => {
                let name = block.value(&word, expected)?;
                let mut inner = block.block(&name)?;
                read_settings(startup, &word.text, &name, &mut inner, settings)?;
            }
            Kind::VppFlag => note(startup, block, &word, &format!("{stanza} {}", word.text)),
            Kind::VppValue => {
                block.value(&word, "a value")?;
                note(startup, block, &word, &format!("{stanza} {}", word.text));
            }
            Kind::VppBlock => {
                let value = block.value(&word, "a value")?;
                block.block(&value)?;
                note(startup, block, &word, &format!("{stanza} {}", word.text));
            }
        }
    }
    Ok(())
}

fn read_settings(
    startup: &mut Startup,
    kind: &str,
    name: &Word,
    block: &mut Block<'_>,
    settings: &[(&'static str, Setting)],
) -> Result<(), StartupError> {
    let stanza = format!("{kind} {}", name.text);
    while let Some(word) = block.word()? {
        match find(block, &stanza, &word, settings)? {
            Setting::Flag(set) => {
                let refused = |refusal| refused(block, kind, name, "a name", refusal);
                if !set(startup, &name.text).map_err(refused)? {
                    note(startup, block, name, &stanza);
                }
            }
            Setting::Value(expected, set) => {
                let value = block.value(&word, expected)?;
                let refused = |refusal| refused(block, &word.text, &value, expected, refusal);
                set(startup, &name.text, &value.text).map_err(refused)?;
            }
            Setting::VppFlag => note(startup, block, &word, &format!("{stanza} {}", word.text)),
        }
    }
    Ok(())
}

fn find<'w, K>(
    block: &Block<'_>,
    stanza: &str,
    word: &Word,
    words: &'w [(&'static str, K)],
) -> Result<&'w K, StartupError> {
    let found = words.iter().find(|(name, _)| *name == word.text);
    found.map(|(_, kind)| kind).ok_or_else(|| {
        let known = list(words.iter().map(|(name, _)| *name));
        let (stanza, text) = (stanza.to_owned(), word.text.clone());
        block.text.error(word.at, Problem::UnknownWord { stanza, word: text, known })
    })
}

fn refused(
    block: &Block<'_>,
    word: &str,
    value: &Word,
    expected: &'static str,
    refusal: Refusal,
) -> StartupError {
    let (word, text) = (word.to_owned(), value.text.clone());
    let problem = match refusal {
        Refusal::BadValue => Problem::BadValue { word, value: text, expected },
        Refusal::Impossible(why) => Problem::Impossible { word, value: text, why },
        Refusal::Plugin(error) => error.into(),
    };
    block.text.error(value.at, problem)
}

fn note(startup: &mut Startup, block: &Block<'_>, word: &Word, what: &str) {
    startup.notes.push(format!(
        "{}: `{}' has no effect here",
        block.text.place(word.at),
        Shown(what)
    ));
}

fn list(words: impl Iterator<Item = &'static str>) -> String {
    words.collect::<Vec<_>>().join(", ")
}
