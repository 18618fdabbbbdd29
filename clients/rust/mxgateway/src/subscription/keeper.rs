//! The commands that make of what is there what is wanted.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, try_join_all};

use super::Shared;
use super::reconnecting::is_transient;
use crate::error::{Error, ErrorKind, Result};
use crate::pb;
use crate::session::Session;

/// Calls under way at a time where there is no call for many items.
const MAX_CALLS: usize = 100;

pub(crate) struct Keeper<'a> {
    pub(crate) shared: &'a Arc<Shared>,
    pub(crate) session: &'a Session,
    pub(crate) is_supervisory: bool,
}

impl Keeper<'_> {
    /// Carries out what is wanted, again and again, while somebody else reads the events. Gives what failed.
    pub(crate) async fn keep(&self) -> Error {
        loop {
            // What was asked for while there was no connection, and what the last interruption left half done.
            if let Err(error) = self.round().await {
                return error;
            }
            if !self.shared.core().items.has_unwanted() {
                self.shared.to_do.notified().await;
            }
        }
    }

    async fn round(&self) -> Result<()> {
        let (asked, is_first) = {
            let mut core = self.shared.core();
            (core.items.asked, std::mem::take(&mut core.items.is_empty))
        };
        self.remove_unwanted().await?;
        let missing = self.shared.core().items.missing();
        let mut chunks = missing.chunks(self.session.max_bulk()).peekable();
        while let Some(chunk) = chunks.next() {
            self.in_parts(chunk, is_first && !self.is_supervisory).await?;
            if chunks.peek().is_some() {
                self.shared.items_added();
            }
        }
        self.shared.core().items.done = Some(asked);
        self.shared.items_added();
        Ok(())
    }

    /// Finds out by halving whose fault it is when a call is refused as a whole.
    async fn in_parts(&self, tags: &[Arc<str>], in_one_call: bool) -> Result<()> {
        let mut parts = vec![tags];
        while let Some(part) = parts.pop() {
            let added = if in_one_call { self.subscribe(part).await } else { self.add(part).await };
            match added {
                Err(error) if error.is(ErrorKind::Command) && !is_transient(&error) => {
                    if let [tag] = part {
                        self.shared.core().items.refuse(tag, error.message());
                    } else {
                        let (first, second) = part.split_at(part.len() / 2);
                        parts.extend([second, first]);
                    }
                }
                done => done?,
            }
        }
        Ok(())
    }

    /// Adds and advises in one call; a first value may come before its reply.
    async fn subscribe(&self, tags: &[Arc<str>]) -> Result<()> {
        let (tags, numbers, server) = {
            let mut core = self.shared.core();
            // A tag may have been removed again while earlier ones were added.
            let tags: Vec<_> = tags.iter().filter(|tag| core.items.is_wanted(tag)).cloned().collect();
            let numbers = core.items.numbered(&tags);
            core.items.is_adding = true;
            (tags, numbers, core.items.server_handle)
        };
        let texts = tags.iter().map(ToString::to_string).collect();
        let results = self.session.subscribe_items(server, texts, numbers.clone()).await;
        let mut core = self.shared.core();
        core.items.is_adding = false;
        let results = match results {
            Ok(results) => results,
            Err(error) => {
                core.items.has_orphans = true;
                core.items.forget(&numbers);
                drop(core);
                self.shared.notify();
                return Err(error);
            }
        };
        for (index, (tag, result)) in tags.iter().zip(&results).enumerate() {
            if let Some(handle) = core.items.take(tag, numbers.get(index).copied(), result) {
                core.items.advise(tag.clone(), handle);
            }
        }
        drop(core);
        self.shared.notify();
        Ok(())
    }

    /// Adds and then advises, so that each item is known before its first value.
    async fn add(&self, tags: &[Arc<str>]) -> Result<()> {
        let (numbers, server) = {
            let mut core = self.shared.core();
            (core.items.numbered(tags), core.items.server_handle)
        };
        let texts = tags.iter().map(ToString::to_string).collect();
        let added = self.session.add_items(server, texts, numbers.clone()).await;
        let handles: Vec<i32> = {
            let mut core = self.shared.core();
            let added = added.inspect_err(|_| core.items.forget(&numbers))?;
            let taken = tags.iter().zip(&added).enumerate();
            taken
                .filter_map(|(index, (tag, result))| core.items.take(tag, numbers.get(index).copied(), result))
                .collect()
        };
        let advised = self.advise(server, &handles).await;
        let mut core = self.shared.core();
        let refusals = match advised {
            Ok(refusals) => refusals,
            Err(error) => {
                // Whether they are advised is unknown: they go, and others come in their place.
                handles.iter().for_each(|handle| core.items.discard(*handle));
                return Err(error);
            }
        };
        for handle in handles {
            let Some(tag) = core.items.tag_at(handle) else { continue };
            match refusals.get(&handle) {
                None => core.items.advise(tag, handle),
                Some(reason) => {
                    core.items.discard(handle);
                    core.items.refuse(&tag, reason);
                }
            }
        }
        Ok(())
    }

    /// Advises items; those that were refused, with the reason.
    async fn advise(&self, server: i32, handles: &[i32]) -> Result<HashMap<i32, String>> {
        if handles.is_empty() {
            return Ok(HashMap::new());
        }
        if !self.is_supervisory {
            let results = self.session.advise_item_bulk(server, handles).await?;
            let refused = handles.iter().zip(results).filter(|(_, result)| !result.was_successful);
            return Ok(refused.map(|(handle, result)| (*handle, result.error_message)).collect());
        }
        let mut refused = HashMap::new();
        for part in handles.chunks(MAX_CALLS) {
            let calls: Vec<BoxFuture<'_, _>> =
                part.iter().map(|handle| self.advise_supervisory(server, *handle).boxed()).collect();
            refused.extend(try_join_all(calls).await?.into_iter().flatten());
        }
        Ok(refused)
    }

    /// Advises one item; why it was refused, or nothing.
    async fn advise_supervisory(&self, server: i32, handle: i32) -> Result<Option<(i32, String)>> {
        match self.session.advise_supervisory(server, handle).await {
            Ok(()) => Ok(None),
            Err(error) if error.kind() == ErrorKind::MxAccess => Ok(Some((handle, error.message().to_owned()))),
            Err(error) => Err(error),
        }
    }

    async fn remove_unwanted(&self) -> Result<()> {
        let handles: Vec<i32> = self.shared.core().items.unwanted.iter().copied().collect();
        for chunk in handles.chunks(self.session.max_bulk()) {
            match self.remove_items(chunk).await {
                Err(error) if !error.is(ErrorKind::Command) || is_transient(&error) => return Err(error),
                Err(error) => tracing::info!("items of a subscription could not be removed: {error}"),
                Ok(()) => {}
            }
            let mut core = self.shared.core();
            for handle in chunk {
                core.items.unwanted.remove(handle);
            }
        }
        Ok(())
    }

    async fn remove_items(&self, handles: &[i32]) -> Result<()> {
        let server = self.shared.core().items.server_handle;
        let results = self.session.unsubscribe_bulk(server, handles).await?;
        // An item that is not advised is not removed by that.
        let left = handles.iter().zip(results).filter(|(_, result)| !result.was_successful);
        let left: Vec<i32> = left.map(|(handle, _)| *handle).collect();
        if !left.is_empty() {
            self.session.remove_item_bulk(server, &left).await?;
        }
        Ok(())
    }

    /// What the tags are now; those of a call that is under way are among them.
    pub(crate) async fn read_all(&self) -> Result<Vec<(Arc<str>, pb::BulkReadResult)>> {
        self.all_known().await;
        let (tags, server) = {
            let core = self.shared.core();
            (core.items.advised_tags(), core.items.server_handle)
        };
        let mut found = Vec::with_capacity(tags.len());
        for chunk in tags.chunks(self.session.max_bulk()) {
            let results = self.session.read_bulk(server, chunk, std::time::Duration::ZERO).await?;
            found.extend(chunk.iter().cloned().zip(results));
        }
        Ok(found)
    }

    /// Waits for the reply that names new items, if one is under way.
    pub(crate) async fn all_known(&self) {
        self.shared.wait_until(|core| (!core.items.is_adding).then_some(())).await;
    }

    /// Un-advises and removes the items, and unregisters.
    pub(crate) async fn remove_all(&self) -> Result<()> {
        let server = {
            let mut core = self.shared.core();
            if !core.items.is_registered {
                return Ok(());
            }
            let handles = core.items.all_handles();
            core.items.unwanted.extend(handles);
            core.items.server_handle
        };
        self.remove_unwanted().await?;
        self.session.unregister(server).await
    }
}
