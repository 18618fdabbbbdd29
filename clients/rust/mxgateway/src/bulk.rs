//! Commands on many items in one call.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::pb::{self, mx_command::Payload, mx_command_reply::Payload as Answer};
use crate::replies::{check_count, missing_payload};
use crate::session::Session;
use crate::tables;
use crate::time::MxTime;
use crate::values::{Value, to_mx_value};

/// One entry of [`Session::write_bulk`] and, with `time`, of [`Session::write2_bulk`].
#[derive(Clone, Debug)]
pub struct WriteEntry {
    /// From `add_item`.
    pub item_handle: i32,
    /// What to write.
    pub value: Value,
    /// Source time; of `write2_bulk` only, which needs it.
    pub time: Option<MxTime>,
    /// Of this entry alone; 0 takes that of the call.
    pub user_id: i32,
}

impl WriteEntry {
    /// An entry without user and time of its own.
    pub fn new(item_handle: i32, value: impl Into<Value>) -> Self {
        Self { item_handle, value: value.into(), time: None, user_id: 0 }
    }
}

/// One entry of [`Session::write_secured_bulk`] and, with `time`, of [`Session::write_secured2_bulk`].
#[derive(Clone, Debug)]
pub struct SecuredEntry {
    /// From `add_item`.
    pub item_handle: i32,
    /// Operator.
    pub current_user_id: i32,
    /// Verifier, or the operator again.
    pub verifier_user_id: i32,
    /// What to write.
    pub value: Value,
    /// Source time; of `write_secured2_bulk` only, which needs it.
    pub time: Option<MxTime>,
}

fn texts<I>(tags: I) -> Vec<String>
where
    I: IntoIterator,
    I::Item: AsRef<str>,
{
    tags.into_iter().map(|tag| tag.as_ref().to_owned()).collect()
}

fn check_numbers(tags: &[String], client_handles: &[u32]) -> Result<()> {
    if tags.len() == client_handles.len() {
        return Ok(());
    }
    let text = format!("client_handles has {} entries for {} tags", client_handles.len(), tags.len());
    Err(Error::argument(text))
}

fn converted(index: usize, value: impl Into<Value>) -> Result<Option<pb::MxValue>> {
    to_mx_value(value).map(Some).map_err(|error| Error::argument_of(format!("entries[{index}]: {error}"), error))
}

fn timed(index: usize, time: Option<MxTime>) -> Result<Option<pb::MxValue>> {
    let time = time.ok_or_else(|| Error::argument(format!("entries[{index}]: there is no time")))?;
    converted(index, time)
}

impl Session {
    fn check_bulk(&self, name: &str, count: usize) -> Result<()> {
        let most = self.max_bulk();
        if count > most {
            let text = format!("{name} has {count} entries; one call takes at most {most}, so split it");
            return Err(Error::argument(text));
        }
        Ok(())
    }

    async fn subscribing(&self, count: usize, payload: Payload) -> Result<Vec<pb::SubscribeResult>> {
        let (arm, method, _) = tables::command(&payload);
        let mut reply = self.run(payload).await?;
        let found = match reply.payload.take() {
            Some(
                Answer::AddItemBulk(found)
                | Answer::SubscribeBulk(found)
                | Answer::AdviseItemBulk(found)
                | Answer::UnAdviseItemBulk(found)
                | Answer::RemoveItemBulk(found)
                | Answer::UnsubscribeBulk(found),
            ) => found.results,
            _ => return Err(missing_payload(&reply, arm)),
        };
        check_count(&reply, method, found.len(), count)?;
        Ok(found)
    }

