//! A thousand of everything leaves nothing: no call, stream or connection, no task, no thread and no handle.

#![allow(clippy::unwrap_used)]

mod fake_gateway;

use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use fake_gateway::{ALL, FakeGateway};
use futures_util::FutureExt;
use mxgateway::{ErrorKind, GatewayClient, Session, SessionOptions};
use tokio::runtime::{Builder, Handle};

const TIMES: usize = 1_000;
/// What the client's runtime calls its threads.
const THREADS: &str = "client";
const WORKERS: usize = 2;

/// Handles and threads are the process's: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// What the client has of the machine. Handles and threads are counted where the system tells them as files.
#[derive(Debug, PartialEq, PartialOrd)]
struct Held {
    tasks: usize,
    threads: usize,
    handles: usize,
}

impl Held {
    fn now() -> Self {
        let entries = |of: &str| std::fs::read_dir(of).into_iter().flatten().flatten();
        let is_ours = |name: std::io::Result<String>| name.is_ok_and(|name| name.trim() == THREADS);
        Self {
            tasks: Handle::current().metrics().num_alive_tasks(),
            threads: entries("/proc/self/task")
                .filter(|thread| is_ours(std::fs::read_to_string(thread.path().join("comm"))))
                .count(),
            handles: entries("/proc/self/fd").count(),
        }
    }

    fn is_within(&self, other: &Self) -> bool {
        self.tasks <= other.tasks && self.threads <= other.threads && self.handles <= other.handles
    }
}

/// Waits until something holds, with a deadline.
async fn eventually(holds: impl Fn() -> bool, what: impl Fn() -> String) {
    let until = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < until, "{}", what());
        tokio::task::yield_now().await;
    }
}

/// Does something with a client of a gateway that announces all, and then of one that announces nothing.
fn leaves_nothing(work: impl AsyncFn(&GatewayClient, &FakeGateway)) {
    for capabilities in [ALL, &[]] {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let gateway = FakeGateway::start(capabilities);
        let seen = &gateway.seen;
        let runtime =
            Builder::new_multi_thread().worker_threads(WORKERS).thread_name(THREADS).enable_all().build().unwrap();
        runtime.block_on(async {
            let client = GatewayClient::builder(&gateway.endpoint).plaintext().connect().await.unwrap();
            // What is made once for all is there before anything is counted.
            opened(&client).await.close().await.unwrap();
            let begun = || Held::now().threads;
            eventually(|| begun() >= WORKERS, || format!("{} threads of the runtime have begun", begun())).await;
            let before = Held::now();
            work(&client, &gateway).await;
            let calls = || seen.under_way.load(SeqCst);
            eventually(|| calls() == 0, || format!("{} calls are left: {capabilities:?}", calls())).await;
            let what = || format!("{:?} is left, {before:?} was there: {capabilities:?}", Held::now());
            eventually(|| Held::now().is_within(&before), what).await;
            assert_eq!(seen.opened.load(SeqCst), seen.closed.load(SeqCst));
            assert_eq!(seen.connections.load(SeqCst), 1);
            client.close();
            drop(client);
            let ended = || seen.connections.load(SeqCst) == 0 && Held::now().tasks == 0;
            eventually(ended, || format!("{:?} outlives its client", Held::now())).await;
        });
    }
}

async fn opened(client: &GatewayClient) -> Session {
    client.open_session(SessionOptions::default()).await.unwrap()
}

#[test]
fn sessions_that_are_opened_and_closed() {
    leaves_nothing(async |client, gateway| {
        for _ in 0..TIMES {
            let session = opened(client).await;
            assert_eq!(session.ping("x").await.unwrap(), "x");
            session.close().await.unwrap();
        }
        assert_eq!(gateway.seen.closed.load(SeqCst), TIMES + 1);
    });
}

#[test]
fn calls_that_are_dropped() {
    leaves_nothing(async |client, gateway| {
        let session = opened(client).await;
        session.ping("x").await.unwrap();
        let came = || gateway.seen.commands.load(SeqCst);
        gateway.seen.holds.store(true, SeqCst);
        for count in 0..TIMES {
            let before = came();
            let mut call = Box::pin(session.ping("x"));
            assert!((&mut call).now_or_never().is_none());
            // Every other one has reached the gateway by then.
            if count % 2 == 0 {
                tokio::select! {
                    answer = &mut call => panic!("{answer:?}"),
                    () = eventually(|| came() > before, || "the command did not come".to_owned()) => {}
                }
            }
        }
        gateway.seen.holds.store(false, SeqCst);
        assert_eq!(session.ping("y").await.unwrap(), "y");
        session.close().await.unwrap();
    });
}

#[test]
fn streams_that_somebody_leaves() {
    leaves_nothing(async |client, gateway| {
        let session = opened(client).await;
        for count in 0..TIMES {
            let events = session.events(Default::default()).await.unwrap();
            if count % 2 == 0 {
                assert_eq!(events.next().await.unwrap().unwrap().item_handle, 3);
            }
            if count % 3 == 0 {
                events.close();
                assert!(events.next().await.unwrap().is_none());
            }
        }
        assert!(gateway.seen.streams.load(SeqCst) >= TIMES / 2);
        session.close().await.unwrap();
    });
}

#[test]
fn command_streams_that_the_gateway_leaves() {
    leaves_nothing(async |client, gateway| {
        let session = opened(client).await;
        gateway.seen.leaves.store(true, SeqCst);
        for _ in 0..TIMES {
            // Whether the next command still goes over the stream that ends is the wire's affair.
            match session.ping("x").await {
                Ok(text) => assert_eq!(text, "x"),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Connection),
            }
        }
        session.close().await.unwrap();
    });
}

#[test]
fn subscriptions_that_come_and_go() {
    leaves_nothing(async |client, gateway| {
        for count in 0..TIMES / 10 {
            let subscription = client.subscribe(["A.B"]).start().await.unwrap();
            if count % 2 == 0 {
                subscription.close().await;
            }
        }
        let closed = || gateway.seen.closed.load(SeqCst);
        eventually(|| closed() == TIMES / 10 + 1, || format!("{} sessions were closed", closed())).await;
    });
}

#[test]
fn confirmed_writes_that_are_dropped() {
    leaves_nothing(async |client, gateway| {
        let session = opened(client).await;
        for _ in 0..TIMES / 10 {
            let before = gateway.seen.streams.load(SeqCst);
            tokio::select! {
                outcome = session.write_and_confirm("A.B", 5, Default::default()) => panic!("{outcome:?}"),
                () = eventually(|| gateway.seen.streams.load(SeqCst) > before, || "no stream".to_owned()) => {}
            }
        }
        session.close().await.unwrap();
    });
}
