//! The stream that carries the commands of one session.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::stream::{StreamExt, unfold};
use http::uri::PathAndQuery;
use prost::Message;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tonic_prost::ProstCodec;

use crate::client::wire_duration;
use crate::connection::{Connection, bounded};
use crate::error::{Error, ErrorKind, Result};
use crate::pb;
use crate::replies::check_size;
use crate::rpc_errors::Called;
use crate::tables::{self, COMMAND_WINDOW, COMMANDS_PER_MESSAGE, ENVELOPE_BYTES};

/// How long without a command makes the next one get a new stream: proxies end idle ones.
const STALE_AFTER: Duration = Duration::from_secs(2);
/// About how long one message of commands gets.
const BATCH_BYTES: usize = 1 << 20;

/// A command that somebody waits for.
struct Pending {
    /// Taken when it is sent.
    message: Option<pb::MxStreamCommand>,
    size: usize,
    what: String,
    answer: oneshot::Sender<Result<pb::MxCommandReply>>,
}

/// One stream of the session.
struct Run {
    number: u64,
    wake: Arc<Notify>,
    end: CancellationToken,
}

#[derive(Default)]
struct State {
    under_way: HashMap<String, Pending>,
    waiting: VecDeque<String>,
    cancels: Vec<String>,
    in_window: usize,
    used_at: Option<Instant>,
    is_closed: bool,
    is_unsupported: bool,
    run: Option<Run>,
    runs: u64,
}

/// Everything that waits travels in one message, so concurrent calls pipeline by themselves. It is opened by its first
/// command, and after a failure by the next one.
pub(crate) struct CommandStream {
    connection: Arc<Connection>,
    session_id: String,
    state: Mutex<State>,
}

