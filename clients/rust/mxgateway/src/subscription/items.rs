//! What a subscription wants, and what is there. Without I/O and clock; [`super::keeper`] makes one of the other.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::pb;

pub(crate) struct Items {
    order: Vec<Arc<str>>,
    wanted: HashSet<Arc<str>>,
    pub(crate) failures: BTreeMap<Arc<str>, String>,
    pub(crate) server_handle: i32,
    pub(crate) is_registered: bool,
    /// No tag was subscribed in this session yet: then one call adds and advises.
    pub(crate) is_empty: bool,
    /// A reply is under way that names new items which may already send.
    pub(crate) is_adding: bool,
    /// Such a reply was lost: its items are there, and nobody knows their handles.
    pub(crate) has_orphans: bool,
    tags: HashMap<i32, Arc<str>>,
    /// Where the gateway echoes numbers of ours, each item that is added has one of its own, never used again: its
    /// events are known before the reply is there, and those of an item that had the handle before are not its own.
    is_numbering: bool,
    next_number: u32,
    by_number: HashMap<u32, Arc<str>>,
    numbers: HashMap<i32, u32>,
    advised: HashMap<Arc<str>, i32>,
    pub(crate) unwanted: BTreeSet<i32>,
    pub(crate) asked: u64,
    pub(crate) done: Option<u64>,
}

impl Items {
    pub(crate) fn new(tags: Vec<String>) -> Self {
        let mut items = Self {
            order: Vec::new(),
            wanted: HashSet::new(),
            failures: BTreeMap::new(),
            server_handle: 0,
            is_registered: false,
            is_empty: true,
            is_adding: false,
            has_orphans: false,
            tags: HashMap::new(),
            is_numbering: false,
            next_number: 0,
            by_number: HashMap::new(),
            numbers: HashMap::new(),
            advised: HashMap::new(),
            unwanted: BTreeSet::new(),
            asked: 0,
            done: None,
        };
        items.add_wanted(tags);
        items
    }

    pub(crate) fn tags(&self) -> &[Arc<str>] {
        &self.order
    }

    pub(crate) fn is_wanted(&self, tag: &str) -> bool {
        self.wanted.contains(tag)
    }

    /// Whether the session has all that is wanted now.
    pub(crate) fn is_complete(&self) -> bool {
        self.done == Some(self.asked)
    }

    /// Whether the session has what was wanted by then.
    pub(crate) fn is_done(&self, asked: u64) -> bool {
        self.done.is_some_and(|done| done >= asked)
    }

    fn add_wanted(&mut self, tags: Vec<String>) {
        for tag in tags {
            let tag: Arc<str> = tag.into();
            self.failures.remove(&tag);
            if self.wanted.insert(tag.clone()) {
                self.order.push(tag);
            }
        }
    }

    /// Wants further tags; one that was refused is tried again. The number is for `is_done`.
    pub(crate) fn want(&mut self, tags: Vec<String>) -> u64 {
        self.add_wanted(tags);
        self.asked += 1;
        self.asked
    }

    /// Wants these tags no more: from now on no event belongs to them.
    pub(crate) fn unwant(&mut self, gone: &HashSet<Arc<str>>) -> u64 {
        self.order.retain(|tag| !gone.contains(tag));
        for tag in gone {
            self.wanted.remove(tag);
            self.failures.remove(tag);
            self.advised.remove(tag);
        }
        let handles: Vec<i32> =
            self.tags.iter().filter(|(_, tag)| gone.contains(*tag)).map(|(handle, _)| *handle).collect();
        for handle in handles {
            self.discard(handle);
        }
        self.by_number.retain(|_, tag| !gone.contains(tag));
        self.asked += 1;
        self.asked
    }

    /// Begins in a session that has nothing of this yet.
    pub(crate) fn begin(&mut self, server_handle: i32, is_numbering: bool) {
        self.server_handle = server_handle;
        self.is_registered = true;
        self.is_empty = true;
        self.is_adding = false;
        self.has_orphans = false;
        self.is_numbering = is_numbering;
        self.done = None;
        self.tags.clear();
        self.by_number.clear();
        self.numbers.clear();
        self.advised.clear();
        self.unwanted.clear();
        self.failures.clear();
    }

