//! Condition operators, three-valued: a condition holds, does not hold, or it cannot be told why.
//!
//! Semantics: IAM user guide, "Condition operators" and "Single-valued vs. multivalued context keys". A key that the
//! request lacks fails a positive comparison and passes a negated one; `...IfExists` and `ForAllValues:` pass without
//! the key, `ForAnyValue:` fails without it; several values are alternatives, under a negated operator all of them
//! must differ.

use std::fmt;

use super::pattern;

/// Longer patterns are not tried: no name in AWS is as long (ARNs have at most 2048 characters).
const MAX_PATTERN: usize = 2048;

/// Three-valued truth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Truth<'p> {
    /// It holds.
    Yes,
    /// It does not hold.
    No,
    /// It cannot be told.
    Unclear(Doubt<'p>),
}

/// Why something cannot be told. Borrows the words of the policy.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Doubt<'p> {
    /// A condition key that this version does not know.
    UnknownKey(&'p str),
    /// A condition key about the resource, which is not compared here.
    ResourceProperty(&'p str),
    /// A policy variable such as `${aws:username}`.
    Variable(&'p str),
    /// A comparison with the time of the request.
    Time(&'p str),
    /// An operator that this version does not know, or a value that it cannot read.
    Operator(&'p str),
    /// A name in `Principal` that does not say whose it is.
    Name(&'p str),
    /// Too many conditions depend on each other to try them all.
    TooComplex,
}

impl fmt::Display for Doubt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey(key) => write!(f, "condition key {} is not known", shown(key)),
            Self::ResourceProperty(key) => {
                write!(f, "condition key {} depends on the resource", shown(key))
            }
            Self::Variable(key) => write!(f, "a policy variable under {} is not resolved", shown(key)),
            Self::Time(key) => write!(f, "{} depends on the time of the request", shown(key)),
            Self::Operator(key) => write!(f, "the comparison with {} cannot be read", shown(key)),
            Self::Name(name) => write!(f, "it is not known whose the principal {} is", shown(name)),
            Self::TooComplex => f.write_str("its conditions are too many to try"),
        }
    }
}

/// Whoever wrote the policy chose these words: only what cannot disturb a message is shown.
fn shown(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || ":/-_.@+=,".contains(c);
    text.chars()
        .take(120)
        .map(|c| if plain(c) { c } else { '?' })
        .collect()
}

impl Truth<'_> {
    fn of(truth: bool) -> Self {
        if truth { Self::Yes } else { Self::No }
    }

    /// The opposite; what is unclear stays so.
    fn negated(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Unclear(doubt) => Self::Unclear(doubt),
        }
    }

    /// Both hold.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Unclear(doubt), _) | (_, Self::Unclear(doubt)) => Self::Unclear(doubt),
            (Self::Yes, Self::Yes) => Self::Yes,
        }
    }

    /// At least one holds.
    pub(crate) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Yes, _) | (_, Self::Yes) => Self::Yes,
            (Self::Unclear(doubt), _) | (_, Self::Unclear(doubt)) => Self::Unclear(doubt),
            (Self::No, Self::No) => Self::No,
        }
    }
}

/// A condition operator with its prefix and suffix.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Operator {
    /// What is compared.
    pub test: Test,
    /// `Not…`: none of the values may match.
    pub negated: bool,
    /// `…IfExists`.
    pub if_exists: bool,
    /// `ForAnyValue:` or `ForAllValues:`.
    pub set: SetRule,
}

/// How several values in a request are treated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SetRule {
    /// No prefix: the request has one value.
    Single,
    /// `ForAnyValue:`.
    Any,
    /// `ForAllValues:`.
    All,
}

/// What an operator compares.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Test {
    /// `StringEquals`.
    Text,
    /// `StringEqualsIgnoreCase`.
    TextIgnoreCase,
    /// `StringLike`.
    Like,
    /// `ArnEquals`, `ArnLike`.
    Arn,
    /// `Numeric…`.
    Number(Order),
    /// `Date…`.
    Date,
    /// `Bool`.
    Bool,
    /// `IpAddress`.
    Address,
    /// `Null`.
    Null,
    /// Any other.
    Unknown,
}

/// How two numbers must compare.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Order {
    /// `NumericEquals`.
    Equal,
    /// `NumericLessThan`.
    Less,
    /// `NumericLessThanEquals`.
    LessOrEqual,
    /// `NumericGreaterThan`.
    Greater,
    /// `NumericGreaterThanEquals`.
    GreaterOrEqual,
}

