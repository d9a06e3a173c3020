use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;

use super::*;

type Entering = Pin<Box<dyn Future<Output = Result<Place, Crowded>>>>;

/// Users of the model.
const USERS: [&str; 3] = ["somchai", "malee", "local"];

#[derive(Debug, Clone)]
enum Step {
    Enter(usize),
    /// One who waits goes away.
    Leave(prop::sample::Index),
    /// One who runs ends.
    End(prop::sample::Index),
    /// One who has a place and was not polled since goes away.
    LeaveUnseen(prop::sample::Index),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => (0..USERS.len()).prop_map(Step::Enter),
        1 => any::<prop::sample::Index>().prop_map(Step::Leave),
        3 => any::<prop::sample::Index>().prop_map(Step::End),
        1 => any::<prop::sample::Index>().prop_map(Step::LeaveUnseen),
    ];
    prop::collection::vec(step, 1..120)
}

/// The queue, and what is known of everybody in it by watching from outside.
struct Watched {
    queue: Queue,
    bounds: Bounds,
    /// In the order in which they came.
    waiting: Vec<(usize, Entering)>,
    running: Vec<(usize, Place)>,
    /// How often (a user) was overtaken by (another) while waiting and below the own bound.
    overtaken: HashMap<(usize, usize), usize>,
}

impl Watched {
    fn new(bounds: Bounds) -> Self {
        let queue = Queue::new(bounds);
        Self { queue, bounds, waiting: Vec::new(), running: Vec::new(), overtaken: HashMap::new() }
    }

    fn running_of(&self, user: usize) -> usize {
        self.running.iter().filter(|(of, _)| *of == user).count()
    }

    fn waits(&self, user: usize) -> bool {
        self.waiting.iter().any(|(of, _)| *of == user)
    }

    /// Lets everybody look whether it is their turn; gives who got a place.
    fn look(&mut self) -> Result<(), TestCaseError> {
        let mut context = Context::from_waker(Waker::noop());
        let mut still_waiting: Vec<(usize, Entering)> = Vec::new();
        let lengths = |waiting: &[(usize, Entering)]| {
            USERS.iter().enumerate().map(|(user, _)| waiting.iter().filter(|(of, _)| *of == user).count()).max()
        };
        let longest = lengths(&self.waiting).unwrap_or(0);
        for (user, mut entering) in std::mem::take(&mut self.waiting) {
            match entering.as_mut().poll(&mut context) {
                Poll::Pending => still_waiting.push((user, entering)),
                Poll::Ready(Ok(place)) => {
                    prop_assert!(still_waiting.iter().all(|(of, _)| *of != user), "first come, first served");
                    self.overtaken.retain(|(waits, _), _| *waits != user);
                    self.running.push((user, place));
                }
                Poll::Ready(Err(Crowded)) => {
                    let line = still_waiting.iter().filter(|(of, _)| *of == user).count() + 1;
                    prop_assert_eq!(line, longest, "only the longest line loses, its last first");
                }
            }
        }
        self.waiting = still_waiting;
        Ok(())
    }

