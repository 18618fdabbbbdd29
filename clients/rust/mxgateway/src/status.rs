//! Statuses and quality in words.

use crate::pb::{MxStatusCategory, MxStatusProxy};
use crate::tables;

/// Whether an MXSTATUS_PROXY says that the operation failed. A status that nobody filled says nothing; pending and
/// warning are no failures.
pub fn is_status_failure(status: &MxStatusProxy) -> bool {
    match MxStatusCategory::try_from(status.category) {
        Ok(MxStatusCategory::Unspecified) => false,
        Ok(
            MxStatusCategory::Unknown | MxStatusCategory::Ok | MxStatusCategory::Pending | MxStatusCategory::Warning,
        ) => status.success == 0,
        _ => true,
    }
}

/// One MXSTATUS_PROXY in words: category, detail number, and what the number means.
pub fn status_text(status: &MxStatusProxy) -> String {
    let category = MxStatusCategory::try_from(status.category)
        .map_or("?", |known| known.as_str_name().trim_start_matches("MX_STATUS_CATEGORY_"));
    let told = status.diagnostic_text.as_str();
    let meaning = if told.is_empty() { tables::status_detail(status.detail).unwrap_or("") } else { told };
    let text = format!("{category} detail {}", status.detail);
    if meaning.is_empty() { text } else { format!("{text} ({meaning})") }
}

/// The failures among statuses, in words.
pub(crate) fn failures(statuses: &[MxStatusProxy]) -> Vec<String> {
    statuses.iter().filter(|status| is_status_failure(status)).map(status_text).collect()
}

/// Whether an OPC quality word is good, for example 192.
pub fn is_good(quality: i32) -> bool {
    quality & 0xC0 == 0xC0
}

/// Whether an OPC quality word is uncertain, for example 64.
pub fn is_uncertain(quality: i32) -> bool {
    quality & 0xC0 == 0x40
}

/// Whether an OPC quality word is bad; "initializing" (32) is among them.
pub fn is_bad(quality: i32) -> bool {
    quality & 0xC0 == 0
}

/// The quality in words, for example Good for 192; limit bits are left out.
pub fn quality_name(quality: i32) -> &'static str {
    tables::quality_name(quality & 0xFC).unwrap_or(if is_good(quality) {
        "Good"
    } else if is_uncertain(quality) {
        "Uncertain"
    } else {
        "Bad"
    })
}
