//! What the command line makes of texts: values, times, lists, lines of a batch, and figures. Without I/O.

use std::str::FromStr;

use mxgateway::{MxTime, Value, pb, to_mx_value};

/// Why a text is not what it should be.
pub type Refused = String;

/// The names that --type takes, each also with [] for an array.
pub const TYPES: [&str; 8] = ["bool", "int32", "int64", "float", "double", "string", "timestamp", "elapsed"];

/// The moment of an RFC 3339 text with up to nine digits of a second, Z or an offset.
///
/// # Errors
/// The text is no such time.
pub fn time(text: &str) -> Result<MxTime, Refused> {
    let no_time = || format!("{text:?} is no RFC 3339 time such as 2026-01-31T12:00:00Z or …12:00:00.123456789+01:00");
    let trimmed = text.trim();
    let shape = |part: &str, pattern: &str| {
        part.len() == pattern.len()
            && part.bytes().zip(pattern.bytes()).all(|(byte, as_in)| match as_in {
                b'0' => byte.is_ascii_digit(),
                b'T' => matches!(byte, b'T' | b't' | b' '),
                b'+' => matches!(byte, b'+' | b'-'),
                other => byte == other,
            })
    };
    let (moment, rest) = trimmed.split_at_checked(19).ok_or_else(no_time)?;
    if !shape(moment, "0000-00-00T00:00:00") {
        return Err(no_time());
    }
    let (digits, zone) = match rest.strip_prefix('.') {
        None => ("", rest),
        Some(fraction) => {
            let end = fraction.find(|letter: char| !letter.is_ascii_digit()).ok_or_else(no_time)?;
            if !(1..=9).contains(&end) {
                return Err(no_time());
            }
            fraction.split_at(end)
        }
    };
    let zone = zone.strip_prefix(' ').unwrap_or(zone);
    let zone = if zone.eq_ignore_ascii_case("z") { "Z" } else { zone };
    if zone != "Z" && !shape(zone, "+00:00") {
        return Err(no_time());
    }
    // The date is the library's affair: it knows the calendar.
    let exact = format!("{}T{}{zone}", &moment[..10], &moment[11..]);
    let stamp = prost_types::Timestamp::from_str(&exact).map_err(|_| no_time())?;
    let nanos = format!("{digits:0<9}").parse().map_err(|_| no_time())?;
    let found = MxTime { seconds: stamp.seconds, nanos };
    if !found.is_valid() {
        return Err(format!("{text:?} is beyond the years 1 to 9999"));
    }
    Ok(found)
}

/// The message of a text of a type.
///
/// # Errors
/// The text is none; the reason names the flag.
pub fn value(text: &str, type_name: &str, flag: &str) -> Result<pb::MxValue, Refused> {
    parsed(text, type_name).map_err(|reason| format!("{flag}: {text:?} is no {type_name}: {reason}"))
}

fn parsed(text: &str, type_name: &str) -> Result<pb::MxValue, Refused> {
    let (scalar, is_array) = match type_name.strip_suffix("[]") {
        Some(scalar) => (scalar, true),
        None => (type_name, false),
    };
    if !TYPES.contains(&scalar) {
        return Err(format!("the type is none of {}", TYPES.join(", ")));
    }
    let made = if is_array {
        let elements = rows(text)?;
        let one_of = |element: &String| match element.as_str() {
            "" if scalar != "string" => Err("an element is empty".to_owned()),
            given => one(given, scalar),
        };
        let elements = elements.iter().map(one_of).collect::<Result<Vec<_>, _>>()?;
        Value::Array(elements, Some(element_type(scalar)))
    } else if scalar == "string" {
        text.into()
    } else {
        one(text.trim(), scalar)?
    };
    to_mx_value(made).map_err(|error| error.to_string())
}

fn element_type(scalar: &str) -> mxgateway::ElementType {
    use mxgateway::ElementType::{Bool, Double, Elapsed, Float, Int32, Int64, String, Time};
    match scalar {
        "bool" => Bool,
        "int32" => Int32,
        "int64" => Int64,
        "float" => Float,
        "double" => Double,
        "timestamp" => Time,
        "elapsed" => Elapsed,
        _ => String,
    }
}

fn one(text: &str, scalar: &str) -> Result<Value, Refused> {
    match scalar {
        "bool" => match text.to_lowercase().as_str() {
            "true" | "1" | "on" | "yes" => Ok(true.into()),
            "false" | "0" | "off" | "no" => Ok(false.into()),
            _ => Err("say true or false".to_owned()),
        },
        "int32" => {
            integer(text).and_then(|number| i32::try_from(number).map_err(|error| error.to_string())).map(Value::from)
        }
        "int64" => integer(text).map(Value::from),
        "float" => single(text).map(Value::Float),
        "double" => number(text).map(Value::Double),
        "timestamp" => time(text).map(Value::Time),
        "elapsed" => elapsed(text).map(Value::Elapsed),
        _ => Ok(text.into()),
    }
}

