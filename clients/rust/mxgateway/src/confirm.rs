//! A write by name whose outcome is awaited.

use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use crate::error::{Error, ErrorKind, Reply, Result};
use crate::events::{EventStream, StreamOptions};
use crate::pb::{self, MxEventFamily, MxStatusCategory};
use crate::session::Session;
use crate::status::failures;
use crate::tables::capabilities;
use crate::values::{Value, to_mx_value};

/// A write that was confirmed.
#[derive(Clone, Debug)]
pub struct WriteOutcome {
    /// What was written to.
    pub tag: String,
    /// What was sent.
    pub value: pb::MxValue,
    /// The first OnDataChange.
    pub before: pb::MxEvent,
    /// The OnWriteComplete.
    pub completion: pb::MxEvent,
}

/// How a write is made and confirmed.
#[derive(Clone, Debug)]
pub struct ConfirmOptions {
    /// From `register`; 0 for one of this write alone.
    pub server_handle: i32,
    /// From `authenticate_user`; 0 is no user.
    pub user_id: i32,
    /// Makes it a secured write: the verifier's id, or the operator's again where one signature is enough.
    pub verifier_id: Option<i32>,
    /// Uses AdviseSupervisory: secured attributes then take the write without a user.
    pub supervisory: bool,
    /// Limits all of it; 15 s by default.
    pub timeout: Duration,
}

impl Default for ConfirmOptions {
    fn default() -> Self {
        Self { server_handle: 0, user_id: 0, verifier_id: None, supervisory: false, timeout: Duration::from_secs(15) }
    }
}

impl Session {
    /// Writes a tag by name and waits for the outcome: it adds and advises, writes once the first value is there, waits
    /// for OnWriteComplete, and removes the item again. The write is sent once.
    ///
    /// # Errors
    /// `MxAccess` when the reference does not exist or the write was refused or failed; `Timeout` when there was no
    /// value or no completion in time: its text says whether the write was sent, and its outcome so unknown.
    pub async fn write_and_confirm(
        &self,
        tag: &str,
        value: impl Into<Value>,
        options: ConfirmOptions,
    ) -> Result<WriteOutcome> {
        let value = value.into();
        self.write_chosen(tag, |_| Ok(value), options).await
    }

    /// [`write_and_confirm`](Self::write_and_confirm) of a value that is chosen from the present one.
    pub async fn write_chosen(
        &self,
        tag: &str,
        choose: impl FnOnce(&pb::MxEvent) -> Result<Value>,
        options: ConfirmOptions,
    ) -> Result<WriteOutcome> {
        let handle = match options.server_handle {
            0 => self.register(format!("write {tag}")).await?,
            given => given,
        };
        let outcome = Confirmation { session: self, tag, handle, options: &options }.run(choose).await;
        if options.server_handle == 0 {
            self.tidy(self.unregister(handle)).await;
        }
        outcome
    }

    /// Cleans up within the shutdown timeout; what cannot be removed ends with the session.
    async fn tidy<T>(&self, work: impl Future<Output = Result<T>>) {
        match timeout(self.connection().options.shutdown_timeout, work).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::info!("what a write had could not be removed: {error}"),
            Err(_) => tracing::info!("what a write had could not be removed in time"),
        }
    }
}

struct Confirmation<'a> {
    session: &'a Session,
    tag: &'a str,
    handle: i32,
    options: &'a ConfirmOptions,
}

impl Confirmation<'_> {
    async fn run(&self, choose: impl FnOnce(&pb::MxEvent) -> Result<Value>) -> Result<WriteOutcome> {
        let deadline = Instant::now() + self.options.timeout;
        let mut item = None;
        let mut is_sent = false;
        let outcome = timeout_at(deadline, self.steps(choose, &mut item, &mut is_sent)).await;
        if let Some(item) = item {
            self.session.tidy(self.session.unsubscribe_bulk(self.handle, &[item])).await;
        }
        outcome.unwrap_or_else(|_| {
            let state = if is_sent {
                "OnWriteComplete did not come; the outcome is unknown"
            } else {
                "no value came, nothing was written"
            };
            let text = format!("{}: {state} within {:?}", self.tag, self.options.timeout);
            Err(Error::new(ErrorKind::Timeout, text))
        })
    }

    async fn steps(
        &self,
        choose: impl FnOnce(&pb::MxEvent) -> Result<Value>,
        added: &mut Option<i32>,
        is_sent: &mut bool,
    ) -> Result<WriteOutcome> {
        let (session, tag, handle) = (self.session, self.tag, self.handle);
        let events = session.events(StreamOptions::default()).await?;
        let item = session.add_item(handle, tag).await?;
        *added = Some(item);
        if session.has(capabilities::EVENT_BATCHES) {
            // Beside another stream it gets only what comes once it stands, and this gateway tells when it does.
            events.opened().await;
        }
        if self.options.supervisory {
            session.advise_supervisory(handle, item).await?;
        } else {
            session.advise(handle, item).await?;
        }
        let before = awaited(&events, item, MxEventFamily::OnDataChange).await?;
        check_event(&before, &format!("{tag} cannot be written: its first value has failed"))?;
        let value = to_mx_value(choose(&before)?)?;
        *is_sent = true;
        match self.options.verifier_id {
            Some(verifier) => {
                session.write_secured(handle, item, self.options.user_id, verifier, value.clone()).await?;
            }
            None => session.write(handle, item, value.clone(), self.options.user_id).await?,
        }
        let completion = awaited(&events, item, MxEventFamily::OnWriteComplete).await?;
        check_event(&completion, &format!("writing {tag} failed"))?;
        Ok(WriteOutcome { tag: tag.to_owned(), value, before, completion })
    }
}

/// Waits for an event of an item; a completion that is pending announces another one.
async fn awaited(events: &EventStream, item: i32, family: MxEventFamily) -> Result<pb::MxEvent> {
    while let Some(event) = events.next().await? {
        if event.family != family as i32 || event.item_handle != item {
            continue;
        }
        let is_pending = event.statuses.iter().any(|status| status.category == MxStatusCategory::Pending as i32);
        if !is_pending || family == MxEventFamily::OnDataChange {
            return Ok(event);
        }
    }
    Err(Error::new(ErrorKind::Timeout, "the event stream ended"))
}

fn check_event(event: &pb::MxEvent, text: &str) -> Result<()> {
    let failed = failures(&event.statuses);
    if failed.is_empty() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::MxAccess, format!("{text}: {}", failed.join(", "))).with(|inner| {
        inner.reply = Some(Reply::Event(Box::new(event.clone())));
        inner.statuses.clone_from(&event.statuses);
        inner.hresult = event.hresult;
    }))
}
