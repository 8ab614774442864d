//! SPSC rings between two threads, and how a thread waits when all its rings are quiet.
//!
//! A ring is bounded, has one producer and one consumer, and moves descriptors, never rows. A full ring makes its
//! producer wait, up to not polling the source. [`Wakeup`] is the one place where a thread sleeps: it parks only after
//! it announced that it will, and whoever pushes or pops at the other end of one of its rings wakes it.
//!
//! Promises: what is pushed is popped once, in order; no wake-up is lost (see the orderings in `wait.rs`). The ring
//! itself is `rtrb`; this room adds depth marks, the end-of-stream mark and the waking.

mod spsc;
mod wait;

pub use spsc::{Consumer, Producer, ring};
pub use wait::{WaitMode, Waiter, Wakeup};
