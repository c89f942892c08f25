//! Tells the pipeline when a poller goes blind and when it sees again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keyvigil_bus::Observation;
use keyvigil_connector::failure::CallError;
use keyvigil_connector::poller::PollScope;
use keyvigil_model::health::{SightState, SourceHealth};
use keyvigil_model::time::Timestamp;

use crate::settings::PollLink;

/// An unchanged state is told again after this long.
const TELL_AGAIN: Duration = Duration::from_secs(300);

/// What was last told about one poller.
pub(crate) struct Sight {
    scope: PollScope,
    told: Mutex<Option<(SightState, Timestamp)>>,
}

impl Sight {
    pub(crate) fn new(scope: PollScope) -> Self {
        Self {
            scope,
            told: Mutex::new(None),
        }
    }

    /// A poll or a look worked.
    pub(crate) async fn seeing(&self, link: &PollLink) {
        self.tell(link, SightState::Seeing).await;
    }

    /// A poll or a look failed.
    pub(crate) async fn failed(&self, link: &PollLink, error: &CallError) {
        let scope = &self.scope;
        tracing::warn!(source = %scope.source, account = %scope.account, region = %scope.region,
            family = scope.family.as_str(), %error, "a poll failed");
        let state = SightState::Blind {
            call: Arc::from(error.call.as_str()),
            reason: error.class.unknown_reason(),
        };
        self.tell(link, state).await;
    }

    async fn tell(&self, link: &PollLink, state: SightState) {
        let now = link.clock.now();
        {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            let known = matches!(&*told, Some((last, at)) if *last == state && at.distance(now) < TELL_AGAIN);
            if known {
                return;
            }
            *told = Some((state.clone(), now));
        }
        let health = SourceHealth {
            source: self.scope.source.clone(),
            provider: self.scope.provider,
            account: Some(self.scope.account.clone()),
            region: Some(self.scope.region.clone()),
            state,
        };
        // Nothing waits for the commit of a health report, and the next one repeats what a lost one said.
        let _lost = link.publisher.enqueue(Observation::Health(health)).await.is_err();
    }
}
