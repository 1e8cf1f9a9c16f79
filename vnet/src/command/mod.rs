//! Commands as data: tree, grammar, help, completion, and output as text or JSON.

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
pub use self::error::{ApiError, Error, Failure, OperationError, Shown};
pub use self::file::open_regular;
pub use self::grammar::{
    Args, Field, Grammar, Members, Scope, Slot, choice, flag, group, keyword, one_of, positional,
    rest,
};
pub use self::output::{Align, Cell, Column, Format, Output, Record, Row, Table};
pub use self::resolve::{NameKind, NoNames, Resolver};
pub use self::script::{Lines, Statement, Statements, is_unfinished, statements};
pub use self::session::{
    Context, HISTORY, MAX_EXEC_DEPTH, Reply, Session, Terminal, execute, run_file, run_script,
};
pub use self::tree::{Command, Invocation, LocalFuture, Tree, TreeError};
