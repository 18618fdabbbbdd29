//! Subscriptions that survive an interrupted connection, and never hide a gap.

mod change;
mod feed;
mod items;
mod keeper;
mod queue;
mod reader;
mod reconnecting;
#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_core::Stream;
use futures_util::stream::unfold;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

pub use change::{DataChange, Source};
pub use queue::OverflowPolicy;

use crate::client::{GatewayClient, SessionOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::session::Session;
use feed::{Feed, Sessions};
use items::Items;
use queue::ChangeQueue;
use reader::Reader;
use reconnecting::Backoff;

/// Where a subscription stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SubscriptionState {
    /// The tags are not all subscribed yet.
    Starting,
    /// Values come, and the stream was not interrupted so far.
    Connected,
    /// The stream is interrupted and tried again. Values may be out of date.
    Reconnecting,
    /// Connected again; what was missed is replayed, or was read again and is marked.
    Recovered,
    /// It was closed, or it failed for good, which [`Subscription::error`] tells.
    Closed,
}

impl SubscriptionState {
    /// The state in one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Connected => "connected",
            Self::Reconnecting => "reconnecting",
            Self::Recovered => "recovered",
            Self::Closed => "closed",
        }
    }
}

/// The figures of a subscription.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SubscriptionStats {
    /// Where it stands.
    pub state: SubscriptionState,
    /// The references that are wanted, each once; those that were refused are among them.
    pub tags: Vec<Arc<str>>,
    /// Tags that could not be subscribed, with the reason. One that does not exist stands here only from its first value
    /// on, and goes from here when a value without a failure comes.
    pub failures: BTreeMap<Arc<str>, String>,
    /// How often changes were lost between plant and queue.
    pub gaps: u64,
    /// Events of the session that are known to be lost.
    pub lost: u64,
    /// Changes that the overflow policy dropped.
    pub dropped: u64,
    /// Changes in the queue now.
    pub waiting: usize,
    /// How often the stream broke.
    pub interruptions: u64,
    /// How often the session was lost and a new one was opened; each time is one of `gaps`.
    pub new_sessions: u64,
    /// Why the stream broke last, or could not be opened again since.
    pub last_interruption: Option<Error>,
}

pub(crate) struct Core {
    pub(crate) queue: ChangeQueue,
    pub(crate) items: Items,
    reader: Reader,
    error: Option<Error>,
    backoff: Backoff,
    interruptions: u64,
    new_sessions: u64,
    last_interruption: Option<Error>,
    /// Somebody carries out what is wanted of the items.
    is_serving: bool,
    /// All tags were subscribed once.
    stands: bool,
    /// The session has tags of ours; else there is nothing in it to go on with.
    is_set_up: bool,
    is_stream_open: bool,
    overflow: Option<Error>,
}

/// What a subscription, its task and its session share.
pub(crate) struct Shared {
    core: Mutex<Core>,
    changed: watch::Sender<()>,
    state: watch::Sender<SubscriptionState>,
    pub(crate) to_do: Notify,
    closing: CancellationToken,
    ended: CancellationToken,
}

impl Shared {
    pub(crate) fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn notify(&self) {
        self.changed.send_replace(());
    }

    /// Waits until the core gives something.
    pub(crate) async fn wait_until<T>(&self, mut found: impl FnMut(&mut Core) -> Option<T>) -> T {
        // Nearly always it is there already, and whoever does not wait need not be told of changes.
        if let Some(found) = found(&mut self.core()) {
            return found;
        }
        let mut changed = self.changed.subscribe();
        loop {
            if let Some(found) = found(&mut self.core()) {
                return found;
            }
            if changed.changed().await.is_err() {
                // The sender is this very value, so it is there.
                std::future::pending::<()>().await;
            }
        }
    }

    fn state(&self) -> SubscriptionState {
        *self.state.borrow()
    }

    fn turn(&self, to: SubscriptionState) {
        self.state.send_if_modified(|state| {
            let turns = *state != to && *state != SubscriptionState::Closed;
            if turns {
                *state = to;
            }
            turns
        });
        self.notify();
    }

    fn check_open(&self) -> Result<()> {
        if self.state() != SubscriptionState::Closed {
            return Ok(());
        }
        let closed = || Error::new(ErrorKind::Session, "the subscription is closed");
        Err(self.core().error.clone().unwrap_or_else(closed))
    }

    /// Ends the subscription and waits for its task.
    pub(crate) async fn close(&self) {
        self.closing.cancel();
        self.ended.cancelled().await;
    }
}