impl Operator {
    /// Reads an operator's name, without regard to case.
    pub(crate) fn parse(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let (set, name) = match name.split_once(':') {
            Some(("foranyvalue", rest)) => (SetRule::Any, rest),
            Some(("forallvalues", rest)) => (SetRule::All, rest),
            Some(_) | None => (SetRule::Single, name.as_str()),
        };
        let (if_exists, name) = match name.strip_suffix("ifexists") {
            Some(rest) => (true, rest),
            None => (false, name),
        };
        let (test, negated) = match name {
            "stringequals" => (Test::Text, false),
            "stringnotequals" => (Test::Text, true),
            "stringequalsignorecase" => (Test::TextIgnoreCase, false),
            "stringnotequalsignorecase" => (Test::TextIgnoreCase, true),
            "stringlike" => (Test::Like, false),
            "stringnotlike" => (Test::Like, true),
            "arnequals" | "arnlike" => (Test::Arn, false),
            "arnnotequals" | "arnnotlike" => (Test::Arn, true),
            "numericequals" => (Test::Number(Order::Equal), false),
            "numericnotequals" => (Test::Number(Order::Equal), true),
            "numericlessthan" => (Test::Number(Order::Less), false),
            "numericlessthanequals" => (Test::Number(Order::LessOrEqual), false),
            "numericgreaterthan" => (Test::Number(Order::Greater), false),
            "numericgreaterthanequals" => (Test::Number(Order::GreaterOrEqual), false),
            "bool" => (Test::Bool, false),
            "ipaddress" => (Test::Address, false),
            "notipaddress" => (Test::Address, true),
            "null" => (Test::Null, false),
            "datenotequals" => (Test::Date, true),
            date if date.starts_with("date") => (Test::Date, false),
            _ => (Test::Unknown, false),
        };
        Self {
            test,
            negated,
            if_exists,
            set,
        }
    }

    /// Whether the condition `key operator values` holds for what the request has under `key`.
    pub(crate) fn holds<'p>(self, key: &'p str, wanted: &'p [String], has: &Has<'p>) -> Truth<'p> {
        if self.test == Test::Unknown {
            return Truth::Unclear(Doubt::Operator(key));
        }
        let values = match has {
            Has::Unclear(doubt) => return Truth::Unclear(*doubt),
            Has::Nothing => &[],
            Has::Values(values) => values.as_slice(),
        };
        if self.test == Test::Null {
            let absent = values.is_empty();
            let asks_for_absence = wanted.iter().any(|value| value.eq_ignore_ascii_case("true"));
            return Truth::of(absent == asks_for_absence);
        }
        if values.is_empty() {
            return Truth::of(self.holds_without_key());
        }
        match self.set {
            SetRule::Single | SetRule::Any => values
                .iter()
                .fold(Truth::No, |sum, value| sum.or(self.one(key, wanted, value))),
            SetRule::All => values
                .iter()
                .fold(Truth::Yes, |sum, value| sum.and(self.one(key, wanted, value))),
        }
    }

    fn holds_without_key(self) -> bool {
        match self.set {
            SetRule::All => true,
            SetRule::Any => self.if_exists,
            SetRule::Single => self.if_exists || self.negated,
        }
    }

    /// One value of the request against all values of the condition.
    fn one<'p>(self, key: &'p str, wanted: &'p [String], value: &str) -> Truth<'p> {
        let matched = wanted.iter().fold(Truth::No, |sum, wanted| {
            sum.or(self.test.compare(key, wanted, value))
        });
        if self.negated { matched.negated() } else { matched }
    }
}

impl Test {
    fn compare<'p>(self, key: &'p str, wanted: &'p str, value: &str) -> Truth<'p> {
        if wanted.contains("${") {
            return Truth::Unclear(Doubt::Variable(key));
        }
        let unreadable = Truth::Unclear(Doubt::Operator(key));
        if wanted.len() > MAX_PATTERN && matches!(self, Self::Like | Self::Arn) {
            return unreadable;
        }
        match self {
            Self::Text => Truth::of(wanted == value),
            Self::TextIgnoreCase => Truth::of(wanted.eq_ignore_ascii_case(value)),
            Self::Like => Truth::of(pattern::wildcard(wanted, value)),
            Self::Arn => Truth::of(pattern::arn(wanted, value)),
            Self::Bool => Truth::of(wanted.eq_ignore_ascii_case(value)),
            Self::Number(order) => match (wanted.trim().parse::<f64>(), value.parse::<f64>()) {
                (Ok(wanted), Ok(value)) => Truth::of(match order {
                    Order::Equal => value == wanted,
                    Order::Less => value < wanted,
                    Order::LessOrEqual => value <= wanted,
                    Order::Greater => value > wanted,
                    Order::GreaterOrEqual => value >= wanted,
                }),
                (Err(_), _) | (_, Err(_)) => unreadable,
            },
            Self::Address => match (pattern::Range::parse(wanted), value.parse()) {
                (Some(range), Ok(address)) => Truth::of(range.contains(address)),
                (None, _) | (_, Err(_)) => unreadable,
            },
            Self::Date => Truth::Unclear(Doubt::Time(key)),
            Self::Null | Self::Unknown => unreadable,
        }
    }
}

