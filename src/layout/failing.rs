//! What an error of the layout database tells the user.

use super::LayoutError;
use crate::failure::Failure;

impl From<LayoutError> for Failure {
    fn from(error: LayoutError) -> Failure {
        Failure::new(error.kind(), "reading", "the layout database")
            .next("correct the rule file (`regrow rules lint` checks it) and run the command again")
            .because(error)
    }
}
