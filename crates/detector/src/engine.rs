//! The detector: takes observations one step at a time, runs the rules, and hands out what follows.

use std::collections::HashMap;
use std::sync::Arc;

use keyvigil_model::action::{Action, ActionSet};
use keyvigil_model::event::AuditEvent;
use keyvigil_model::finding::{ClearReason, FindingChange};
use keyvigil_model::id::{AccountId, Fingerprint, PrincipalId, SourceId};
use keyvigil_model::key::KeyRef;
use keyvigil_model::provider::Provider;
use keyvigil_model::time::Timestamp;
use keyvigil_model::untrusted::Untrusted;
use keyvigil_model::verdict::Read;

use crate::inventory::Inventory;
use crate::policy::{Policy, selector};
use crate::rule::{Draft, KeyClass, Rule, Scene, Stage};
use crate::rules::rules;
use crate::state::marks::Shared;
use crate::state::table::Changes;
use crate::state::{Hash, State, hash, hash_all};
use crate::step::{Input, SavedState, StateProblem, Step};

mod exceptions;
mod history;
mod posture;
mod repoll;
pub mod report;
mod reverts;
mod sight;

#[cfg(test)]
mod tests;

use report::Reported;

/// What the policy says where there is no key.
static UNCLASSIFIED: KeyClass = KeyClass {
    critical: false,
    decoy: false,
    authorised: Vec::new(),
};

/// Entries of each lookup cache; a full one is emptied.
const MAX_CACHED: usize = 50_000;

/// Decides what breaks the policy. See the crate's documentation.
pub struct Detector {
    policy: Policy,
    inventory: Inventory,
    state: State,
    saving: Saving,
    dispatch: Dispatch,
    cache: Cache,
    /// The policy changed: every resource must be judged again.
    judge_all: bool,
}

/// Whether state leaves with the steps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Saving {
    On,
    Off,
}

/// Which rules look at which action: first those that stand alone, then those that follow others.
struct Dispatch {
    first: Vec<Vec<&'static dyn Rule>>,
    then: Vec<Vec<&'static dyn Rule>>,
    followers: Vec<&'static dyn Rule>,
}

/// What was looked up before. Follows from the policy and the inventory; never saved.
#[derive(Default)]
struct Cache {
    keys: HashMap<KeyRef, Arc<Subject>>,
    principals: HashMap<PrincipalId, Hash>,
    /// When the account was first seen, and its identity in the state.
    accounts: HashMap<(Provider, AccountId), (Timestamp, Hash)>,
    origins: HashMap<Untrusted, Hash>,
}

/// A key as an event names it, looked up.
struct Subject {
    /// The key by its full name.
    key: KeyRef,
    class: KeyClass,
    /// Its identity in the state.
    which: Hash,
}

impl Dispatch {
    fn new() -> Self {
        let empty = || {
            Action::ALL
                .iter()
                .map(|_| Vec::new())
                .collect::<Vec<Vec<&'static dyn Rule>>>()
        };
        let mut dispatch = Self {
            first: empty(),
            then: empty(),
            followers: Vec::new(),
        };
        for rule in rules() {
            let follows = !rule.follows().is_empty();
            if follows {
                dispatch.followers.push(*rule);
            }
            let table = if follows {
                &mut dispatch.then
            } else {
                &mut dispatch.first
            };
            for action in Action::ALL {
                if rule.actions().contains(*action) {
                    table[*action as usize].push(*rule);
                }
            }
        }
        dispatch
    }
}

impl Detector {
    /// A detector that continues where the saved state ends. Rows that cannot be used are reported and left out.
    pub fn new(policy: Policy, saved: impl IntoIterator<Item = SavedState>) -> (Self, Vec<StateProblem>) {
        let (state, problems) = State::load(saved);
        let detector = Self {
            policy,
            inventory: Inventory::default(),
            state,
            saving: Saving::On,
            dispatch: Dispatch::new(),
            cache: Cache::default(),
            judge_all: false,
        };
        (detector, problems)
    }

    /// A detector that remembers nothing yet and whose memory nobody saves, as in a replay: [`Step::state`] stays empty.
    pub fn unsaved(policy: Policy) -> Self {
        let (detector, _nothing_saved) = Self::new(policy, []);
        Self {
            saving: Saving::Off,
            ..detector
        }
    }

