//! Places at which a test can kill the process: `KEYVIGIL_FAILPOINT=name` or `name:n` aborts at the n-th hit.
//!
//! Compiled only with the cargo feature `failpoints`; without it [`hit`] is empty.

/// Aborts the process if the environment asks for it here.
#[cfg(not(feature = "failpoints"))]
pub const fn hit(_name: &str) {}

/// Aborts the process if the environment asks for it here.
#[cfg(feature = "failpoints")]
pub fn hit(name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static PLAN: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static HITS: AtomicU64 = AtomicU64::new(0);

    let plan = PLAN.get_or_init(|| std::env::var("KEYVIGIL_FAILPOINT").ok().map(|text| plan(&text)));
    let Some((wanted, at)) = plan else { return };
    if wanted == name && HITS.fetch_add(1, Ordering::SeqCst) + 1 == *at {
        // No destructor runs: what is on disk now is all that the next process finds.
        std::process::abort();
    }
}

/// Reads `name` or `name:n`. What is not a number counts as the first hit.
#[cfg(any(test, feature = "failpoints"))]
fn plan(text: &str) -> (String, u64) {
    match text.rsplit_once(':') {
        Some((name, count)) => (name.to_owned(), count.parse().unwrap_or(1)),
        None => (text.to_owned(), 1),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_plan_names_a_place_and_a_hit() {
        assert_eq!(super::plan("before"), ("before".to_owned(), 1));
        assert_eq!(super::plan("before:7"), ("before".to_owned(), 7));
    }
}
