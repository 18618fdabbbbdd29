//! Smoke test and measurements.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mxgateway::{
    Batch, GatewayClient, MAX_BULK_ITEMS, MxTime, Session, SessionOptions, StreamOptions, is_status_failure, pb,
    status_text,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::json::{Names, document, documents, summary};
use crate::program::Failure;
use crate::run::{Done, Run, seconds};
use crate::text::{Summary, rounded};
use crate::works::event_text;

fn failed(text: impl Into<String>) -> Failure {
    Failure::Failed(text.into())
}

fn named(name: impl Into<String>) -> SessionOptions {
    SessionOptions { client_session_name: name.into(), ..Default::default() }
}

#[derive(Default)]
struct RoundTrip {
    server: i32,
    item: i32,
    events: Vec<pb::MxEvent>,
    completion: Option<pb::MxEvent>,
}

/// Opens a session, registers, adds and advises an item, takes some events, and closes.
pub async fn smoke(run: &mut Run<'_>, client: &GatewayClient) -> Done {
    let value = if run.given.has("value") { Some(run.value(run.given.text("value"), "--value")?) } else { None };
    let session = run.limited(async { Ok(client.open_session(named(run.own("client-name"))).await?) }).await?;
    let round = run.limited(round(run, &session, value)).await;
    let closed = session.close().await;
    let (found, closed) = (round?, closed?);
    let mut report = json!({
        "language": "rust", "operation": "smoke", "sessionId": session.id(), "isSimulated": session.is_simulated(),
        "serverHandle": found.server, "itemHandle": found.item, "events": documents(&found.events),
    });
    if let Some(completion) = &found.completion {
        report["writeCompletion"] = document(completion, Names::Json);
    }
    let state = closed.final_state().as_str_name();
    report["closeStatus"] = state.into();
    report["keySource"] = run.key_source.as_str().into();
    let mut lines: Vec<_> = found.events.iter().map(event_text).collect();
    lines.push(format!("session {} {state}", session.id()));
    run.print(&report, &lines)?;
    let last = found.events.last().into_iter().chain(&found.completion).flat_map(|event| &event.statuses);
    match last.into_iter().find(|status| is_status_failure(status)) {
        None => Ok(()),
        Some(status) => {
            Err(failed(format!("the gateway works, but {} does not: {}", run.given.text("item"), status_text(status))))
        }
    }
}

async fn round(run: &Run<'_>, session: &Session, value: Option<pb::MxValue>) -> Result<RoundTrip, Failure> {
    let mut found = RoundTrip { server: session.register(run.own("client-name")).await?, ..Default::default() };
    found.item = session.add_item(found.server, run.given.text("item")).await?;
    let limit = run.timeout().mul_f64(0.8);
    let wanted = run.given.count("max-events");
    let stream = session.events(StreamOptions::default()).await?;
    session.advise(found.server, found.item).await?;
    let mut to_write = value.clone();
    let taking = async {
        while found.events.len() < wanted || (value.is_some() && found.completion.is_none()) {
            let Some(event) = stream.next().await? else {
                return Err(failed("the event stream ended"));
            };
            if event.family() == pb::MxEventFamily::OnWriteComplete {
                found.completion = Some(event);
            } else if found.events.len() < wanted {
                found.events.push(event);
            }
            if let Some(value) = to_write.take() {
                session.write(found.server, found.item, value, 0).await?;
            }
        }
        Ok(())
    };
    match tokio::time::timeout(limit, taking).await {
        Ok(done) => done?,
        Err(_) => {
            let count = found.events.len();
            return Err(failed(format!("{count} of {wanted} events came within {limit:?} (--timeout)")));
        }
    }
    session.unadvise(found.server, found.item).await?;
    session.remove_item(found.server, found.item).await?;
    session.unregister(found.server).await?;
    Ok(found)
}

fn bench_tags(run: &Run<'_>) -> Vec<String> {
    let given = &run.given;
    let first = given.int("tag-start");
    let name = |index: i64| format!("{}{:03}.{}", given.text("tag-prefix"), first + index, given.text("tag-attribute"));
    (0..given.int("bulk-size")).map(name).collect()
}

async fn subscribe_all(session: &Session, server: i32, tags: &[String]) -> Done {
    for chunk in tags.chunks(MAX_BULK_ITEMS) {
        let results = session.subscribe_bulk(server, chunk).await?;
        if let Some(refused) = results.iter().find(|result| !result.was_successful) {
            return Err(failed(format!("a tag was refused: {}: {}", refused.tag_address, refused.error_message)));
        }
    }
    Ok(())
}

