//! What a plugin reads from the startup file.

/// A stanza of the startup file that belongs to a plugin: `NAME { WORD VALUE ... }`.
///
/// Words are set before the plugin is registered; what it was not told has its default. The file may repeat a word, and the
/// last one holds.
pub struct Stanza {
    name: &'static str,
    words: Vec<StanzaWord>,
    present: Option<Box<dyn Fn()>>,
}

/// A word of a plugin's stanza.
pub struct StanzaWord {
    name: &'static str,
    /// `None` for a word that takes no value.
    expected: Option<&'static str>,
    set: Box<dyn Fn(&str) -> bool>,
}

impl Stanza {
    /// A stanza without words.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, words: Vec::new(), present: None }
    }

    /// Adds a word that takes a value; `expected` says what would be one, for instance `a number of seconds`. `set` says
    /// whether it is one, and applies it if so.
    #[must_use]
    pub fn value(
        mut self,
        name: &'static str,
        expected: &'static str,
        set: impl Fn(&str) -> bool + 'static,
    ) -> Self {
        self.words.push(StanzaWord { name, expected: Some(expected), set: Box::new(set) });
        self
    }

    /// Adds a word that takes no value.
    #[must_use]
    pub fn flag(mut self, name: &'static str, set: impl Fn() + 'static) -> Self {
        let set = move |_: &str| {
            set();
            true
        };
        self.words.push(StanzaWord { name, expected: None, set: Box::new(set) });
        self
    }

    /// Has the plugin told that the file has its stanza, before it is told any word of it.
    #[must_use]
    pub fn present(mut self, set: impl Fn() + 'static) -> Self {
        self.present = Some(Box::new(set));
        self
    }

    /// Tells the plugin that the file has its stanza.
    pub fn tell_present(&self) {
        if let Some(set) = &self.present {
            set();
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Its words.
    #[must_use]
    pub fn words(&self) -> &[StanzaWord] {
        &self.words
    }

    /// The word of that name.
    #[must_use]
    pub fn word(&self, name: &str) -> Option<&StanzaWord> {
        self.words.iter().find(|word| word.name == name)
    }
}

impl StanzaWord {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What would be a value; `None` for a word that takes none.
    #[must_use]
    pub const fn expected(&self) -> Option<&'static str> {
        self.expected
    }

    /// Applies `value`, unless it is none. A word that takes no value does not look at it.
    #[must_use]
    pub fn set(&self, value: &str) -> bool {
        (self.set)(value)
    }
}
