//! The `peloton` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    peloton::main(std::env::args_os())
}