#[derive(Default)]
struct ReadFigures {
    successes: Vec<f64>,
    failures: Vec<f64>,
    results: usize,
    cached: usize,
    unreadable: usize,
    elapsed: Duration,
    last_error: String,
}

/// Calls `read_bulk` one after the other for some time.
async fn read_loop(session: &Session, server: i32, tags: &[String], limit: Duration, length: Duration) -> ReadFigures {
    let mut figures = ReadFigures::default();
    let began = Instant::now();
    while began.elapsed() < length {
        let started = Instant::now();
        let outcome = session.read_bulk(server, tags, limit).await;
        figures.take(outcome, started.elapsed());
    }
    figures.elapsed = began.elapsed();
    figures
}

impl ReadFigures {
    /// Only successes feed `latencyMs`; what failed fast or late would make the plant look so.
    fn take(&mut self, outcome: mxgateway::Result<Vec<pb::BulkReadResult>>, took: Duration) {
        let took = took.as_secs_f64() * 1e3;
        match outcome {
            Err(error) => {
                self.failures.push(took);
                self.last_error = error.to_string();
            }
            Ok(found) => {
                self.successes.push(took);
                self.results += found.len();
                self.cached += found.iter().filter(|each| each.was_cached).count();
                self.unreadable += found.iter().filter(|each| !each.was_successful).count();
            }
        }
    }

    fn report(&self) -> Value {
        let total = self.successes.len() + self.failures.len();
        json!({
            "language": "rust", "durationMs": milliseconds(self.elapsed), "totalCalls": total,
            "successfulCalls": self.successes.len(), "failedCalls": self.failures.len(),
            "totalReadResults": self.results, "cachedReadResults": self.cached,
            "callsPerSecond": rate(total, self.elapsed), "latencyMs": summary(&Summary::of(&self.successes)),
            "failureLatencyMs": summary(&Summary::of(&self.failures)),
        })
    }
}

#[allow(clippy::cast_precision_loss)]
fn rate(count: usize, length: Duration) -> f64 {
    if length.is_zero() { 0.0 } else { rounded(count as f64 / length.as_secs_f64()) }
}

fn milliseconds(length: Duration) -> f64 {
    rounded(length.as_secs_f64() * 1e3)
}

/// Measures calls.
pub async fn read_bulk(run: &mut Run<'_>, client: &GatewayClient) -> Done {
    let tags = bench_tags(run);
    let session = run.limited(async { Ok(client.open_session(named("bench-read-bulk")).await?) }).await?;
    let limit = Duration::from_millis(u64::try_from(run.given.int("timeout-ms")).unwrap_or(0));
    let (warmup, length) = (seconds(run.given.number("warmup-seconds")), seconds(run.given.number("duration-seconds")));
    let measuring = async {
        let server = session.register("bench-read-bulk").await?;
        subscribe_all(&session, server, &tags).await?;
        read_loop(&session, server, &tags, limit, warmup).await;
        Ok(read_loop(&session, server, &tags, limit, length).await)
    };
    let figures = run.interruptible(measuring).await;
    let closed = session.close().await;
    let figures = figures?;
    closed?;
    run.always(&figures.report())?;
    let ReadFigures { results, cached, unreadable, last_error, .. } = &figures;
    if figures.successes.is_empty() {
        return Err(failed(format!("no call succeeded: {last_error}")));
    }
    let tag = tags.first().map_or("", String::as_str);
    if *unreadable > 0 {
        return Err(failed(format!("{unreadable} of {results} results were failures; is {tag} a tag? (--tag-prefix)")));
    }
    if cached != results {
        return Err(failed(format!(
            "{} of {results} results were not cached, so they measure the plant: give the tags time for their first \
             value (--warmup-seconds)",
            results - cached
        )));
    }
    Ok(())
}

const MAX_SAMPLES: usize = 2_000_000;

/// The events of all sessions while counting.
#[derive(Default)]
struct EventFigures {
    is_counting: bool,
    events: usize,
    lost: u64,
    latencies: Vec<f64>,
}

impl EventFigures {
    #[allow(clippy::cast_precision_loss)]
    fn take(&mut self, batch: &Batch) {
        if !self.is_counting {
            return;
        }
        let now = MxTime::now();
        for event in &batch.events {
            if let Some(gap) = &event.replay_gap {
                self.lost += gap.dropped_events;
                continue;
            }
            self.events += 1;
            if self.latencies.len() < MAX_SAMPLES
                && let Some(then) = event.worker_timestamp
            {
                let took = (now.seconds - then.seconds) as f64 * 1e3 + f64::from(now.nanos - then.nanos) / 1e6;
                self.latencies.push(took);
            }
        }
    }
}