fn integer(text: &str) -> Result<i64, Refused> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_lowercase();
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(rest) = lower.strip_prefix(prefix) {
            return i64::from_str_radix(&format!("{sign}{rest}"), radix).map_err(|error| error.to_string());
        }
    }
    format!("{sign}{digits}").parse().map_err(|error: std::num::ParseIntError| error.to_string())
}

fn single(text: &str) -> Result<f32, Refused> {
    number(text)?;
    let found: f32 = text.parse().map_err(|error: std::num::ParseFloatError| error.to_string())?;
    if found.is_finite() { Ok(found) } else { Err("it is too large for 32 bits".to_owned()) }
}

fn number(text: &str) -> Result<f64, Refused> {
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((whole, part)) = text.trim_start_matches(['+', '-']).split_once(',')
        && is_digits(whole)
        && is_digits(part)
    {
        let meant = text.replacen(',', ".", 1);
        return Err(format!("a comma separates the elements of an array; say {meant} with a point"));
    }
    let found: f64 = text.parse().map_err(|error: std::num::ParseFloatError| error.to_string())?;
    if found.is_finite() { Ok(found) } else { Err("MXAccess has no form for NaN and infinities".to_owned()) }
}

/// The seconds of a duration: a number, with or without s, a clock's form with days before it, or ISO 8601.
fn elapsed(text: &str) -> Result<f64, Refused> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if let Some(seconds) = clock(rest).or_else(|| iso(&rest.to_uppercase())) {
        return Ok(sign * seconds);
    }
    if rest.eq_ignore_ascii_case("p") || rest.eq_ignore_ascii_case("pt") {
        return Err("say seconds such as 90, or a duration such as 0:01:30".to_owned());
    }
    number(text.strip_suffix('s').unwrap_or(text).trim())
}

/// `H:MM:SS` with days before it.
fn clock(text: &str) -> Option<f64> {
    let (days, rest) = match text.split_once([' ', 'd']) {
        None => (0.0, text),
        Some((days, rest)) => {
            let rest =
                rest.trim_start().trim_start_matches(['d', 'D']).trim_start_matches("ays").trim_start_matches("ay");
            (whole(days)?, rest.trim_start_matches(',').trim_start())
        }
    };
    let mut parts = rest.split(':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || minutes.len() != 2 || seconds.split('.').next()?.len() != 2 {
        return None;
    }
    let (minutes, seconds) = (whole(minutes)?, fraction(seconds)?);
    (minutes < 60.0 && seconds < 60.0).then_some(days * 86_400.0 + whole(hours)? * 3_600.0 + minutes * 60.0 + seconds)
}

/// `PnDTnHnMnS`
fn iso(text: &str) -> Option<f64> {
    let rest = text.strip_prefix('P')?;
    let (date, time) = rest.split_once('T').unwrap_or((rest, ""));
    let mut total = 0.0;
    let mut is_given = false;
    let mut take = |part: &mut &str, unit: char, seconds: f64| -> Option<()> {
        if let Some((digits, rest)) = part.split_once(unit) {
            total += seconds * if unit == 'S' { fraction(digits)? } else { whole(digits)? };
            is_given = true;
            *part = rest;
        }
        Some(())
    };
    let (mut date, mut time) = (date, time);
    take(&mut date, 'D', 86_400.0)?;
    take(&mut time, 'H', 3_600.0)?;
    take(&mut time, 'M', 60.0)?;
    take(&mut time, 'S', 1.0)?;
    (is_given && date.is_empty() && time.is_empty()).then_some(total)
}

fn whole(text: &str) -> Option<f64> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

fn fraction(text: &str) -> Option<f64> {
    let is_plain = text.starts_with(|first: char| first.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    is_plain.then(|| text.parse().ok())?
}

/// The elements of a list in brackets or with commas between, with CSV quoting.
fn rows(text: &str) -> Result<Vec<String>, Refused> {
    let trimmed = text.trim();
    match trimmed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) if inner.trim().is_empty() => Ok(Vec::new()),
        Some(inner) => list(inner),
        None => list(trimmed),
    }
}

