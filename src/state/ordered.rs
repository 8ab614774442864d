//! A map in the order of its keys which takes memory only when it holds more than ever before.
//!
//! For what comes and goes in about one order, as panes and moments do: keys lie in one row in that order, with the places
//! of their values. A key that is greater than all others is put at the end without a search; one in between moves the
//! shorter side by 8 bytes and a key for each other one there.

use std::collections::VecDeque;
use std::ops::Index;

/// Values by key.
#[derive(Debug)]
pub struct OrderedMap<K, V> {
    /// Keys, ascending, with the places of their values.
    order: VecDeque<(K, u32)>,
    values: Vec<Option<V>>,
    /// Places without a value.
    free: Vec<u32>,
}

impl<K, V> Default for OrderedMap<K, V> {
    fn default() -> Self {
        Self { order: VecDeque::new(), values: Vec::new(), free: Vec::new() }
    }
}

impl<K: Ord + Copy, V> OrderedMap<K, V> {
    /// Number of keys.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    fn find(&self, key: &K) -> Result<usize, usize> {
        match self.order.back() {
            Some((last, _)) if last >= key => self.order.binary_search_by(|(known, _)| known.cmp(key)),
            _ => Err(self.order.len()),
        }
    }

    fn place(&self, key: &K) -> Option<usize> {
        self.find(key).ok().map(|at| self.order[at].1 as usize)
    }

    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.place(key).and_then(|place| self.values[place].as_ref())
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.place(key).and_then(|place| self.values[place].as_mut())
    }

    /// The value of a key, made if need be.
    pub fn get_or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        let place = match self.find(&key) {
            Ok(at) => self.order[at].1,
            Err(at) => {
                let place = self.free.pop().unwrap_or_else(|| {
                    self.values.push(None);
                    u32::try_from(self.values.len() - 1).expect("fewer than 2^32 keys")
                });
                self.order.insert(at, (key, place));
                place
            }
        };
        self.values[place as usize].get_or_insert_with(make)
    }

    /// Gives a key a value.
    pub fn insert(&mut self, key: K, value: V) {
        let mut value = Some(value);
        let held = self.get_or_insert_with(key, || value.take().expect("it is made once"));
        if let Some(value) = value {
            *held = value;
        }
    }

    /// Takes a key out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.find(key).ok()?;
        let (_, place) = self.order.remove(at)?;
        self.free.push(place);
        self.values[place as usize].take()
    }

    /// The least key.
    pub fn first_key(&self) -> Option<K> {
        self.order.front().map(|(key, _)| *key)
    }

    /// Takes the least key out.
    pub fn pop_first(&mut self) -> Option<(K, V)> {
        let (key, place) = self.order.pop_front()?;
        self.free.push(place);
        self.values[place as usize].take().map(|value| (key, value))
    }

    /// Values in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.order.iter().filter_map(|(_, place)| self.values[*place as usize].as_ref())
    }

    /// Values in any order, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.values.iter_mut().flatten()
    }
}

impl<K: Ord + Copy, V> Index<&K> for OrderedMap<K, V> {
    type Output = V;

    fn index(&self, key: &K) -> &V {
        self.get(key).expect("the key is there")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// It does what a map of the standard library does.
        #[test]
        fn does_what_a_tree_does(steps in prop::collection::vec((0..6, 0..40_u64), 0..400)) {
            let (mut map, mut tree) = (OrderedMap::default(), BTreeMap::new());
            for (n, (step, key)) in steps.into_iter().enumerate() {
                match step {
                    0 => prop_assert_eq!(map.pop_first(), tree.pop_first()),
                    1 => prop_assert_eq!(map.remove(&key), tree.remove(&key)),
                    2 => {
                        map.insert(key, n);
                        tree.insert(key, n);
                    }
                    3 => map.values_mut().chain(tree.values_mut()).for_each(|value| *value += 1),
                    _ => prop_assert_eq!(map.get_or_insert_with(key, || n), tree.entry(key).or_insert(n)),
                }
                prop_assert_eq!(map.first_key(), tree.first_key_value().map(|(key, _)| *key));
                prop_assert_eq!((map.len(), map.is_empty()), (tree.len(), tree.is_empty()));
                prop_assert_eq!(map.values().collect::<Vec<_>>(), tree.values().collect::<Vec<_>>());
                prop_assert_eq!(map.get(&key), tree.get(&key));
                prop_assert_eq!(map.get_mut(&key), tree.get_mut(&key));
            }
        }
    }
}
