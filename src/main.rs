//! The `regrow` command: reads the command line, calls the library, prints what it returns.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
