//! An address that may be called, checked once when it is configured.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use keyvigil_connector::secret::Secret;
use reqwest::Url;

use crate::redact::Redactor;

/// Names that stand for a cloud's metadata service, which hands out credentials.
const METADATA_NAMES: [&str; 5] = [
    "metadata",
    "metadata.google.internal",
    "metadata.goog",
    "instance-data",
    "instance-data.ec2.internal",
];

/// A checked address. `Debug` does not show it.
#[derive(Clone)]
pub struct Endpoint {
    call: &'static str,
    url: Url,
    place: Place,
    secrets: Vec<Secret>,
}

/// Where an address lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// Anywhere else.
    Outside,
    /// On this machine: plain HTTP is fine, a proxy is not used.
    Loopback,
}

/// Why an address is refused. No variant holds the address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EndpointProblem {
    /// It cannot be read.
    NotAUrl,
    /// Neither https nor http.
    Scheme,
    /// Plain http to another machine.
    NotEncrypted,
    /// A user name or password in the address.
    UserInfo,
    /// A metadata service, a link-local, unspecified, multicast or broadcast address.
    ForbiddenHost,
}

impl fmt::Display for EndpointProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAUrl => "not a URL; accepted: https://host/path",
            Self::Scheme => "the scheme is not supported; accepted: https, and http on this machine",
            Self::NotEncrypted => "plain http to another machine; accepted: https, and http on this machine",
            Self::UserInfo => "the URL holds a user name or password; accepted: https://host/path",
            Self::ForbiddenHost => {
                "the host is a metadata service or a link-local, unspecified or multicast address, which is never called"
            }
        })
    }
}

impl std::error::Error for EndpointProblem {}

impl Endpoint {
    /// Checks an address: https, or http on this machine; never a metadata service or a link-local address.
    /// `call` names it in errors: `slack:webhook`.
    pub fn new(call: &'static str, url: &Secret) -> Result<Self, EndpointProblem> {
        let parsed = Url::parse(url.expose()).map_err(|_| EndpointProblem::NotAUrl)?;
        let place = place_of(&parsed)?;
        match parsed.scheme() {
            "https" => {}
            "http" if place == Place::Loopback => {}
            "http" => return Err(EndpointProblem::NotEncrypted),
            _ => return Err(EndpointProblem::Scheme),
        }
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(EndpointProblem::UserInfo);
        }
        Ok(Self {
            call,
            url: parsed,
            place,
            secrets: vec![url.clone()],
        })
    }

    /// Keeps another secret out of errors, one that is sent in the body.
    #[must_use]
    pub fn hiding(mut self, secret: Secret) -> Self {
        self.secrets.push(secret);
        self
    }

    pub(crate) fn call(&self) -> &'static str {
        self.call
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    pub(crate) fn place(&self) -> Place {
        self.place
    }

    pub(crate) fn redactor(&self) -> Redactor<'_> {
        Redactor::new(&self.url, &self.secrets)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({}, ****)", self.call)
    }
}

fn place_of(url: &Url) -> Result<Place, EndpointProblem> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(EndpointProblem::Scheme);
    }
    let host = url.host_str().ok_or(EndpointProblem::NotAUrl)?;
    // The parser has already turned decimal, octal and hexadecimal IPv4 into the dotted form.
    let literal = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>();
    if let Ok(address) = literal {
        return match address {
            address if is_forbidden(address) => Err(EndpointProblem::ForbiddenHost),
            address if is_loopback(address) => Ok(Place::Loopback),
            _ => Ok(Place::Outside),
        };
    }
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    if METADATA_NAMES.contains(&name.as_str()) {
        return Err(EndpointProblem::ForbiddenHost);
    }
    if name == "localhost" || name.ends_with(".localhost") {
        return Ok(Place::Loopback);
    }
    Ok(Place::Outside)
}

/// Whether the address is of this machine, also when written as IPv4 inside IPv6.
pub(crate) fn is_loopback(address: IpAddr) -> bool {
    match unwrapped(address) {
        IpAddr::V4(address) => address.is_loopback(),
        IpAddr::V6(address) => address.is_loopback(),
    }
}

