//! The one HTTP client. It makes one request and says in [`FailureClass`](keyvigil_connector::failure::FailureClass)
//! what to do about a failure; it never retries, follows no redirect, and no error of it holds an address or a token:
//! the addresses of webhooks are credentials.

pub mod client;
pub mod endpoint;
mod redact;
mod resolver;
pub mod status;

pub use client::{HttpClient, HttpOptions, HttpReply, HttpSetupError, ProxyUse};
pub use endpoint::{Endpoint, EndpointProblem};
