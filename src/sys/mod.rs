//! The only room that talks to OS and CPU: topology, pinning, clock, CPU features.