/// Options of a subscription, and its start. Made by [`Session::subscribe`] and [`GatewayClient::subscribe`].
#[must_use = "a subscription begins with start()"]
pub struct SubscribeBuilder {
    sessions: Sessions,
    tags: Vec<String>,
    queue_size: usize,
    overflow: OverflowPolicy,
    is_supervisory: bool,
    reconnects: bool,
    delays: (Duration, Duration),
}

impl SubscribeBuilder {
    fn new(sessions: Sessions, tags: Vec<String>) -> Self {
        Self {
            sessions,
            tags,
            queue_size: 10_000,
            overflow: OverflowPolicy::default(),
            is_supervisory: false,
            reconnects: true,
            delays: (Duration::from_millis(200), Duration::from_secs(5)),
        }
    }

    pub(crate) fn in_session(session: Session, tags: Vec<String>) -> Self {
        Self::new(Sessions::Given(session), tags)
    }

    pub(crate) fn in_own_session(client: GatewayClient, tags: Vec<String>) -> Self {
        Self::new(Sessions::Own(client, SessionOptions::default()), tags)
    }

    /// How many changes may wait for the consumer, 10,000 by default; never less than twice the tags.
    pub fn queue_size(mut self, size: usize) -> Self {
        self.queue_size = size;
        self
    }

    /// What happens when more wait.
    pub fn overflow(mut self, policy: OverflowPolicy) -> Self {
        self.overflow = policy;
        self
    }

    /// Uses AdviseSupervisory in place of Advise: no user is needed.
    pub fn supervisory(mut self) -> Self {
        self.is_supervisory = true;
        self
    }

    /// Ends the subscription with its error as soon as the stream breaks.
    pub fn without_reconnect(mut self) -> Self {
        self.reconnects = false;
        self
    }

    /// The second wait between attempts, which doubles from then on, and the longest; 0.2 s and 5 s by default. The
    /// first attempt is made at once.
    pub fn reconnect_delays(mut self, first: Duration, longest: Duration) -> Self {
        self.delays = (first, longest);
        self
    }

    /// With what the sessions of [`GatewayClient::subscribe`] are opened.
    pub fn session_options(mut self, options: SessionOptions) -> Self {
        if let Sessions::Own(_, kept) = &mut self.sessions {
            *kept = options;
        }
        self
    }

    /// Subscribes the tags; those that were refused stand in [`SubscriptionStats::failures`].
    ///
    /// # Errors
    /// The tags cannot be subscribed at all; `Argument` for a queue without room.
    pub async fn start(self) -> Result<Subscription> {
        if self.queue_size == 0 {
            return Err(Error::argument("queue_size is 0, but at least one change has to fit"));
        }
        let items = Items::new(self.tags);
        let mut queue = ChangeQueue::new(self.queue_size, self.overflow);
        queue.make_room(items.tags().len());
        let core = Core {
            queue,
            items,
            reader: Reader::default(),
            error: None,
            backoff: Backoff::new(self.delays.0, self.delays.1),
            interruptions: 0,
            new_sessions: 0,
            last_interruption: None,
            is_serving: false,
            stands: false,
            is_set_up: false,
            is_stream_open: false,
            overflow: None,
        };
        let shared = Arc::new(Shared {
            core: Mutex::new(core),
            changed: watch::Sender::new(()),
            state: watch::Sender::new(SubscriptionState::Starting),
            to_do: Notify::new(),
            closing: CancellationToken::new(),
            ended: CancellationToken::new(),
        });
        if let Sessions::Given(session) = &self.sessions {
            session.keep(&shared);
        }
        let feed = Feed::new(shared.clone(), self.sessions, self.is_supervisory, self.reconnects);
        tokio::spawn(feed.run());
        // Whoever gives up waiting leaves no subscription behind that nobody knows of.
        let subscription = Subscription { shared };
        let shared = &subscription.shared;
        let failed = shared
            .wait_until(|core| {
                let is_started = shared.state() != SubscriptionState::Starting;
                is_started.then(|| core.error.clone().filter(|_| core.queue.len() == 0))
            })
            .await;
        match failed {
            None => Ok(subscription),
            Some(error) => {
                subscription.close().await;
                Err(error)
            }
        }
    }
}

/// The changes of some tags, over interruptions of the connection: what was missed is replayed, and where the gateway
/// does not have it any more, the current values are read again. Nothing is ever hidden: see
/// [`DataChange::lost_before`], [`DataChange::recovered`] and [`SubscriptionStats`].
///
/// Dropping it ends it in the background; [`close`](Self::close) waits until that is done.
pub struct Subscription {
    shared: Arc<Shared>,
}

