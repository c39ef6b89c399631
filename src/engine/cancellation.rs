//! How a blocked call to an engine ends when the run is cancelled.

use tokio::sync::watch;

use super::error::EngineError;

/// Ends when the run is cancelled.
pub(super) async fn cancellation(mut cancelled: watch::Receiver<Option<i32>>) -> EngineError {
    match cancelled.wait_for(Option::is_some).await.map(|signal| *signal) {
        Ok(Some(signal)) => EngineError::Cancelled { signal },
        // The sender lives as long as the engine does.
        _ => std::future::pending().await,
    }
}
