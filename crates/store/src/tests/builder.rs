//! Builds alerts and notifications with every field filled, with text that breaks careless storage.

use std::sync::Arc;

use keyvigil_model::alert::{Alert, AlertState, Message, NextStep, Notification, NotifyAction, NotifyReason};
use keyvigil_model::event::{Network, Outcome};
use keyvigil_model::finding::{Advice, Context, Effect, Evidence, Finding, FindingKind};
use keyvigil_model::id::{
    AccountId, CheckId, EventId, FindingId, Fingerprint, KeyId, PrincipalId, ReceiverId, Region, ResourceId,
    SourceId,
};
use keyvigil_model::key::{KeyForm, KeyRef};
use keyvigil_model::principal::{Principal, PrincipalKind};
use keyvigil_model::provider::Provider;
use keyvigil_model::resource::{ResourceKind, ResourceRef};
use keyvigil_model::severity::Severity;
use keyvigil_model::time::Timestamp;
use keyvigil_model::untrusted::Untrusted;

/// A seeded source of values: the same seed builds the same thing.
pub(super) struct Build {
    state: u64,
}

/// Labels as rules write them.
const LABELS: [&str; 3] = ["principal", "source address", "days left"];

impl Build {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
        }
    }

    /// xorshift64: no quality needed, only variety.
    fn next(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.next() % from.len() as u64).unwrap()]
    }

    pub(super) fn text(&mut self) -> String {
        let number = self.next();
        match number % 8 {
            0 => String::new(),
            1 => format!("nul \0 tab \t bell \u{7} escape \u{1b}[31m {number}"),
            2 => format!("emoji \u{1f511}\u{200d}\u{1f4a5} right-to-left \u{202e} {number}"),
            3 => format!("'; DROP TABLE alerts; -- \" \\ {{}} [] {number}"),
            4 => "x".repeat(10 * 1024),
            5 => format!("line\r\nline\u{2028}line \u{feff}\u{fffd}\u{10ffff} {number}"),
            6 => "\0".to_owned(),
            _ => format!("arn:aws:kms:eu-west-1:123456789012:key/{number:x}"),
        }
    }

    fn untrusted(&mut self) -> Untrusted {
        Untrusted::new(self.text())
    }

    fn time(&mut self) -> Timestamp {
        let micros = i64::try_from(self.next() >> 12).unwrap();
        self.pick(&[
            Timestamp::from_micros(micros),
            Timestamp::EPOCH,
            Timestamp::from_micros(-micros),
            Timestamp::from_micros(i64::MAX),
        ])
    }

    /// `Some` three times out of four.
    fn maybe<T>(&mut self, build: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.next().is_multiple_of(4) {
            None
        } else {
            Some(build(self))
        }
    }

    fn list<T>(&mut self, build: impl Fn(&mut Self) -> T) -> Vec<T> {
        (0..self.next() % 4).map(|_| build(self)).collect()
    }

    pub(super) fn severity(&mut self) -> Severity {
        self.pick(&Severity::ALL)
    }

    fn key(&mut self) -> KeyRef {
        KeyRef {
            id: KeyId::new(self.text()),
            form: self.pick(&KeyForm::ALL),
            account: self.maybe(|build| AccountId::new(build.text())),
            region: self.maybe(|build| Region::new(build.text())),
            alias: self.maybe(Self::untrusted),
        }
    }

    fn principal(&mut self) -> Principal {
        Principal {
            id: PrincipalId::new(self.text()),
            kind: self.pick(&PrincipalKind::ALL),
            account: self.maybe(|build| AccountId::new(build.text())),
            session: self.maybe(Self::untrusted),
            on_behalf_of: self.maybe(Self::untrusted),
            credential: self.maybe(Self::untrusted),
            mfa: self.pick(&[None, Some(true), Some(false)]),
        }
    }

    fn resource(&mut self) -> ResourceRef {
        ResourceRef {
            id: ResourceId::new(self.text()),
            kind: self.pick(&ResourceKind::ALL),
            account: self.maybe(|build| AccountId::new(build.text())),
            region: self.maybe(|build| Region::new(build.text())),
        }
    }

    fn network(&mut self) -> Network {
        Network {
            source: self.maybe(Self::untrusted),
            user_agent: self.maybe(Self::untrusted),
            tls_version: self.maybe(Self::untrusted),
        }
    }

    fn context(&mut self) -> Context {
        Context {
            protects: self.maybe(Self::text),
            owner: self.maybe(Self::untrusted),
            normal: self.maybe(Self::text),
            blast_radius: self.maybe(Self::text),
            deadline: self.maybe(Self::time),
            source_seen_before: self.pick(&[None, Some(true), Some(false)]),
        }
    }

    pub(super) fn finding(&mut self) -> Finding {
        let (id, print) = (self.next(), self.next());
        Finding {
            id: FindingId::of(&[&id.to_le_bytes()]),
            fingerprint: Fingerprint::of(&[&print.to_le_bytes()]),
            check: CheckId::from(self.pick(&["key.destroy_scheduled", "aws.kms.rotation_enabled"])),
            kind: self.pick(&FindingKind::ALL),
            title: self.text(),
            summary: self.untrusted(),
            severity: self.severity(),
            outcome: self.pick(&Outcome::ALL),
            provider: self.pick(&Provider::ALL),
            account: AccountId::new(self.text()),
            region: Region::new(self.text()),
            time: self.time(),
            principal: self.maybe(Self::principal),
            key: self.maybe(Self::key),
            resource: self.maybe(Self::resource),
            network: self.maybe(Self::network),
            event_ids: self.list(|build| EventId::new(build.text())),
            references: self.list(|build| build.pick(&["SOC2 CC6.1", "CIS AWS 4.6", "ATT&CK T1485"])),
            source: SourceId::new(self.text()),
            evidence: self.list(|build| Evidence {
                label: build.pick(&LABELS),
                value: build.untrusted(),
            }),
            advice: self.list(|build| Advice {
                text: build.text(),
                command: build.maybe(Self::text),
                effect: build.pick(&Effect::ALL),
            }),
            context: self.context(),
            raw: self.list(|build| {
                let text = build.text();
                build.pick(&[text.as_bytes(), b"\xff\xfe\0not text", b""]).into()
            }),
        }
    }

    pub(super) fn alert(&mut self) -> Alert {
        let finding = self.finding();
        Alert {
            fingerprint: finding.fingerprint,
            episode: self.pick(&[1, 2, u32::MAX]),
            state: self.pick(&AlertState::ALL),
            severity: self.severity(),
            first: self.time(),
            last: self.time(),
            opened_at: self.time(),
            notified_at: self.maybe(Self::time),
            count: self.pick(&[1, 77, u64::MAX >> 1]),
            finding,
        }
    }

    fn message(&mut self) -> Message {
        Message {
            headline: self.text(),
            who: self.list(|build| (build.pick(&LABELS), build.untrusted())),
            what: self.untrusted(),
            subject: self.list(|build| (build.pick(&LABELS), build.untrusted())),
            from: self.list(|build| (build.pick(&LABELS), build.untrusted())),
            normal: self.text(),
            blast_radius: self.text(),
            next_steps: self.list(|build| NextStep {
                text: build.text(),
                command: build.maybe(Self::text),
                effect: build.pick(&Effect::ALL),
            }),
            links: self.list(|build| (build.text(), build.text())),
            controls: self.list(Self::text),
            event_time: self.time(),
            alerted_at: self.time(),
            lifecycle: self.list(|build| (build.pick(&LABELS), build.text())),
        }
    }

    pub(super) fn notification(&mut self) -> Notification {
        let print = self.next();
        let finding = self.next();
        Notification {
            fingerprint: Fingerprint::of(&[&print.to_le_bytes()]),
            episode: self.pick(&[1, 2, u32::MAX]),
            finding: FindingId::of(&[&finding.to_le_bytes()]),
            receiver: ReceiverId::from("slack"),
            reason: self.pick(&[
                NotifyReason::New,
                NotifyReason::Changed,
                NotifyReason::Repeat,
                NotifyReason::PossibleDuplicate,
                NotifyReason::Fallback,
                NotifyReason::Test,
            ]),
            action: NotifyAction::Trigger,
            severity: self.severity(),
            message: self.message(),
        }
    }
}

/// Bytes that are shared.
pub(super) fn bytes(text: &str) -> Arc<[u8]> {
    text.as_bytes().into()
}
