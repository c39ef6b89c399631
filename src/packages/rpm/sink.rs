//! [`Sink`]: what takes the records of a database.

use super::fault::{DatabaseFault, RecordFault};

/// What takes the records of a database one by one: their number, and the record or why there is
/// none. An error ends the reading.
pub(super) type Sink<'a> =
    dyn FnMut(u32, Result<&[u8], RecordFault>) -> Result<(), DatabaseFault> + 'a;
