//! Texts without secrets.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

const REDACTED: &str = "[redacted]";

struct Patterns {
    key: Regex,
    bearer: Regex,
    url_password: Regex,
    named: Regex,
    sounds_secret: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| Patterns {
    key: pattern(r"mxgw_[A-Za-z0-9_\-.~+/=]+"),
    bearer: pattern(r#"(?i)(bearer\s+)[^\s"',;]+"#),
    url_password: pattern(r"(://[^/\s:@]{0,256}:)\S{0,512}@"),
    named: pattern(concat!(
        r"(?i)((?:^|[^\w.\-])[\w.\-]*(?:nonce|secret|passw(?:or)?d|passphrase|pwd|token|credential|api[\-_]?key|",
        r#"authorization|pepper|private[\-_]?key)[\w.\-]*(?:\\*["'])?\s*(?:[=:]|%3[DA])\s*)"#,
        r#"(?:(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')[^\s,;}\])]*|(?:bearer\s+)?\S+)"#,
    )),
    sounds_secret: pattern(concat!(
        r"(?i)nonce|secret|passw(?:or)?d|passphrase|pwd|token|credential|api[\-_ ]?key|authorization|pepper|",
        r"private[\-_ ]?key",
    )),
});

#[allow(clippy::expect_used)] // Constants of this module, compiled by its tests.
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern of this module")
}

/// The text without the given secrets and without anything that looks like one: API keys, what follows `Bearer`, the
/// value of any name that sounds secret, and passwords in URLs. No part of a secret is kept.
///
/// ```
/// assert_eq!(mxgateway::redact("the key mxgw_id_secret", &[]), "the key [redacted]");
/// ```
pub fn redact(text: &str, secrets: &[&str]) -> String {
    let mut text = Cow::Borrowed(text);
    for secret in secrets {
        if !secret.is_empty() && text.contains(secret) {
            text = Cow::Owned(text.replace(secret, REDACTED));
        }
    }
    let patterns = &*PATTERNS;
    if text.contains("mxgw_") {
        text = Cow::Owned(patterns.key.replace_all(&text, REDACTED).into_owned());
    }
    if text.contains("://") && text.contains('@') {
        text = Cow::Owned(patterns.url_password.replace_all(&text, "${1}[redacted]@").into_owned());
    }
    if patterns.sounds_secret.is_match(&text) {
        text = Cow::Owned(patterns.named.replace_all(&text, "${1}[redacted]").into_owned());
    }
    patterns.bearer.replace_all(&text, "${1}[redacted]").into_owned()
}
