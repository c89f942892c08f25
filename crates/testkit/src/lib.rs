//! Fake clouds and receivers that speak the documented wire formats, for tests and for `keyvigil demo`.
//!
//! They are strict where a lenient fake would hide a mistake: a request without a signature header, without a required
//! parameter, or with a page token that belongs to other parameters is refused as the provider refuses it. They are
//! never the only proof where an independent peer exists (docs/CONTRIBUTING.md lists the peers).

pub mod aws;
pub mod pagerduty;
pub mod server;
pub mod slack;
