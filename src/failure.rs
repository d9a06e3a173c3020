//! How a command ends: 0 done, 1 failed, 2 wrong use or configuration.

use std::fmt::Display;
use std::process::ExitCode;

pub type Outcome<T = ()> = Result<T, Failure>;

#[derive(Debug)]
pub enum Failure {
    /// The user can mend it by asking or configuring otherwise.
    Usage(anyhow::Error),
    Failed(anyhow::Error),
}

impl Failure {
    pub fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self::Usage(error.into())
    }

    pub fn failed(message: impl Display) -> Self {
        Self::Failed(anyhow::anyhow!("{message}"))
    }

    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Failed(_) => ExitCode::from(1),
            Self::Usage(_) => ExitCode::from(2),
        }
    }

    /// The error with its causes, for the terminal.
    pub fn text(&self) -> String {
        let (Self::Usage(error) | Self::Failed(error)) = self;
        format!("{error:#}")
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}
