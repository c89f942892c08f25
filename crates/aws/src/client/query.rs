//! The signed client for services that speak AWS Query (form in, XML out): EC2, RDS and IAM.
//!
//! Their SDK crates cost minutes of compilation and gigabytes of memory for a handful of read calls; a signed POST
//! does the same. Paging and reading the XML is the caller's.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use keyvigil_connector::failure::FailureClass;
use keyvigil_model::id::Region;
use quick_xml::events::Event;

use crate::client::credentials::wall_clock;
use crate::client::failure::{AwsError, Reply, one_line, retry_after, root_cause};
use crate::client::partition::Partition;

/// Answers longer than this are refused. A page of 1,000 volumes is below 2 MiB.
const MAX_ANSWER: usize = 32 << 20;
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// A service that speaks AWS Query.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum QueryService {
    /// Compute: volumes, snapshots, the defaults of a region.
    Ec2,
    /// Relational databases.
    Rds,
    /// Identities; a global service.
    Iam,
}

impl QueryService {
    /// The prefix of its permissions, and the name that requests are signed for.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Ec2 => "ec2",
            Self::Rds => "rds",
            Self::Iam => "iam",
        }
    }

    fn version(self) -> &'static str {
        match self {
            Self::Ec2 => "2016-11-15",
            Self::Rds => "2014-10-31",
            Self::Iam => "2010-05-08",
        }
    }

    fn url(self, region: &Region, endpoint: Option<&str>) -> String {
        let partition = Partition::of_region(region);
        match (endpoint, self) {
            (Some(endpoint), _) => format!("{}/", endpoint.trim_end_matches('/')),
            (None, Self::Iam) => format!("https://{}/", partition.iam_host),
            (None, Self::Ec2 | Self::Rds) => {
                format!("https://{}.{region}.{}/", self.prefix(), partition.dns_suffix)
            }
        }
    }

    fn signing_region(self, region: &Region) -> &str {
        match self {
            Self::Iam => Partition::of_region(region).global_region,
            Self::Ec2 | Self::Rds => region.as_str(),
        }
    }
}

/// Sends signed AWS Query requests. Used through [`crate::client::Scope::query`].
#[derive(Clone, Debug)]
pub struct QueryClient {
    http: reqwest::Client,
}

/// One request to be sent.
pub(crate) struct QueryRequest<'a> {
    pub(crate) service: QueryService,
    pub(crate) action: &'a str,
    pub(crate) parameters: &'a [(&'a str, &'a str)],
    pub(crate) region: &'a Region,
    pub(crate) endpoint: Option<&'a str>,
}

impl QueryClient {
    /// A client with the limits of every AWS call. Fails only if the platform has no usable TLS.
    pub(crate) fn new(connect: Duration, read: Duration, total: Duration) -> Result<Self, ClientSetupError> {
        let http = reqwest::Client::builder()
            .connect_timeout(connect)
            .read_timeout(read)
            .timeout(total)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("keyvigil/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| ClientSetupError(root_cause(&error)))?;
        Ok(Self { http })
    }

    /// Sends the request and returns the XML of a successful answer.
    pub(crate) async fn send(
        &self,
        call: &str,
        request: &QueryRequest<'_>,
        credentials: Credentials,
    ) -> Result<String, AwsError> {
        let signed = signed_request(call, request, credentials)?;
        let answer = self
            .http
            .execute(signed)
            .await
            .map_err(|error| of_transport(call, error))?;
        let status = answer.status();
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let wait = retry_after(header("retry-after"), header("x-amz-retry-after"));
        let body = read_capped(call, answer).await?;
        if !status.is_success() {
            let (code, message) = error_of(&body);
            let reply = Reply {
                status: status.as_u16(),
                code,
                message,
                retry_after: wait,
            };
            return Err(AwsError::of_reply(call, &reply));
        }
        let start = body.trim_start();
        if !start.starts_with('<') || start.starts_with("<!") || start.starts_with("<html") {
            return Err(AwsError::new(
                FailureClass::Unreadable,
                call,
                "the answer is not XML of a service",
            ));
        }
        Ok(body)
    }
}

/// The HTTP client could not be set up.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("cannot set up the HTTP client: {0}")]
pub struct ClientSetupError(String);

fn signed_request(
    call: &str,
    request: &QueryRequest<'_>,
    credentials: Credentials,
) -> Result<reqwest::Request, AwsError> {
    let wrong = |what: String| AwsError::new(FailureClass::Permanent, call, one_line(&what));
    let url = request.service.url(request.region, request.endpoint);
    let body = form(request);
    let mut unsigned = http::Request::builder()
        .method("POST")
        .uri(&url)
        .header("content-type", FORM)
        .body(body.clone())
        .map_err(|error| wrong(error.to_string()))?;
    let identity = credentials.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(request.service.signing_region(request.region))
        .name(request.service.prefix())
        .time(wall_clock())
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| wrong(error.to_string()))?
        .into();
    let headers = std::iter::once(("content-type", FORM));
    let signable = SignableRequest::new("POST", &url, headers, SignableBody::Bytes(body.as_bytes()))
        .map_err(|error| wrong(error.to_string()))?;
    let (instructions, _) = sign(signable, &parameters)
        .map_err(|error| wrong(error.to_string()))?
        .into_parts();
    instructions.apply_to_request_http1x(&mut unsigned);
    reqwest::Request::try_from(unsigned).map_err(|error| wrong(error.without_url().to_string()))
}

