//! One bounded ring: a producer and a consumer, each of which wakes the thread at the other end.

use super::Wakeup;

/// The pushing end. Not `Clone`: one thread owns it.
#[derive(Debug)]
pub struct Producer<T> {
    inner: rtrb::Producer<T>,
    // After `inner`: fields are dropped in order, and the other end must find this one gone when it is woken.
    consumer_thread: WakeOnDrop,
    wakes: bool,
    high_water: usize,
}

/// The popping end. Not `Clone`: one thread owns it.
#[derive(Debug)]
pub struct Consumer<T> {
    inner: rtrb::Consumer<T>,
    // After `inner`, as in `Producer`.
    producer_thread: WakeOnDrop,
    /// Numbers of slots in use at which the producer is woken; `None` wakes it after each pop.
    wakes_at: Option<[usize; 2]>,
}

/// A bell that also rings when the ring end that holds it is gone.
#[derive(Debug)]
struct WakeOnDrop(Wakeup);

impl Drop for WakeOnDrop {
    fn drop(&mut self) {
        self.0.wake();
    }
}

/// A ring of `capacity` slots from the thread behind `producer_thread` to the one behind `consumer_thread`.
pub fn ring<T>(capacity: usize, producer_thread: &Wakeup, consumer_thread: &Wakeup) -> (Producer<T>, Consumer<T>) {
    let (producer, consumer) = rtrb::RingBuffer::new(capacity);
    (
        Producer { inner: producer, consumer_thread: WakeOnDrop(consumer_thread.clone()), wakes: true, high_water: 0 },
        Consumer { inner: consumer, producer_thread: WakeOnDrop(producer_thread.clone()), wakes_at: None },
    )
}

impl<T> Producer<T> {
    /// From now on the consumer is not woken by what is pushed: it looks at this ring when it works on something else.
    pub fn never_wake(&mut self) {
        self.wakes = false;
    }

    /// Pushes `value`, or gives it back if the ring is full.
    pub fn push(&mut self, value: T) -> Result<(), T> {
        match self.inner.push(value) {
            Ok(()) => {
                self.high_water = self.high_water.max(self.depth());
                if self.wakes {
                    self.consumer_thread.0.wake();
                }
                Ok(())
            }
            Err(rtrb::PushError::Full(value)) => Err(value),
        }
    }

    /// Whether there is room for one more.
    pub fn has_room(&self) -> bool {
        !self.inner.is_full()
    }

    /// Free slots; the consumer may free more at any time.
    pub fn room(&self) -> usize {
        self.inner.slots()
    }

    /// Slots in use; the consumer may free some at any time.
    pub fn depth(&self) -> usize {
        self.inner.buffer().capacity() - self.inner.slots()
    }

    /// Most slots that were ever in use.
    pub fn high_water(&self) -> usize {
        self.high_water
    }

    /// Whether the other end is gone: nothing pushed will ever be read.
    pub fn is_abandoned(&self) -> bool {
        self.inner.is_abandoned()
    }
}

impl<T> Consumer<T> {
    /// From now on a producer that waits for room is not woken after each pop, but once a quarter of the ring is free, and again
    /// once less than half of it is in use: it comes back for several values, and takes a CPU from others less often.
    /// Only for a producer that waits for nothing else, and whose consumer goes on without it.
    pub fn wake_seldom(&mut self) {
        let slots = self.inner.buffer().capacity();
        self.wakes_at = Some([slots * 3 / 4, (slots - 1) / 2]);
    }

    /// Pops the oldest value.
    pub fn pop(&mut self) -> Option<T> {
        let value = self.inner.pop().ok()?;
        // A ring passes each depth on its way down while nobody pushes, and who pushes does not wait.
        if self.wakes_at.is_none_or(|depths| depths.contains(&self.inner.slots())) {
            self.producer_thread.0.wake();
        }
        Some(value)
    }

    /// Whether nothing is there now.
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// Whether the producer is gone and all it pushed was popped.
    pub fn is_ended(&self) -> bool {
        // In this order: the producer may push and then go, so emptiness is looked at after it is known to be gone.
        self.inner.is_abandoned() && self.inner.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::{WaitMode, Waiter};
    use std::sync::{Arc, Barrier};

    /// Two threads, every wait mode, a ring of two slots: everything arrives once, in order, and nobody sleeps for ever.
    #[test]
    fn everything_arrives_in_order_under_every_wait_mode() {
        let modes = [WaitMode::Spin, WaitMode::Backoff, WaitMode::Park, WaitMode::Yield];
        for (mode, slots, seldom) in
            modes.into_iter().flat_map(|mode| [(mode, 2, false), (mode, 1, true), (mode, 8, true)])
        {
            let (from, to) = (Wakeup::new(), Wakeup::new());
            let (mut producer, mut consumer) = ring::<u64>(slots, &from, &to);
            if seldom {
                consumer.wake_seldom();
            }
            let barrier = Arc::new(Barrier::new(2));
            let start = Arc::clone(&barrier);
            let thread = std::thread::spawn(move || {
                let mut waiter = Waiter::claim(mode, &to);
                start.wait();
                let mut next = 0;
                loop {
                    match consumer.pop() {
                        Some(value) => {
                            assert_eq!(value, next);
                            next += 1;
                            waiter.worked();
                        }
                        None if consumer.is_ended() => break next,
                        None => waiter.idle(),
                    }
                }
            });
            let mut waiter = Waiter::claim(mode, &from);
            barrier.wait();
            for mut value in 0..20_000 {
                // As a reader does that lets a source gather while much is queued.
                while seldom && value % 16 == 0 && producer.depth() >= producer.room().max(1) {
                    waiter.idle();
                }
                while let Err(back) = producer.push(value) {
                    value = back;
                    waiter.idle();
                }
                waiter.worked();
            }
            drop(producer);
            assert_eq!(thread.join().expect("the consumer saw all"), 20_000);
        }
    }

    #[test]
    fn high_water_and_the_end_are_seen() {
        let bell = Wakeup::new();
        let (mut producer, mut consumer) = ring::<u32>(3, &bell, &bell);
        assert!(producer.push(1).is_ok() && producer.push(2).is_ok());
        assert_eq!(consumer.pop(), Some(1));
        assert_eq!((producer.high_water(), producer.room()), (2, 2));
        drop(producer);
        assert!(!consumer.is_ended(), "one is left");
        assert_eq!((consumer.pop(), consumer.is_ended()), (Some(2), true));
    }
}
