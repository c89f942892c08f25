//! The bound on bytes of objects in memory, over all sources of the process.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many bytes of objects may be in memory; whoever wants more waits, in order. Cheap to clone.
#[derive(Clone)]
pub struct ByteBudget {
    semaphore: Arc<Semaphore>,
    total: u32,
}

/// Bytes in use; given back when dropped.
pub(crate) struct BytesHeld {
    _permit: Option<OwnedSemaphorePermit>,
}

/// Counted in KiB, so that the semaphore's 32 bits do.
const UNIT: u64 = 1024;

impl ByteBudget {
    /// The documented bound: 64 MiB, the size of the largest object that is accepted.
    pub const DEFAULT: u64 = 64 * 1024 * 1024;

    /// A bound of so many bytes. An object larger than that is let through alone.
    pub fn new(bytes: u64) -> Self {
        let total = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).max(1);
        Self {
            semaphore: Arc::new(Semaphore::new(total as usize)),
            total,
        }
    }

    /// Bytes in use, to the KiB.
    pub fn in_use(&self) -> u64 {
        let free = self.semaphore.available_permits() as u64;
        u64::from(self.total).saturating_sub(free) * UNIT
    }

    pub(crate) async fn hold(&self, bytes: u64) -> BytesHeld {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        let units = units.clamp(1, self.total);
        let permit = Arc::clone(&self.semaphore).acquire_many_owned(units).await;
        // The semaphore is never closed; without a permit we would only be less careful.
        BytesHeld { _permit: permit.ok() }
    }
}

impl Default for ByteBudget {
    fn default() -> Self {
        Self::new(Self::DEFAULT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_held_is_bounded_and_given_back() {
        let budget = ByteBudget::new(10 * UNIT);
        let first = budget.hold(6 * UNIT).await;
        assert_eq!(budget.in_use(), 6 * UNIT);
        let second = tokio::time::timeout(std::time::Duration::ZERO, budget.hold(5 * UNIT)).await;
        assert!(second.is_err(), "no room");
        drop(first);
        let all = budget.hold(u64::MAX).await;
        assert_eq!(budget.in_use(), 10 * UNIT, "larger than the bound: alone");
        drop(all);
        assert_eq!(budget.in_use(), 0);
    }
}
