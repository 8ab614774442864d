//! Queues of other crates, for the comparison with corelane's ring: tokio's channel between two tasks on two threads, and
//! crossbeam's queue between two threads that spin.
//!
//! The runtime of tokio may well run both tasks on one of its threads, one after the other. Then nothing crosses from core to
//! core, and a hand-off takes less than any between two threads can; that is what tokio gives, so it stands as it is.

use std::sync::Arc;
use std::time::Instant;

use corelane::cli::bench::{Course, Receiving, Sending, Times};
use corelane::error::Result;
use corelane::sys;
use crossbeam_queue::ArrayQueue;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

/// An end of crossbeam's queue: spins, and yields now and then, while it cannot go on.
struct Spinning(Arc<ArrayQueue<u64>>);

fn wait(round: &mut u32) {
    *round += 1;
    if round.is_multiple_of(64) { std::thread::yield_now() } else { std::hint::spin_loop() }
}

impl Sending for Spinning {
    fn send(&mut self, mut value: u64) {
        let mut round = 0;
        while let Err(back) = self.0.push(value) {
            value = back;
            wait(&mut round);
        }
    }
}

impl Receiving for Spinning {
    fn receive(&mut self) -> u64 {
        let mut round = 0;
        loop {
            match self.0.pop() {
                Some(value) => return value,
                None => wait(&mut round),
            }
        }
    }
}

/// One round of each, in turn.
pub fn round(course: &Course, crossbeam: &mut Times, tokio: &mut Times) -> Result<()> {
    let make = |slots| {
        let queue = Arc::new(ArrayQueue::new(slots));
        (Spinning(Arc::clone(&queue)), Spinning(queue))
    };
    course.round(make, crossbeam)?;
    let runtime = runtime(course.cpus);
    tokio.one_way_ns.push(runtime.block_on(one_way(course.values, course.slots)));
    tokio.round_trip_ns.push(runtime.block_on(round_trip((course.values / 10).max(1), course.slots)));
    Ok(())
}

/// Two threads, on the CPUs that the others have.
fn runtime(cpus: Option<[usize; 2]>) -> Runtime {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let pin = move || {
        let index = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if let Some(cpu) = cpus.and_then(|cpus| cpus.get(index).copied()) {
            sys::pin_current_thread(cpu).expect("the CPU may be used");
        }
    };
    Builder::new_multi_thread().worker_threads(2).on_thread_start(pin).build().expect("the runtime starts")
}

async fn one_way(values: u64, slots: usize) -> f64 {
    let (to, mut from) = mpsc::channel(slots);
    let started = Instant::now();
    let sender = tokio::spawn(async move {
        for value in 0..values {
            to.send(value).await.expect("the receiver is there");
        }
    });
    let receiver = tokio::spawn(async move {
        for value in 0..values {
            assert_eq!(from.recv().await, Some(value));
        }
    });
    sender.await.expect("it ends");
    receiver.await.expect("it ends");
    started.elapsed().as_nanos() as f64 / values as f64
}

async fn round_trip(trips: u64, slots: usize) -> f64 {
    let (to, mut from) = mpsc::channel(slots);
    let (back, mut returned) = mpsc::channel(slots);
    let started = Instant::now();
    let there = tokio::spawn(async move {
        for value in 0..trips {
            to.send(value).await.expect("the receiver is there");
            assert_eq!(returned.recv().await, Some(value));
        }
    });
    let echo = tokio::spawn(async move {
        while let Some(value) = from.recv().await {
            // The other end may have all that it wanted.
            if back.send(value).await.is_err() {
                return;
            }
        }
    });
    there.await.expect("it ends");
    echo.await.expect("it ends");
    started.elapsed().as_nanos() as f64 / trips as f64
}
