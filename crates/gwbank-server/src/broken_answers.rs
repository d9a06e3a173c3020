//! Why answers to queries broke off. Their status said that all was well, and a connection that ends early names no reason:
//! who asked finds it here, by the id that the answer's head carries.

use std::collections::VecDeque;

use parking_lot::Mutex;

use crate::problem::Problem;

/// Answers remembered. Who asks does so at once.
const REMEMBERED_MAX: usize = 256;

#[derive(Debug, Default)]
pub(crate) struct BrokenAnswers(Mutex<VecDeque<(String, Problem)>>);

impl BrokenAnswers {
    /// An id that nobody guesses: it shows a reason to whoever has it.
    pub(crate) fn new_id() -> String {
        format!("{:032x}", rand::random::<u128>())
    }

    pub(crate) fn remember(&self, id: &str, reason: Problem) {
        let mut answers = self.0.lock();
        if answers.len() == REMEMBERED_MAX {
            answers.pop_front();
        }
        answers.push_back((id.to_owned(), reason));
    }

    pub(crate) fn reason(&self, id: &str) -> Option<Problem> {
        self.0.lock().iter().rev().find(|(of, _)| of == id).map(|(_, reason)| reason.clone())
    }
}
