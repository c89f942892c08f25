//! AWS CloudTrail: the trails that record a region, their status and what their selectors leave out.
//!
//! Shadow trails are included: a trail of another region or of the organisation that covers this one. Status and
//! selectors are asked for by ARN in the trail's home region. For the trail of an organisation a member may be refused
//! them: then they are unknown here, and known in the account that owns the trail.

use std::sync::Arc;

use aws_sdk_cloudtrail::types::Trail;
use keyvigil_connector::call::{BoxFuture, CallContext};
use keyvigil_connector::failure::{CallError, FailureClass};
use keyvigil_connector::poller::{PollScope, Poller};
use keyvigil_model::id::{Region, SourceId};
use keyvigil_model::provider::Provider;
use keyvigil_model::resource::{ResourceKind, ResourceRef};
use keyvigil_model::snapshot::{Config, Family, Resource, Snapshot, SnapshotScope};
use keyvigil_model::untrusted::Untrusted;
use keyvigil_model::verdict::Read;

use crate::client::Scope;
use crate::client::failure::AwsError;
use crate::pollers::gather::{Gathered, NOT_ASKED, not_mine};
use crate::pollers::place::{Place, bare_name, parse_arn};
use crate::pollers::{trail_map, trail_scope};

/// Reads the trails that record one region of an account.
#[derive(Debug)]
pub struct TrailPoller {
    scope: PollScope,
    aws: Arc<Scope>,
    place: Place,
}

impl TrailPoller {
    /// A poller for the account and region of `aws`.
    pub fn new(source: SourceId, aws: Arc<Scope>) -> Self {
        let place = Place::new(aws.account().clone(), aws.region().clone());
        let scope = PollScope {
            source,
            provider: Provider::Aws,
            account: place.account.clone(),
            region: place.region.clone(),
            family: Family::AuditLogs,
        };
        Self { scope, aws, place }
    }

    async fn read_all(&self, call: &CallContext) -> Result<Snapshot, CallError> {
        let trails = describe(call, &self.aws, None).await?;
        let mut gathered = Gathered::default();
        for trail in &trails {
            self.read_trail(call, trail, &mut gathered).await;
        }
        let families = vec![Family::AuditLogs];
        let scope = if trails.iter().all(|trail| trail.trail_arn.is_some()) {
            SnapshotScope::Complete(families)
        } else {
            SnapshotScope::Partial(families)
        };
        Ok(gathered.into_snapshot(&self.scope, call, scope))
    }

    async fn read_one(&self, call: &CallContext, asked: &ResourceRef) -> Result<Snapshot, CallError> {
        if asked.kind != ResourceKind::AuditLog {
            return Err(not_mine(&self.scope, asked));
        }
        let id = asked.id.as_str();
        let home = parse_arn(id).map_or(self.place.region.as_str(), |arn| arn.region);
        let trails = match describe(call, &self.in_region(home), Some(id)).await {
            Ok(trails) => trails,
            Err(error) if error.class == FailureClass::NotFound => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let mut gathered = Gathered::default();
        // Asked for one, an emulator may answer with all.
        if let Some(trail) = trails.iter().find(|trail| is_named(trail, id)) {
            self.read_trail(call, trail, &mut gathered).await;
        }
        Ok(gathered.into_one(&self.scope, call, asked))
    }

    async fn read_trail(&self, call: &CallContext, trail: &Trail, gathered: &mut Gathered) {
        let Some(arn) = trail.trail_arn.as_deref() else {
            // Nothing could be asked about it, and nothing could be said.
            let error = AwsError::new(
                FailureClass::Unreadable,
                "cloudtrail:DescribeTrails",
                "a trail without an ARN",
            );
            gathered.miss(&error, None);
            return;
        };
        let home = trail
            .home_region
            .as_deref()
            .or_else(|| parse_arn(arn).map(|arn| arn.region))
            .unwrap_or(self.place.region.as_str())
            .to_owned();
        let aws = self.in_region(&home);
        let mut reference = Place::new(self.place.account.clone(), Region::from(home.as_str()))
            .resource(ResourceKind::AuditLog, arn);
        // The trail of an organisation belongs to the account in its ARN.
        if let Some(owner) = parse_arn(arn)
            .map(|arn| arn.account)
            .filter(|owner| !owner.is_empty())
        {
            reference.account = Some(owner.into());
        }

        let request = aws.cloudtrail().get_trail_status().name(arn);
        let answer = aws
            .call(call, "cloudtrail:GetTrailStatus", request.send())
            .await
            .map(|answer| trail_map::status(&answer));
        let status = gathered.said(answer, "cloudtrail:GetTrailStatus", &reference);

        let request = aws.cloudtrail().get_event_selectors().trail_name(arn);
        let answer = aws
            .call(call, "cloudtrail:GetEventSelectors", request.send())
            .await
            .map(|answer| {
                let selectors =
                    trail_map::selectors(answer.event_selectors(), answer.advanced_event_selectors());
                trail_scope::reduce(&selectors)
            });
        let scope = gathered.known(answer, Some(&reference));
        gathered.resources.push(Resource {
            reference,
            name: Untrusted::from(trail.name.as_deref().unwrap_or_else(|| bare_name(arn))),
            tags: Read::Unknown(NOT_ASKED),
            config: Config::AwsTrail(Box::new(trail_map::trail(trail, &home, status, scope))),
        });
    }

    fn in_region(&self, region: &str) -> Arc<Scope> {
        if region == self.place.region.as_str() {
            return Arc::clone(&self.aws);
        }
        Arc::new(self.aws.in_region(&Region::from(region)))
    }
}

/// `DescribeTrails`, which has no pages: all that record the region, or one by ARN or name.
async fn describe(call: &CallContext, aws: &Scope, one: Option<&str>) -> Result<Vec<Trail>, AwsError> {
    let request = aws
        .cloudtrail()
        .describe_trails()
        .include_shadow_trails(true)
        .set_trail_name_list(one.map(|name| vec![name.to_owned()]));
    let answer = aws
        .call(call, "cloudtrail:DescribeTrails", request.send())
        .await?;
    Ok(answer.trail_list.unwrap_or_default())
}

/// Whether the trail is the one that is meant, by ARN or by name.
fn is_named(trail: &Trail, id: &str) -> bool {
    trail.trail_arn.as_deref() == Some(id) || trail.name.as_deref() == Some(id)
}

impl Poller for TrailPoller {
    fn scope(&self) -> &PollScope {
        &self.scope
    }

    fn poll<'a>(&'a self, call: &'a CallContext) -> BoxFuture<'a, Result<Snapshot, CallError>> {
        Box::pin(self.read_all(call))
    }

    fn poll_one<'a>(
        &'a self,
        call: &'a CallContext,
        resource: &'a ResourceRef,
    ) -> BoxFuture<'a, Result<Snapshot, CallError>> {
        Box::pin(self.read_one(call, resource))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trail_is_named_by_its_arn_or_its_name() {
        let arn = "arn:aws:cloudtrail:eu-west-1:111122223333:trail/main";
        let trail = Trail::builder().name("main").trail_arn(arn).build();
        for (id, expected) in [
            (arn, true),
            ("main", true),
            ("arn:aws:cloudtrail:us-east-1:111122223333:trail/main", false),
            ("other", false),
            ("", false),
        ] {
            assert_eq!(is_named(&trail, id), expected, "{id}");
        }
    }
}
