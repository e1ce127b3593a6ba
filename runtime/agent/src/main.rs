//! The program that is put on a host: it talks with the operator's sealer over standard input and
//! output, and ends with them.

use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Nobody needs the file from here on; whatever ends us, it is gone.
    if let Ok(own) = std::env::current_exe() {
        let _ = std::fs::remove_file(own);
    }
    match sealer_agent::run(io::stdin(), Box::new(io::stdout())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
