//! Changes that wait for the consumer. Without I/O and clock.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::change::DataChange;
use crate::error::{Error, ErrorKind, Result};

/// What happens when a subscription's queue is full because its consumer is too slow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OverflowPolicy {
    /// Drops the oldest change; `lost_before` of the next one says how many were.
    #[default]
    DropOldest,
    /// Drops the new change; `lost_before` of the next one that is kept says how many were.
    DropNewest,
    /// Drops nothing: the queue grows, and a warning is logged each time its length has doubled.
    Warn,
    /// Ends the subscription with an `Overflow` error, after the changes that are in the queue.
    Disconnect,
}

/// It counts what it drops; nothing is lost without a trace.
pub(crate) struct ChangeQueue {
    asked: usize,
    capacity: usize,
    policy: OverflowPolicy,
    changes: VecDeque<DataChange>,
    /// What was lost before the next change.
    pub(crate) lost_next: u64,
    warn_at: usize,
    /// Until all tags are subscribed: then the latest value of each has to fit.
    pub(crate) is_filling: bool,
    pub(crate) dropped: u64,
}

impl ChangeQueue {
    pub(crate) fn new(capacity: usize, policy: OverflowPolicy) -> Self {
        Self {
            asked: capacity,
            capacity,
            policy,
            changes: VecDeque::new(),
            lost_next: 0,
            warn_at: capacity,
            is_filling: true,
            dropped: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.changes.len()
    }

    /// Sees to it that the present value of each of so many tags fits, however little was asked for.
    pub(crate) fn make_room(&mut self, tags: usize) {
        self.capacity = self.asked.max(if tags > 1 { tags * 2 } else { tags });
    }

    /// Makes room at once for so many changes that come together, as far as the capacity allows.
    pub(crate) fn reserve(&mut self, changes: usize) {
        self.changes.reserve(changes.min(self.capacity.saturating_sub(self.changes.len())));
    }

    /// Counts events that were lost before the next change.
    pub(crate) fn lose(&mut self, events: u64) {
        self.lost_next += events;
    }

    /// Takes a change; an error is the end of the subscription.
    pub(crate) fn put(&mut self, change: DataChange) -> Result<()> {
        let is_full = |queue: &Self| queue.changes.len() >= queue.capacity && queue.policy != OverflowPolicy::Warn;
        if self.is_filling && is_full(self) {
            self.keep_latest();
        }
        if !is_full(self) {
            self.append(change);
            if self.changes.len() > self.warn_at && self.policy == OverflowPolicy::Warn {
                self.warn_at *= 2;
                tracing::warn!("{} changes wait; the consumer of the subscription is too slow", self.changes.len());
            }
            return Ok(());
        }
        match self.policy {
            OverflowPolicy::Disconnect => {
                let text = format!(
                    "{} changes wait and the overflow policy is Disconnect: the consumer is too slow",
                    self.capacity
                );
                return Err(Error::new(ErrorKind::Overflow, text));
            }
            OverflowPolicy::DropNewest => {
                self.dropped += 1;
                self.lost_next += change.lost_before + 1;
            }
            OverflowPolicy::DropOldest | OverflowPolicy::Warn => {
                self.dropped += 1;
                let lost = self.changes.pop_front().map_or(0, |oldest| oldest.lost_before + 1);
                self.append(change);
                // The gap is where the dropped change stood: before the one that is now the oldest.
                if let Some(oldest) = self.changes.front_mut() {
                    oldest.lost_before += lost;
                }
            }
        }
        Ok(())
    }

    fn append(&mut self, mut change: DataChange) {
        change.lost_before += std::mem::take(&mut self.lost_next);
        self.changes.push_back(change);
    }

    /// Removes the changes of some tags. What was lost before them was so before the next change.
    pub(crate) fn discard(&mut self, gone: &HashSet<Arc<str>>) {
        let mut lost = 0;
        for mut change in std::mem::take(&mut self.changes) {
            if gone.contains(&change.tag) {
                lost += change.lost_before;
            } else {
                change.lost_before += std::mem::take(&mut lost);
                self.changes.push_back(change);
            }
        }
        self.lost_next += lost;
    }

    /// Drops each change that a younger one of its tag follows, which says how many were lost before it.
    fn keep_latest(&mut self) {
        let last: HashMap<Arc<str>, usize> =
            self.changes.iter().enumerate().map(|(index, change)| (change.tag.clone(), index)).collect();
        let mut lost: HashMap<Arc<str>, u64> = HashMap::new();
        for (index, mut change) in std::mem::take(&mut self.changes).into_iter().enumerate() {
            if last.get(&change.tag) == Some(&index) {
                change.lost_before += lost.remove(&change.tag).unwrap_or(0);
                self.changes.push_back(change);
            } else {
                *lost.entry(change.tag).or_default() += change.lost_before + 1;
                self.dropped += 1;
            }
        }
    }

    pub(crate) fn take(&mut self) -> Option<DataChange> {
        self.changes.pop_front()
    }

    pub(crate) fn take_all(&mut self) -> Vec<DataChange> {
        std::mem::take(&mut self.changes).into()
    }
}