    /// Everything that follows from one observation at `now`, the driver's time.
    pub fn step(&mut self, now: Timestamp, input: Input<'_>) -> Step {
        let mut step = Step::default();
        match input {
            Input::Events { source, events } => self.events(now, source, events, &mut step),
            Input::Coverage {
                source,
                provider,
                seen,
            } => {
                for coverage in seen {
                    self.stage(now, &mut step, |rule, stage| {
                        rule.coverage(stage, source, provider, coverage)
                    });
                }
            }
            Input::Snapshot(snapshot) => {
                let change = self.inventory.apply(snapshot);
                self.cache.keys.clear();
                self.posture().withdraw(&change.gone, now, &mut step);
                self.posture().judge(&change.changed, now, &mut step);
                if let Some(health) = sight::of(snapshot) {
                    self.stage(now, &mut step, |rule, stage| rule.health(stage, &health));
                }
            }
            Input::Health(health) => self.stage(now, &mut step, |rule, stage| rule.health(stage, health)),
            Input::Tick => {
                self.state.tick(now);
                if std::mem::take(&mut self.judge_all) {
                    let everything = posture::everything(&self.inventory);
                    self.posture().judge(&everything, now, &mut step);
                }
                self.stage(now, &mut step, |rule, stage| rule.tick(stage));
                self.state.sweep();
            }
        }
        let mut changes = match self.saving {
            Saving::On => Changes::Saved(&mut step.state),
            Saving::Off => Changes::Dropped,
        };
        self.state.flush(&mut changes);
        step
    }

    /// Every action that can matter: what readers must not drop.
    pub fn wanted(&self) -> ActionSet {
        let mut wanted = ActionSet::keys_and_secrets()
            .union(repoll::ACTIONS)
            .union(reverts::ACTIONS);
        for rule in rules() {
            wanted = wanted.union(rule.actions());
        }
        wanted
    }

    /// The key by its full name, as far as the inventory knows it.
    pub fn resolve(&self, key: &KeyRef) -> KeyRef {
        self.inventory.resolve(key)
    }

    /// What is known of keys and resources.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// The inventory of a detector that ends here, for [`Detector::carry_over`].
    pub fn into_inventory(self) -> Inventory {
        self.inventory
    }

    /// Takes an inventory that was built before the state was loaded again: what was read stays read. Controls judge
    /// it anew with the next tick, as the state may not know their last verdicts.
    pub fn carry_over(&mut self, inventory: Inventory) {
        self.inventory = inventory;
        self.cache = Cache::default();
        self.judge_all = true;
    }

    /// Goes on under another policy. Controls judge everything anew with the next tick.
    pub fn replace_policy(&mut self, policy: Policy) {
        self.policy = policy;
        self.cache = Cache::default();
        self.judge_all = true;
    }

    fn events(&mut self, now: Timestamp, source: &SourceId, events: &[AuditEvent], step: &mut Step) {
        // In order of time, so that the order of arrival inside a batch does not matter.
        let mut order: Vec<&AuditEvent> = events.iter().collect();
        order.sort_by(|a, b| (a.time, &a.id).cmp(&(b.time, &b.id)));
        for event in &order {
            self.event(now, source, event, step);
        }
        if let Some(newest) = order.last() {
            self.state.advance(newest.time, now);
        }
    }

    fn event(&mut self, now: Timestamp, source: &SourceId, event: &AuditEvent, step: &mut Step) {
        let place = self.place(event);
        if self.is_second_copy(event) {
            return;
        }
        repoll::request(&self.inventory, event, &mut step.repolls);
        let subject = event.keys.first().map(|key| self.subject(key));
        let who = self.principal(&event.principal.id);
        let origin = self.origin(event);
        let mut scene = Scene {
            event,
            source,
            key: subject.as_ref().map(|subject| &subject.key),
            class: subject.as_ref().map_or(&UNCLASSIFIED, |subject| &subject.class),
            who,
            which: subject.as_ref().map_or([0; 16], |subject| subject.which),
            place,
            origin,
            policy: &self.policy,
            inventory: &self.inventory,
            state: &mut self.state,
            fired: Vec::new(),
            drafts: Vec::new(),
        };
        let slot = event.action as usize;
        for rule in &self.dispatch.first[slot] {
            rule.event(&mut scene);
        }
        settle(&mut scene, now, step);
        for rule in &self.dispatch.then[slot] {
            rule.event(&mut scene);
        }
        if !scene.fired.is_empty() {
            for rule in &self.dispatch.followers {
                if rule
                    .follows()
                    .iter()
                    .any(|followed| scene.fired.contains(followed))
                {
                    rule.followed(&mut scene);
                }
            }
        }
        settle(&mut scene, now, step);
        reverts::apply(&mut scene, step);
        history::note(&mut scene);
    }

    /// Runs one hook of every rule over something that is not an event.
    fn stage(&mut self, now: Timestamp, step: &mut Step, hook: impl Fn(&dyn Rule, &mut Stage<'_>)) {
        let mut stage = Stage {
            now,
            resumed: self.state.resumed(),
            watermark: self.state.watermark(),
            policy: &self.policy,
            inventory: &self.inventory,
            state: &mut self.state,
            drafts: Vec::new(),
            returned: Vec::new(),
        };
        for rule in rules() {
            hook(*rule, &mut stage);
        }
        let (drafts, returned) = (stage.drafts, stage.returned);
        for draft in drafts {
            report::report(draft, &self.policy, &mut self.state, now, &mut step.findings);
        }
        for fingerprint in returned {
            self.clear(fingerprint, now, ClearReason::SourceReturned, step);
        }
    }

    fn posture(&mut self) -> posture::Posture<'_> {
        posture::Posture {
            inventory: &self.inventory,
            policy: &self.policy,
            state: &mut self.state,
        }
    }

