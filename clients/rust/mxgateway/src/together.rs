//! Runs all that belongs to a connection in one task of the runtime.
//!
//! A call passes through four futures of the channel below it. As tasks of their own they wake each other from one thread
//! to another, and a wake that has to call a thread costs more than what it is called for.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::future::{CatchUnwind, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use futures_util::task::AtomicWaker;
use hyper::rt::Executor;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How often the work is looked at before other tasks of the runtime have a turn.
const ROUNDS: usize = 8;

/// Nobody is at work: whoever brings some calls the task.
const IDLE: u8 = 0;
/// The task looks at the work.
const AT_WORK: u8 = 1;
/// And will look at it once more.
const ONCE_MORE: u8 = 2;

/// An executor for a channel. Its task begins with the first work and ends with the last.
#[derive(Clone, Default)]
pub(crate) struct Together(Arc<Shared>);

#[derive(Default)]
struct Shared {
    brought: Mutex<Brought>,
    gate: Arc<Gate>,
}

#[derive(Default)]
struct Brought {
    work: Vec<Work>,
    has_task: bool,
}

impl Shared {
    fn brought(&self) -> MutexGuard<'_, Brought> {
        self.brought.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Executor<Work> for Together {
    fn execute(&self, work: Work) {
        let mut brought = self.0.brought();
        brought.work.push(work);
        if !brought.has_task {
            brought.has_task = true;
            tokio::spawn(Task { shared: self.0.clone(), work: FuturesUnordered::new(), is_done: false });
        }
        drop(brought);
        self.0.gate.wake_by_ref();
    }
}

/// Tells the task that there is work. What wakes while the task is at it costs a swap, and calls no thread.
#[derive(Default)]
struct Gate {
    state: AtomicU8,
    task: AtomicWaker,
}

impl Wake for Gate {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.swap(ONCE_MORE, Ordering::SeqCst) == IDLE {
            self.task.wake();
        }
    }
}

struct Task {
    shared: Arc<Shared>,
    // As in a task of its own: what panics ends alone.
    work: FuturesUnordered<CatchUnwind<AssertUnwindSafe<Work>>>,
    is_done: bool,
}

impl Task {
    /// True when there is no work left.
    fn look(&mut self, cx: &mut Context<'_>) -> bool {
        loop {
            for work in std::mem::take(&mut self.shared.brought().work) {
                self.work.push(AssertUnwindSafe(work).catch_unwind());
            }
            match self.work.poll_next_unpin(cx) {
                Poll::Ready(Some(_)) => {}
                Poll::Pending => return false,
                Poll::Ready(None) => {
                    let mut brought = self.shared.brought();
                    if brought.work.is_empty() {
                        brought.has_task = false;
                        drop(brought);
                        self.is_done = true;
                        return true;
                    }
                }
            }
        }
    }
}

impl Future for Task {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let gate = self.shared.gate.clone();
        let waker = Waker::from(gate.clone());
        gate.task.register(cx.waker());
        for _ in 0..ROUNDS {
            gate.state.store(AT_WORK, Ordering::SeqCst);
            if self.look(&mut Context::from_waker(&waker)) {
                return Poll::Ready(());
            }
            if gate.state.compare_exchange(AT_WORK, IDLE, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        // A runtime that ends drops its tasks; the next work, in another one, begins a new task.
        if !self.is_done {
            let mut brought = self.shared.brought();
            brought.has_task = false;
            let work = std::mem::take(&mut brought.work);
            drop(brought);
            drop(work);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio::runtime::{Builder, Handle};
    use tokio::sync::oneshot;
    use tokio::task::yield_now;

    use super::*;

    fn tasks() -> usize {
        Handle::current().metrics().num_alive_tasks()
    }

    #[tokio::test]
    async fn all_work_is_one_task_that_ends_with_it() {
        let together = Together::default();
        for _ in 0..3 {
            let (mut ends, mut done) = (Vec::new(), Vec::new());
            for _ in 0..10 {
                let ((end, ended), (say, said)) = (oneshot::channel::<()>(), oneshot::channel());
                together.execute(Box::pin(async move {
                    ended.await.unwrap();
                    say.send(()).unwrap();
                }));
                ends.push(end);
                done.push(said);
            }
            yield_now().await;
            assert_eq!(tasks(), 1);
            for (end, done) in ends.into_iter().zip(done) {
                end.send(()).unwrap();
                done.await.unwrap();
            }
            while tasks() > 0 {
                yield_now().await;
            }
        }
    }

    #[tokio::test]
    async fn work_may_bring_work() {
        let together = Together::default();
        let (say, said) = oneshot::channel();
        let inner = together.clone();
        together.execute(Box::pin(async move {
            inner.execute(Box::pin(async move { say.send(()).unwrap() }));
        }));
        said.await.unwrap();
    }

    #[tokio::test]
    async fn what_panics_ends_alone() {
        let together = Together::default();
        let ((end, ended), (say, said)) = (oneshot::channel::<()>(), oneshot::channel());
        together.execute(Box::pin(async move {
            ended.await.unwrap();
            say.send(()).unwrap();
        }));
        together.execute(Box::pin(async { panic!("as it has to be here") }));
        yield_now().await;
        end.send(()).unwrap();
        said.await.unwrap();
    }

    #[tokio::test]
    async fn who_has_always_work_lets_others_have_their_turn() {
        let together = Together::default();
        together.execute(Box::pin(async {
            loop {
                yield_now().await;
            }
        }));
        together.execute(Box::pin(std::future::poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::Pending
        })));
        let (say, said) = oneshot::channel();
        tokio::spawn(async move { say.send(()).unwrap() });
        said.await.unwrap();
    }

    #[test]
    fn a_runtime_that_ends_leaves_it_ready_for_another() {
        let together = Together::default();
        let dropped = Arc::new(());
        for _ in 0..2 {
            let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
            let held = dropped.clone();
            runtime.block_on(async {
                let (say, said) = oneshot::channel();
                together.execute(Box::pin(async move {
                    say.send(()).unwrap();
                    let _held = held;
                    std::future::pending().await
                }));
                said.await.unwrap();
            });
            assert_eq!(Arc::strong_count(&dropped), 2);
            drop(runtime);
            assert_eq!(Arc::strong_count(&dropped), 1);
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_wake_from_another_thread_is_never_lost() {
        let together = Together::default();
        for _ in 0..10_000 {
            let ((ask, asked), (answer, answered)) = (oneshot::channel::<()>(), oneshot::channel());
            together.execute(Box::pin(async move {
                asked.await.unwrap();
                answer.send(()).unwrap();
            }));
            tokio::spawn(async move { ask.send(()).unwrap() });
            answered.await.unwrap();
        }
    }
}