impl CommandStream {
    pub(crate) fn new(connection: Arc<Connection>, session_id: String) -> Arc<Self> {
        Arc::new(Self { connection, session_id, state: Mutex::new(State::default()) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a command with this id can go over the stream; otherwise it has to go as a unary call.
    pub(crate) fn takes(&self, correlation_id: &str) -> bool {
        let state = self.state();
        !state.is_closed && !state.is_unsupported && !state.under_way.contains_key(correlation_id)
    }

    pub(crate) async fn invoke(
        self: &Arc<Self>,
        command: pb::MxCommand,
        what: &str,
        correlation_id: &str,
        limit: Duration,
    ) -> Result<pb::MxCommandReply> {
        let message = pb::MxStreamCommand {
            correlation_id: correlation_id.to_owned(),
            command: Some(command),
            timeout: Some(wire_duration(limit)?),
        };
        let size = message.encoded_len();
        check_size(size, self.connection.options.max_message_bytes, what, correlation_id)?;
        let (answer, mut answered) = oneshot::channel();
        self.begin(Pending { message: Some(message), size, what: what.to_owned(), answer }, correlation_id)?;
        // Whoever is dropped while it waits leaves no command behind.
        let forgets = Forgets { stream: self, correlation_id };
        let outcome = timeout(limit, &mut answered).await;
        drop(forgets);
        match outcome {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(closed_session(what, correlation_id)),
            // The reply may have come in this very moment: there is one outcome, and it would be this.
            Err(_) => answered.try_recv().unwrap_or_else(|_| {
                Err(Called::new(what, correlation_id).timed_out(&format!("no reply within {limit:?}")))
            }),
        }
    }

    fn begin(self: &Arc<Self>, pending: Pending, correlation_id: &str) -> Result<()> {
        let mut state = self.state();
        if state.is_closed {
            return Err(closed_session(&pending.what, correlation_id));
        }
        let now = Instant::now();
        let is_stale = state.under_way.is_empty() && state.used_at.is_some_and(|at| now - at > STALE_AFTER);
        if is_stale && let Some(run) = state.run.take() {
            // Between here and the gateway somebody may be ending it right now, and the command with it.
            run.end.cancel();
        }
        state.used_at = Some(now);
        state.under_way.insert(correlation_id.to_owned(), pending);
        state.waiting.push_back(correlation_id.to_owned());
        if state.run.is_none() {
            state.runs += 1;
            let run = Run { number: state.runs, wake: Arc::default(), end: CancellationToken::new() };
            tokio::spawn(self.clone().serve(run.number, run.wake.clone(), run.end.clone()));
            state.run = Some(run);
        }
        state.wake();
        Ok(())
    }

    /// Drops a command that nobody waits for: it is not sent, or the gateway is told to drop it from its queue.
    fn forget(&self, correlation_id: &str) {
        let mut state = self.state();
        if let Some(pending) = state.under_way.remove(correlation_id)
            && pending.message.is_none()
        {
            state.in_window -= 1;
            state.cancels.push(correlation_id.to_owned());
            state.wake();
        }
    }

    /// Runs one stream until it ends.
    async fn serve(self: Arc<Self>, number: u64, wake: Arc<Notify>, end: CancellationToken) {
        let limit = self.connection.options.stream_timeout.map(bounded);
        let over = async {
            match limit {
                Some(limit) => sleep_until(Instant::now() + limit).await,
                None => std::future::pending().await,
            }
        };
        let failure = tokio::select! {
            biased;
            () = end.cancelled() => return,
            () = self.connection.link.closed.cancelled() => {
                Connection::closed_error("InvokeStream", "was closed during the call")
            }
            failure = self.clone().exchange(number, wake, limit) => failure,
            () = over => Called::new("InvokeStream", "").timed_out("the deadline was over"),
        };
        self.ended(number, &failure);
    }

    async fn exchange(self: Arc<Self>, number: u64, wake: Arc<Notify>, limit: Option<Duration>) -> Error {
        let called = Called::new("InvokeStream", "");
        // What is sent belongs to a task of the connection, which outlives this call and knows of no end but this one.
        let over = CancellationToken::new();
        let _ends = over.clone().drop_guard();
        let outgoing = unfold((self.clone(), wake, true), move |(stream, wake, is_first)| async move {
            let batch = stream.next_batch(number, &wake, is_first).await;
            Some((batch, (stream, wake, false)))
        });
        let outgoing = outgoing.take_until(over.cancelled_owned());
        let mut grpc = match self.connection.grpc("InvokeStream") {
            Ok(grpc) => grpc,
            Err(error) => return error,
        };
        let (mut request, key) = match self.connection.request(outgoing).await {
            Ok(made) => made,
            Err(error) => return error,
        };
        if let Some(limit) = limit {
            request.set_timeout(limit);
        }
        let received = async {
            grpc.ready().await.map_err(|error| tonic::Status::from_error(Box::new(error)))?;
            let path = PathAndQuery::from_static("/mxaccess_gateway.v1.MxAccessGateway/InvokeStream");
            let mut replies = grpc.streaming(request, path, ProstCodec::default()).await?.into_inner();
            while let Some(batch) = replies.message().await? {
                self.settle(batch);
            }
            Ok(())
        };
        match received.await {
            Ok(()) => Error::new(ErrorKind::Transport, "the gateway ended the command stream"),
            Err(status) => called.failed(&status, key.as_deref()),
        }
    }

    /// Waits for what is to be sent: everything that waits, within the window and the size of a message.
    async fn next_batch(&self, number: u64, wake: &Notify, is_first: bool) -> pb::MxCommandBatch {
        loop {
            let batch = self.drain(number);
            if is_first || !batch.commands.is_empty() || !batch.cancel_correlation_ids.is_empty() {
                let session_id = if is_first { self.session_id.clone() } else { String::new() };
                return pb::MxCommandBatch { session_id, ..batch };
            }
            wake.notified().await;
            // Lets others put theirs beside it: batches of one cost most.
            tokio::task::yield_now().await;
        }
    }

    fn drain(&self, number: u64) -> pb::MxCommandBatch {
        let mut guard = self.state();
        let state = &mut *guard;
        let mut batch = pb::MxCommandBatch::default();
        if state.run.as_ref().is_none_or(|run| run.number != number) {
            return batch;
        }
        batch.cancel_correlation_ids = std::mem::take(&mut state.cancels);
        let most = BATCH_BYTES.min(self.connection.options.max_message_bytes.saturating_sub(ENVELOPE_BYTES));
        let mut size = 0;
        while state.in_window < COMMAND_WINDOW && batch.commands.len() < COMMANDS_PER_MESSAGE {
            let Some(id) = state.waiting.front() else { break };
            let Some(pending) = state.under_way.get_mut(id).filter(|pending| pending.message.is_some()) else {
                state.waiting.pop_front();
                continue;
            };
            if size > 0 && size + pending.size > most {
                break;
            }
            size += pending.size;
            batch.commands.extend(pending.message.take());
            state.in_window += 1;
            state.waiting.pop_front();
        }
        batch
    }

    fn settle(&self, batch: pb::MxCommandReplyBatch) {
        let mut state = self.state();
        state.used_at = Some(Instant::now());
        for reply in batch.replies {
            // Others are replies to commands that timed out or were cancelled.
            if let Some(pending) = state.under_way.remove(&reply.correlation_id) {
                state.in_window = state.in_window.saturating_sub(usize::from(pending.message.is_none()));
                let _ = pending.answer.send(Ok(reply));
            }
        }
        if !state.waiting.is_empty() {
            state.wake();
        }
    }

    /// The end of a stream; what waits belongs to another one where that has taken its place already.
    fn ended(&self, number: u64, failure: &Error) {
        let mut state = self.state();
        if state.run.as_ref().is_some_and(|run| run.number == number) {
            state.run = None;
            state.is_unsupported |= failure.code() == Some(Code::Unimplemented);
            state.fail(failure);
        }
    }

    /// Ends the stream; commands that still wait fail. Idempotent.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        state.fail(&Error::new(ErrorKind::Session, "the session was closed during the call"));
        if let Some(run) = state.run.take() {
            run.end.cancel();
        }
    }
}

impl State {
    fn wake(&self) {
        if let Some(run) = &self.run {
            run.wake.notify_one();
        }
    }

    fn fail(&mut self, failure: &Error) {
        for (id, pending) in self.under_way.drain() {
            let message = format!("{}: {failure}", pending.what);
            let error = failure.clone().with(|inner| {
                inner.message = message;
                inner.correlation_id = id;
                // Whether it ran is unknown, so it may not be repeated unseen.
                inner.retryable = tables::is_retryable(inner.kind);
            });
            let _ = pending.answer.send(Err(error));
        }
        self.waiting.clear();
        self.cancels.clear();
        self.in_window = 0;
    }
}

fn closed_session(what: &str, correlation_id: &str) -> Error {
    Error::new(ErrorKind::Session, format!("{what}: the session was closed during the call"))
        .with(|inner| correlation_id.clone_into(&mut inner.correlation_id))
}

struct Forgets<'a> {
    stream: &'a CommandStream,
    correlation_id: &'a str,
}

impl Drop for Forgets<'_> {
    fn drop(&mut self) {
        self.stream.forget(self.correlation_id);
    }
}
