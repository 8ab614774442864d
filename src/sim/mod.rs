//! The seeded simulator: the same partitions, stepped in random order on one thread.
