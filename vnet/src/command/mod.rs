//! Commands as data: tree, grammar, help, completion, and output as text or JSON.
//!
//! # Writing a command
//!
//! A [`Command`] is a path of words, a line of help, and a handler. What the handler takes beside its context decides the
//! grammar: `()` for no arguments, or a struct that [`args!`](crate::args) declares together with the grammar of each field.
//! Help, completion, error messages and the reference come from that grammar; nothing of a line is applied unless all of
//! it was understood.
//!
//! - *Fields*: [`positional`] values by their place, and in any order [`keyword`]s with a value, [`flag`]s, a [`choice`] of
//!   words, a [`group`] of fields behind a word, [`one_of`] several, the [`rest`] of the line. `.optional()`,
//!   `.or(default)`, `.many()` and `.at_least_once()` say how often, `.help("...")` explains.
//! - *Values* parse one word or a block in braces: numbers with a range, addresses, interfaces, files and more are in
//!   [`value`]. A kind of one's own is a [`Value::simple`](value::Value::simple) of a parser, such as a `nom` one, or another
//!   value with [`map`](value::Value::map).
//! - *Handlers* are plain functions ([`Command::sync`]) or asynchronous ones ([`Command::new`]) that may wait for a process.
//!   They reach the engine by [`CommandCx::with`](crate::process::Cx::with), and what they share with the rest of a plugin
//!   through what they capture.
//! - *Output* is a value, never printed by hand: a text, a [`Table`] in VPP's manner, a [`Record`] of lines and fields, or
//!   nothing. A command that begins with `show` also takes `json` as its last word, and renders the same value so.
//! - *Errors* of an operation are an enum that implements [`OperationError`]: the text for people, and VPP's number. They are
//!   printed behind the command's words, `police add: class 46 is policed already`.
//!
//! ```
//! use std::{cell::RefCell, collections::BTreeMap, rc::Rc};
//! use vnet::{command::value::Value, prelude::*};
//!
//! #[derive(Clone, Copy, Debug)]
//! enum Action { Drop, Mark }
//!
//! vnet::args! {
//!     struct Add {
//!         class: u8 = positional(class()),
//!         rate: f64 = keyword("rate", value::rate()).help("packets a second"),
//!         burst: u32 = keyword("burst", value::number(1..=1000)).or(32).help("packets at once, 32"),
//!         action: Action = choice([("drop", Action::Drop), ("mark", Action::Mark)]).or(Action::Drop),
//!     }
//! }
//!
//! /// A value of our own: a number, or one of two names.
//! fn class() -> Value<u8> {
//!     Value::simple("class", "a class (ef, be, or 0 to 63)", |word| match word {
//!         "ef" => Some(46),
//!         "be" => Some(0),
//!         number => number.parse().ok().filter(|class| *class < 64),
//!     })
//! }
//!
//! #[derive(Debug, thiserror::Error)]
//! #[error("class {0} is policed already")]
//! struct Taken(u8);
//!
//! impl OperationError for Taken {
//!     fn api_error(&self) -> ApiError {
//!         ApiError::EntryAlreadyExists
//!     }
//! }
//!
//! /// What the commands share: clones are the same policies.
//! #[derive(Clone, Default)]
//! struct Policies(Rc<RefCell<BTreeMap<u8, Add>>>);
//!
//! impl Policies {
//!     fn add(&self, policy: Add) -> Result<(), Taken> {
//!         let mut policies = self.0.borrow_mut();
//!         if policies.contains_key(&policy.class) {
//!             return Err(Taken(policy.class));
//!         }
//!         policies.insert(policy.class, policy);
//!         Ok(())
//!     }
//!
//!     fn show(&self) -> Table {
//!         let columns = ["Class", "Burst", "Action"].map(|name| Column::new(name, 8, Align::Right));
//!         let row = |p: &Add| [u64::from(p.class).into(), p.burst.into(), format!("{:?}", p.action).into()];
//!         Table::new(columns).rows(self.0.borrow().values().map(row))
//!     }
//! }
//!
//! let plugin = Plugin::new("police", "1.0", "An example", |r| {
//!     let policies = Policies::default();
//!     let of = policies.clone();
//!     let add = move |_, args: Add| of.add(args);
//!     r.command(Command::sync("police add", "Limit the rate of a class.", add));
//!     let show = move |_, (): ()| policies.show();
//!     r.command(Command::sync("show police", "Show the limits.", show));
//!     Ok(())
//! });
//! let engine = Engine::builder().plugin(plugin).build()?;
//!
//! engine.command("police add ef mark rate 10k")?;
//! assert_eq!(engine.command("show police")?, "   Class   Burst  Action\n      46      32    Mark\n");
//! assert_eq!(engine.command("sh pol json")?, "[{\"class\":46,\"burst\":32,\"action\":\"Mark\"}]\n");
//!
//! let refused = |line| engine.command(line).unwrap_err().to_string();
//! assert_eq!(refused("police add 46 rate 5"), "police add: class 46 is policed already");
//! assert_eq!(
//!     refused("police add best rate 5"),
//!     "police add: `best' is not a class (ef, be, or 0 to 63) \
//!      (syntax: police add <class> rate <rate> [burst <n>] [drop|mark])",
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod api_error;
pub mod builtin;
mod complete;
mod error;
mod file;
mod grammar;
mod help;
pub mod lex;
mod matcher;
mod output;
mod resolve;
mod script;
mod session;
mod tree;
pub mod value;

pub use self::builtin::add_builtins;
pub use self::complete::{Candidate, Completions};
pub use self::file::{create_file, open_regular};
pub use self::grammar::{
    Args, Field, Grammar, Members, Scope, Slot, choice, flag, group, keyword, one_of, positional,
    rest,
};
pub(crate) use self::matcher::match_arguments;
pub use self::output::{Align, Answer, Cell, Column, Format, Output, Record, Row, Table};
pub use self::resolve::{NameKind, NoNames, Resolver};
pub use self::script::{Lines, Statement, Statements, is_unfinished, statements};
pub use self::session::{
    Context, HISTORY, MAX_EXEC_DEPTH, Reply, Session, Terminal, execute, run_file, run_script,
};
pub use self::tree::{Command, Invocation, LocalFuture, Tree, TreeError};
pub use self::{
    api_error::ApiError,
    error::{Error, Failure, OperationError, Shown},
};
