//! Groups that nobody touched for long start anew, and their memory is given back.
//!
//! Time is the job's clock when a row was read, which is a fact of the input: a group expires for a row, exactly, if it was
//! touched last `state_ttl` or more before. When the memory of expired groups is given back does not show: the live ones
//! move to new state once they are fewer than half, looked at once a `state_ttl`.

use crate::plan::AggregateNode;
use crate::state::{Groups, PartialGroups, StateLayout};
use crate::time::PaneId;
use crate::types::EventTime;

use super::Panes;

/// When the groups of the one pane of a query without windows were touched.
pub struct Expiry {
    ttl_us: i64,
    /// By group.
    touched: Vec<EventTime>,
    looked: EventTime,
    live: Vec<u32>,
    moved: PartialGroups,
    places: Vec<u32>,
}

impl Expiry {
    /// Groups live for `ttl_us` after they were touched, if it is given; those of windows go with their window.
    pub fn of(node: &AggregateNode, ttl_us: Option<i64>) -> Option<Self> {
        Some(Self {
            ttl_us: ttl_us.filter(|_| node.window.is_none())?,
            touched: Vec::new(),
            looked: EventTime::MIN,
            live: Vec::new(),
            moved: PartialGroups::default(),
            places: Vec::new(),
        })
    }

    /// Rows of `groups` come at `now`: those whose group has expired find it empty.
    pub fn touch(&mut self, pane: &mut Groups, layout: &StateLayout, groups: &[u32], now: EventTime) {
        self.touched.resize(pane.len(), now);
        for &group in groups {
            let touched = &mut self.touched[group as usize];
            if now.0.saturating_sub(touched.0) >= self.ttl_us {
                pane.states.reset(layout, group);
            }
            *touched = now;
        }
    }

    /// Gives the memory of expired groups back, if it is worth it.
    pub fn sweep(&mut self, panes: &mut Panes, now: EventTime) {
        if now.0.saturating_sub(self.looked.0) < self.ttl_us {
            return;
        }
        self.looked = now;
        self.live.clear();
        let live = |group: &u32| now.0.saturating_sub(self.touched[*group as usize].0) < self.ttl_us;
        self.live.extend((0..self.touched.len() as u32).filter(live));
        if self.live.len() * 2 > self.touched.len() {
            return;
        }
        let Some(old) = panes.open.remove(&PaneId::ALL) else { return };
        self.moved.clear();
        old.export(&panes.keyer, &panes.layout, &self.live, &mut self.moved);
        let mut pane = panes.empty(0);
        panes.merge_into(&mut pane, &self.moved, &mut self.places);
        let mut touched = vec![now; pane.len()];
        for (&from, &to) in self.live.iter().zip(&self.places) {
            touched[to as usize] = self.touched[from as usize];
        }
        self.touched = touched;
        self.moved = PartialGroups::default();
        panes.recycle(0, old);
        panes.open.insert(PaneId::ALL, pane);
    }
}
