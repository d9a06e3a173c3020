//! Who runs next: places for running queries, and a line for each user who waits for one.
//!
//! ```text
//! somchai  3 2 1 ─┐
//! malee        1 ─┼─ in turn ─▶ places: at most `running_max`, of one user `running_max_per_user`
//! local      2 1 ─┘
//! ```
//!
//! # Rules
//! 1. **Nobody waits beside an empty place.** Whenever a place is free and somebody waits who may take it, it is taken.
//! 2. **Users take turns**, within a user first come, first served. While a user waits and is below the own bound, each
//!    other user comes before at most once. Who is at the own bound keeps the turn until a query of theirs ends.
//! 3. **A long line makes room.** Beyond `waiting_max` the last query of the longest line is sent away, the newcomer's
//!    where it is among the longest. So nobody can fill the queue against somebody who asks for little.
//! 4. Who stops waiting leaves nothing behind; a place that was given to somebody who has just left goes to the next.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) running_max: usize,
    pub(crate) running_max_per_user: usize,
    pub(crate) waiting_max: usize,
}

/// More wait than may: this one is sent away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crowded;

#[derive(Debug, Clone)]
pub(crate) struct Queue(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bounds: Bounds,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    tickets: u64,
    running: usize,
    waiting: usize,
    /// Those who run or wait.
    users: HashMap<Arc<str>, OfUser>,
    /// Those who have somebody waiting, each once; whose turn is first stands first.
    turns: VecDeque<Arc<str>>,
}

#[derive(Debug, Default)]
struct OfUser {
    running: usize,
    waiting: VecDeque<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    ticket: u64,
    told: oneshot::Sender<Result<Place, Crowded>>,
}

/// A place among the running queries, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    queue: Queue,
    user: Arc<str>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.queue.free(&self.user);
    }
}

/// What is told after the lock is given back: a [`Place`] that nobody takes comes back at once, and takes the lock.
type Told = Vec<(oneshot::Sender<Result<Place, Crowded>>, Result<Arc<str>, Crowded>)>;

impl Queue {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self(Arc::new(Inner { bounds, state: Mutex::default() }))
    }

    /// A place, when it is this query's turn. Dropping the future leaves the line.
    pub(crate) async fn place(&self, user: &str) -> Result<Place, Crowded> {
        let user: Arc<str> = user.into();
        let (ticket, told) = self.enter(&user);
        let _line = InLine { queue: self.clone(), user, ticket };
        // The sender is dropped only with what it says.
        told.await.unwrap_or(Err(Crowded))
    }

    pub(crate) fn waiting(&self) -> usize {
        self.0.state.lock().waiting
    }

    /// Whether as many of the user's queries run as may.
    pub(crate) fn is_at_own_bound(&self, user: &str) -> bool {
        let state = self.0.state.lock();
        state.users.get(user).is_some_and(|of_user| of_user.running >= self.0.bounds.running_max_per_user)
    }

    fn enter(&self, user: &Arc<str>) -> (u64, oneshot::Receiver<Result<Place, Crowded>>) {
        let (sender, told) = oneshot::channel();
        let mut state = self.0.state.lock();
        state.tickets += 1;
        let ticket = state.tickets;
        state.join(user, Waiter { ticket, told: sender });
        let mut news = state.give_places(&self.0.bounds);
        if state.waiting > self.0.bounds.waiting_max {
            news.extend(state.send_one_away(user));
        }
        drop(state);
        self.tell(news);
        (ticket, told)
    }

    fn free(&self, user: &Arc<str>) {
        let mut state = self.0.state.lock();
        state.running -= 1;
        if let Some(of_user) = state.users.get_mut(user) {
            of_user.running -= 1;
        }
        state.forget_if_idle(user);
        let news = state.give_places(&self.0.bounds);
        drop(state);
        self.tell(news);
    }

    fn tell(&self, news: Told) {
        for (sender, verdict) in news {
            let place = verdict.map(|user| Place { queue: self.clone(), user });
            // Who has left gives the place back by dropping it.
            drop(sender.send(place));
        }
    }
}

impl State {
    fn join(&mut self, user: &Arc<str>, waiter: Waiter) {
        let line = &mut self.users.entry(user.clone()).or_default().waiting;
        if line.is_empty() {
            self.turns.push_back(user.clone());
        }
        line.push_back(waiter);
        self.waiting += 1;
    }

    fn give_places(&mut self, bounds: &Bounds) -> Told {
        let mut given = Told::new();
        while self.running < bounds.running_max {
            let may_run =
                |user: &Arc<str>| self.users.get(user).is_some_and(|of| of.running < bounds.running_max_per_user);
            let Some(turn) = self.turns.iter().position(may_run) else { break };
            let Some(user) = self.turns.remove(turn) else { break };
            let Some(of_user) = self.users.get_mut(&user) else { continue };
            let Some(waiter) = of_user.waiting.pop_front() else { continue };
            of_user.running += 1;
            if !of_user.waiting.is_empty() {
                self.turns.push_back(user.clone());
            }
            self.running += 1;
            self.waiting -= 1;
            given.push((waiter.told, Ok(user)));
        }
        given
    }

    /// The last of the longest line goes.
    fn send_one_away(&mut self, newcomer: &Arc<str>) -> Told {
        let length = |user: &Arc<str>| self.users.get(user).map_or(0, |of| of.waiting.len());
        let longest = self.turns.iter().map(length).max().unwrap_or(0);
        let is_longest = |user: &&Arc<str>| length(user) == longest;
        let Some(user) = Some(newcomer).filter(is_longest).or_else(|| self.turns.iter().find(is_longest)).cloned()
        else {
            return Told::new();
        };
        let Some(last) = self.users.get_mut(&user).and_then(|of_user| of_user.waiting.pop_back()) else {
            return Told::new();
        };
        self.left(&user);
        vec![(last.told, Err(Crowded))]
    }

    fn leave(&mut self, user: &Arc<str>, ticket: u64) {
        let Some(of_user) = self.users.get_mut(user) else { return };
        let Some(index) = of_user.waiting.iter().position(|waiter| waiter.ticket == ticket) else { return };
        of_user.waiting.remove(index);
        self.left(user);
    }

    /// Somebody went out of a user's line without a place.
    fn left(&mut self, user: &Arc<str>) {
        self.waiting -= 1;
        if self.users.get(user).is_none_or(|of_user| of_user.waiting.is_empty()) {
            self.turns.retain(|other| other != user);
        }
        self.forget_if_idle(user);
    }

    fn forget_if_idle(&mut self, user: &Arc<str>) {
        if self.users.get(user).is_some_and(|of_user| of_user.running == 0 && of_user.waiting.is_empty()) {
            self.users.remove(user);
        }
    }
}

/// Takes a query out of its line however its waiting ends; one that has its place is in no line any more.
struct InLine {
    queue: Queue,
    user: Arc<str>,
    ticket: u64,
}

impl Drop for InLine {
    fn drop(&mut self) {
        self.queue.0.state.lock().leave(&self.user, self.ticket);
    }
}

#[cfg(test)]
mod tests;
