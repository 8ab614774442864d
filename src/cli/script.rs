//! SQL text and where it came from.

use std::io::Read;
use std::path::Path;

use crate::error::{Error, Result};

/// SQL text with the name that errors point to.
#[derive(Debug, Clone)]
pub(super) struct Script {
    /// File name, `<stdin>` or `<query>`.
    pub(super) name: String,
    /// The text.
    pub(super) text: String,
}

impl Script {
    /// Reads `path`; `-` is standard input.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let mut bytes = Vec::new();
        let name = if path == Path::new("-") {
            std::io::stdin().read_to_end(&mut bytes).map_err(|error| Error::io("read", "standard input", &error))?;
            "<stdin>".to_string()
        } else {
            bytes = std::fs::read(path).map_err(|error| Error::io("read", path, &error))?;
            path.display().to_string()
        };
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self { name, text }),
            Err(error) => {
                let offset = error.utf8_error().valid_up_to();
                Err(Error::Config(format!("{name} is not text: byte {offset} is not UTF-8")))
            }
        }
    }

    /// Text from the command line.
    pub(super) fn query(text: String) -> Self {
        Self { name: "<query>".into(), text }
    }
}
