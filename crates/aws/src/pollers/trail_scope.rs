//! What a trail's event selectors leave unrecorded, as an [`AuditScope`].
//!
//! Only management events count: key operations are management events. The selectors of a trail are alternatives: an
//! event is recorded if any of them takes it. So the reduction is a union, kept apart for reads and writes.
//!
//! The forms and their defaults are those of CloudTrail's `GetEventSelectors` and `PutEventSelectors`. The same
//! reduction serves polled configuration and recorded calls, so it takes its own small types.

use std::collections::BTreeSet;
use std::sync::Arc;

use keyvigil_model::facts::AuditScope;

/// The service whose events a trail must not miss.
const KEY_SERVICE: &str = "kms.amazonaws.com";

/// The selectors of one trail. A trail has basic or advanced ones, never both; both empty means the default, which
/// records all management events.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Selectors<'a> {
    /// `EventSelectors`.
    pub basic: Vec<BasicSelector<'a>>,
    /// `AdvancedEventSelectors`: each a list of field selectors that must all hold.
    pub advanced: Vec<Vec<FieldSelector<'a>>>,
}

/// One of `EventSelectors`.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct BasicSelector<'a> {
    /// `ReadWriteType`; absent means `All`.
    pub read_write: Option<&'a str>,
    /// `IncludeManagementEvents`; absent means true.
    pub management: Option<bool>,
    /// `ExcludeManagementEventSources`.
    pub excluded_sources: Vec<&'a str>,
}

/// One operator of one field of an advanced selector. A field with two operators is given as two of these.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FieldSelector<'a> {
    /// `Field`.
    pub field: &'a str,
    /// Which operator.
    pub operator: Operator,
    /// Its values; any of them suffices.
    pub values: Vec<&'a str>,
}

/// The operators of advanced selectors, as far as management events use them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operator {
    /// `Equals`.
    Equals,
    /// `NotEquals`.
    NotEquals,
    /// `StartsWith`, `EndsWith`, their negations, and whatever comes later.
    Other,
}

/// The services whose events are recorded.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Recorded<'a> {
    AllBut(BTreeSet<&'a str>),
    Only(BTreeSet<&'a str>),
}

/// What one selector takes.
enum Taken<'a> {
    /// Management events: reads, writes, of these services.
    Management {
        reads: bool,
        writes: bool,
        services: Recorded<'a>,
    },
    /// No management events.
    Nothing,
    /// Some management events; which ones cannot be told.
    NotUnderstood,
}

/// Reduces selectors to what is not recorded. Only the fields of [`AuditScope`] that selectors decide are set.
pub fn reduce(selectors: &Selectors<'_>) -> AuditScope {
    if selectors.basic.is_empty() && selectors.advanced.is_empty() {
        return AuditScope::default();
    }
    let mut reads = Recorded::Only(BTreeSet::new());
    let mut writes = Recorded::Only(BTreeSet::new());
    let mut not_understood = false;
    let basic = selectors.basic.iter().map(taken_by_basic);
    let advanced = selectors.advanced.iter().map(|fields| taken_by_advanced(fields));
    for taken in basic.chain(advanced) {
        match taken {
            Taken::Management {
                reads: takes_reads,
                writes: takes_writes,
                services,
            } => {
                if takes_reads {
                    reads = reads.union(&services);
                }
                if takes_writes {
                    writes = writes.union(&services);
                }
            }
            Taken::Nothing => {}
            Taken::NotUnderstood => not_understood = true,
        }
    }
    scope_of(&reads, &writes, not_understood)
}

fn scope_of(reads: &Recorded<'_>, writes: &Recorded<'_>, mut not_understood: bool) -> AuditScope {
    let mut scope = AuditScope::default();
    let mut excluded = BTreeSet::new();
    match (reads.is_nothing(), writes.is_nothing()) {
        (true, true) => scope.management_off = !not_understood,
        (true, false) | (false, true) => scope.reads_or_writes_only = !not_understood,
        (false, false) => {}
    }
    for side in [reads, writes] {
        match side {
            Recorded::AllBut(services) => excluded.extend(services.iter().copied()),
            Recorded::Only(services) if services.is_empty() => {}
            Recorded::Only(services) => {
                // The services left out have no names here. The one that matters most can be told.
                not_understood = true;
                if !services.contains(KEY_SERVICE) {
                    excluded.insert(KEY_SERVICE);
                }
            }
        }
    }
    let complete = *reads == Recorded::everything() && *writes == Recorded::everything();
    scope.not_understood = not_understood && !complete;
    scope.excluded_services = excluded.into_iter().map(Arc::from).collect();
    scope
}

impl<'a> Recorded<'a> {
    fn everything() -> Self {
        Self::AllBut(BTreeSet::new())
    }

    fn is_nothing(&self) -> bool {
        matches!(self, Self::Only(services) if services.is_empty())
    }

    fn union(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::AllBut(a), Self::AllBut(b)) => Self::AllBut(a & b),
            (Self::AllBut(missing), Self::Only(present)) | (Self::Only(present), Self::AllBut(missing)) => {
                Self::AllBut(missing - present)
            }
            (Self::Only(a), Self::Only(b)) => Self::Only(a | b),
        }
    }

    /// What both take: two conditions of one selector.
    fn intersect(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::AllBut(a), Self::AllBut(b)) => Self::AllBut(a | b),
            (Self::AllBut(missing), Self::Only(present)) | (Self::Only(present), Self::AllBut(missing)) => {
                Self::Only(present - missing)
            }
            (Self::Only(a), Self::Only(b)) => Self::Only(a & b),
        }
    }
}

fn taken_by_basic<'a>(selector: &BasicSelector<'a>) -> Taken<'a> {
    if selector.management == Some(false) {
        return Taken::Nothing;
    }
    let (reads, writes) = match selector.read_write {
        None | Some("All") => (true, true),
        Some("ReadOnly") => (true, false),
        Some("WriteOnly") => (false, true),
        Some(_) => return Taken::NotUnderstood,
    };
    Taken::Management {
        reads,
        writes,
        services: Recorded::AllBut(selector.excluded_sources.iter().copied().collect()),
    }
}

fn taken_by_advanced<'a>(fields: &[FieldSelector<'a>]) -> Taken<'a> {
    let category = fields.iter().find(|selector| selector.field == "eventCategory");
    match category {
        Some(selector) if selector.operator == Operator::Equals => {
            if !selector.values.contains(&"Management") {
                return Taken::Nothing;
            }
        }
        Some(_) | None => return Taken::NotUnderstood,
    }
    let (mut reads, mut writes) = (true, true);
    let mut services = Recorded::everything();
    for selector in fields {
        let values = selector.values.iter().copied().collect();
        match (selector.field, selector.operator) {
            ("eventCategory", Operator::Equals) => {}
            ("readOnly", Operator::Equals) => {
                reads &= selector.values.contains(&"true");
                writes &= selector.values.contains(&"false");
            }
            ("eventSource", Operator::Equals) => services = services.intersect(&Recorded::Only(values)),
            ("eventSource", Operator::NotEquals) => services = services.intersect(&Recorded::AllBut(values)),
            // Event names, event types, identities, prefixes: they narrow in ways that a scope cannot express.
            _ => return Taken::NotUnderstood,
        }
    }
    Taken::Management {
        reads,
        writes,
        services,
    }
}

#[cfg(test)]
mod tests;