    /// What a step changed among the running is told to those who waited before it and still do.
    fn count_overtaking(&mut self, before: &[usize]) -> Result<(), TestCaseError> {
        for (user, name) in USERS.iter().enumerate() {
            if !self.waits(user) {
                self.overtaken.retain(|(waits, _), _| *waits != user);
                continue;
            }
            if self.running_of(user) >= self.bounds.running_max_per_user {
                continue;
            }
            for (other, before) in before.iter().enumerate().filter(|(other, _)| *other != user) {
                let came = self.running_of(other).saturating_sub(*before);
                let times = self.overtaken.entry((user, other)).or_default();
                *times += came;
                prop_assert!(*times <= 1, "{} came {times} times before {name}", USERS[other]);
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<(), TestCaseError> {
        prop_assert!(self.running.len() <= self.bounds.running_max);
        prop_assert!(self.waiting.len() <= self.bounds.waiting_max);
        prop_assert_eq!(self.queue.waiting(), self.waiting.len());
        let is_free = self.running.len() < self.bounds.running_max;
        for (user, name) in USERS.iter().enumerate() {
            let of_user = self.running_of(user);
            prop_assert!(of_user <= self.bounds.running_max_per_user);
            let may_run = is_free && of_user < self.bounds.running_max_per_user;
            prop_assert!(!(may_run && self.waits(user)), "{name} waits beside an empty place");
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn places_are_given_in_turn_and_none_is_lost(
        (running_max, running_max_per_user, waiting_max) in (1..4usize, 1..4usize, 0..7usize),
        steps in steps(),
    ) {
        let mut watched = Watched::new(Bounds { running_max, running_max_per_user, waiting_max });
        for step in steps {
            match step {
                Step::Enter(user) => {
                    let queue = watched.queue.clone();
                    let mut entering: Entering = Box::pin(async move { queue.place(USERS[user]).await });
                    // It stands in line from its first poll on.
                    match entering.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                        Poll::Ready(Ok(place)) => watched.running.push((user, place)),
                        Poll::Ready(Err(Crowded)) => {}
                        Poll::Pending => watched.waiting.push((user, entering)),
                    }
                }
                Step::Leave(who) if !watched.waiting.is_empty() => {
                    drop(watched.waiting.remove(who.index(watched.waiting.len())));
                }
                Step::End(who) if !watched.running.is_empty() => {
                    drop(watched.running.remove(who.index(watched.running.len())));
                }
                Step::LeaveUnseen(who) if !watched.running.is_empty() && !watched.waiting.is_empty() => {
                    // A place comes free and is on its way to somebody; then anybody of those goes.
                    drop(watched.running.remove(who.index(watched.running.len())));
                    drop(watched.waiting.remove(who.index(watched.waiting.len())));
                    // The order in which places went on cannot be seen from outside.
                    watched.overtaken.clear();
                    watched.look()?;
                    watched.check()?;
                    continue;
                }
                _ => continue,
            }
            let before: Vec<usize> = (0..USERS.len()).map(|user| watched.running_of(user)).collect();
            watched.look()?;
            watched.count_overtaking(&before)?;
            watched.check()?;
        }
        let queue = watched.queue.clone();
        drop(watched);
        let state = queue.0.state.lock();
        prop_assert!(state.users.is_empty() && state.turns.is_empty() && state.running == 0 && state.waiting == 0);
    }
}

/// Real wakers on real threads: a wake-up that is lost would leave a task waiting for ever.
#[test]
fn everybody_is_woken() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    runtime.block_on(async {
        let queue = Queue::new(Bounds { running_max: 3, running_max_per_user: 2, waiting_max: usize::MAX });
        let mut tasks = Vec::new();
        for number in 0..3_000u64 {
            let queue = queue.clone();
            tasks.push(tokio::spawn(async move {
                let place = queue.place(USERS[(number % 3) as usize]);
                if number % 5 == 0 {
                    // Leaves at about the time at which the turn comes.
                    let patience = std::time::Duration::from_micros(number % 700);
                    return drop(tokio::time::timeout(patience, place).await);
                }
                let place = place.await.unwrap();
                tokio::task::yield_now().await;
                drop(place);
            }));
        }
        for task in tasks {
            tokio::time::timeout(std::time::Duration::from_secs(60), task).await.expect("woken").unwrap();
        }
        let state = queue.0.state.lock();
        assert_eq!((state.running, state.waiting, state.users.len()), (0, 0, 0));
    });
}

#[test]
fn who_asks_for_little_finds_room_in_a_full_queue() {
    let queue = Queue::new(Bounds { running_max: 1, running_max_per_user: 1, waiting_max: 2 });
    let mut context = Context::from_waker(Waker::noop());
    let mut enter = |user: &'static str| {
        let queue = queue.clone();
        let mut entering: Entering = Box::pin(async move { queue.place(user).await });
        let polled = entering.as_mut().poll(&mut context);
        (polled, entering)
    };
    let (running, _done) = enter("greedy");
    let (first, mut first_waits) = enter("greedy");
    let (second, mut second_waits) = enter("greedy");
    assert!(matches!(running, Poll::Ready(Ok(_))) && first.is_pending() && second.is_pending());
    assert!(matches!(enter("greedy").0, Poll::Ready(Err(Crowded))));
    let (modest, mut modest_waits) = enter("modest");
    assert!(modest.is_pending());
    assert!(matches!(second_waits.as_mut().poll(&mut context), Poll::Ready(Err(Crowded))));
    assert!(queue.is_at_own_bound("greedy") && !queue.is_at_own_bound("modest"));
    drop(running);
    let first = first_waits.as_mut().poll(&mut context);
    assert!(matches!(first, Poll::Ready(Ok(_))), "it was there first");
    drop(first);
    assert!(matches!(modest_waits.as_mut().poll(&mut context), Poll::Ready(Ok(_))));
}
