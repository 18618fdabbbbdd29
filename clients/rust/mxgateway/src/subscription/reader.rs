//! What the events of a stream mean for a subscription. Without I/O and clock.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::change::DataChange;
use super::items::Items;
use crate::pb::{self, MxEventFamily, MxEventOrigin};
use crate::status::failures;
use crate::time::MxTime;

struct Early {
    event: pb::MxEvent,
    is_replayed: bool,
    /// How many were lost directly before it.
    lost: u64,
}

#[derive(Default)]
pub(crate) struct Reader {
    /// The `worker_sequence` of the youngest event that was taken; 0 before the first.
    pub(crate) position: u64,
    pub(crate) gaps: u64,
    pub(crate) lost: u64,
    /// Tags whose values say that they have none.
    pub(crate) unresolved: BTreeMap<Arc<str>, String>,
    seen: HashSet<Arc<str>>,
    /// Tags whose first value replaces what was missed while there was no session.
    renewed: HashSet<Arc<str>>,
    /// When the value of a tag that was read again had become so.
    read_at: HashMap<Arc<str>, MxTime>,
    /// Events that came before the reply that names their items.
    early: Vec<Early>,
}

impl Reader {
    /// Gives what was lost before events that have waited in vain.
    pub(crate) fn begin_session(&mut self, renewed: impl Iterator<Item = Arc<str>>) -> u64 {
        let (gaps, lost) = (self.gaps, self.lost);
        let waiting = self.early.iter().map(|each| each.lost).sum();
        *self = Self { gaps, lost, renewed: renewed.collect(), ..Self::default() };
        waiting
    }

    pub(crate) fn forget(&mut self, gone: &HashSet<Arc<str>>) {
        for tag in gone {
            self.unresolved.remove(tag);
            self.seen.remove(tag);
            self.renewed.remove(tag);
            self.read_at.remove(tag);
        }
    }

    /// The change of an event, or none when it belongs to no wanted tag (as far as is known now) or was seen already.
    /// An event that has to wait takes along what was lost before it.
    pub(crate) fn take(
        &mut self,
        items: &mut Items,
        event: pb::MxEvent,
        is_replayed: bool,
        lost: &mut u64,
    ) -> Option<DataChange> {
        if event.origin == MxEventOrigin::Recovered as i32 {
            return self.change(items, event, false, lost);
        }
        if event.worker_sequence != 0 {
            if event.worker_sequence <= self.position {
                return None;
            }
            self.position = event.worker_sequence;
        }
        if event.family != MxEventFamily::OnDataChange as i32 {
            return None;
        }
        let is_replayed = is_replayed || event.origin == MxEventOrigin::Replayed as i32;
        self.change(items, event, is_replayed, lost)
    }

    fn change(
        &mut self,
        items: &mut Items,
        event: pb::MxEvent,
        is_replayed: bool,
        lost: &mut u64,
    ) -> Option<DataChange> {
        let Some(tag) = items.tag_of(&event) else {
            if items.may_come_to_know(&event) {
                self.early.push(Early { event, is_replayed, lost: std::mem::take(lost) });
            }
            return None;
        };
        if event.origin == MxEventOrigin::Recovered as i32 {
            // What the gateway sends once more has no position of its own.
            let change = DataChange::of_event(tag, event);
            return Some(self.read_again(DataChange { recovered: true, worker_sequence: 0, ..change }));
        }
        self.judge(&tag, &event);
        let recovered = !self.renewed.is_empty() && self.renewed.remove(&tag);
        let mut replayed = is_replayed;
        if let Some(read_at) = self.read_at.get(&tag) {
            if time_of(event.source_timestamp) < *read_at {
                replayed = true;
            } else {
                self.read_at.remove(&tag);
            }
        }
        Some(DataChange { replayed, recovered, ..DataChange::of_event(tag, event) })
    }

    /// What overtook its reply, once that is there: how many were lost before an event, and its change if any.
    pub(crate) fn early_changes(&mut self, items: &mut Items) -> Vec<(u64, Option<DataChange>)> {
        let early = std::mem::take(&mut self.early);
        let of_early = |Early { event, is_replayed, mut lost }| {
            let change = self.change(items, event, is_replayed, &mut lost);
            (lost, change)
        };
        early.into_iter().map(of_early).collect()
    }

    /// Counts a gap and returns how many events are known to be lost in it.
    pub(crate) fn lose(&mut self, gap: &pb::ReplayGap) -> u64 {
        self.gaps += 1;
        let between = gap.oldest_available_sequence.saturating_sub(gap.requested_after_sequence).saturating_sub(1);
        let lost = if gap.dropped_events > 0 { gap.dropped_events } else { between };
        self.lost += lost;
        lost
    }

    /// Notes a change that stands for what was lost: the value as it is now, read or sent once more.
    pub(crate) fn read_again(&mut self, change: DataChange) -> DataChange {
        let at = change.source_timestamp.unwrap_or(MxTime { seconds: 0, nanos: 0 });
        self.read_at.insert(change.tag.clone(), at);
        change
    }

    /// MXAccess takes any reference; whether it exists shows only here.
    fn judge(&mut self, tag: &Arc<str>, event: &pb::MxEvent) {
        if self.seen.contains(tag) && !self.unresolved.contains_key(tag) {
            return;
        }
        self.seen.insert(tag.clone());
        let failed = failures(&event.statuses);
        if failed.is_empty() {
            self.unresolved.remove(tag);
        } else {
            self.unresolved.insert(tag.clone(), failed.join(", "));
        }
    }
}

fn time_of(stamp: Option<prost_types::Timestamp>) -> MxTime {
    stamp.map_or(MxTime { seconds: 0, nanos: 0 }, MxTime::from)
}

/// Whether current values may be newer than what comes after a gap.
///
/// Under `conflate` what was dropped was replaced by a younger value of its item, which is in the stream; the first gap
/// of a stream is another matter.
pub(crate) fn has_to_read(gap: &pb::ReplayGap, is_first: bool, is_conflated: bool) -> bool {
    is_first || !(is_conflated && gap.dropped_events > 0)
}
