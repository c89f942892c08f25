//! One request, one answer.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use keyvigil_connector::call::CallContext;
use keyvigil_connector::failure::{CallError, FailureClass};
use keyvigil_model::untrusted::Untrusted;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Certificate, Response};

use crate::endpoint::{Endpoint, Place};
use crate::redact::Redactor;
use crate::resolver::GuardedResolver;
use crate::status::{classify, retry_after};

/// Time to connect, the TLS handshake included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// An answer is read up to this size; what is longer is cut.
const MAX_BODY: usize = 64 * 1024;
/// Characters of an answer that an error quotes.
const QUOTED: usize = 200;

/// What the environment of the client looks like.
#[derive(Clone, Debug, Default)]
pub struct HttpOptions {
    /// Certificates in PEM form, trusted besides those of the system.
    pub extra_ca: Vec<Vec<u8>>,
    /// Which proxy is used for addresses outside this machine.
    pub proxy: ProxyUse,
}

/// Which proxy is used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ProxyUse {
    /// What `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` say.
    #[default]
    FromEnvironment,
    /// None.
    Never,
}

/// The client; cheap to clone.
#[derive(Clone)]
pub struct HttpClient {
    outside: reqwest::Client,
    loopback: reqwest::Client,
}

/// An answer with a status of 2xx.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HttpReply {
    /// The status.
    pub status: u16,
    /// The body: at most 64 KiB, invalid UTF-8 replaced.
    pub body: String,
}

/// The client could not be set up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HttpSetupError {
    /// An extra certificate cannot be read; counted from zero.
    BadCertificate(usize),
    /// The TLS library refused the set-up.
    Tls(String),
}

impl fmt::Display for HttpSetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadCertificate(index) => {
                write!(f, "extra certificate {index} is not in PEM form, or holds none")
            }
            Self::Tls(reason) => write!(f, "TLS cannot be set up: {reason}"),
        }
    }
}

impl Error for HttpSetupError {}

impl HttpClient {
    /// Sets up the client.
    pub fn new(options: &HttpOptions) -> Result<Self, HttpSetupError> {
        let mut trusted = Vec::new();
        for (index, pem) in options.extra_ca.iter().enumerate() {
            match Certificate::from_pem_bundle(pem) {
                Ok(bundle) if !bundle.is_empty() => trusted.extend(bundle),
                Ok(_) | Err(_) => return Err(HttpSetupError::BadCertificate(index)),
            }
        }
        let build = |place: Place| {
            let mut builder = reqwest::Client::builder()
                .user_agent(concat!("keyvigil/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(CONNECT_TIMEOUT)
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .referer(false)
                .pool_idle_timeout(Duration::from_secs(30))
                .dns_resolver(Arc::new(GuardedResolver::new(place)));
            if !trusted.is_empty() {
                builder = builder.tls_certs_merge(trusted.clone());
            }
            if place == Place::Loopback || options.proxy == ProxyUse::Never {
                builder = builder.no_proxy();
            }
            builder
                .build()
                .map_err(|error| HttpSetupError::Tls(deepest(&error).to_string()))
        };
        Ok(Self {
            outside: build(Place::Outside)?,
            loopback: build(Place::Loopback)?,
        })
    }

    /// Sends a JSON body and returns the answer if its status is 2xx.
    ///
    /// Errors: `Throttled` means that nothing was accepted. `Transient` leaves open whether the other side acted on the
    /// request: it may have been received and only the answer lost. Texts hold neither address nor token.
    pub async fn post_json(
        &self,
        call: &CallContext,
        endpoint: &Endpoint,
        body: String,
    ) -> Result<HttpReply, CallError> {
        let client = match endpoint.place() {
            Place::Outside => &self.outside,
            Place::Loopback => &self.loopback,
        };
        let redactor = endpoint.redactor();
        let sent = client
            .post(endpoint.url().clone())
            .timeout(call.timeout)
            .header(CONTENT_TYPE, "application/json")
            .body(body)
            .send()
            .await;
        match sent {
            Ok(response) => read(call, endpoint, &redactor, response).await,
            Err(error) => Err(failed(call, endpoint, &redactor, &error)),
        }
    }
}

async fn read(
    call: &CallContext,
    endpoint: &Endpoint,
    redactor: &Redactor<'_>,
    mut response: Response,
) -> Result<HttpReply, CallError> {
    let status = response.status().as_u16();
    let wait = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| retry_after(value, call.now));
    let verdict = classify(status, wait);
    let mut bytes = Vec::new();
    let cut_short = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let room = MAX_BODY - bytes.len();
                bytes.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
                if bytes.len() == MAX_BODY {
                    break None;
                }
            }
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    let body = String::from_utf8_lossy(&bytes).into_owned();
    match (verdict, cut_short) {
        (Ok(()), None) => Ok(HttpReply { status, body }),
        (Ok(()), Some(error)) => Err(failed(call, endpoint, redactor, &error)),
        // The status says enough, even if the rest of the answer is missing.
        (Err(class), _) => {
            let said = Untrusted::new(redactor.redact(&body)).one_line(QUOTED);
            let message = match said.as_str() {
                _ if (300..=399).contains(&status) => {
                    format!("HTTP {status}: a redirect, which is never followed")
                }
                "" => format!("HTTP {status} without an explanation"),
                said => format!("HTTP {status}: {said}"),
            };
            Err(CallError::new(class, endpoint.call(), message))
        }
    }
}

/// A request without a complete answer.
fn failed(
    call: &CallContext,
    endpoint: &Endpoint,
    redactor: &Redactor<'_>,
    error: &reqwest::Error,
) -> CallError {
    let (class, message) = if error.is_timeout() {
        let seconds = call.timeout.as_secs_f32();
        (
            FailureClass::Transient,
            format!("no complete answer within {seconds} s (at most 5 s of it to connect)"),
        )
    } else if error.is_builder() {
        (FailureClass::Permanent, "the request cannot be built".to_owned())
    } else {
        let cause = Untrusted::new(redactor.redact(&deepest(error).to_string())).one_line(QUOTED);
        let during = if error.is_connect() {
            "cannot connect"
        } else {
            "the connection broke"
        };
        (FailureClass::Transient, format!("{during}: {cause}"))
    };
    CallError::new(class, endpoint.call(), message)
}

/// The innermost cause: reqwest's own text holds the address.
fn deepest(error: &reqwest::Error) -> &dyn Error {
    let Some(mut cause) = error.source() else {
        return &NoCause;
    };
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause
}

#[derive(Debug)]
struct NoCause;

impl fmt::Display for NoCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no reason given")
    }
}

impl Error for NoCause {}

#[cfg(test)]
mod tests;
