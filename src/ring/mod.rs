//! SPSC ring pairs and wait strategies.
