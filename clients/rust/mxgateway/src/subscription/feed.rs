//! The work of a subscription in the background: one stream after the other.

use std::pin::pin;
use std::sync::Arc;

use tokio::time::{Instant, sleep, timeout};

use super::change::DataChange;
use super::keeper::Keeper;
use super::reader::has_to_read;
use super::reconnecting::{is_transient, says_session_lost};
use super::{Core, Shared, SubscriptionState};
use crate::client::{GatewayClient, SessionOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::events::{Batch, EventStream, StreamOptions};
use crate::pb::{self, BackpressurePolicy};
use crate::session::Session;
use crate::tables::capabilities;

/// How often a session may be lost before its tags were all subscribed once.
const MOST_LOST: u32 = 5;

/// Where the sessions come from.
pub(crate) enum Sessions {
    /// The caller's.
    Given(Session),
    /// Opened by the subscription, anew when one is lost.
    Own(GatewayClient, SessionOptions),
}

pub(crate) struct Feed {
    shared: Arc<Shared>,
    sessions: Sessions,
    session: Option<Session>,
    is_supervisory: bool,
    reconnects: bool,
}

impl Feed {
    pub(crate) fn new(shared: Arc<Shared>, sessions: Sessions, is_supervisory: bool, reconnects: bool) -> Self {
        Self { shared, sessions, session: None, is_supervisory, reconnects }
    }

    fn is_owner(&self) -> bool {
        matches!(self.sessions, Sessions::Own(..))
    }

    pub(crate) async fn run(mut self) {
        let shared = self.shared.clone();
        let failure = tokio::select! {
            biased;
            () = shared.closing.cancelled() => None,
            failure = self.serve_all() => Some(failure),
        };
        self.end(failure).await;
        shared.ended.cancel();
    }

    /// Serves one stream after the other; gives what ends the subscription.
    async fn serve_all(&mut self) -> Error {
        let mut lost = 0;
        let mut opened = self.connect().await;
        loop {
            let failure = match opened {
                Ok(stream) => self.serve(&stream).await,
                Err(error) => error,
            };
            let may_go_on = {
                let mut core = self.shared.core();
                core.interruptions += u64::from(core.is_set_up);
                let is_lost = says_session_lost(&failure);
                let is_waited_out = is_transient(&failure) || (self.is_owner() && is_lost);
                lost += u32::from(!core.stands && is_lost);
                core.stands || (core.is_set_up && is_waited_out && lost < MOST_LOST)
            };
            if failure.kind() == ErrorKind::Overflow || !may_go_on {
                return failure;
            }
            opened = match self.reconnect(failure).await {
                Ok(stream) => Ok(stream),
                Err(error) => return error,
            };
        }
    }

    /// Opens a stream again; an error is the end.
    async fn reconnect(&mut self, mut failure: Error) -> Result<EventStream> {
        let stands = {
            let mut core = self.shared.core();
            core.last_interruption = Some(failure.clone());
            core.stands
        };
        if !self.reconnects {
            return Err(failure);
        }
        if stands {
            self.shared.turn(SubscriptionState::Reconnecting);
        }
        tracing::info!("subscription interrupted: {failure}");
        loop {
            let is_lost = says_session_lost(&failure);
            if !(if is_lost { self.is_owner() } else { is_transient(&failure) }) {
                return Err(failure);
            }
            let delay = self.shared.core().backoff.delay(&failure, fastrand::f64());
            sleep(delay).await;
            // A session that was lost before its tags were in it has nothing to resume.
            let is_set_up = self.shared.core().is_set_up;
            let opened = if is_lost || !is_set_up { self.replace_session().await } else { self.resume().await };
            let error = match opened {
                Ok(stream) => return Ok(stream),
                Err(error) => error,
            };
            let mut core = self.shared.core();
            if says_session_lost(&error) && !is_lost {
                // The gateway is there again and has answered: the new session need not wait.
                core.backoff.reset();
            }
            core.last_interruption = Some(error.clone());
            failure = error;
        }
    }

    /// Opens a stream in a session that has nothing of the subscription yet; serving it adds the tags.
    async fn connect(&mut self) -> Result<EventStream> {
        self.shared.core().is_set_up = false;
        let session = match &self.sessions {
            Sessions::Given(session) => session.clone(),
            Sessions::Own(client, options) => client.open_session(options.clone()).await?,
        };
        self.session = Some(session.clone());
        // The stream comes first, so that no first value is missed.
        let recover_gaps = session.has(capabilities::RECOVERED_VALUES);
        let stream = session.events(StreamOptions { recover_gaps, ..Default::default() }).await?;
        let handle = session.register("subscription").await?;
        let mut core = self.shared.core();
        let Core { items, reader, queue, stands, .. } = &mut *core;
        items.begin(handle, session.has(capabilities::CLIENT_HANDLES));
        // The first value of each tag replaces what was missed while there was no session.
        queue.lose(reader.begin_session(items.tags().iter().filter(|_| *stands).cloned()));
        Ok(stream)
    }

    async fn replace_session(&mut self) -> Result<EventStream> {
        // No way back from here: the next attempt is a new session, too.
        self.shared.core().is_set_up = false;
        if self.is_owner()
            && let Some(session) = self.session.take()
            && let Err(error) = session.close().await
        {
            tracing::info!("the lost session could not be closed: {error}");
        }
        self.connect().await
    }

    async fn resume(&mut self) -> Result<EventStream> {
        let Some(session) = &self.session else { return self.connect().await };
        // Asks first: a stream alone would only fail with its first event.
        session.state().await?;
        let position = self.shared.core().reader.position;
        let options = StreamOptions {
            after_worker_sequence: position,
            // Before its first event there is no position to go on from, only the beginning.
            from_beginning: position == 0,
            recover_gaps: session.has(capabilities::RECOVERED_VALUES),
            ..Default::default()
        };
        session.events(options).await
    }

    /// Feeds the queue and keeps the items as they are wanted, until the stream or a command fails.
    async fn serve(&self, stream: &EventStream) -> Error {
        let Some(session) = &self.session else {
            return Error::new(ErrorKind::Session, "the subscription has no session");
        };
        let began = Instant::now();
        {
            let mut core = self.shared.core();
            core.is_serving = true;
            core.is_stream_open = false;
        }
        let keeper = Keeper { shared: &self.shared, session, is_supervisory: self.is_supervisory };
        let failure = {
            let mut keeping = pin!(keeper.keep());
            tokio::select! {
                failure = &mut keeping => failure,
                failure = self.read(stream, &keeper) => {
                    // With the tags in the session what has come counts, and the stream can be resumed.
                    tokio::select! {
                        biased;
                        () = keeper.all_known(), if failure.kind() != ErrorKind::Overflow => failure,
                        () = std::future::ready(()), if failure.kind() == ErrorKind::Overflow => failure,
                        first = &mut keeping => first,
                    }
                }
                () = self.watch_opening(stream) => Error::new(ErrorKind::Transport, "the stream ended"),
            }
        };
        stream.close();
        let mut core = self.shared.core();
        core.is_serving = false;
        // A reply that is not waited for any more names nothing.
        core.items.has_orphans |= std::mem::take(&mut core.items.is_adding);
        if began.elapsed() > core.backoff.longest {
            core.backoff.reset();
        }
        drop(core);
        self.shared.notify();
        failure
    }

    /// Quiet tags may send nothing for hours; the stream stands all the same. Never ends.
    async fn watch_opening(&self, stream: &EventStream) {
        if stream.opened().await {
            self.shared.stream_stands();
        }
        std::future::pending().await
    }

    async fn read(&self, stream: &EventStream, keeper: &Keeper<'_>) -> Error {
        // Before its first event a new stream may lack what no stream had.
        let mut is_first = self.shared.core().reader.position == 0;
        loop {
            let batch = match stream.next_batch().await {
                Ok(Some(batch)) => batch,
                Ok(None) => return Error::new(ErrorKind::Connection, "the gateway ended the event stream"),
                Err(error) => return error,
            };
            {
                let mut core = self.shared.core();
                if core.items.is_complete() {
                    // A session that ends before it has all tags may do so again.
                    core.backoff.reset();
                }
            }
            self.shared.stream_stands();
            if let Err(error) = self.take(batch, keeper, is_first).await {
                return error;
            }
            is_first = false;
            self.shared.notify();
        }
    }

    async fn take(&self, batch: Batch, keeper: &Keeper<'_>, is_first: bool) -> Result<()> {
        let replayed = batch.replayed;
        self.shared.core().queue.reserve(batch.events.len());
        let mut events = batch.events.into_iter().enumerate();
        loop {
            // The events between two gaps under one lock.
            let gap = {
                let mut core = self.shared.core();
                let mut gap = None;
                for (index, mut event) in events.by_ref() {
                    if event.replay_gap.is_some() {
                        gap = event.replay_gap;
                        break;
                    }
                    if batch.received.is_some() {
                        event.gateway_receive_timestamp = batch.received;
                    }
                    core.take(event, index < replayed)?;
                }
                if core.items.has_unwanted() {
                    self.shared.to_do.notify_one();
                }
                gap
            };
            match gap {
                None => return Ok(()),
                Some(gap) => self.gap(&gap, keeper, is_first).await?,
            }
        }
    }

    /// Counts changes that were lost, and reads the current values where they may be newer than what comes. A gateway
    /// that recovers gaps sends them by itself, right behind this.
    async fn gap(&self, gap: &pb::ReplayGap, keeper: &Keeper<'_>, is_first: bool) -> Result<()> {
        let is_conflated = keeper.session.policy() == BackpressurePolicy::Conflate;
        let reads = has_to_read(gap, is_first, is_conflated) && !keeper.session.has(capabilities::RECOVERED_VALUES);
        let results = if reads { keeper.read_all().await? } else { Vec::new() };
        let mut core = self.shared.core();
        // Only now: when the reading breaks off, the stream is resumed before the gap and tells of it again.
        let lost = core.reader.lose(gap);
        core.queue.lose(lost);
        for (tag, result) in results {
            if result.was_successful && core.items.is_wanted(&tag) {
                let change = core.reader.read_again(DataChange::of_read(tag, result));
                core.queue.put(change)?;
            }
        }
        Ok(())
    }

    /// Ends the subscription, by an error or because it is closed, and leaves the session as it was.
    async fn end(&mut self, failure: Option<Error>) {
        let is_lost = failure.as_ref().is_some_and(says_session_lost);
        self.shared.core().error = failure;
        self.shared.turn(SubscriptionState::Closed);
        let Some(session) = self.session.take() else { return };
        let limit = session.connection().options.shutdown_timeout;
        let ending = async {
            if self.is_owner() {
                return session.close().await.map(drop);
            }
            if is_lost {
                return Ok(());
            }
            let keeper = Keeper { shared: &self.shared, session: &session, is_supervisory: self.is_supervisory };
            keeper.remove_all().await
        };
        // The session ends with its lease; the subscription is over in any case.
        match timeout(limit, ending).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::info!("what a subscription had could not be removed: {error}"),
            Err(_) => tracing::info!("what a subscription had could not be removed in time"),
        }
    }
}

