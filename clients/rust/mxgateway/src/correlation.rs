//! Correlation ids.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

static PREFIX: LazyLock<u64> = LazyLock::new(|| fastrand::u64(..));
static COUNT: AtomicU64 = AtomicU64::new(0);

/// A new correlation id: never empty, unique among processes, safe from any thread. Its text is opaque: compare it, log
/// it, but never parse it.
pub fn next_correlation_id() -> String {
    format!("{:016x}-{:x}", *PREFIX, COUNT.fetch_add(1, Ordering::Relaxed) + 1)
}
