//! CloudTrail's event history, asked by windows of time: for accounts without a trail in reach, and as a backstop.
//!
//! Facts (reference "reliability", section 1.1): management events only, by account and region, 90 days, 50 a page,
//! two requests a second for everybody in the account together. A token is valid only with the same parameters, so the
//! window is sent exactly as the driver froze it.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_cloudtrail::types::Event;
use aws_smithy_types::DateTime;
use keyvigil_connector::call::{BoxFuture, CallContext};
use keyvigil_connector::failure::{CallError, FailureClass};
use keyvigil_connector::log_reader::{LogPage, LogReader, LogSource, PageQuery, Rescan};
use keyvigil_model::action::ActionSet;
use keyvigil_model::batch::{Coverage, QuarantineReason, Quarantined};
use keyvigil_model::id::SourceId;
use keyvigil_model::provider::Provider;
use keyvigil_model::time::Timestamp;

use crate::client::Scope;
use crate::client::failure::AwsError;
use crate::cloudtrail::{RecordContext, read_record};
use crate::config::{AccountConfig, LookupEventsConfig};

/// The permission, and the name under which the budget paces the requests.
pub const OPERATION: &str = "cloudtrail:LookupEvents";

const PAGE: i32 = 50;
const OVERLAP: Duration = Duration::from_mins(30);
const KEY_SERVICE: &str = "kms.amazonaws.com";

/// Late records are found by looking further back now and then.
const RESCANS: [Rescan; 2] = [
    Rescan {
        every: Duration::from_hours(1),
        lookback: Duration::from_hours(6),
    },
    Rescan {
        every: Duration::from_hours(24),
        lookback: Duration::from_hours(48),
    },
];

/// Reads the event history of one account in one region.
pub struct LookupEventsReader {
    scope: Arc<Scope>,
    source: LogSource,
}

impl LookupEventsReader {
    /// A reader for the account and region of `scope`.
    pub fn new(scope: Arc<Scope>, account: &AccountConfig) -> Self {
        let source = source_of(&scope, &account.name, &account.lookup_events);
        Self { scope, source }
    }

    async fn read_page(&self, call: &CallContext, query: &PageQuery) -> Result<LogPage, AwsError> {
        let mut request = self
            .scope
            .cloudtrail()
            .lookup_events()
            .start_time(DateTime::from_secs(query.start.as_secs()))
            .end_time(DateTime::from_secs(last_second(query)))
            .max_results(PAGE);
        if let Some(token) = &query.token {
            request = request.next_token(&**token);
        }
        let answer = self.scope.call(call, OPERATION, request.send()).await?;
        let next: Option<Arc<str>> = answer
            .next_token()
            .filter(|token| !token.is_empty())
            .map(Into::into);
        if next.is_some() && next == query.token {
            return Err(AwsError::new(
                FailureClass::Unreadable,
                OPERATION,
                "the same page token came back",
            ));
        }
        let mut page = LogPage {
            events: Vec::new(),
            quarantined: Vec::new(),
            coverage: Vec::new(),
            next,
        };
        for event in answer.events() {
            self.take(event, query.wanted, &mut page);
        }
        page.coverage.extend(coverage_of(&self.scope, answer.events()));
        Ok(page)
    }

    fn take(&self, event: &Event, wanted: ActionSet, page: &mut LogPage) {
        let origin = format!("{}#{}", self.source.scope, event.event_id().unwrap_or("?"));
        let Some(json) = event.cloud_trail_event() else {
            page.quarantined.push(Quarantined {
                origin: origin.into(),
                reason: QuarantineReason::MissingField,
                detail: "the entry has no CloudTrailEvent".into(),
                bytes: Arc::default(),
            });
            return;
        };
        let context = RecordContext {
            origin: &origin,
            account: Some(self.scope.account()),
            wanted,
        };
        let reading = read_record(json.as_bytes(), &context);
        page.events.extend(reading.event);
        page.quarantined.extend(reading.quarantined);
    }
}

impl LogReader for LookupEventsReader {
    fn source(&self) -> &LogSource {
        &self.source
    }

    fn read<'a>(
        &'a self,
        call: &'a CallContext,
        query: &'a PageQuery,
    ) -> BoxFuture<'a, Result<LogPage, CallError>> {
        Box::pin(async move { Ok(self.read_page(call, query).await?) })
    }
}

fn source_of(scope: &Scope, name: &str, config: &LookupEventsConfig) -> LogSource {
    let id = format!("aws/{name}/lookup-events/{}", scope.region());
    LogSource {
        scope: format!("{id}/{}/management", scope.account()).into(),
        id: SourceId::new(id),
        provider: Provider::Aws,
        poll_interval: Duration::from_secs(config.poll_seconds.into()),
        settle: Duration::from_mins(config.settle_minutes.into()),
        overlap: OVERLAP,
        first_lookback: Duration::from_hours(config.first_lookback_hours.into()),
        rescans: RESCANS.to_vec(),
    }
}

/// The service counts in whole seconds and includes the end; a window ends before its end. Never before the start,
/// which the service refuses.
fn last_second(query: &PageQuery) -> i64 {
    let last = query.end.minus(Duration::from_micros(1));
    last.as_secs().max(query.start.as_secs())
}

/// What a page held, whether it can matter or not. One account and region, so at most one entry.
fn coverage_of(scope: &Scope, events: &[Event]) -> Option<Coverage> {
    let newest = events.iter().filter_map(Event::event_time).max();
    let is_key = |event: &&Event| event.event_source() == Some(KEY_SERVICE);
    (!events.is_empty()).then(|| Coverage {
        account: scope.account().clone(),
        region: scope.region().clone(),
        records: events.len() as u64,
        key_records: events.iter().filter(is_key).count() as u64,
        newest: newest.map(|time| Timestamp::from_secs(time.secs())),
    })
}

#[cfg(test)]
mod tests;