/// Measures events.
pub async fn stream_events(run: &mut Run<'_>, client: &GatewayClient) -> Done {
    let tags = bench_tags(run);
    let figures = Arc::new(Mutex::new(EventFigures::default()));
    let sessions = Mutex::new(Vec::new());
    let measured = run.interruptible(measure_events(run, client, &tags, &figures, &sessions)).await;
    let sessions = sessions.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut closed = Ok(());
    for session in &sessions {
        let closing = session.close().await.map(drop);
        closed = closed.and(closing);
    }
    let elapsed = measured?;
    closed?;
    let report = report(&figures.lock().unwrap_or_else(PoisonError::into_inner), elapsed, sessions.len(), tags.len());
    run.always(&report)?;
    if report["totalEvents"] == 0 {
        let tag = tags.first().map_or("", String::as_str);
        return Err(failed(format!("no tag changed; is {tag} a tag? (--tag-prefix)")));
    }
    Ok(())
}

fn report(figures: &EventFigures, elapsed: Duration, sessions: usize, tags: usize) -> Value {
    json!({
        "language": "rust", "durationMs": milliseconds(elapsed), "sessionCount": sessions, "tagsPerSession": tags,
        "totalEvents": figures.events, "eventsPerSecond": rate(figures.events, elapsed), "lostEvents": figures.lost,
        "latencyMs": summary(&Summary::of(&figures.latencies)),
    })
}

async fn measure_events(
    run: &Run<'_>,
    client: &GatewayClient,
    tags: &[String],
    figures: &Arc<Mutex<EventFigures>>,
    sessions: &Mutex<Vec<Session>>,
) -> Result<Duration, Failure> {
    // Dropped at the end, which ends the readers.
    let mut readers = tokio::task::JoinSet::new();
    let stagger = Duration::from_millis(u64::try_from(run.given.int("session-start-stagger-ms")).unwrap_or(0));
    for index in 0..run.given.count("session-count") {
        if index > 0 {
            wait(stagger, &mut readers).await?;
        }
        let session = client.open_session(named(format!("bench-stream-events {}", index + 1))).await?;
        sessions.lock().unwrap_or_else(PoisonError::into_inner).push(session.clone());
        let stream = session.events(StreamOptions::default()).await?;
        let figures = figures.clone();
        readers.spawn(async move {
            loop {
                match stream.next_batch().await {
                    Ok(Some(batch)) => figures.lock().unwrap_or_else(PoisonError::into_inner).take(&batch),
                    Ok(None) => return failed("an event stream ended"),
                    Err(error) => return failed(format!("an event stream ended: {error}")),
                }
            }
        });
        let server = session.register("bench-stream-events").await?;
        subscribe_all(&session, server, tags).await?;
    }
    wait(seconds(run.given.number("warmup-seconds")), &mut readers).await?;
    let count = |on: bool| {
        figures.lock().unwrap_or_else(PoisonError::into_inner).is_counting = on;
        Instant::now()
    };
    let began = count(true);
    wait(seconds(run.given.number("duration-seconds")), &mut readers).await?;
    Ok(count(false) - began)
}

/// Lets time pass, unless a reader fails.
async fn wait(length: Duration, readers: &mut tokio::task::JoinSet<Failure>) -> Done {
    tokio::select! {
        () = sleep(length) => Ok(()),
        Some(ended) = readers.join_next() => Err(ended.unwrap_or_else(|error| failed(error.to_string()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_reads_feed_their_own_figures() {
        // Rust-018, Java-024
        let mut figures = ReadFigures { elapsed: Duration::from_secs(2), ..Default::default() };
        let failure = || mxgateway::to_mx_value(f64::NAN).map(|_| Vec::new());
        let read = || Ok(vec![pb::BulkReadResult { was_successful: true, was_cached: true, ..Default::default() }]);
        for _ in 0..3 {
            figures.take(read(), Duration::from_millis(2));
        }
        figures.take(failure(), Duration::from_secs(30));
        let report = figures.report();
        assert_eq!((report["successfulCalls"].as_u64(), report["failedCalls"].as_u64()), (Some(3), Some(1)));
        assert_eq!(report["latencyMs"]["max"], 2.0);
        assert_eq!(report["failureLatencyMs"]["p50"], 30_000.0);
        assert_eq!(report["callsPerSecond"], 2.0);
        assert_eq!(ReadFigures::default().report()["failureLatencyMs"]["mean"], 0.0);
    }
}
