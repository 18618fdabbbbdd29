//! The rules of a subscription, without a gateway.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::change::DataChange;
use super::items::Items;
use super::queue::{ChangeQueue, OverflowPolicy};
use super::reader::{Reader, has_to_read};
use super::reconnecting::{Backoff, is_transient, says_session_lost};
use crate::error::{Error, ErrorKind};
use crate::pb::{self, MxEventFamily, MxEventOrigin};

fn event(sequence: u64, handle: i32) -> pb::MxEvent {
    pb::MxEvent {
        family: MxEventFamily::OnDataChange.into(),
        server_handle: 7,
        item_handle: handle,
        worker_sequence: sequence,
        ..Default::default()
    }
}

fn change(tag: &str, sequence: u64) -> DataChange {
    DataChange::of_event(Arc::from(tag), event(sequence, 1))
}

fn taken(queue: &mut ChangeQueue) -> Vec<(u64, u64)> {
    queue.take_all().into_iter().map(|change| (change.worker_sequence, change.lost_before)).collect()
}

fn items(tags: &[&str]) -> Items {
    let mut items = Items::new(tags.iter().map(ToString::to_string).collect());
    items.begin(7, false);
    items
}

fn added(items: &mut Items, tag: &str, handle: i32, number: Option<u32>) {
    let result = pb::SubscribeResult { item_handle: handle, was_successful: true, ..Default::default() };
    items.take(&Arc::from(tag), number, &result);
    items.advise(Arc::from(tag), handle);
}

#[test]
fn the_queue_says_where_it_dropped() {
    let cases = [
        (OverflowPolicy::DropOldest, vec![(3, 2), (4, 0)], 2),
        (OverflowPolicy::DropNewest, vec![(1, 0), (2, 0)], 2),
        (OverflowPolicy::Warn, vec![(1, 0), (2, 0), (3, 0), (4, 0)], 0),
    ];
    for (policy, wanted, dropped) in cases {
        let mut queue = ChangeQueue::new(2, policy);
        queue.is_filling = false;
        for sequence in 1..=4 {
            queue.put(change("a", sequence)).expect("no end");
        }
        assert_eq!((taken(&mut queue), queue.dropped), (wanted, dropped), "{policy:?}");
        if policy == OverflowPolicy::DropNewest {
            queue.put(change("a", 5)).expect("room");
            assert_eq!(taken(&mut queue), [(5, 2)]);
        }
    }
}

#[test]
fn a_queue_that_disconnects_keeps_what_it_has() {
    let mut queue = ChangeQueue::new(1, OverflowPolicy::Disconnect);
    queue.is_filling = false;
    queue.put(change("a", 1)).expect("room");
    let error = queue.put(change("a", 2)).expect_err("full");
    assert_eq!(error.kind(), ErrorKind::Overflow);
    assert_eq!(taken(&mut queue), [(1, 0)]);
}

#[test]
fn while_tags_are_added_the_latest_of_each_stays() {
    let mut queue = ChangeQueue::new(2, OverflowPolicy::DropOldest);
    for (tag, sequence) in [("a", 1), ("a", 2), ("b", 3)] {
        queue.put(change(tag, sequence)).expect("room");
    }
    assert_eq!(taken(&mut queue), [(2, 1), (3, 0)]);
}

#[test]
fn what_was_lost_before_a_removed_tag_is_told_by_the_next() {
    let mut queue = ChangeQueue::new(9, OverflowPolicy::DropOldest);
    queue.lose(3);
    queue.put(change("a", 1)).expect("room");
    queue.put(change("b", 2)).expect("room");
    queue.discard(&HashSet::from([Arc::from("a")]));
    assert_eq!(taken(&mut queue), [(2, 3)]);
}

#[test]
fn room_for_every_tag_twice() {
    let mut queue = ChangeQueue::new(1, OverflowPolicy::DropOldest);
    queue.is_filling = false;
    queue.make_room(3);
    for sequence in 1..=6 {
        queue.put(change("a", sequence)).expect("room");
    }
    assert_eq!((queue.len(), queue.dropped), (6, 0));
}

#[test]
fn events_that_were_seen_are_skipped_and_others_told_once() {
    let mut items = items(&["a"]);
    added(&mut items, "a", 1, None);
    let mut reader = Reader::default();
    assert!(reader.take(&mut items, event(5, 1), false, &mut 0).is_some());
    assert!(reader.take(&mut items, event(5, 1), false, &mut 0).is_none());
    assert!(reader.take(&mut items, event(4, 1), true, &mut 0).is_none());
    let replayed = reader.take(&mut items, event(6, 1), true, &mut 0).expect("new");
    assert!(replayed.replayed);
    assert_eq!(reader.position, 6);
}

#[test]
fn an_event_before_its_reply_waits_and_one_of_nobody_goes() {
    let mut items = items(&["a"]);
    let mut reader = Reader::default();
    items.is_adding = true;
    assert!(reader.take(&mut items, event(1, 4), false, &mut 0).is_none());
    items.is_adding = false;
    added(&mut items, "a", 4, None);
    let early = reader.early_changes(&mut items);
    assert_eq!(early.iter().filter(|(_, change)| change.is_some()).count(), 1);
    items.has_orphans = true;
    assert!(reader.take(&mut items, event(2, 9), false, &mut 0).is_none());
    assert!(items.unwanted.contains(&9));
}