    /// Adds an item for each reference. The results stand in the order of the tags; an entry that failed has
    /// `was_successful` false and is no error of the call. So it is with all bulk calls.
    pub async fn add_item_bulk<I>(&self, server_handle: i32, tags: I) -> Result<Vec<pb::SubscribeResult>>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.add_items(server_handle, texts(tags), Vec::new()).await
    }

    /// [`add_item_bulk`](Self::add_item_bulk) with a number of one's own for each tag, which the events of its item carry where the
    /// gateway announced `client-handles`.
    ///
    /// # Errors
    /// Also `Argument` when there are not as many numbers as tags.
    pub async fn add_item_bulk_as(
        &self,
        server_handle: i32,
        tags: Vec<String>,
        client_handles: Vec<u32>,
    ) -> Result<Vec<pb::SubscribeResult>> {
        check_numbers(&tags, &client_handles)?;
        self.add_items(server_handle, tags, client_handles).await
    }

    pub(crate) async fn add_items(
        &self,
        server_handle: i32,
        tag_addresses: Vec<String>,
        client_handles: Vec<u32>,
    ) -> Result<Vec<pb::SubscribeResult>> {
        let count = tag_addresses.len();
        self.check_bulk("tag_addresses", count)?;
        let command = pb::AddItemBulkCommand { server_handle, tag_addresses, client_handles };
        self.subscribing(count, Payload::AddItemBulk(command)).await
    }

    /// Adds and advises an item for each reference.
    pub async fn subscribe_bulk<I>(&self, server_handle: i32, tags: I) -> Result<Vec<pb::SubscribeResult>>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.subscribe_items(server_handle, texts(tags), Vec::new()).await
    }

    /// [`subscribe_bulk`](Self::subscribe_bulk) with a number of one's own for each tag, which the events of its item carry where the
    /// gateway announced `client-handles`.
    ///
    /// # Errors
    /// Also `Argument` when there are not as many numbers as tags.
    pub async fn subscribe_bulk_as(
        &self,
        server_handle: i32,
        tags: Vec<String>,
        client_handles: Vec<u32>,
    ) -> Result<Vec<pb::SubscribeResult>> {
        check_numbers(&tags, &client_handles)?;
        self.subscribe_items(server_handle, tags, client_handles).await
    }

    pub(crate) async fn subscribe_items(
        &self,
        server_handle: i32,
        tag_addresses: Vec<String>,
        client_handles: Vec<u32>,
    ) -> Result<Vec<pb::SubscribeResult>> {
        let count = tag_addresses.len();
        self.check_bulk("tag_addresses", count)?;
        let command = pb::SubscribeBulkCommand { server_handle, tag_addresses, client_handles };
        self.subscribing(count, Payload::SubscribeBulk(command)).await
    }

    /// Advises each item.
    pub async fn advise_item_bulk(&self, server_handle: i32, items: &[i32]) -> Result<Vec<pb::SubscribeResult>> {
        self.check_bulk("item_handles", items.len())?;
        let command = pb::AdviseItemBulkCommand { server_handle, item_handles: items.to_vec() };
        self.subscribing(items.len(), Payload::AdviseItemBulk(command)).await
    }

    /// Un-advises each item; the items stay.
    pub async fn unadvise_item_bulk(&self, server_handle: i32, items: &[i32]) -> Result<Vec<pb::SubscribeResult>> {
        self.check_bulk("item_handles", items.len())?;
        let command = pb::UnAdviseItemBulkCommand { server_handle, item_handles: items.to_vec() };
        self.subscribing(items.len(), Payload::UnAdviseItemBulk(command)).await
    }

    /// Removes each item.
    pub async fn remove_item_bulk(&self, server_handle: i32, items: &[i32]) -> Result<Vec<pb::SubscribeResult>> {
        self.check_bulk("item_handles", items.len())?;
        let command = pb::RemoveItemBulkCommand { server_handle, item_handles: items.to_vec() };
        self.subscribing(items.len(), Payload::RemoveItemBulk(command)).await
    }

    /// Un-advises and removes each item.
    pub async fn unsubscribe_bulk(&self, server_handle: i32, items: &[i32]) -> Result<Vec<pb::SubscribeResult>> {
        self.check_bulk("item_handles", items.len())?;
        let command = pb::UnsubscribeBulkCommand { server_handle, item_handles: items.to_vec() };
        self.subscribing(items.len(), Payload::UnsubscribeBulk(command)).await
    }

    /// Reads each reference once. An advised tag answers from its last value (`was_cached`); others take the time of a
    /// short subscription, at most `tag_limit` each, to the millisecond; zero is the worker's default.
    ///
    /// The tags are anything that gives texts:
    ///
    /// ```no_run
    /// # async fn example(session: mxgateway::Session, handle: i32) -> mxgateway::Result<()> {
    /// use std::time::Duration;
    /// session.read_bulk(handle, ["A.Value", "B.Value"], Duration::ZERO).await?;
    /// session.read_bulk(handle, vec![String::from("A.Value")], Duration::ZERO).await?;
    /// session.read_bulk(handle, (1..=6).map(|n| format!("Tank_{n:03}.Level")), Duration::from_secs(2)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn read_bulk<I>(
        &self,
        server_handle: i32,
        tags: I,
        tag_limit: Duration,
    ) -> Result<Vec<pb::BulkReadResult>>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let timeout_ms = u32::try_from(tag_limit.as_millis()).map_err(|error| {
            let text = format!("timeout_ms is {}, but needs to be within 0 and {}", tag_limit.as_millis(), u32::MAX);
            Error::argument_of(text, error)
        })?;
        let tag_addresses = texts(tags);
        let count = tag_addresses.len();
        self.check_bulk("tag_addresses", count)?;
        let command = pb::ReadBulkCommand { server_handle, tag_addresses, timeout_ms };
        let mut reply = self.run(Payload::ReadBulk(command)).await?;
        let Some(Answer::ReadBulk(found)) = reply.payload.take() else {
            return Err(missing_payload(&reply, "read_bulk"));
        };
        check_count(&reply, "ReadBulk", found.results.len(), count)?;
        Ok(found.results)
    }

    async fn writing(&self, count: usize, payload: Payload) -> Result<Vec<pb::BulkWriteResult>> {
        let (arm, method, _) = tables::command(&payload);
        let mut reply = self.run(payload).await?;
        let found = match reply.payload.take() {
            Some(
                Answer::WriteBulk(found)
                | Answer::Write2Bulk(found)
                | Answer::WriteSecuredBulk(found)
                | Answer::WriteSecured2Bulk(found),
            ) => found.results,
            _ => return Err(missing_payload(&reply, arm)),
        };
        check_count(&reply, method, found.len(), count)?;
        Ok(found)
    }

    /// Writes one value to each item. `user_id` is that of the entries without one of their own.
    pub async fn write_bulk(
        &self,
        server_handle: i32,
        entries: Vec<WriteEntry>,
        user_id: i32,
    ) -> Result<Vec<pb::BulkWriteResult>> {
        self.check_bulk("entries", entries.len())?;
        let entry = |(index, each): (usize, WriteEntry)| {
            let user_id = if each.user_id == 0 { user_id } else { each.user_id };
            Ok(pb::WriteBulkEntry { item_handle: each.item_handle, value: converted(index, each.value)?, user_id })
        };
        let entries = entries.into_iter().enumerate().map(entry).collect::<Result<Vec<_>>>()?;
        self.writing(entries.len(), Payload::WriteBulk(pb::WriteBulkCommand { server_handle, entries })).await
    }

    /// [`write_bulk`](Self::write_bulk) with a source time for each entry.
    pub async fn write2_bulk(
        &self,
        server_handle: i32,
        entries: Vec<WriteEntry>,
        user_id: i32,
    ) -> Result<Vec<pb::BulkWriteResult>> {
        self.check_bulk("entries", entries.len())?;
        let entry = |(index, each): (usize, WriteEntry)| {
            Ok(pb::Write2BulkEntry {
                item_handle: each.item_handle,
                value: converted(index, each.value)?,
                timestamp_value: timed(index, each.time)?,
                user_id: if each.user_id == 0 { user_id } else { each.user_id },
            })
        };
        let entries = entries.into_iter().enumerate().map(entry).collect::<Result<Vec<_>>>()?;
        self.writing(entries.len(), Payload::Write2Bulk(pb::Write2BulkCommand { server_handle, entries })).await
    }

    /// [`write_secured`](Self::write_secured) for each entry.
    pub async fn write_secured_bulk(
        &self,
        server_handle: i32,
        entries: Vec<SecuredEntry>,
    ) -> Result<Vec<pb::BulkWriteResult>> {
        self.check_bulk("entries", entries.len())?;
        let entry = |(index, each): (usize, SecuredEntry)| {
            Ok(pb::WriteSecuredBulkEntry {
                item_handle: each.item_handle,
                current_user_id: each.current_user_id,
                verifier_user_id: each.verifier_user_id,
                value: converted(index, each.value)?,
            })
        };
        let entries = entries.into_iter().enumerate().map(entry).collect::<Result<Vec<_>>>()?;
        let command = pb::WriteSecuredBulkCommand { server_handle, entries };
        self.writing(command.entries.len(), Payload::WriteSecuredBulk(command)).await
    }

    /// [`write_secured2`](Self::write_secured2) for each entry.
    pub async fn write_secured2_bulk(
        &self,
        server_handle: i32,
        entries: Vec<SecuredEntry>,
    ) -> Result<Vec<pb::BulkWriteResult>> {
        self.check_bulk("entries", entries.len())?;
        let entry = |(index, each): (usize, SecuredEntry)| {
            Ok(pb::WriteSecured2BulkEntry {
                item_handle: each.item_handle,
                current_user_id: each.current_user_id,
                verifier_user_id: each.verifier_user_id,
                value: converted(index, each.value)?,
                timestamp_value: timed(index, each.time)?,
            })
        };
        let entries = entries.into_iter().enumerate().map(entry).collect::<Result<Vec<_>>>()?;
        let command = pb::WriteSecured2BulkCommand { server_handle, entries };
        self.writing(command.entries.len(), Payload::WriteSecured2Bulk(command)).await
    }
}
