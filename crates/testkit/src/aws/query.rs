//! The Query protocol: a form goes in, XML comes out. STS, EC2, RDS and IAM speak it.

use std::sync::Mutex;

use axum::response::Response;
use http::StatusCode;

use super::world::World;
use super::{Call, Fault, iam, recorded, status, storage, sts};
use crate::server;

pub(super) fn handle(
    world: &Mutex<World>,
    call: &Call<'_>,
    service: &'static str,
    operation: &str,
) -> Response {
    let result = recorded(world, call, service, operation, |world| match service {
        "sts" => sts::answer(call, operation),
        "iam" => iam::answer(world, call, operation),
        _ => storage::answer(world, call, service, operation),
    });
    match result {
        Ok(inner) if service == "ec2" => xml(
            StatusCode::OK,
            format!(
                "<{operation}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>r</requestId>{inner}</{operation}Response>"
            ),
        ),
        Ok(inner) => xml(
            StatusCode::OK,
            format!(
                "<{operation}Response><{operation}Result>{inner}</{operation}Result><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{operation}Response>"
            ),
        ),
        Err(fault) => fault_xml(service, &fault),
    }
}

fn fault_xml(service: &str, fault: &Fault) -> Response {
    let (code, message) = (&fault.code, escape(&fault.message));
    let error = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    let body = if service == "ec2" {
        format!("<Response><Errors>{error}</Errors><RequestID>r</RequestID></Response>")
    } else {
        format!("<ErrorResponse>{error}<RequestId>r</RequestId></ErrorResponse>")
    };
    xml(status(fault), body)
}

pub(super) fn xml(status: StatusCode, body: String) -> Response {
    server::answer(
        status,
        "text/xml",
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}"),
    )
}

/// A parameter of a form.
pub(super) fn parameter(body: &[u8], name: &str) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    text.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        (key == name).then(|| decode(value))
    })
}

/// Percent decoding of a form value or a query string.
pub(super) fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = [rest.next().unwrap_or(b'0'), rest.next().unwrap_or(b'0')];
                let value = std::str::from_utf8(&digits)
                    .ok()
                    .and_then(|hex| u8::from_str_radix(hex, 16).ok());
                bytes.push(value.unwrap_or(b'?'));
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
