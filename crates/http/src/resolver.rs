//! Name resolution that never leads to a forbidden address, whatever a name server answers (DNS rebinding).

use std::fmt;
use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::endpoint::{Place, is_forbidden, is_loopback};

/// Resolves names and drops addresses that must not be called.
pub(crate) struct GuardedResolver {
    place: Place,
}

impl GuardedResolver {
    /// For names outside: no metadata and no link-local address. For names of this machine: loopback only.
    pub(crate) fn new(place: Place) -> Self {
        Self { place }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let place = self.place;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let allowed = allowed(place, found)?;
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Every address that the name has is one that must not be called.
#[derive(Debug, PartialEq, Eq)]
struct ForbiddenAddress;

impl fmt::Display for ForbiddenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the host name leads to an address that is never called")
    }
}

impl std::error::Error for ForbiddenAddress {}

fn allowed(place: Place, mut found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, ForbiddenAddress> {
    found.retain(|address| match place {
        Place::Outside => !is_forbidden(address.ip()),
        Place::Loopback => is_loopback(address.ip()),
    });
    if found.is_empty() {
        return Err(ForbiddenAddress);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forbidden_answers_are_dropped() {
        let address = |text: &str| format!("{text}:443").parse::<SocketAddr>().unwrap();
        let public = address("203.0.113.9");
        for (place, found, expected) in [
            (Place::Outside, vec![public], Ok(vec![public])),
            (
                Place::Outside,
                vec![address("169.254.169.254"), public],
                Ok(vec![public]),
            ),
            (
                Place::Outside,
                vec![address("169.254.169.254")],
                Err(ForbiddenAddress),
            ),
            (
                Place::Outside,
                vec![address("[::ffff:169.254.169.254]")],
                Err(ForbiddenAddress),
            ),
            (Place::Loopback, vec![public], Err(ForbiddenAddress)),
            (
                Place::Loopback,
                vec![address("127.0.0.1")],
                Ok(vec![address("127.0.0.1")]),
            ),
        ] {
            assert_eq!(allowed(place, found.clone()), expected, "{place:?} {found:?}");
        }
    }
}
