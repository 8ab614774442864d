//! Memory freed whole: the allocator of pane state.
