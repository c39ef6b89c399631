//! Ctrl-C and friends: the run is told to stop, cleans up, and ends with 128 + the signal.

use std::sync::atomic::{AtomicI32, Ordering};

use regrow::cancel::Cancel;

/// The first signal that arrived; 0 before.
static ARRIVED: AtomicI32 = AtomicI32::new(0);

/// Listens for SIGINT, SIGTERM and SIGHUP. What has `cancel` is asked to stop; a second SIGINT
/// ends the process at once.
pub(crate) fn install(cancel: Cancel) {
    std::thread::spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
            return;
        };
        runtime.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
            let [Ok(mut int), Ok(mut term), Ok(mut hup)] = kinds.map(signal) else { return };
            loop {
                let number = tokio::select! {
                    _ = int.recv() => 2,
                    _ = term.recv() => 15,
                    _ = hup.recv() => 1,
                };
                if ARRIVED.swap(number, Ordering::SeqCst) != 0 && number == 2 {
                    std::process::exit(128 + number);
                }
                cancel.request(number);
            }
        });
    });
}
