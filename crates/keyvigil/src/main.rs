//! The `keyvigil` command.
fn main() {}
