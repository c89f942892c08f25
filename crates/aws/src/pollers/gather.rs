//! What a poll collects, and how it becomes a snapshot.

use std::sync::{Arc, Mutex, PoisonError};

use keyvigil_connector::call::CallContext;
use keyvigil_connector::failure::{CallError, FailureClass};
use keyvigil_connector::poller::PollScope;
use keyvigil_model::resource::ResourceRef;
use keyvigil_model::snapshot::{BlindSpot, Resource, Snapshot, SnapshotScope};
use keyvigil_model::verdict::{Read, UnknownReason};

use crate::client::failure::AwsError;
use crate::pollers::listing::Listed;

/// Stands in a field that was not asked for on purpose: the call does not fit the resource, and refused calls raise
/// alarms at the customer. It leaves no blind spot.
pub(crate) const NOT_ASKED: UnknownReason = UnknownReason::NotYetRead;

/// Resources, and calls that failed.
#[derive(Default, Debug)]
pub(crate) struct Gathered {
    pub(crate) resources: Vec<Resource>,
    pub(crate) blind: Vec<BlindSpot>,
}

impl Gathered {
    /// Notes a call that failed.
    pub(crate) fn miss(&mut self, error: &AwsError, resource: Option<&ResourceRef>) -> UnknownReason {
        let reason = error.class.unknown_reason();
        self.miss_because(&error.call, resource, reason);
        reason
    }

    /// Notes a call whose answer does not say what is needed.
    pub(crate) fn miss_because(&mut self, call: &str, resource: Option<&ResourceRef>, reason: UnknownReason) {
        self.blind.push(BlindSpot {
            call: Arc::from(call),
            resource: resource.cloned(),
            reason,
        });
    }

    /// The value, or the reason, which is noted.
    pub(crate) fn known<T>(
        &mut self,
        result: Result<T, AwsError>,
        resource: Option<&ResourceRef>,
    ) -> Read<T> {
        match result {
            Ok(value) => Read::Known(value),
            Err(error) => Read::Unknown(self.miss(&error, resource)),
        }
    }

    /// The value in an answer, which may be read and still not say it.
    pub(crate) fn said<T>(
        &mut self,
        answer: Result<Result<T, UnknownReason>, AwsError>,
        call: &str,
        of: &ResourceRef,
    ) -> Read<T> {
        match answer {
            Ok(Ok(value)) => Read::Known(value),
            Ok(Err(reason)) => {
                self.miss_because(call, Some(of), reason);
                Read::Unknown(reason)
            }
            Err(error) => Read::Unknown(self.miss(&error, Some(of))),
        }
    }

    /// Takes over what was collected elsewhere.
    pub(crate) fn append(&mut self, other: Self) {
        self.resources.extend(other.resources);
        self.blind.extend(other.blind);
    }

    /// Takes the resources of a listing and says whether it was whole. A failed one is noted.
    pub(crate) fn take(&mut self, listed: Listed<Resource>) -> ListEnd {
        match listed {
            Listed::Whole(items) => {
                self.resources.extend(items);
                ListEnd::Whole
            }
            Listed::Cut(items, error) => {
                self.resources.extend(items);
                self.miss(&error, None);
                ListEnd::Cut
            }
            Listed::Failed(error) => {
                self.miss(&error, None);
                ListEnd::Failed(error)
            }
        }
    }

    /// The snapshot of a poll. Resources are in the order of their names, so that equal configuration is equal.
    pub(crate) fn into_snapshot(
        mut self,
        of: &PollScope,
        call: &CallContext,
        scope: SnapshotScope,
    ) -> Snapshot {
        self.resources.sort_by(|a, b| a.reference.id.cmp(&b.reference.id));
        self.blind.sort_by_cached_key(|spot| {
            let resource = spot.resource.as_ref().map(|resource| resource.id.clone());
            (resource, spot.call.clone())
        });
        Snapshot {
            source: of.source.clone(),
            provider: of.provider,
            account: of.account.clone(),
            region: of.region.clone(),
            taken_at: call.now,
            scope,
            resources: self.resources,
            blind: self.blind,
        }
    }

    /// The snapshot of one resource that was read again; without a resource it is gone.
    pub(crate) fn into_one(self, of: &PollScope, call: &CallContext, asked: &ResourceRef) -> Snapshot {
        let scope = match self.resources.first() {
            Some(resource) => SnapshotScope::One(resource.reference.clone()),
            None => SnapshotScope::Gone(asked.clone()),
        };
        self.into_snapshot(of, call, scope)
    }
}

