//! Streams until there are enough messages, the time is over, Ctrl-C, or the end: all of them ordinary ends.

use std::future::Future;
use std::time::Duration;

use mxgateway::Error;
use prost::{Message, Name};

use crate::program::Failure;
use crate::run::{Run, seconds};

/// The most that --json gathers.
const MAX_AGGREGATE: usize = 10_000;

/// Takes messages, prints them as they come, or gathers them for --json.
pub async fn follow<M, S, O, N>(
    run: &mut Run<'_>,
    maximum: &str,
    open: O,
    next: N,
    text: impl Fn(&M) -> String,
) -> Result<Vec<M>, Failure>
where
    M: Message + Name,
    O: Future<Output = Result<S, Error>>,
    N: AsyncFn(&S) -> Result<Option<M>, Error>,
{
    let is_json = run.given.has("json");
    let mut limit = if run.given.has(maximum) { run.given.count(maximum) } else { usize::MAX };
    if is_json {
        limit = limit.min(MAX_AGGREGATE);
    }
    // --duration, or --timeout where that was given.
    let time = ["duration", "timeout"].into_iter().find(|name| run.given.has(name));
    let time = time.map(|name| seconds(run.given.number(name)));
    let signals = run.program.signals.clone();
    let over = async {
        tokio::select! {
            () = signals.came() => {}
            () = after(time) => {}
        }
    };
    tokio::pin!(over);
    let mut collected = Vec::new();
    let stream = tokio::select! {
        biased;
        () = &mut over => return Ok(collected),
        opened = open => opened?,
    };
    let mut count = 0;
    while count < limit {
        let message = tokio::select! {
            biased;
            () = &mut over => break,
            message = next(&stream) => message?,
        };
        let Some(message) = message else { break };
        count += 1;
        if is_json {
            collected.push(message);
        } else {
            let line = text(&message);
            run.line(&message, &line)?;
        }
    }
    Ok(collected)
}

async fn after(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}
