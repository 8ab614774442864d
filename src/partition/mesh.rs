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
}

impl<M, B> Mesh<M, B> {
    /// From ring ends, one per partition each.
    pub fn new(
        to: Vec<Producer<M>>,
        from: Vec<Consumer<M>>,
        give_back: Vec<Producer<B>>,
        given_back: Vec<Consumer<B>>,
    ) -> Self {
        let waiting = to.iter().map(|_| VecDeque::new()).collect();
        Self { to, from, give_back, given_back, waiting }
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

    /// An emptied buffer that came back from `partition`.
    pub fn reuse(&mut self, partition: usize) -> Option<B> {
        self.given_back[partition].pop()
    }

    /// Gives an emptied buffer back to where it came from; if that ring is full or its end gone, it is freed.
    pub fn give_back(&mut self, partition: usize, buffer: B) {
        let _ = self.give_back[partition].push(buffer);
    }
}
