//! The stream of a session's events.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_core::Stream;
use futures_util::stream::unfold;
use prost_types::Timestamp;

use crate::error::{Error, Result};
use crate::pb;
use crate::rpc_errors::Called;
use crate::session::Session;
use crate::stream::MessageStream;
use crate::tables::capabilities;

/// How a session's events are streamed.
#[derive(Clone, Debug, Default)]
pub struct StreamOptions {
    /// Goes on after the `worker_sequence` of the last event that you have; the stream begins with an event whose
    /// `replay_gap` is set when that is too long ago. 0 is a fresh stream.
    pub after_worker_sequence: u64,
    /// Begins with the session's first event, also when another stream had it: for going on after a stream that broke
    /// before its first event arrived.
    pub from_beginning: bool,
    /// What the gateway does when this stream is not read fast enough.
    pub backpressure_policy: pb::BackpressurePolicy,
    /// Bounds what the gateway puts into one message; 0 for its own bound.
    pub max_batch_events: u32,
    /// The same in bytes.
    pub max_batch_bytes: u32,
    /// Asks the gateway to send the current values after a gap, where it announced `recovered-values`.
    pub recover_gaps: bool,
    /// The deadline of this stream.
    pub timeout: Option<Duration>,
}

/// What waited for a stream, in order.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The events.
    pub events: Vec<pb::MxEvent>,
    /// How many at the head come from the gateway's replay ring; known only where it sends batches.
    pub replayed: usize,
    /// When the gateway received the youngest of them; none where it sends no batches, and then the events say it
    /// themselves.
    pub received: Option<Timestamp>,
}

enum Wire {
    Single(MessageStream<pb::MxEvent>),
    Batched(MessageStream<pb::MxEventBatch>),
}

#[derive(Default)]
struct Taken {
    waiting: VecDeque<pb::MxEvent>,
    received: Option<Timestamp>,
    replayed: usize,
    last: u64,
    dropped: u64,
}

/// The stream of a session's events, in the order of their `worker_sequence`. Dropping or closing it ends it.
///
/// An event whose `replay_gap` is set is no event of MXAccess but marks lost ones: at the head of a resumed stream whose
/// position is too old, or where a backpressure policy dropped events.
pub struct EventStream {
    wire: Wire,
    taken: Mutex<Taken>,
}

impl EventStream {
    pub(crate) async fn open(session: &Session, options: StreamOptions) -> Result<Self> {
        if options.after_worker_sequence != 0 && options.from_beginning {
            return Err(Error::argument("give either after_worker_sequence or from_beginning"));
        }
        let request = pb::StreamEventsRequest {
            session_id: session.id().to_owned(),
            after_worker_sequence: options.after_worker_sequence,
            backpressure_policy: options.backpressure_policy.into(),
            max_batch_events: options.max_batch_events,
            max_batch_bytes: options.max_batch_bytes,
            from_beginning: options.from_beginning,
            recover_gaps: options.recover_gaps,
        };
        let (connection, limit) = (session.connection(), options.timeout);
        let wire = if session.has(capabilities::EVENT_BATCHES) {
            let path = "/mxaccess_gateway.v1.MxAccessGateway/StreamEventBatches";
            let called = Called::new("StreamEventBatches", "");
            Wire::Batched(MessageStream::open(connection, called, path, request, limit).await?)
        } else {
            let path = "/mxaccess_gateway.v1.MxAccessGateway/StreamEvents";
            let called = Called::new("StreamEvents", "");
            Wire::Single(MessageStream::open(connection, called, path, request, limit).await?)
        };
        Ok(Self { wire, taken: Mutex::new(Taken::default()) })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next event; none after an ordinary end or after [`close`](Self::close).
    ///
    /// # Errors
    /// What ended the stream; events that came before it are given first.
    pub async fn next(&self) -> Result<Option<pb::MxEvent>> {
        loop {
            {
                let mut taken = self.taken();
                if let Some(mut event) = taken.waiting.pop_front() {
                    if taken.received.is_some() {
                        event.gateway_receive_timestamp = taken.received;
                    }
                    if event.worker_sequence != 0 {
                        taken.last = event.worker_sequence;
                    }
                    return Ok(Some(event));
                }
            }
            if !self.fetch().await? {
                return Ok(None);
            }
        }
    }

    /// Waits for everything that waits, at once: the cheapest way to take very many events.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub async fn next_batch(&self) -> Result<Option<Batch>> {
        loop {
            {
                let mut taken = self.taken();
                if !taken.waiting.is_empty() {
                    let events = Vec::from(std::mem::take(&mut taken.waiting));
                    if let Some(event) = events.iter().rev().find(|event| event.worker_sequence != 0) {
                        taken.last = event.worker_sequence;
                    }
                    return Ok(Some(Batch { events, replayed: taken.replayed, received: taken.received }));
                }
            }
            if !self.fetch().await? {
                return Ok(None);
            }
        }
    }

    /// Takes one message from the wire; false at the end.
    async fn fetch(&self) -> Result<bool> {
        match &self.wire {
            Wire::Single(stream) => {
                let Some(event) = stream.next().await? else { return Ok(false) };
                let mut taken = self.taken();
                taken.dropped += event.replay_gap.map_or(0, |gap| gap.dropped_events);
                taken.waiting.push_back(event);
            }
            Wire::Batched(stream) => {
                let Some(batch) = stream.next().await? else { return Ok(false) };
                self.taken().put(batch);
            }
        }
        Ok(true)
    }

    /// The events as a [`Stream`], until the end or an error.
    pub fn into_stream(self) -> impl Stream<Item = Result<pb::MxEvent>> + Send {
        unfold(Some(self), |stream| async move {
            let stream = stream?;
            match stream.next().await {
                Ok(Some(event)) => Some((Ok(event), Some(stream))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        })
    }

    /// The `worker_sequence` of the youngest event taken from this stream; 0 before the first.
    pub fn last_worker_sequence(&self) -> u64 {
        self.taken().last
    }

    /// Events of this stream that a backpressure policy dropped or replaced, as far as the gateway has said.
    pub fn dropped_events(&self) -> u64 {
        self.taken().dropped
    }

    /// Waits until the gateway has accepted the stream; false when it has refused it, which [`next`](Self::next) tells.
    pub async fn opened(&self) -> bool {
        match &self.wire {
            Wire::Single(stream) => stream.opened().await,
            Wire::Batched(stream) => stream.opened().await,
        }
    }

    /// Ends the stream at once. Idempotent.
    pub fn close(&self) {
        match &self.wire {
            Wire::Single(stream) => stream.close(),
            Wire::Batched(stream) => stream.close(),
        }
    }
}

impl Taken {
    fn put(&mut self, batch: pb::MxEventBatch) {
        self.replayed = usize::try_from(batch.replayed_events).unwrap_or(usize::MAX);
        self.received = batch.gateway_receive_timestamp;
        if batch.dropped_events > 0 {
            self.dropped += batch.dropped_events;
            if self.replayed > 0 {
                self.replayed += 1;
            }
            // The stream of single events has a marker at this place; a gap is as visible here.
            let gap = pb::ReplayGap { dropped_events: batch.dropped_events, ..Default::default() };
            self.waiting.push_back(pb::MxEvent { replay_gap: Some(gap), ..Default::default() });
        }
        if self.waiting.is_empty() {
            self.waiting = batch.events.into();
        } else {
            self.waiting.extend(batch.events);
        }
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream").field("last_worker_sequence", &self.taken().last).finish_non_exhaustive()
    }
}