/// Addresses that are never called: metadata services, link-local, unspecified, multicast, broadcast.
pub(crate) fn is_forbidden(address: IpAddr) -> bool {
    /// Azure's wire server, Alibaba Cloud's and Oracle's metadata services, which are not link-local.
    const METADATA_V4: [Ipv4Addr; 3] = [
        Ipv4Addr::new(168, 63, 129, 16),
        Ipv4Addr::new(100, 100, 100, 200),
        Ipv4Addr::new(192, 0, 0, 192),
    ];
    /// AWS and Google Cloud over IPv6.
    const METADATA_V6: [Ipv6Addr; 2] = [
        Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
        Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    ];
    match unwrapped(address) {
        IpAddr::V4(address) => {
            address.octets()[0] == 0
                || address.is_link_local()
                || address.is_broadcast()
                || address.is_multicast()
                || METADATA_V4.contains(&address)
        }
        IpAddr::V6(address) => {
            address.is_unspecified()
                || address.is_unicast_link_local()
                || address.is_multicast()
                || METADATA_V6.contains(&address)
        }
    }
}

/// The IPv4 address that an IPv6 address carries: mapped, compatible, NAT64 or 6to4.
fn unwrapped(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else {
        return address;
    };
    let last_four = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => last_four(high, low),
        [0x2002, high, low, ..] => last_four(high, low),
        // `::1` and `::` are IPv6's own.
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => last_four(high, low),
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expected: Result<Place, EndpointProblem>) {
        let found = Endpoint::new("test", &Secret::new(url)).map(|endpoint| endpoint.place());
        assert_eq!(found, expected, "{url}");
    }

    #[test]
    fn only_encrypted_or_local_addresses_are_accepted() {
        check("https://hooks.slack.com/services/T0/B0/x", Ok(Place::Outside));
        check("https://events.pagerduty.com/v2/enqueue", Ok(Place::Outside));
        check("https://10.1.2.3/relay", Ok(Place::Outside));
        check("http://127.0.0.1:8080/x", Ok(Place::Loopback));
        check("http://localhost:8080/x", Ok(Place::Loopback));
        check("http://[::1]:8080/x", Ok(Place::Loopback));
        check("http://[::ffff:127.0.0.1]/x", Ok(Place::Loopback));
        check("http://hooks.slack.com/x", Err(EndpointProblem::NotEncrypted));
        check(
            "http://localhost.evil.example/x",
            Err(EndpointProblem::NotEncrypted),
        );
        check("file:///etc/passwd", Err(EndpointProblem::Scheme));
        check("ftp://127.0.0.1/x", Err(EndpointProblem::Scheme));
        check("hooks.slack.com/services", Err(EndpointProblem::NotAUrl));
        check("", Err(EndpointProblem::NotAUrl));
        check("https://", Err(EndpointProblem::NotAUrl));
        check("https://user:pass@host.example/x", Err(EndpointProblem::UserInfo));
    }

    #[test]
    fn metadata_and_link_local_are_refused_however_written() {
        for host in [
            "169.254.169.254",
            "2852039166",
            "0xa9fea9fe",
            "0251.0376.0251.0376",
            "169.254.1",
            "[fe80::1]",
            "[::ffff:169.254.169.254]",
            "[::ffff:a9fe:a9fe]",
            "[::169.254.169.254]",
            "[64:ff9b::a9fe:a9fe]",
            "[2002:a9fe:a9fe::1]",
            "[fd00:ec2::254]",
            "[fd20:ce::254]",
            "168.63.129.16",
            "100.100.100.200",
            "192.0.0.192",
            "0.0.0.0",
            "0",
            "[::]",
            "255.255.255.255",
            "224.0.0.1",
            "[ff02::1]",
            "metadata.google.internal",
            "METADATA.google.internal.",
            "metadata",
            "instance-data.ec2.internal",
        ] {
            check(
                &format!("https://{host}/latest"),
                Err(EndpointProblem::ForbiddenHost),
            );
            check(
                &format!("http://{host}/latest"),
                Err(EndpointProblem::ForbiddenHost),
            );
        }
    }

    #[test]
    fn neither_problems_nor_debug_show_the_address() {
        let endpoint =
            Endpoint::new("slack:webhook", &Secret::new("https://h.example/T0KEN-CANARY")).unwrap();
        assert_eq!(format!("{endpoint:?}"), "Endpoint(slack:webhook, ****)");
        let problem = Endpoint::new("x", &Secret::new("http://h.example/T0KEN-CANARY")).unwrap_err();
        assert!(!format!("{problem} {problem:?}").contains("CANARY"));
    }
}