impl Subscription {
    /// Waits for the next change; none after [`close`](Self::close).
    ///
    /// # Errors
    /// What ended the subscription for good; changes that were queued come first.
    pub async fn next(&self) -> Result<Option<DataChange>> {
        self.taken(|core| core.queue.take()).await
    }

    /// Waits for all changes that wait, at once: the cheapest way to take very many.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub async fn next_batch(&self) -> Result<Option<Vec<DataChange>>> {
        self.taken(|core| Some(core.queue.take_all()).filter(|changes| !changes.is_empty())).await
    }

    async fn taken<T>(&self, take: impl Fn(&mut Core) -> Option<T>) -> Result<Option<T>> {
        self.shared
            .wait_until(|core| match take(core) {
                Some(taken) => Some(Ok(Some(taken))),
                None if self.shared.state() != SubscriptionState::Closed => None,
                None => Some(core.error.clone().map_or(Ok(None), Err)),
            })
            .await
    }

    /// The changes as a [`Stream`], until the subscription ends; an error is the last thing that it gives.
    pub fn into_stream(self) -> impl Stream<Item = Result<DataChange>> + Send {
        unfold(Some(self), |subscription| async move {
            let subscription = subscription?;
            match subscription.next().await {
                Ok(Some(change)) => Some((Ok(change), Some(subscription))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        })
    }

    /// Subscribes further tags; one that is there stays as it is, one that was refused is tried again. While the stream
    /// is interrupted it returns at once, and the tags are subscribed when it is there again.
    ///
    /// # Errors
    /// The subscription has ended.
    pub async fn add<I>(&self, tags: I) -> Result<()>
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.shared.check_open()?;
        let asked = {
            let mut core = self.shared.core();
            let asked = core.items.want(tags.into_iter().map(Into::into).collect());
            let count = core.items.tags().len();
            core.queue.make_room(count);
            asked
        };
        self.carried_out(asked).await
    }

    /// Ends the subscription of some tags. No change of them is delivered any more, also none that waits.
    ///
    /// # Errors
    /// The subscription has ended.
    pub async fn remove<I>(&self, tags: I) -> Result<()>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.shared.check_open()?;
        let gone: HashSet<Arc<str>> = tags.into_iter().map(|tag| Arc::from(tag.as_ref())).collect();
        let asked = {
            let mut core = self.shared.core();
            core.queue.discard(&gone);
            core.reader.forget(&gone);
            core.items.unwant(&gone)
        };
        self.carried_out(asked).await
    }

    /// Waits until the session has what was asked for, or is interrupted: then the reconnect does it.
    async fn carried_out(&self, asked: u64) -> Result<()> {
        self.shared.to_do.notify_one();
        let is_done = self
            .shared
            .wait_until(|core| {
                let is_done = core.items.is_done(asked);
                (is_done || !core.is_serving || self.shared.state() == SubscriptionState::Closed).then_some(is_done)
            })
            .await;
        if is_done { Ok(()) } else { self.shared.check_open() }
    }

    /// Where it stands now.
    pub fn state(&self) -> SubscriptionState {
        self.shared.state()
    }

    /// Where it stands now, and each turn.
    pub fn states(&self) -> watch::Receiver<SubscriptionState> {
        self.shared.state.subscribe()
    }

    /// What ended it; none while it runs and after [`close`](Self::close).
    pub fn error(&self) -> Option<Error> {
        self.shared.core().error.clone()
    }

    /// The figures now.
    pub fn stats(&self) -> SubscriptionStats {
        let core = self.shared.core();
        let mut failures = core.reader.unresolved.clone();
        failures.extend(core.items.failures.clone());
        SubscriptionStats {
            state: self.shared.state(),
            tags: core.items.tags().to_vec(),
            failures,
            gaps: core.reader.gaps,
            lost: core.reader.lost,
            dropped: core.queue.dropped,
            waiting: core.queue.len(),
            interruptions: core.interruptions,
            new_sessions: core.new_sessions,
            last_interruption: core.last_interruption.clone(),
        }
    }

    /// Ends the subscription: its items are un-advised and removed as far as the gateway answers, and a session of its
    /// own is closed. Idempotent.
    pub async fn close(&self) {
        self.shared.close().await;
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.shared.closing.cancel();
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("state", &self.state()).finish_non_exhaustive()
    }
}