fn form(request: &QueryRequest<'_>) -> String {
    let mut body = format!(
        "Action={}&Version={}",
        escaped(request.action),
        request.service.version()
    );
    for (name, value) in request.parameters {
        body.push('&');
        body.push_str(&escaped(name));
        body.push('=');
        body.push_str(&escaped(value));
    }
    body
}

/// Percent-encodes everything but the unreserved characters of RFC 3986.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn of_transport(call: &str, error: reqwest::Error) -> AwsError {
    let class = if error.is_builder() || error.is_redirect() {
        FailureClass::Permanent
    } else {
        FailureClass::Transient
    };
    AwsError::new(class, call, one_line(&root_cause(&error.without_url())))
}

async fn read_capped(call: &str, mut answer: reqwest::Response) -> Result<String, AwsError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| of_transport(call, error))? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(AwsError::new(
                FailureClass::Unreadable,
                call,
                format!("the answer is longer than {MAX_ANSWER} bytes"),
            ));
        }
        body.extend_from_slice(&chunk);
    }
    String::from_utf8(body)
        .map_err(|_| AwsError::new(FailureClass::Unreadable, call, "the answer is not UTF-8"))
}

/// The first `Code` and `Message` of an error document, of whichever shape; nothing if it is not XML.
fn error_of(body: &str) -> (Option<String>, Option<String>) {
    let mut reader = quick_xml::Reader::from_str(body);
    let (mut code, mut message) = (None, None);
    let mut text = String::new();
    loop {
        match reader.read_event() {
            Ok(Event::Start(_)) => text.clear(),
            Ok(Event::Text(piece)) => text.push_str(&piece),
            // An entity: the message is for people, one character more or less in it does not matter.
            Ok(Event::GeneralRef(_)) => text.push('\''),
            Ok(Event::End(tag)) => {
                let name = tag.local_name();
                let target = match name.as_ref() {
                    "Code" => &mut code,
                    "Message" => &mut message,
                    _ => continue,
                };
                if target.is_none() {
                    *target = Some(std::mem::take(&mut text));
                }
            }
            Ok(Event::Eof) | Err(_) => return (code, message),
            Ok(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_follow_the_partition() {
        for (service, region, url, signing) in [
            (
                QueryService::Ec2,
                "eu-west-1",
                "https://ec2.eu-west-1.amazonaws.com/",
                "eu-west-1",
            ),
            (
                QueryService::Rds,
                "cn-north-1",
                "https://rds.cn-north-1.amazonaws.com.cn/",
                "cn-north-1",
            ),
            (
                QueryService::Iam,
                "eu-west-1",
                "https://iam.amazonaws.com/",
                "us-east-1",
            ),
            (
                QueryService::Iam,
                "us-gov-east-1",
                "https://iam.us-gov.amazonaws.com/",
                "us-gov-west-1",
            ),
        ] {
            let region = Region::from(region);
            assert_eq!(service.url(&region, None), url);
            assert_eq!(service.signing_region(&region), signing);
        }
        let region = Region::from("eu-west-1");
        assert_eq!(
            QueryService::Ec2.url(&region, Some("http://127.0.0.1:5000")),
            "http://127.0.0.1:5000/"
        );
    }

    #[test]
    fn the_form_is_percent_encoded() {
        let region = Region::from("eu-west-1");
        let request = QueryRequest {
            service: QueryService::Ec2,
            action: "DescribeVolumes",
            parameters: &[("NextToken", "a+b/c="), ("Filter.1.Name", "encrypted")],
            region: &region,
            endpoint: None,
        };
        assert_eq!(
            form(&request),
            "Action=DescribeVolumes&Version=2016-11-15&NextToken=a%2Bb%2Fc%3D&Filter.1.Name=encrypted"
        );
    }

    #[test]
    fn requests_are_signed_over_host_and_body() {
        let region = Region::from("eu-west-1");
        let request = QueryRequest {
            service: QueryService::Rds,
            action: "DescribeDBInstances",
            parameters: &[],
            region: &region,
            endpoint: None,
        };
        let credentials = Credentials::new("AKIDEXAMPLE", "secret", Some("token".to_owned()), None, "test");
        let signed = signed_request("rds:DescribeDBInstances", &request, credentials).unwrap();
        let header = signed.headers()["authorization"].to_str().unwrap();
        assert!(header.contains("/eu-west-1/rds/aws4_request"), "{header}");
        assert!(
            header.contains("SignedHeaders=content-type;host;x-amz-date;x-amz-security-token"),
            "{header}"
        );
        assert_eq!(signed.headers()["x-amz-security-token"], "token");
    }

    #[test]
    fn errors_of_both_shapes_are_read() {
        let pair = |code: &str, message: &str| (Some(code.to_owned()), Some(message.to_owned()));
        for (body, expected) in [
            (
                "<?xml version=\"1.0\"?><Response><Errors><Error><Code>UnauthorizedOperation</Code>\
                 <Message>no</Message></Error></Errors><RequestID>1</RequestID></Response>",
                pair("UnauthorizedOperation", "no"),
            ),
            (
                "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Sender</Type>\
                 <Code>AccessDenied</Code><Message>not &quot;you&quot;</Message></Error></ErrorResponse>",
                pair("AccessDenied", "not 'you'"),
            ),
            ("<!doctype html><title>500</title>", (None, None)),
            ("", (None, None)),
            ("not xml <", (None, None)),
        ] {
            assert_eq!(error_of(body), expected, "{body}");
        }
    }
}
