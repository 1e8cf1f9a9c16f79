//! Templates by name, and who uses them.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use super::{FieldError, FieldList, InterfaceTexts};
use crate::{
    command::{ApiError, OperationError},
    interface::InterfaceTable,
};

/// Most letters of a name.
const MAX_NAME: usize = 32;
/// Most templates that an engine has.
const MAX_TEMPLATES: usize = 256;

/// The templates of an engine that users made. Clones are the same ones; they belong to the main thread.
#[derive(Clone, Default)]
pub struct NamedTemplates {
    templates: Rc<RefCell<BTreeMap<String, Rc<Named>>>>,
    interfaces: InterfaceTexts,
}

struct Named {
    name: String,
    list: FieldList,
    users: RefCell<Vec<&'static str>>,
}

/// A template in use; it cannot be removed until this is dropped.
pub struct Lease {
    named: Rc<Named>,
    user: &'static str,
}

/// Why an operation on templates is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It must be a word that commands can have.
    #[error("`{0}' is no name: 1 to {most} letters, digits, `-', `_' and `.'", most = MAX_NAME)]
    Name(String),
    /// Names are unique.
    #[error("there is a template {0} already; remove it first")]
    Exists(String),
    /// There is none.
    #[error("there is no template {0}; `show ipfix template' lists them")]
    NoSuch(String),
    /// Records of it are made.
    #[error("template {name} is in use by {}", users.join(", "))]
    InUse {
        /// Which.
        name: String,
        /// By whom.
        users: Vec<&'static str>,
    },
    /// Enough.
    #[error("there are {} templates already; remove one first", MAX_TEMPLATES)]
    TooMany,
    /// The fields make no template.
    #[error(transparent)]
    Fields(#[from] FieldError),
}

impl OperationError for TemplateError {
    fn api_error(&self) -> ApiError {
        match self {
            Self::Name(_) | Self::Fields(_) => ApiError::InvalidValue,
            Self::Exists(_) => ApiError::EntryAlreadyExists,
            Self::NoSuch(_) => ApiError::NoSuchEntry,
            Self::InUse { .. } | Self::TooMany => ApiError::Unsupported,
        }
    }
}

impl NamedTemplates {
    /// Makes a template of a list of fields, see [`FieldList::parse`].
    ///
    /// # Errors
    /// See [`TemplateError`].
    pub fn add(&self, name: &str, fields: &str) -> Result<(), TemplateError> {
        let is_letter = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(is_letter) {
            return Err(TemplateError::Name(name.to_owned()));
        }
        let mut templates = self.templates.borrow_mut();
        if templates.contains_key(name) {
            return Err(TemplateError::Exists(name.to_owned()));
        }
        if templates.len() == MAX_TEMPLATES {
            return Err(TemplateError::TooMany);
        }
        let list = FieldList::parse(fields)?.with_interfaces(self.interfaces.clone());
        let name = name.to_owned();
        let named = Named { name: name.clone(), list, users: RefCell::default() };
        templates.insert(name, Rc::new(named));
        Ok(())
    }

    /// Removes a template that nobody uses.
    ///
    /// # Errors
    /// [`TemplateError::NoSuch`] and [`TemplateError::InUse`].
    pub fn remove(&self, name: &str) -> Result<(), TemplateError> {
        let mut templates = self.templates.borrow_mut();
        let named = templates.get(name).ok_or_else(|| TemplateError::NoSuch(name.to_owned()))?;
        let users = named.users.borrow().clone();
        if !users.is_empty() {
            return Err(TemplateError::InUse { name: name.to_owned(), users });
        }
        templates.remove(name);
        Ok(())
    }

    /// Takes a template into use.
    ///
    /// # Errors
    /// [`TemplateError::NoSuch`].
    pub fn lease(&self, name: &str, user: &'static str) -> Result<Lease, TemplateError> {
        let templates = self.templates.borrow();
        let named = templates.get(name).ok_or_else(|| TemplateError::NoSuch(name.to_owned()))?;
        named.users.borrow_mut().push(user);
        Ok(Lease { named: named.clone(), user })
    }

    /// Notes what interfaces are called now, if there is a template that tells it.
    pub(in crate::ipfix) fn look(&self, table: &InterfaceTable) {
        if self.templates.borrow().values().any(|named| named.list.tells_interfaces()) {
            self.interfaces.look(table);
        }
    }

    /// Shows all, by name, with who uses them.
    pub fn for_each(&self, mut visit: impl FnMut(&str, &FieldList, &[&'static str])) {
        for named in self.templates.borrow().values() {
            visit(&named.name, &named.list, &named.users.borrow());
        }
    }
}

impl Lease {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.named.name
    }

    /// Its fields.
    #[must_use]
    pub fn list(&self) -> &FieldList {
        &self.named.list
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut users = self.named.users.borrow_mut();
        if let Some(at) = users.iter().position(|user| *user == self.user) {
            users.swap_remove(at);
        }
    }
}
