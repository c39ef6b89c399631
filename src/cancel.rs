//! [`Cancel`]: a request to stop, for everything that was given the same value.
//!
//! It travels with the monitor of an act. Long work looks here between steps; blocked calls are woken.
//! What a cancelled run made is removed on the way out, as after any other failure.

use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Ends blocked calls on behalf of a signal.
pub(crate) type Waker = dyn Fn(i32) + Send + Sync;

/// A request to stop that may be made at any time, from any thread.
///
/// Cheap to clone; clones are the same request. Two acts with two values end apart.
#[derive(Debug, Clone)]
pub struct Cancel(Option<Arc<State>>);

/// What nobody stops.
pub(crate) static NEVER: Cancel = Cancel(None);

#[derive(Debug, Default)]
struct State {
    /// 0 before the request.
    signal: AtomicI32,
    /// Whoever waits holds the waker; here it is only known.
    wakers: Mutex<Vec<Weak<Waker>>>,
}

impl Default for Cancel {
    fn default() -> Cancel {
        Cancel::new()
    }
}

impl Cancel {
    /// A request that was not made yet.
    pub fn new() -> Cancel {
        Cancel(Some(Arc::default()))
    }

    /// Asks all that have this value to stop, on behalf of `signal`, a number above 0: failures
    /// name it as their kind.
    pub fn request(&self, signal: i32) {
        let Some(state) = &self.0 else { return };
        state.signal.store(signal, Ordering::SeqCst);
        for wake in state.wakers().iter().filter_map(Weak::upgrade) {
            wake(signal);
        }
    }

    /// The signal on whose behalf somebody asked to stop.
    pub fn signal(&self) -> Option<i32> {
        let signal = self.0.as_ref()?.signal.load(Ordering::SeqCst);
        (signal != 0).then_some(signal)
    }

    /// Has `wake` called by a request, one that was made before included, for as long as the caller
    /// holds it.
    pub(crate) fn watch(&self, wake: &Arc<Waker>) {
        let Some(state) = &self.0 else { return };
        let mut wakers = state.wakers();
        wakers.retain(|known| known.strong_count() > 0);
        wakers.push(Arc::downgrade(wake));
        // A request that came before could not reach it.
        if let Some(signal) = self.signal() {
            wake(signal);
        }
    }
}

impl State {
    fn wakers(&self) -> std::sync::MutexGuard<'_, Vec<Weak<Waker>>> {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A waker, and the last signal that it was called with.
    fn waker() -> (Arc<Waker>, Arc<AtomicI32>) {
        let called = Arc::new(AtomicI32::new(0));
        let seen = Arc::clone(&called);
        (Arc::new(move |signal| seen.store(signal, Ordering::SeqCst)), called)
    }

    #[test]
    fn a_request_reaches_its_clones_and_those_who_wait_and_nobody_else() {
        let (one, other) = (Cancel::new(), Cancel::new());
        let ((waiting, woken), (elsewhere, undisturbed)) = (waker(), waker());
        one.watch(&waiting);
        other.watch(&elsewhere);
        one.clone().request(15);
        assert_eq!((one.signal(), woken.load(Ordering::SeqCst)), (Some(15), 15));
        assert_eq!((other.signal(), undisturbed.load(Ordering::SeqCst)), (None, 0));
        let (late, woken) = waker();
        one.watch(&late);
        assert_eq!(woken.load(Ordering::SeqCst), 15);
        NEVER.request(2);
        assert_eq!(NEVER.signal(), None);
    }

    #[test]
    fn who_does_not_wait_any_more_is_forgotten() {
        let cancel = Cancel::new();
        for _ in 0..10 {
            cancel.watch(&waker().0);
        }
        assert!(cancel.0.as_ref().unwrap().wakers().len() <= 1);
    }
}