/// How a listing ended, after its resources were taken.
#[derive(Debug)]
pub(crate) enum ListEnd {
    Whole,
    Cut,
    Failed(AwsError),
}

/// Complete, partial, or a failed poll: the first error if nothing could be listed at all.
pub(crate) fn coverage(of: &PollScope, ends: Vec<ListEnd>) -> Result<SnapshotScope, CallError> {
    let (mut whole, mut something, mut first) = (true, false, None);
    for end in ends {
        match end {
            ListEnd::Whole => something = true,
            ListEnd::Cut => (something, whole) = (true, false),
            ListEnd::Failed(error) => {
                whole = false;
                first.get_or_insert(error);
            }
        }
    }
    match first {
        Some(error) if !something => Err(error.into()),
        Some(_) | None if whole => Ok(SnapshotScope::Complete(vec![of.family])),
        Some(_) | None => Ok(SnapshotScope::Partial(vec![of.family])),
    }
}

/// A poller was asked for something that it does not read.
pub(crate) fn not_mine(of: &PollScope, asked: &ResourceRef) -> CallError {
    let message = format!(
        "the poller of {} in {} of {} does not read {} of kind {}",
        of.family.as_str(),
        of.region,
        of.account,
        asked.id,
        asked.kind.as_str()
    );
    CallError::new(FailureClass::Permanent, "poll_one", message)
}

/// Work shared by the few readers of one poll: they take items and hand in what they read.
#[derive(Debug)]
pub(crate) struct Work<I> {
    todo: Mutex<Vec<I>>,
    done: Mutex<Gathered>,
}

impl<I> Work<I> {
    pub(crate) fn new(todo: Vec<I>) -> Self {
        Self {
            todo: Mutex::new(todo),
            done: Mutex::new(Gathered::default()),
        }
    }

    pub(crate) fn take(&self) -> Option<I> {
        self.todo.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    pub(crate) fn hand_in(&self, read: Gathered) {
        self.done
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .append(read);
    }

    pub(crate) fn finish(self) -> Gathered {
        self.done.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs four readers of the same work side by side. The budget bounds the rate; this bounds what is under way.
pub(crate) async fn at_once<F: Future<Output = ()>>(reader: impl Fn() -> F) {
    tokio::join!(
        Box::pin(reader()),
        Box::pin(reader()),
        Box::pin(reader()),
        Box::pin(reader())
    );
}

#[cfg(test)]
mod tests {
    use keyvigil_model::provider::Provider;
    use keyvigil_model::snapshot::Family;

    use super::*;

    fn scope() -> PollScope {
        PollScope {
            source: "aws/test".into(),
            provider: Provider::Aws,
            account: "111122223333".into(),
            region: "eu-west-1".into(),
            family: Family::Disks,
        }
    }

    fn failed() -> ListEnd {
        ListEnd::Failed(AwsError::new(FailureClass::Denied, "ec2:DescribeVolumes", "no"))
    }

    #[test]
    fn coverage_is_complete_only_if_every_listing_ended() {
        use ListEnd::{Cut, Whole};
        let complete = SnapshotScope::Complete(vec![Family::Disks]);
        let partial = SnapshotScope::Partial(vec![Family::Disks]);
        for (name, ends, expected) in [
            ("all whole", vec![Whole, Whole], Some(&complete)),
            ("one cut", vec![Whole, Cut], Some(&partial)),
            ("one failed", vec![failed(), Whole], Some(&partial)),
            ("failed and cut", vec![failed(), Cut], Some(&partial)),
            ("all failed", vec![failed(), failed()], None),
        ] {
            let found = coverage(&scope(), ends);
            assert_eq!(found.as_ref().ok(), expected, "{name}");
        }
    }

    #[test]
    fn a_failed_call_is_unknown_and_noted() {
        let mut gathered = Gathered::default();
        let error = AwsError::new(FailureClass::Throttled(None), "kms:GetKeyPolicy", "slow down");
        let read: Read<()> = gathered.known(Err(error), None);
        assert_eq!(read, Read::Unknown(UnknownReason::Throttled));
        assert_eq!(gathered.blind.len(), 1);
        assert_eq!(&*gathered.blind[0].call, "kms:GetKeyPolicy");
        assert_eq!(gathered.known(Ok(1), None), Read::Known(1));
        assert_eq!(gathered.blind.len(), 1);
    }
}