impl Core {
    fn take(&mut self, event: pb::MxEvent, is_replayed: bool) -> Result<()> {
        if let Some(error) = &self.overflow {
            return Err(error.clone());
        }
        match self.reader.take(&mut self.items, event, is_replayed, &mut self.queue.lost_next) {
            Some(change) => self.queue.put(change),
            None => Ok(()),
        }
    }
}

impl Shared {
    /// Further tags are in the session; what came of them before that was known becomes changes.
    pub(crate) fn items_added(&self) {
        let mut core = self.core();
        if !core.is_set_up {
            core.is_set_up = true;
            if core.stands {
                core.new_sessions += 1;
                core.reader.gaps += 1;
            }
        }
        self.take_turn(&mut core);
        let Core { items, reader, queue, overflow, .. } = &mut *core;
        // They are older than a gap that was met meanwhile.
        let lost_later = std::mem::take(&mut queue.lost_next);
        for (lost, change) in reader.early_changes(items) {
            queue.lose(lost);
            // A queue that overflows ends the subscription with its next event.
            if let Some(Err(error)) = change.map(|change| queue.put(change)) {
                *overflow = Some(error);
            }
        }
        queue.lose(lost_later);
        drop(core);
        self.notify();
    }

    fn stream_stands(&self) {
        let mut core = self.core();
        core.is_stream_open = true;
        self.take_turn(&mut core);
    }

    /// The state that follows from stream and items.
    fn take_turn(&self, core: &mut Core) {
        if !core.items.is_complete() {
            return;
        }
        if !core.stands {
            core.stands = true;
            core.queue.is_filling = false;
            self.turn(SubscriptionState::Connected);
        } else if core.is_stream_open && self.state() == SubscriptionState::Reconnecting {
            self.turn(SubscriptionState::Recovered);
        }
    }
}
