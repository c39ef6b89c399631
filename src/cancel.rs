//! Cancellation: one request for the whole process, asked for by a signal.
//!
//! Long work looks here between steps; blocked calls are woken by whoever asked to be told. What a
//! cancelled run made is removed on the way out, as after any other failure.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI32, Ordering};

/// Ends blocked calls on behalf of a signal.
type Waker = Box<dyn Fn(i32) + Send>;

static SIGNAL: AtomicI32 = AtomicI32::new(0);
static WAKERS: Mutex<Vec<Waker>> = Mutex::new(Vec::new());

/// Asks everything in this process to stop, on behalf of `signal`.
pub fn request(signal: i32) {
    SIGNAL.store(signal, Ordering::SeqCst);
    if let Ok(wakers) = WAKERS.lock() {
        for wake in wakers.iter() {
            wake(signal);
        }
    }
}

/// Remembers how blocked calls are woken; a request calls `wake` with its signal.
pub(crate) fn watch(wake: impl Fn(i32) + Send + 'static) {
    if let Ok(mut wakers) = WAKERS.lock() {
        // A request that came before could not reach it.
        if let Some(signal) = signal() {
            wake(signal);
        }
        wakers.push(Box::new(wake));
    }
}

/// The signal on whose behalf somebody asked to stop.
pub(crate) fn signal() -> Option<i32> {
    Some(SIGNAL.load(Ordering::SeqCst)).filter(|&signal| signal != 0)
}
