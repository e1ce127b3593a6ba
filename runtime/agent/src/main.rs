//! The program that is put on a host: it talks with the operator's sealer over standard input and
//! output, and ends with them.

use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Nobody needs the files from here on; whatever ends us, they are gone. Other hosts may ask for
    // the program as it came.
    let mut packed = Vec::new();
    if let Ok(own) = std::env::current_exe() {
        let beside = own.with_extension("gz");
        packed = std::fs::read(&beside).unwrap_or_default();
        let _ = std::fs::remove_file(beside);
        let _ = std::fs::remove_file(own);
    }
    match sealer_agent::run(io::stdin(), Box::new(io::stdout()), packed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
