//! The program that nodes run: `sealer-balancer CONFIG` serves until it is ended, and takes up a
//! changed CONFIG by itself.

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(config) = std::env::args_os().nth(1) else {
        eprintln!("usage: sealer-balancer CONFIG");
        return ExitCode::from(2);
    };
    match sealer_balancer::run(&PathBuf::from(config), &mut |line| eprintln!("{line}")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sealer-balancer: {error}");
            ExitCode::FAILURE
        }
    }
}
