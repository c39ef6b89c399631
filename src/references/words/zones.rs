//! Names of time zones in texts.

use std::ops::Range;

/// What the name of a setting holds that says which time zone it is.
const KEYS: &[&[u8]] = &[b"tz", b"timezone", b"time_zone", b"time-zone", b"time.zone"];

/// Where `line` sets a time zone by a name with a region, such as `TZ=US/Pacific` or
/// `date.timezone = "US/Pacific"`.
pub(super) fn named(line: &[u8]) -> Vec<Range<usize>> {
    let part_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"/_+-".contains(byte);
    let mut found = Vec::new();
    let mut at = 0;
    while at < line.len() {
        let length = line[at..].iter().take_while(|byte| part_of_name(byte)).count();
        let word = &line[at..at + length];
        let is_name = word.first().is_some_and(u8::is_ascii_uppercase)
            && word.last().is_some_and(u8::is_ascii_alphanumeric)
            && word.contains(&b'/');
        let after = line.get(at + length);
        let goes_on = matches!(
            (at.checked_sub(1).map(|at| line[at]), after),
            (Some(b'.' | b'$' | b'@'), _) | (_, Some(b'.' | b'@'))
        );
        if is_name && !goes_on && is_set(&line[..at]) {
            found.push(at..at + length);
        }
        at += length.max(1);
    }
    found
}

/// Whether what is set after `before` is a time zone.
fn is_set(before: &[u8]) -> bool {
    let before = before.trim_ascii_end();
    // A quote, and the sign that it is no rule but a file.
    let ends = |byte: &u8| b"\"':=>(".contains(byte) || byte.is_ascii_whitespace();
    let end = before.iter().rposition(|byte| !ends(byte)).map_or(0, |at| at + 1);
    let begin = before[..end]
        .iter()
        .rposition(|byte| !(byte.is_ascii_alphanumeric() || b"_.-".contains(byte)))
        .map_or(0, |at| at + 1);
    let key = before[begin..end].to_ascii_lowercase();
    KEYS.iter().any(|word| {
        let at = key.len().checked_sub(word.len());
        at.is_some_and(|at| {
            key[at..] == **word
                && (at == 0 || word.len() > 2 || !key[at - 1].is_ascii_alphanumeric())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_what_a_setting_of_one_is_set_to() {
        let of = |line: &str| -> Vec<String> {
            let found = named(line.as_bytes());
            found.into_iter().map(|range| line[range].to_owned()).collect()
        };
        for line in [
            "TZ=US/Pacific",
            "Environment=TZ=US/Pacific X=y",
            "Environment=\"TZ=:US/Pacific\"",
            "CRON_TZ=US/Pacific",
            "date.timezone = US/Pacific",
            "timezone = 'US/Pacific'\t# where we are",
            "  log_timezone: \"US/Pacific\"",
            "define('TIME_ZONE', 'x'); TIME_ZONE = 'US/Pacific'",
            "<timezone>US/Pacific</timezone>",
        ] {
            assert_eq!(of(line), ["US/Pacific"], "{line}");
        }
        for line in
            ["path = US/Pacific", "waltz = US/Pacific", "TZ=/US/Pacific", "TZ=EST", "tz US/x.y"]
        {
            assert_eq!(of(line), [""; 0], "{line}");
        }
    }
}
