//! Routing, coalescing and storms.

use keyvigil_model::id::{AccountId, Region, ResourceId, SourceId};
use keyvigil_model::provider::Provider;

use super::*;

fn scope(account: &str, region: &str, family: Family) -> PollScope {
    PollScope {
        source: SourceId::from("s"),
        provider: Provider::Aws,
        account: AccountId::from(account),
        region: Region::from(region),
        family,
    }
}

fn request(account: &str, region: &str, kind: ResourceKind, id: &str) -> RepollRequest {
    RepollRequest {
        provider: Provider::Aws,
        account: AccountId::from(account),
        region: Region::from(region),
        resource: ResourceRef {
            id: ResourceId::from(id),
            kind,
            account: None,
            region: None,
        },
    }
}

fn book(storm: usize) -> RepollBook {
    let scopes = vec![
        scope("a", "eu-west-1", Family::Keys),
        scope("a", "eu-west-2", Family::Keys),
        scope("b", "eu-west-1", Family::Keys),
        scope("a", "global", Family::Buckets),
        scope("a", "eu-west-1", Family::AuditLogs),
        scope("a", "us-east-1", Family::Identities),
    ];
    RepollBook::new(scopes, Duration::from_millis(200), storm)
}

#[test]
fn requests_find_their_poller() {
    let check = |account: &str, region: &str, kind, expected: Option<usize>| {
        let found = find_poller(&book(9).scopes, &request(account, region, kind, "x"));
        assert_eq!(found, expected, "{account} {region} {kind:?}");
    };
    check("a", "eu-west-1", ResourceKind::Key, Some(0));
    check("a", "eu-west-2", ResourceKind::Key, Some(1));
    check("b", "eu-west-1", ResourceKind::Key, Some(2));
    check("b", "eu-west-2", ResourceKind::Key, None);
    check("a", "eu-west-2", ResourceKind::Bucket, Some(3));
    check("a", "us-west-2", ResourceKind::AuditLog, Some(4));
    check("a", "eu-west-1", ResourceKind::User, Some(5));
    check("a", "eu-west-1", ResourceKind::Database, None);
    check("a", "eu-west-1", ResourceKind::Secret, None);
}

#[tokio::test(start_paused = true)]
async fn the_same_resource_is_looked_at_once() {
    let mut book = book(9);
    let now = Instant::now();
    let key = request("a", "eu-west-1", ResourceKind::Key, "k");
    assert_eq!(book.request(now, &key), Routed::Queued);
    assert_eq!(book.request(now, &key), Routed::Coalesced);
    assert_eq!(
        book.take_due(now),
        None,
        "a small delay gathers what belongs together"
    );
    let later = now + Duration::from_millis(200);
    assert!(book.take_due(later).is_some());
    assert_eq!(
        book.request(later, &key),
        Routed::Queued,
        "a look under way may be too early"
    );
}

#[tokio::test(start_paused = true)]
async fn a_storm_becomes_one_full_poll_of_that_poller_alone() {
    let mut book = book(3);
    let now = Instant::now();
    let mut routed = Vec::new();
    for number in 0..5 {
        let key = request("a", "eu-west-1", ResourceKind::Key, &number.to_string());
        routed.push(book.request(now, &key));
    }
    let (queued, storm) = (Routed::Queued, Routed::Storm(0));
    assert_eq!(routed, [queued, queued, queued, storm, Routed::Coalesced]);
    assert_eq!(book.depth(), 0);
    let other = request("b", "eu-west-1", ResourceKind::Key, "k");
    assert_eq!(book.request(now, &other), Routed::Queued);
    book.full_started(0);
    let key = request("a", "eu-west-1", ResourceKind::Key, "late");
    assert_eq!(book.request(now, &key), Routed::Queued);
}

#[tokio::test(start_paused = true)]
async fn what_changed_during_a_full_poll_is_looked_at_after_it() {
    let mut book = book(3);
    let now = Instant::now();
    book.full_started(0);
    let key = request("a", "eu-west-1", ResourceKind::Key, "k");
    assert_eq!(book.request(now, &key), Routed::Queued);
    let later = now + Duration::from_secs(1);
    let (look, _) = book.take_due(later).unwrap();
    assert_eq!(book.depth(), 0);
    book.full_ended(0, later);
    assert_eq!(book.take_due(later).map(|(again, _)| again), Some(look));
    book.full_ended(0, later);
    assert_eq!(book.depth(), 0);
}
