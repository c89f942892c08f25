//! Project automation: `cargo xtask test | gen | tidy | bench`.
fn main() {}
