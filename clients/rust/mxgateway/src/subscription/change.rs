//! One value of one tag.

use std::fmt;
use std::sync::Arc;

use crate::pb;
use crate::status::{is_good, is_status_failure, quality_name};
use crate::time::MxTime;
use crate::values::Value;

/// What a change was made of.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Source {
    /// An event of the session.
    Event(Box<pb::MxEvent>),
    /// A value that was read again.
    Read(Box<pb::BulkReadResult>),
}

/// One value of one tag.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct DataChange {
    /// As it was subscribed.
    pub tag: Arc<str>,
    /// What the tag is.
    pub value: Value,
    /// The OPC quality word; 192 is good.
    pub quality: i32,
    /// When it became so, in UTC; none where the source does not say it.
    pub source_timestamp: Option<MxTime>,
    /// The position in the session's events; 0 for a value that was read again.
    pub worker_sequence: u64,
    /// It happened while the connection was interrupted and comes late, or is older than a value that was delivered
    /// already.
    pub replayed: bool,
    /// It was read again because changes had been lost; what came between is not known.
    pub recovered: bool,
    /// Changes known to be lost directly before this one: by the gateway, or by the overflow policy.
    pub lost_before: u64,
    /// What it was made of.
    pub raw: Source,
}

impl DataChange {
    pub(crate) fn of_event(tag: Arc<str>, event: pb::MxEvent) -> Self {
        Self {
            tag,
            value: event.value.as_ref().map_or(Value::Null, Value::from),
            quality: event.quality,
            source_timestamp: event.source_timestamp.map(MxTime::from),
            worker_sequence: event.worker_sequence,
            replayed: false,
            recovered: false,
            lost_before: 0,
            raw: Source::Event(Box::new(event)),
        }
    }

    pub(crate) fn of_read(tag: Arc<str>, result: pb::BulkReadResult) -> Self {
        Self {
            tag,
            value: result.value.as_ref().map_or(Value::Null, Value::from),
            quality: result.quality,
            source_timestamp: result.source_timestamp.map(MxTime::from),
            worker_sequence: 0,
            replayed: false,
            recovered: true,
            lost_before: 0,
            raw: Source::Read(Box::new(result)),
        }
    }

    /// The statuses of the value.
    pub fn statuses(&self) -> &[pb::MxStatusProxy] {
        match &self.raw {
            Source::Event(event) => &event.statuses,
            Source::Read(result) => &result.statuses,
        }
    }

    /// Whether the quality is good and no status reports a failure.
    pub fn is_good(&self) -> bool {
        is_good(self.quality) && !self.statuses().iter().any(is_status_failure)
    }
}

impl fmt::Debug for DataChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataChange({} = {}, {}", self.tag, self.value, quality_name(self.quality))?;
        for (is, word) in [(self.replayed, ", replayed"), (self.recovered, ", recovered")] {
            f.write_str(if is { word } else { "" })?;
        }
        if self.lost_before > 0 {
            write!(f, ", {} lost before", self.lost_before)?;
        }
        f.write_str(")")
    }
}
