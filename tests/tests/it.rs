//! One harness for all system tests: the real binary, started as an operator starts it, against peers that are real or
//! faithful. `cargo xtask test` installs the peers and builds the binary.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that cannot go on must say so and stop"
)]

mod it {
    pub(crate) mod admin;
    pub(crate) mod cli;
    pub(crate) mod company;
    pub(crate) mod daemon;
    pub(crate) mod delivery;
    pub(crate) mod denied;
    pub(crate) mod kills;
    pub(crate) mod lookup;
    pub(crate) mod ministack;
    pub(crate) mod moto;
    pub(crate) mod peers;
    pub(crate) mod records;
    pub(crate) mod signals;
    pub(crate) mod waiting;
}
