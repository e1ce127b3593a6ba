//! The program: arguments, commands, rendering, exit codes.
fn main() {}