/// What a request has under a condition key.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Has<'p> {
    /// The key is not there.
    Nothing,
    /// One or several values.
    Values(Vec<String>),
    /// It cannot be told.
    Unclear(Doubt<'p>),
}

impl Has<'_> {
    /// One value.
    pub(crate) fn one(value: impl Into<String>) -> Self {
        Self::Values(vec![value.into()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(operator: &str, wanted: &[&str], has: Option<&str>, expected: Truth<'_>) {
        let wanted: Vec<String> = wanted.iter().map(|value| (*value).to_owned()).collect();
        let has = has.map_or(Has::Nothing, |value| {
            Has::Values(value.split(',').map(str::to_owned).collect())
        });
        let holds = Operator::parse(operator).holds("k", &wanted, &has);
        assert_eq!(holds, expected, "{operator} {wanted:?} {has:?}");
    }

    #[test]
    fn operators() {
        use Truth::{No, Unclear, Yes};
        check("StringEquals", &["a", "b"], Some("b"), Yes);
        check("StringEquals", &["a*"], Some("ab"), No);
        check("stringequals", &["a"], None, No);
        check("StringEqualsIfExists", &["a"], None, Yes);
        check("StringEqualsIfExists", &["a"], Some("b"), No);
        check("StringEqualsIgnoreCase", &["A"], Some("a"), Yes);
        check("StringNotEquals", &["a", "b"], Some("b"), No);
        check("StringNotEquals", &["a", "b"], Some("c"), Yes);
        check("StringNotEquals", &["a"], None, Yes);
        check("StringLike", &["a*"], Some("ab"), Yes);
        check("StringNotLike", &["a*"], Some("ab"), No);
        check(
            "ArnLike",
            &["arn:aws:iam::*:role/a"],
            Some("arn:aws:iam::1:role/a"),
            Yes,
        );
        check(
            "ArnNotEquals",
            &["arn:aws:iam::1:role/a"],
            Some("arn:aws:iam::1:role/a"),
            No,
        );
        check("Bool", &["false"], Some("false"), Yes);
        check("Bool", &["false"], None, No);
        check("BoolIfExists", &["false"], None, Yes);
        check("NumericLessThan", &["1.2"], Some("1.1"), Yes);
        check("NumericLessThan", &["1.2"], Some("1.2"), No);
        check("NumericGreaterThanEquals", &["3"], Some("3"), Yes);
        check("NumericEquals", &["x"], Some("3"), Unclear(Doubt::Operator("k")));
        check("IpAddress", &["203.0.113.0/24"], Some("203.0.113.1"), Yes);
        check("NotIpAddress", &["203.0.113.0/24"], Some("203.0.113.1"), No);
        check("Null", &["true"], None, Yes);
        check("Null", &["false"], None, No);
        check("Null", &["false"], Some("x"), Yes);
        check(
            "DateLessThan",
            &["2030-01-01T00:00:00Z"],
            Some("2026-01-01T00:00:00Z"),
            Unclear(Doubt::Time("k")),
        );
        check("DateLessThan", &["2030-01-01T00:00:00Z"], None, No);
        check("ForAllValues:StringEquals", &["a"], None, Yes);
        check("ForAllValues:StringEquals", &["a"], Some("a,b"), No);
        check("ForAnyValue:StringEquals", &["a"], None, No);
        check("ForAnyValue:StringEquals", &["a"], Some("a,b"), Yes);
        check("ForAnyValue:StringNotEquals", &["a"], None, No);
        check(
            "StringEquals",
            &["${aws:username}"],
            Some("x"),
            Unclear(Doubt::Variable("k")),
        );
        check("StringEquals", &["${aws:username}", "x"], Some("x"), Yes);
        check(
            "BinaryEquals",
            &["eA=="],
            Some("x"),
            Unclear(Doubt::Operator("k")),
        );
    }
}
