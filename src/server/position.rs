//! From where a job reads: the seam for checkpoints.
//!
//! Without them there is one answer, the start of the input; a run that starts over writes its results anew.

use serde_json::{Value, json};

/// Why a job runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// It was deployed.
    Deployed,
    /// The server was stopped in good order, and started again.
    ServerStarted,
    /// The server ended without stopping it.
    ServerCrashed,
    /// It failed before.
    Failed,
}

/// Where its input is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    /// The first record.
    Start,
}

impl Cause {
    /// Where a job reads from that runs for this cause.
    pub(super) fn position(self) -> Position {
        match self {
            Self::Deployed | Self::ServerStarted | Self::ServerCrashed | Self::Failed => Position::Start,
        }
    }

    /// In words; `None` if there is nothing to tell.
    pub(super) fn note(self) -> Option<&'static str> {
        match self {
            Self::Deployed => None,
            Self::ServerStarted => Some("deployed again when the server started: reads from the start"),
            Self::ServerCrashed => {
                Some("deployed again after the server ended without stopping the job: reads from the start")
            }
            Self::Failed => Some("started again after a failure: reads from the start"),
        }
    }

    /// For status documents.
    pub(super) fn document(self) -> Value {
        let position = match self.position() {
            Position::Start => "start",
        };
        json!({"position": position, "reason": self.note().unwrap_or("deployed: reads from the start")})
    }
}
