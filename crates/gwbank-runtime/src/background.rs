//! Work that nobody waits for yields the processor to what somebody does.

use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// About a tenth of the share of a thread that is not nice. On two busy cores acknowledgements came 7 to 10 % faster with
/// it; an archive that falls behind all the same closes the gate, and then has the processor for itself.
const NICENESS: i32 = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("background work ended early")]
pub struct BackgroundEnded;

/// Runs blocking work on a thread of its own, at low priority. It may use the caller's runtime, and goes on when the
/// caller stops waiting.
///
/// A thread of the runtime's own pool will not do: it could not be made less nice again without a privilege.
///
/// # Errors
/// When the thread cannot be started or the work panics.
///
/// # Panics
/// Outside of a Tokio runtime.
pub async fn background<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, BackgroundEnded> {
    let (sender, receiver) = oneshot::channel();
    let runtime = Handle::current();
    let run = move || {
        let _entered = runtime.enter();
        nicer_by(NICENESS);
        let _ = sender.send(work());
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(run).map_err(|_| BackgroundEnded)?;
    receiver.await.map_err(|_| BackgroundEnded)
}

/// Lowers the priority of this thread and gives what it is now. To be nicer is refused nowhere; if it were, nothing changes.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn nicer_by(increment: i32) -> i32 {
    // SAFETY: takes a number and touches no memory.
    unsafe { libc::nice(increment) }
}

/// Elsewhere niceness is of the process, which is not this function's to change.
#[cfg(not(target_os = "linux"))]
fn nicer_by(_increment: i32) -> i32 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn niceness() -> i32 {
        nicer_by(0)
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_work_is_nice_and_its_caller_is_not() {
        let before = niceness();
        let (inside, runtime) = background("nice", || (niceness(), Handle::try_current().is_ok())).await.unwrap();
        assert_eq!((inside, runtime), ((before + NICENESS).min(19), true));
        assert_eq!(niceness(), before);
    }

    #[tokio::test]
    async fn a_panic_is_an_error() {
        let ended = background::<()>("panics", || std::panic::resume_unwind(Box::new("of this test"))).await;
        assert_eq!(ended, Err(BackgroundEnded));
    }
}
