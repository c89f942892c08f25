//! A listing that comes in pages: what was read of it and how it ended. Pure; the calls are made by the pollers.

use keyvigil_connector::failure::FailureClass;

use crate::client::failure::AwsError;

/// More pages than any account needs: a million keys, ten million grants. Guards against a listing without an end.
const MAX_PAGES: usize = 1_000;

/// One page.
#[derive(Debug)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next: Next,
}

/// What a page says about the one after it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Next {
    /// There is none.
    Ended,
    /// It is asked for with this token.
    Token(String),
    /// There is one, but the answer does not say how to ask for it.
    Lost,
}

impl Next {
    /// For services that end a listing by leaving the token away, or empty.
    pub(crate) fn of_token(token: Option<String>) -> Self {
        match token {
            Some(token) if !token.trim().is_empty() => Self::Token(token),
            Some(_) | None => Self::Ended,
        }
    }

    /// For services that say `Truncated` beside the token.
    pub(crate) fn of_marker(truncated: bool, marker: Option<String>) -> Self {
        match (truncated, Self::of_token(marker)) {
            (false, _) => Self::Ended,
            (true, Self::Ended | Self::Lost) => Self::Lost,
            (true, token @ Self::Token(_)) => token,
        }
    }
}

/// A listing in progress. Ask [`Listing::wants`] for the next page until it says `None`, give it each answer.
#[derive(Debug)]
pub(crate) struct Listing<T> {
    call: &'static str,
    items: Vec<T>,
    pages: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    Wants(Option<String>),
    Ended,
    Cut(AwsError),
}

/// How a listing ended.
#[derive(Debug)]
pub(crate) enum Listed<T> {
    /// Every page was read.
    Whole(Vec<T>),
    /// Some pages were read, then it failed.
    Cut(Vec<T>, AwsError),
    /// The first page failed.
    Failed(AwsError),
}

impl<T> Listing<T> {
    /// A listing by `call`, in permission words.
    pub(crate) fn new(call: &'static str) -> Self {
        Self {
            call,
            items: Vec::new(),
            pages: 0,
            state: State::Wants(None),
        }
    }

    /// The token of the page to be asked for: `Some(None)` for the first page, `None` when there is nothing to ask.
    pub(crate) fn wants(&self) -> Option<Option<String>> {
        match &self.state {
            State::Wants(token) => Some(token.clone()),
            State::Ended | State::Cut(_) => None,
        }
    }

    /// Takes the answer to the request for the page that was wanted.
    pub(crate) fn add(&mut self, answer: Result<Page<T>, AwsError>) {
        let page = match answer {
            Ok(page) => page,
            Err(error) => {
                self.state = State::Cut(error);
                return;
            }
        };
        self.items.extend(page.items);
        self.pages += 1;
        let asked = match &self.state {
            State::Wants(token) => token.clone(),
            State::Ended | State::Cut(_) => None,
        };
        self.state = match page.next {
            Next::Ended => State::Ended,
            Next::Lost => self.broken("more pages are announced without a token"),
            Next::Token(token) if asked.as_ref() == Some(&token) => {
                self.broken("the same page token came twice in a row")
            }
            Next::Token(_) if self.pages >= MAX_PAGES => self.broken("the listing has no end"),
            Next::Token(token) => State::Wants(Some(token)),
        };
    }

    /// What was read. A listing that still wants pages is not whole.
    pub(crate) fn finish(mut self) -> Listed<T> {
        if let State::Wants(_) = self.state {
            self.state = self.broken("the listing was not read to its end");
        }
        match self.state {
            State::Cut(error) if self.pages == 0 => Listed::Failed(error),
            State::Cut(error) => Listed::Cut(self.items, error),
            State::Ended | State::Wants(_) => Listed::Whole(self.items),
        }
    }

    fn broken(&self, what: &str) -> State {
        State::Cut(AwsError::new(FailureClass::Unreadable, self.call, what))
    }
}

impl<T> Listed<T> {
    /// All of it, or why not: for lists that are useless in part, such as the grants of one key.
    pub(crate) fn whole(self) -> Result<Vec<T>, AwsError> {
        match self {
            Self::Whole(items) => Ok(items),
            Self::Cut(_, error) | Self::Failed(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds pages of one item each; `!` in place of a page is a failure. Returns what is left in the end.
    fn read(pages: &[(&str, Next)]) -> (Vec<String>, Option<String>, bool) {
        let mut listing = Listing::new("kms:ListKeys");
        for (item, next) in pages {
            assert!(listing.wants().is_some(), "asked past the end at {item}");
            listing.add(match *item {
                "!" => Err(AwsError::new(
                    FailureClass::Throttled(None),
                    "kms:ListKeys",
                    "slow down",
                )),
                item => Ok(Page {
                    items: vec![item.to_owned()],
                    next: next.clone(),
                }),
            });
        }
        let asks = listing.wants().is_some();
        match listing.finish() {
            Listed::Whole(items) => (items, None, asks),
            Listed::Cut(items, error) => (items, Some(error.message), asks),
            Listed::Failed(error) => (vec!["failed".to_owned()], Some(error.message), asks),
        }
    }

    /// Pages, the items that are left, and the error.
    type Case<'a> = (&'a [(&'a str, Next)], &'a [&'a str], Option<&'a str>);

    fn token(text: &str) -> Next {
        Next::Token(text.to_owned())
    }

    #[test]
    fn listings_end_in_these_ways() {
        let cases: [Case<'_>; 7] = [
            (&[("a", Next::Ended)], &["a"], None),
            (&[("a", token("1")), ("b", Next::Ended)], &["a", "b"], None),
            (&[("!", Next::Ended)], &["failed"], Some("slow down")),
            (
                &[("a", token("1")), ("!", Next::Ended)],
                &["a"],
                Some("slow down"),
            ),
            (
                &[("a", Next::Lost)],
                &["a"],
                Some("more pages are announced without a token"),
            ),
            (
                &[("a", token("1")), ("b", token("1"))],
                &["a", "b"],
                Some("the same page token came twice in a row"),
            ),
            (&[], &["failed"], Some("the listing was not read to its end")),
        ];
        for (pages, items, error) in cases {
            let (found, said, asks) = read(pages);
            assert_eq!(found, items, "{pages:?}");
            assert_eq!(said.as_deref(), error, "{pages:?}");
            assert_eq!(asks, pages.is_empty(), "{pages:?}");
        }
    }

    #[test]
    fn a_listing_without_an_end_is_cut() {
        let mut listing = Listing::new("kms:ListGrants");
        let mut page = 0;
        while listing.wants().is_some() {
            page += 1;
            listing.add(Ok(Page {
                items: vec![page],
                next: token(&page.to_string()),
            }));
        }
        assert_eq!(page, MAX_PAGES);
        assert!(matches!(listing.finish(), Listed::Cut(items, _) if items.len() == MAX_PAGES));
    }

    #[test]
    fn tokens_and_flags() {
        let text = |text: &str| Some(text.to_owned());
        for (truncated, marker, expected) in [
            (false, None, Next::Ended),
            (false, text("x"), Next::Ended),
            (true, text("x"), token("x")),
            (true, None, Next::Lost),
            (true, text(""), Next::Lost),
        ] {
            assert_eq!(
                Next::of_marker(truncated, marker.clone()),
                expected,
                "{truncated} {marker:?}"
            );
        }
        assert_eq!(Next::of_token(text(" ")), Next::Ended);
        assert_eq!(Next::of_token(text("x")), token("x"));
    }
}
