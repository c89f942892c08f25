//! The command starts and knows its name. That this test exists also makes `cargo test` build the binary that the system
//! tests start, with the same features as everything else.

use std::process::Command;

#[test]
fn the_command_tells_its_version() {
    let output = Command::new(env!("CARGO_BIN_EXE_keyvigil"))
        .arg("--version")
        .output()
        .unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.trim(), concat!("keyvigil ", env!("CARGO_PKG_VERSION")));
}
