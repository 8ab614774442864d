//! inline, simple, partitioned, stp and the driver of pinned threads.
