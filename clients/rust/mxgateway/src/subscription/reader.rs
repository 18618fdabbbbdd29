//! What the events of a stream mean for a subscription. Without I/O and clock.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::change::DataChange;
use super::items::Items;
use crate::pb::{self, MxEventFamily, MxEventOrigin};
use crate::status::failures;
use crate::time::MxTime;

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
    early: Vec<(pb::MxEvent, bool)>,
}

impl Reader {
    pub(crate) fn begin_session(&mut self, renewed: impl Iterator<Item = Arc<str>>) {
        let (gaps, lost) = (self.gaps, self.lost);
        *self = Self { gaps, lost, renewed: renewed.collect(), ..Self::default() };
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
    pub(crate) fn take(&mut self, items: &mut Items, event: pb::MxEvent, is_replayed: bool) -> Option<DataChange> {
        if event.origin == MxEventOrigin::Recovered as i32 {
            return self.recovered(items, event);
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
        self.change(items, event, is_replayed)
    }

    /// A value that the gateway sends once more; it has no position of its own.
    fn recovered(&mut self, items: &mut Items, event: pb::MxEvent) -> Option<DataChange> {
        let Some(tag) = items.tag_of(&event) else {
            if items.may_come_to_know(&event) {
                self.early.push((event, false));
            }
            return None;
        };
        let change = DataChange::of_event(tag, event);
        Some(self.read_again(DataChange { recovered: true, worker_sequence: 0, ..change }))
    }

    fn change(&mut self, items: &mut Items, event: pb::MxEvent, is_replayed: bool) -> Option<DataChange> {
        let Some(tag) = items.tag_of(&event) else {
            if items.may_come_to_know(&event) {
                self.early.push((event, is_replayed));
            }
            return None;
        };
        self.judge(&tag, &event);
        let recovered = self.renewed.remove(&tag);
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

    /// The changes that overtook their reply, once it is there.
    pub(crate) fn early_changes(&mut self, items: &mut Items) -> Vec<DataChange> {
        let early = std::mem::take(&mut self.early);
        let of_early = |(event, is_replayed): (pb::MxEvent, bool)| {
            if event.origin == MxEventOrigin::Recovered as i32 {
                return self.recovered(items, event);
            }
            self.change(items, event, is_replayed)
        };
        early.into_iter().filter_map(of_early).collect()
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
