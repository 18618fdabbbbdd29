//! Texts without secrets.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

const REDACTED: &str = "[redacted]";
/// How far a value in quotes reaches at most: without a bound, quotes that nobody closes would cost the length of the
/// text each.
const LONGEST_VALUE: usize = 4096;
/// How many blanks may stand before a keyword of a connection string.
const MOST_BLANKS: usize = 16;

struct Patterns {
    key: Regex,
    bearer: Regex,
    url_password: Regex,
    url_example: Regex,
    sounds_secret: Regex,
    named: Regex,
    quoted: Regex,
    plain: Regex,
    keyword: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| Patterns {
    // Keys are mxgw_<id>_<secret>; whatever begins like one is taken for one.
    key: pattern(r"mxgw_[A-Za-z0-9_\-.~+/=]+"),
    bearer: pattern(r#"(?i)(bearer\s+)[^\s"',;]+"#),
    url_password: pattern(r"://[^/\s:@]{0,256}:(\S{0,512})@"),
    // Messages show how such a URL is written, by the word itself.
    url_example: pattern(r"^[\w.]{1,64}/\w"),
    sounds_secret: pattern(concat!(
        r"(?i)nonce|secret|passw(?:or)?d|passphrase|pwd(?:[^a-z]|$)|token|credential|api[\-_ ]?key|authorization|",
        r"pepper|private[\-_ ]?key",
    )),
    // A name and what stands between it and its value; in a URL's query that may be percent-encoded.
    named: pattern(r#"(?i)([\w.\-]+)(?:\\*["'])?\s*(?:[=:]|%3D|%3A)\s*"#),
    quoted: pattern(concat!(
        // Quoted inside a quoted text; and in braces, as ODBC quotes what holds a semicolon.
        r#"^(?:\\+"(?:[^\n\\]|\\+[^\n\\"])*(?:\\+")?|"(?:[^"\\]|\\.|"")*"|'(?:[^'\\]|\\.|'')*'|\{(?:[^}]|\}\})*\})"#,
        r"[^\s,;}\])]*",
    )),
    plain: pattern(r"(?i)^(?:bearer\s+)?\S+"),
    keyword: pattern(r"(?i)^(?:nonce|secret|passw(?:or)?d|pwd|token|credential|authorization|pepper)\s*=\s*"),
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
        text = Cow::Owned(without_url_passwords(&text));
    }
    if patterns.sounds_secret.is_match(&text) {
        text = Cow::Owned(without_named_values(&text));
    }
    patterns.bearer.replace_all(&text, "${1}[redacted]").into_owned()
}

fn without_url_passwords(text: &str) -> String {
    let (mut kept, mut from) = (String::with_capacity(text.len()), 0);
    for found in PATTERNS.url_password.captures_iter(text) {
        let (Some(whole), Some(password)) = (found.get(0), found.get(1)) else { continue };
        if password.as_str() == "password" && PATTERNS.url_example.is_match(&text[whole.end()..]) {
            continue;
        }
        kept += &text[from..password.start()];
        kept += REDACTED;
        from = password.end();
    }
    kept + &text[from..]
}

fn without_named_values(text: &str) -> String {
    let (mut kept, mut from, mut at) = (String::with_capacity(text.len()), 0, 0);
    while let Some(found) = PATTERNS.named.captures_at(text, at) {
        let (Some(whole), Some(name)) = (found.get(0), found.get(1)) else { break };
        at = whole.end();
        if !PATTERNS.sounds_secret.is_match(name.as_str()) {
            continue;
        }
        let end = (at + length_of_value(&text[at..])).max(end_of_keyword(text, name.start()));
        if end > at {
            kept += &text[from..at];
            kept += REDACTED;
            (from, at) = (end, end);
        }
    }
    kept + &text[from..]
}

/// So many characters of a text.
fn head(text: &str, most: usize) -> &str {
    text.char_indices().nth(most).map_or(text, |(end, _)| &text[..end])
}

fn length_of_value(text: &str) -> usize {
    let found = PATTERNS.quoted.find(head(text, LONGEST_VALUE)).or_else(|| PATTERNS.plain.find(text));
    found.map_or(0, |value| value.end())
}

/// Where the value ends of a name that stands where a connection string has its keywords: blanks belong to it there.
/// Elsewhere it is 0: where the sentence around a value goes on nobody can tell.
fn end_of_keyword(text: &str, start: usize) -> usize {
    let mut blanks = 0;
    let before = text[..start].chars().rev().take(MOST_BLANKS + 1).find(|each| {
        blanks += usize::from(each.is_whitespace());
        !each.is_whitespace()
    });
    let stands_first = before.map_or(blanks <= MOST_BLANKS, |last| last == ';');
    let Some(name) = PATTERNS.keyword.find(&text[start..]).filter(|_| stands_first) else { return 0 };
    let begin = start + name.end();
    let rest = head(&text[begin..], LONGEST_VALUE);
    begin + rest.find([';', '\n']).unwrap_or(rest.len())
}
