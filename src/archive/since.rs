//! `--since`: how a user writes a baseline.

use std::str::FromStr;

use super::Since;
use crate::tree::{RootPath, Time};

/// Why a text is not a baseline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SinceError {
    /// `@` without a number of seconds.
    #[error("`{0}` is not a number of seconds since 1970")]
    Epoch(String),
    /// A path that cannot be one.
    #[error("`{0}` is not a path inside the source")]
    Path(String),
    /// Not RFC 3339.
    #[error("`{0}` is not a time such as 2021-03-01T12:00:00Z")]
    Time(String),
}

/// An absolute path, `@SECONDS` or RFC 3339.
impl FromStr for Since {
    type Err = SinceError;

    fn from_str(text: &str) -> Result<Since, SinceError> {
        if text.starts_with('/') {
            return RootPath::parse(text.as_bytes())
                .map(Since::Marker)
                .map_err(|_| SinceError::Path(text.to_owned()));
        }
        if let Some(seconds) = text.strip_prefix('@') {
            let secs = seconds.parse().map_err(|_| SinceError::Epoch(text.to_owned()))?;
            return Ok(Since::Time(Time { secs, nanos: 0 }));
        }
        let time: jiff::Timestamp = text.parse().map_err(|_| SinceError::Time(text.to_owned()))?;
        let nanos = time.subsec_nanosecond();
        // Before 1970 the library counts fractions towards the epoch; ours always count up.
        let (secs, nanos) = if nanos < 0 {
            (time.as_second() - 1, nanos + 1_000_000_000)
        } else {
            (time.as_second(), nanos)
        };
        Ok(Since::Time(Time { secs, nanos: u32::try_from(nanos).unwrap_or(0) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(secs: i64, nanos: u32) -> Result<Since, SinceError> {
        Ok(Since::Time(Time { secs, nanos }))
    }

    #[test]
    fn a_baseline_is_a_path_seconds_or_a_time() {
        let marker = RootPath::parse(b"/tmp/ts0").unwrap();
        assert_eq!("/tmp/ts0".parse(), Ok(Since::Marker(marker)));
        assert_eq!("@-5".parse(), time(-5, 0));
        assert_eq!("1970-01-01T00:01:00.5Z".parse(), time(60, 500_000_000));
        assert_eq!("1969-12-31T23:59:59.5Z".parse(), time(-1, 500_000_000));
        assert_eq!("@x".parse::<Since>(), Err(SinceError::Epoch("@x".into())));
        assert_eq!("yesterday".parse::<Since>(), Err(SinceError::Time("yesterday".into())));
    }
}