    /// The wanted tag that an event belongs to.
    pub(crate) fn tag_of(&self, event: &pb::MxEvent) -> Option<Arc<str>> {
        if event.server_handle != self.server_handle {
            return None;
        }
        if event.client_handle != 0 {
            return self.by_number.get(&event.client_handle).cloned();
        }
        self.tags.get(&event.item_handle).cloned()
    }

    /// Whether an item without a tag is to be named by a reply that is under way. One that nobody will name goes.
    pub(crate) fn may_come_to_know(&mut self, event: &pb::MxEvent) -> bool {
        let handle = event.item_handle;
        if event.server_handle != self.server_handle || self.unwanted.contains(&handle) {
            return false;
        }
        if self.is_adding {
            return true;
        }
        if self.has_orphans && !self.tags.contains_key(&handle) {
            self.discard(handle);
        }
        false
    }

    /// Whether something is to be removed.
    pub(crate) fn has_unwanted(&self) -> bool {
        !self.unwanted.is_empty()
    }

    pub(crate) fn discard(&mut self, handle: i32) {
        self.tags.remove(&handle);
        if let Some(number) = self.numbers.remove(&handle) {
            self.by_number.remove(&number);
        }
        self.unwanted.insert(handle);
    }

    pub(crate) fn refuse(&mut self, tag: &Arc<str>, reason: &str) {
        if self.wanted.contains(tag) {
            let reason = if reason.is_empty() { "refused" } else { reason };
            self.failures.insert(tag.clone(), reason.to_owned());
        }
    }

    /// Wanted tags that are neither there nor refused.
    pub(crate) fn missing(&self) -> Vec<Arc<str>> {
        let is_missing = |tag: &&Arc<str>| !self.advised.contains_key(*tag) && !self.failures.contains_key(*tag);
        self.order.iter().filter(is_missing).cloned().collect()
    }

    /// The tags whose changes come.
    pub(crate) fn advised_tags(&self) -> Vec<Arc<str>> {
        self.order.iter().filter(|tag| self.advised.contains_key(*tag)).cloned().collect()
    }

    pub(crate) fn advise(&mut self, tag: Arc<str>, handle: i32) {
        self.advised.insert(tag, handle);
    }

    /// The tag of an item that was added and is still wanted.
    pub(crate) fn tag_at(&self, handle: i32) -> Option<Arc<str>> {
        self.tags.get(&handle).cloned()
    }

    pub(crate) fn all_handles(&self) -> Vec<i32> {
        self.tags.keys().copied().collect()
    }

    /// A new number for each tag, where the gateway takes them.
    pub(crate) fn numbered(&mut self, tags: &[Arc<str>]) -> Vec<u32> {
        if !self.is_numbering {
            return Vec::new();
        }
        let mut numbers = Vec::with_capacity(tags.len());
        for tag in tags {
            self.next_number = self.next_number.wrapping_add(1).max(1);
            self.by_number.insert(self.next_number, tag.clone());
            numbers.push(self.next_number);
        }
        numbers
    }

    pub(crate) fn forget(&mut self, numbers: &[u32]) {
        for number in numbers {
            self.by_number.remove(number);
        }
    }

    /// Notes a new item; its handle, none for a tag that was refused or is wanted no more.
    pub(crate) fn take(&mut self, tag: &Arc<str>, number: Option<u32>, result: &pb::SubscribeResult) -> Option<i32> {
        if !result.was_successful {
            self.forget(number.as_slice());
            self.refuse(tag, &result.error_message);
            return None;
        }
        if !self.wanted.contains(tag) {
            self.discard(result.item_handle);
            return None;
        }
        self.tags.insert(result.item_handle, tag.clone());
        if let Some(number) = number {
            // It may have been unwanted and wanted again meanwhile.
            self.by_number.insert(number, tag.clone());
            self.numbers.insert(result.item_handle, number);
        }
        Some(result.item_handle)
    }
}
