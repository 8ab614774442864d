//! One partition's ends of the mesh: a ring to every partition (itself included), and one back for the buffers.

use std::collections::VecDeque;

use crate::ring::{Consumer, Producer};

/// Ends of the mesh that carries `M`, whose buffers `B` come back.
pub struct Mesh<M, B> {
    /// To each partition.
    to: Vec<Producer<M>>,
    /// From each partition.
    pub from: Vec<Consumer<M>>,
    /// Emptied buffers, to the partition they came from.
    give_back: Vec<Producer<B>>,
    /// Emptied buffers, from the partitions they went to.
    given_back: Vec<Consumer<B>>,
    /// Messages that found their ring full, per partition.
    waiting: Vec<VecDeque<M>>,
    /// Emptied buffers that came back while messages waited: more than a ring holds may be under way.
    spare: Vec<B>,
    spare_bytes: usize,
}

/// A buffer that was emptied.
pub trait Emptied {
    /// Whether many may be under way at once, so that more than a ring of them are worth keeping.
    const COMES_IN_CROWDS: bool;

    /// Bytes that it holds.
    fn held_bytes(&self) -> usize;
}

impl<M, B: Emptied> Mesh<M, B> {
    /// Bytes of emptied buffers kept beside those in the rings. Any value is correct.
    const SPARE_BYTES_MAX: usize = 8 << 20;

    /// From ring ends, one per partition each.
    pub fn new(
        to: Vec<Producer<M>>,
        from: Vec<Consumer<M>>,
        give_back: Vec<Producer<B>>,
        given_back: Vec<Consumer<B>>,
    ) -> Self {
        let waiting = to.iter().map(|_| VecDeque::new()).collect();
        Self { to, from, give_back, given_back, waiting, spare: Vec::new(), spare_bytes: 0 }
    }

    /// Number of partitions.
    pub fn partitions(&self) -> usize {
        self.to.len()
    }

    /// Sends, or keeps the message until [`Self::flush`] finds room.
    pub fn send(&mut self, partition: usize, message: M) {
        if !self.waiting[partition].is_empty() {
            self.waiting[partition].push_back(message);
        } else if let Err(message) = self.to[partition].push(message) {
            self.waiting[partition].push_back(message);
        }
    }

    /// Sends what waits, as far as there is room; true if anything went.
    pub fn flush(&mut self) -> bool {
        let mut sent = false;
        if self.is_clear() {
            return sent;
        }
        // A receiver gives back as many as it takes between two calls of this: if all are taken here, its ring has room.
        let Self { given_back, spare, spare_bytes, .. } = self;
        for ring in given_back.iter_mut().filter(|_| B::COMES_IN_CROWDS) {
            while *spare_bytes < Self::SPARE_BYTES_MAX
                && let Some(buffer) = ring.pop()
            {
                *spare_bytes += buffer.held_bytes();
                spare.push(buffer);
            }
        }
        for (waiting, to) in self.waiting.iter_mut().zip(&mut self.to) {
            while to.has_room()
                && let Some(message) = waiting.pop_front()
            {
                // There was room and nobody else pushes.
                let _ = to.push(message);
                sent = true;
            }
        }
        sent
    }

    /// Whether nothing waits.
    pub fn is_clear(&self) -> bool {
        self.waiting.iter().all(VecDeque::is_empty)
    }

    /// An emptied buffer that came back from `partition`, or was kept.
    pub fn reuse(&mut self, partition: usize) -> Option<B> {
        self.given_back[partition].pop().or_else(|| {
            let buffer = self.spare.pop()?;
            self.spare_bytes -= buffer.held_bytes();
            Some(buffer)
        })
    }

    /// Gives an emptied buffer back to where it came from; if that ring is full or its end gone, it is freed.
    pub fn give_back(&mut self, partition: usize, buffer: B) {
        let _ = self.give_back[partition].push(buffer);
    }
}