/// The elements of a comma-separated text, with CSV quoting; nothing for an empty text.
///
/// # Errors
/// A quote has no end, or something follows it.
pub fn list(text: &str) -> Result<Vec<String>, Refused> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let after;
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut field = String::new();
            let mut tail = quoted;
            loop {
                let (part, next) = tail.split_once('"').ok_or("the list cannot be read: a \" has no end")?;
                field.push_str(part);
                tail = next;
                match tail.strip_prefix('"') {
                    Some(more) => {
                        field.push('"');
                        tail = more;
                    }
                    None => break,
                }
            }
            fields.push(field.trim().to_owned());
            after = tail.trim_start();
            if !after.is_empty() && !after.starts_with(',') {
                return Err("the list cannot be read: something follows a quoted element".to_owned());
            }
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            let (field, tail) = rest.split_at(end);
            if field.contains('"') {
                return Err("the list cannot be read: a \" stands within an element".to_owned());
            }
            fields.push(field.trim().to_owned());
            after = tail;
        }
        match after.strip_prefix(',') {
            Some(more) => rest = more,
            None => return Ok(fields),
        }
    }
}

/// Comma-separated references, none of them empty.
///
/// # Errors
/// There is none between two commas, or the list cannot be read.
pub fn references(text: &str, flag: &str) -> Result<Vec<String>, Refused> {
    let found = list(text).map_err(|reason| format!("{flag}: {text:?}: {reason}"))?;
    if found.iter().any(String::is_empty) {
        return Err(format!("{flag}: {text:?}: there is an empty reference between its commas"));
    }
    Ok(found)
}

/// Comma-separated handles.
///
/// # Errors
/// One of them is no handle.
pub fn handles(text: &str, flag: &str) -> Result<Vec<i32>, Refused> {
    let found = list(text).map_err(|reason| format!("{flag}: {text:?}: {reason}"))?;
    let handle = |each: &String| {
        each.parse().map_err(|error| format!("{flag}: {text:?} is no list of handles such as 1,2,3: {error}"))
    };
    found.iter().map(handle).collect()
}

/// The arguments of a line, quoted as in a POSIX shell; # has no meaning.
///
/// # Errors
/// A quote has no end, or nothing follows a backslash.
pub fn split_line(line: &str) -> Result<Vec<String>, Refused> {
    let mut arguments = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' | '\t' | '\r' | '\n' => arguments.extend(word.take()),
            '\'' => {
                let into = word.get_or_insert_default();
                loop {
                    match letters.next().ok_or("a ' has no end")? {
                        '\'' => break,
                        inner => into.push(inner),
                    }
                }
            }
            '"' => {
                let into = word.get_or_insert_default();
                loop {
                    match letters.next().ok_or("a \" has no end")? {
                        '"' => break,
                        '\\' => match letters.next().ok_or("a \" has no end")? {
                            escaped @ ('"' | '\\') => into.push(escaped),
                            other => into.extend(['\\', other]),
                        },
                        inner => into.push(inner),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(letters.next().ok_or("a \\ has nothing behind it")?),
            other => word.get_or_insert_default().push(other),
        }
    }
    arguments.extend(word);
    Ok(arguments)
}

/// Percentiles in milliseconds, rounded to microseconds; 0 without samples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Summary {
    /// Median.
    pub p50: f64,
    /// 95 of 100 are below.
    pub p95: f64,
    /// 99 of 100 are below.
    pub p99: f64,
    /// The largest.
    pub max: f64,
    /// The average.
    pub mean: f64,
}

impl Summary {
    /// The summary of some samples, by linear interpolation.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn of(samples: &[f64]) -> Self {
        let mut ordered = samples.to_vec();
        ordered.sort_by(f64::total_cmp);
        let Some(max) = ordered.last().copied() else { return Self::default() };
        let at = |share: f64| {
            let position = (ordered.len() - 1) as f64 * share;
            let low = position.floor() as usize;
            let high = (low + 1).min(ordered.len() - 1);
            rounded(ordered[low] + (ordered[high] - ordered[low]) * (position - low as f64))
        };
        let mean = rounded(ordered.iter().sum::<f64>() / ordered.len() as f64);
        Self { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: rounded(max), mean }
    }
}

/// To three digits.
pub fn rounded(number: f64) -> f64 {
    (number * 1000.0).round_ties_even() / 1000.0
}

/// A line for a terminal: what names and messages hold can neither break it nor command the terminal.
pub fn printable(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for letter in text.chars() {
        let is_sly = letter.is_control()
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
        if letter == '\t' || !is_sly {
            line.push(letter);
        } else {
            line.push_str(&format!("\\u{:04x}", u32::from(letter)));
        }
    }
    line
}
