//! Lines from a pipe or a file: no prompt, no colours, no pager.

use std::io::{self, BufRead, Read, Write};

use vnet::command::Lines;

use super::{End, ShellError};
use crate::{
    control::client::{Client, Printed},
    signal,
    stdout::{self, StdoutError},
};

/// The longest command, with all of its lines.
const LONGEST: usize = 1 << 20;

/// Runs every line of standard input. A command that fails does not keep the next from being run, but is remembered.
pub(super) fn run(mut client: Client) -> Result<End, ShellError> {
    let mut input = io::stdin().lock();
    let mut failed = false;
    loop {
        let command = match next(&mut input).map_err(ShellError::Stdin)? {
            Next::Command(command) => command,
            Next::TooLong => {
                let complaint = format!("a command longer than {LONGEST} bytes was not run\n");
                print(Printed::Complaint(complaint.as_bytes()))?;
                failed = true;
                continue;
            }
            Next::End => break,
        };
        let done = client.execute(&command, &mut print)?;
        failed |= !done.ok;
        if done.quit {
            break;
        }
        if signal::caught().is_some() {
            return Ok(End::Interrupted);
        }
    }
    Ok(End::Left { failed })
}

/// Output to standard output, errors to standard error.
pub fn print(printed: Printed<'_>) -> Result<(), StdoutError> {
    match printed {
        Printed::Output(text) => stdout::print(text),
        Printed::Complaint(text) => {
            // When even standard error is gone, the exit status is all that is left.
            let _: io::Result<()> = io::stderr().write_all(text);
            Ok(())
        }
    }
}

/// What standard input holds next.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// A line, and those behind it while a brace is open.
    Command(Vec<u8>),
    /// A command that is longer than [`LONGEST`]; it and the rest of its line are skipped.
    TooLong,
    /// Nothing.
    End,
}

fn next(input: &mut impl BufRead) -> io::Result<Next> {
    let mut command = Vec::new();
    let mut lines = Lines::default();
    loop {
        let before = command.len();
        let room = (LONGEST - before) as u64;
        let length = input.by_ref().take(room).read_until(b'\n', &mut command)?;
        if command.len() == LONGEST && !command.ends_with(b"\n") {
            input.skip_until(b'\n')?;
            return Ok(Next::TooLong);
        }
        // What is not text is refused as a whole.
        let goes_on = str::from_utf8(&command[before..]).is_ok_and(|line| lines.go_on_behind(line));
        match (length, goes_on) {
            (0, _) if command.is_empty() => return Ok(Next::End),
            (0, _) | (_, false) => return Ok(Next::Command(command)),
            (_, true) if command.len() == LONGEST => return Ok(Next::TooLong),
            (_, true) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(mut input: &[u8]) -> Vec<String> {
        let mut commands = Vec::new();
        while let Next::Command(command) = next(&mut input).unwrap() {
            commands.push(String::from_utf8_lossy(&command).into_owned());
        }
        commands
    }

    #[test]
    fn a_command_goes_on_while_a_brace_is_open_or_a_line_is_continued() {
        let commands = commands(b"a\n\nnew {\n x {\n }\n y\n}\necho \\\n b\n\xff{\nlast {\n");
        let expected =
            ["a\n", "\n", "new {\n x {\n }\n y\n}\n", "echo \\\n b\n", "\u{fffd}{\n", "last {\n"];
        assert_eq!(commands, expected);
    }

    #[test]
    fn a_long_command_is_read_in_one_pass() {
        let text = format!("comment {{\n{}}}\nafter\n", "\"}\"\n".repeat(200_000));
        let start = std::time::Instant::now();
        assert_eq!(commands(text.as_bytes()).len(), 2);
        assert!(start.elapsed() < std::time::Duration::from_secs(5), "{:?}", start.elapsed());
    }

    #[test]
    fn of_a_line_that_is_too_long_no_part_is_run() {
        let text = [vec![b'x'; LONGEST + 100], b"\nafter\n".to_vec()].concat();
        let mut input = text.as_slice();
        assert_eq!(next(&mut input).unwrap(), Next::TooLong);
        assert_eq!(next(&mut input).unwrap(), Next::Command(b"after\n".to_vec()));
        assert_eq!(next(&mut input).unwrap(), Next::End);
    }
}
