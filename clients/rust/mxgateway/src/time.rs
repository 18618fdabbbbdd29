//! Times as the contract has them: to the nanosecond, from the year 1 to the year 9999.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prost_types::Timestamp;

use crate::error::{Error, Result};

const FIRST: i64 = -62_135_596_800;
const LAST: i64 = 253_402_300_799;

/// A moment in UTC.
///
/// It holds what a message holds, also what lies beyond the calendar, see [`MxTime::is_valid`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MxTime {
    /// Seconds since 1970, negative before.
    pub seconds: i64,
    /// Nanoseconds of that second, 0 to 999,999,999.
    pub nanos: i32,
}

impl MxTime {
    /// Whether it lies in the years 1 to 9999, which is what can be written.
    pub fn is_valid(self) -> bool {
        (FIRST..=LAST).contains(&self.seconds) && (0..1_000_000_000).contains(&self.nanos)
    }

    /// Now, by this machine's clock.
    pub fn now() -> Self {
        SystemTime::now().into()
    }
}

impl From<SystemTime> for MxTime {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self { seconds: after.as_secs().cast_signed(), nanos: after.subsec_nanos().cast_signed() },
            Err(error) => {
                let before = error.duration();
                let nanos = before.subsec_nanos().cast_signed();
                let seconds = -before.as_secs().cast_signed();
                if nanos == 0 {
                    Self { seconds, nanos }
                } else {
                    Self { seconds: seconds - 1, nanos: 1_000_000_000 - nanos }
                }
            }
        }
    }
}

impl TryFrom<MxTime> for SystemTime {
    type Error = Error;

    /// Fails beyond what this system's clock can hold: Windows begins in 1601.
    fn try_from(time: MxTime) -> Result<Self> {
        let whole = Duration::from_secs(time.seconds.unsigned_abs());
        let from = if time.seconds < 0 { UNIX_EPOCH.checked_sub(whole) } else { UNIX_EPOCH.checked_add(whole) };
        u32::try_from(time.nanos)
            .ok()
            .and_then(|nanos| from?.checked_add(Duration::from_nanos(nanos.into())))
            .ok_or_else(|| Error::argument(format!("{time} is beyond what this system's clock can hold")))
    }
}

impl From<Timestamp> for MxTime {
    fn from(time: Timestamp) -> Self {
        Self { seconds: time.seconds, nanos: time.nanos }
    }
}

impl From<MxTime> for Timestamp {
    fn from(time: MxTime) -> Self {
        Self { seconds: time.seconds, nanos: time.nanos }
    }
}

impl fmt::Display for MxTime {
    /// RFC 3339 with 0, 3, 6 or 9 digits; what is beyond the calendar in seconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_valid() {
            write!(f, "{}", Timestamp::from(*self))
        } else {
            write!(f, "{} s {} ns since 1970", self.seconds, self.nanos)
        }
    }
}