    fn clear(&mut self, fingerprint: Fingerprint, at: Timestamp, reason: ClearReason, step: &mut Step) {
        if self.state.open.close(&fingerprint.0) {
            step.findings.push(FindingChange::Cleared {
                fingerprint,
                at,
                reason,
            });
        }
    }

    /// The identity of the account of the log. Its learning starts with its first event, also if that arrives late.
    fn place(&mut self, event: &AuditEvent) -> Hash {
        let id = (event.provider, event.account.clone());
        if let Some((since, place)) = self.cache.accounts.get(&id)
            && *since <= event.time
        {
            return *place;
        }
        let place = hash_all(&[event.provider.as_str(), event.account.as_str()]);
        let since = self
            .state
            .learning_since(event.provider, &event.account, event.time);
        bound(&mut self.cache.accounts);
        self.cache.accounts.insert(id, (since, place));
        place
    }

    /// The identity of the source address, where it is the principal's own and not that of a service in between.
    fn origin(&mut self, event: &AuditEvent) -> Option<Hash> {
        if event.via.service.is_some() {
            return None;
        }
        let source = event.network.source.as_ref()?;
        if let Some(known) = self.cache.origins.get(source) {
            return Some(*known);
        }
        let identity = hash(source.raw());
        bound(&mut self.cache.origins);
        self.cache.origins.insert(source.clone(), identity);
        Some(identity)
    }

    /// A call across accounts is logged in both. The second copy must not be judged again.
    fn is_second_copy(&mut self, event: &AuditEvent) -> bool {
        let Some(shared) = &event.shared_id else {
            return false;
        };
        let id = hash(shared.raw());
        match self.state.shared.get(&id) {
            Some(first) => *first.account != *event.account.as_str(),
            None => {
                let row = Shared {
                    account: event.account.as_str().into(),
                    at: event.time.as_micros(),
                };
                self.state.shared.put(id, row);
                false
            }
        }
    }

    fn principal(&mut self, id: &PrincipalId) -> Hash {
        if let Some(known) = self.cache.principals.get(id) {
            return *known;
        }
        let identity = hash(id.as_str());
        bound(&mut self.cache.principals);
        self.cache.principals.insert(id.clone(), identity);
        identity
    }

    fn subject(&mut self, key: &KeyRef) -> Arc<Subject> {
        if let Some(known) = self.cache.keys.get(key) {
            return known.clone();
        }
        let resolved = self.inventory.resolve(key);
        let class = classify(&self.policy, &self.inventory, &resolved);
        let which = hash(resolved.id.as_str());
        let subject = Arc::new(Subject {
            key: resolved,
            class,
            which,
        });
        bound(&mut self.cache.keys);
        self.cache.keys.insert(key.clone(), subject.clone());
        subject
    }
}

/// Reports what the rules proposed so far, and notes which of them fired.
fn settle(scene: &mut Scene<'_>, now: Timestamp, step: &mut Step) {
    for mut draft in std::mem::take(&mut scene.drafts) {
        history::fill(scene, &mut draft);
        let id = draft.meta.id;
        match report::report(draft, scene.policy, scene.state, now, &mut step.findings) {
            Reported::Raised | Reported::Folded => scene.fired.push(id),
            Reported::Suppressed => {}
        }
    }
}

/// What the policy says about a key, under any of its names.
fn classify(policy: &Policy, inventory: &Inventory, key: &KeyRef) -> KeyClass {
    let mut names = vec![key.clone()];
    if let Some(known) = inventory.key(&key.id)
        && let Read::Known(aliases) = &known.aliases
    {
        for alias in aliases {
            names.push(KeyRef {
                alias: Some(alias.clone()),
                ..key.clone()
            });
        }
    }
    let named_by = |patterns: &[String]| names.iter().any(|name| selector::any_key(patterns, name));
    let mut authorised = Vec::new();
    for (index, entry) in policy.authorised.iter().enumerate() {
        if named_by(&entry.keys) {
            authorised.push(index);
        }
    }
    KeyClass {
        critical: named_by(&policy.critical_keys),
        decoy: named_by(&policy.decoys.keys),
        authorised,
    }
}

/// Empties a cache that is full: it is filled again as needed.
fn bound<K, V>(cache: &mut HashMap<K, V>) {
    if cache.len() >= MAX_CACHED {
        cache.clear();
    }
}

/// Learns that the finding's rule still has to learn. The time is the end of learning.
fn learning_until(policy: &Policy, state: &mut State, draft: &Draft) -> Option<Timestamp> {
    let finding = &draft.finding;
    let since = state.learning_since(finding.provider, &finding.account, finding.time);
    let until = since.plus(std::time::Duration::from_secs(
        u64::from(policy.learning_days) * 86_400,
    ));
    (finding.time < until).then_some(until)
}