#[test]
fn an_event_that_waits_keeps_what_was_lost_before_it() {
    let mut items = items(&["a"]);
    let mut reader = Reader::default();
    items.is_adding = true;
    for (sequence, mut lost) in [(1, 0), (5, 3), (6, 0)] {
        assert!(reader.take(&mut items, event(sequence, 4), false, &mut lost).is_none());
        assert_eq!(lost, 0);
    }
    items.is_adding = false;
    added(&mut items, "a", 4, None);
    let counts: Vec<_> = reader.early_changes(&mut items).into_iter().map(|(lost, _)| lost).collect();
    assert_eq!(counts, [0, 3, 0]);
    items.is_adding = true;
    assert!(reader.take(&mut items, event(9, 7), false, &mut 4).is_none());
    assert_eq!(reader.begin_session(std::iter::empty()), 4);
    assert_eq!(reader.begin_session(std::iter::empty()), 0);
}

#[test]
fn numbers_of_ours_tell_items_apart_that_had_one_handle() {
    let mut items = Items::new(vec!["a".to_owned(), "b".to_owned()]);
    items.begin(7, true);
    let tags: Vec<Arc<str>> = vec![Arc::from("a"), Arc::from("b")];
    let numbers = items.numbered(&tags);
    assert_eq!(numbers, [1, 2]);
    let numbered = |number, handle| pb::MxEvent { client_handle: number, ..event(1, handle) };
    // Before any reply.
    assert_eq!(items.tag_of(&numbered(2, 5)).as_deref(), Some("b"));
    added(&mut items, "a", 5, Some(1));
    items.unwant(&HashSet::from([Arc::from("a")]));
    assert_eq!(items.tag_of(&numbered(1, 5)), None);
    assert_eq!(items.tag_of(&numbered(2, 5)).as_deref(), Some("b"));
    assert_eq!(items.tag_of(&pb::MxEvent { server_handle: 8, ..numbered(2, 5) }), None);
}

#[test]
fn a_value_that_the_gateway_sends_again_is_recovered_and_older_ones_are_history() {
    let mut items = items(&["a"]);
    added(&mut items, "a", 1, None);
    let mut reader = Reader::default();
    let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
    let again = pb::MxEvent { origin: MxEventOrigin::Recovered.into(), source_timestamp: at(100), ..event(0, 1) };
    let recovered = reader.take(&mut items, again, false, &mut 0).expect("a change");
    assert!(recovered.recovered && !recovered.replayed);
    let old = pb::MxEvent { source_timestamp: at(99), ..event(1, 1) };
    assert!(reader.take(&mut items, old, false, &mut 0).expect("a change").replayed);
    let new = pb::MxEvent { source_timestamp: at(101), ..event(2, 1) };
    assert!(!reader.take(&mut items, new, false, &mut 0).expect("a change").replayed);
}

#[test]
fn gaps_count_what_is_missing() {
    let mut reader = Reader::default();
    let between = pb::ReplayGap { requested_after_sequence: 7, oldest_available_sequence: 12, ..Default::default() };
    assert_eq!(reader.lose(&between), 4);
    let dropped = pb::ReplayGap { dropped_events: 3, ..Default::default() };
    assert_eq!(reader.lose(&dropped), 3);
    assert_eq!((reader.gaps, reader.lost), (2, 7));
    assert!(has_to_read(&between, false, false) && has_to_read(&dropped, true, true));
    assert!(!has_to_read(&dropped, false, true));
}

#[test]
fn a_new_session_begins_anew_and_marks_first_values() {
    let mut items = items(&["a"]);
    added(&mut items, "a", 1, None);
    let mut reader = Reader::default();
    (reader.gaps, reader.lost, reader.position) = (2, 5, 99);
    reader.begin_session(["a"].into_iter().map(Arc::from));
    assert_eq!((reader.position, reader.gaps, reader.lost), (0, 2, 5));
    assert!(reader.take(&mut items, event(1, 1), false, &mut 0).expect("a change").recovered);
    assert!(!reader.take(&mut items, event(2, 1), false, &mut 0).expect("a change").recovered);
}

#[test]
fn waits_double_up_to_the_longest_and_obey_the_gateway() {
    let error = Error::new(ErrorKind::Connection, "gone");
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
    let waits: Vec<_> = (0..7).map(|_| backoff.delay(&error, 1.0).as_millis()).collect();
    assert_eq!(waits, [0, 400, 800, 1600, 3200, 5000, 5000]);
    assert_eq!(backoff.delay(&error, 0.0), Duration::from_millis(2500));
    backoff.reset();
    assert_eq!(backoff.delay(&error, 1.0), Duration::ZERO);
    let asked = error.with(|inner| inner.retry_after = Some(Duration::from_secs(60)));
    assert_eq!(backoff.delay(&asked, 1.0), Duration::from_secs(60));
}

#[test]
fn which_errors_are_waited_out() {
    let of = |kind| Error::new(kind, "x");
    for kind in [ErrorKind::Connection, ErrorKind::Timeout, ErrorKind::Resource] {
        assert!(is_transient(&of(kind)), "{kind}");
    }
    assert!(!is_transient(&of(ErrorKind::Resource).with(|inner| inner.retryable = false)));
    for kind in [ErrorKind::Authorization, ErrorKind::Command, ErrorKind::Session, ErrorKind::Transport] {
        assert!(!is_transient(&of(kind)), "{kind}");
    }
    assert!(is_transient(&of(ErrorKind::Transport).with(|inner| inner.code = Some(tonic::Code::Internal))));
    assert!(says_session_lost(&of(ErrorKind::Worker)) && !says_session_lost(&of(ErrorKind::Connection)));
}
