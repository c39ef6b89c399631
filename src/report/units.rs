//! Numbers as people read them.

/// A count with its thousands set apart: `1,204`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count of something: `1 file`, `1,204 files`.
pub(super) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// A size: `317 B`, `4.2 KiB`, `38 MiB`.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut unit = 0;
    let mut whole = bytes;
    let mut tenths = 0;
    // What would be shown as 1024 of a unit is 1.0 of the next.
    while whole >= 1024 || (whole == 1023 && tenths == 10) {
        tenths = ((whole % 1024) * 10 + 512) / 1024;
        whole /= 1024;
        unit += 1;
    }
    if tenths == 10 {
        (whole, tenths) = (whole + 1, 0);
    }
    match (unit, whole) {
        (0, _) | (_, 10..) => format!("{} {}", whole + u64::from(tenths >= 5), UNITS[unit]),
        _ => format!("{whole}.{tenths} {}", UNITS[unit]),
    }
}

/// A time: `0.4 s`, `31 s`, `2 min 5 s`, `1 h 4 min`.
pub(super) fn time(seconds: f64) -> String {
    if seconds < 9.95 {
        return format!("{seconds:.1} s");
    }
    // The rest of a second does not matter here, and no run takes longer than fits.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let whole = seconds.round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// A share in per cent: `0 %` and `100 %` are said of nothing and all only.
pub(super) fn share(part: u64, all: u64) -> String {
    match (u128::from(part) * 1000).checked_div(u128::from(all)) {
        None | Some(_) if part == 0 => "0 %".to_owned(),
        None => "0 %".to_owned(),
        Some(_) if part >= all => "100 %".to_owned(),
        Some(thousandths @ 0..10) => match thousandths {
            0 => "< 0.1 %".to_owned(),
            some => format!("0.{some} %"),
        },
        Some(thousandths) => format!("{} %", ((thousandths + 5) / 10).clamp(1, 99)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_in_units_that_people_read() {
        let counts = [0, 999, 1000, 1_234_567].map(count);
        assert_eq!(counts, ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(counted(1, "file", "files"), "1 file");
        let sizes = [0, 1023, 1024, 4300, 39_845_888, 1_048_575, u64::MAX].map(size);
        assert_eq!(sizes, ["0 B", "1023 B", "1.0 KiB", "4.2 KiB", "38 MiB", "1.0 MiB", "16 EiB"]);
        let times = [0.44, 31.2, 125.0, 3859.0].map(time);
        assert_eq!(times, ["0.4 s", "31 s", "2 min 5 s", "1 h 4 min"]);
        let shares = [(0, 5), (1, 9999), (5, 1000), (1, 3), (9999, 10_000), (5, 5), (0, 0)];
        let shares = shares.map(|(part, all)| share(part, all));
        assert_eq!(shares, ["0 %", "< 0.1 %", "0.5 %", "33 %", "99 %", "100 %", "0 %"]);
    }
}
