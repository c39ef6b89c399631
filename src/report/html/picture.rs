//! Sizes as pictures: a bar in parts, and a map whose areas are sizes. Both are boxes with widths in
//! per cent, so that their words keep their size on every screen.

use super::markup::Html;

/// All of something, in hundredths of a per cent.
const ALL: u64 = 10_000;

/// What part `part` is of `all`, in hundredths of a per cent.
pub(super) fn hundredths(part: u64, all: u64) -> u64 {
    let share = (u128::from(part) * u128::from(ALL)).checked_div(u128::from(all)).unwrap_or(0);
    u64::try_from(share).map_or(ALL, |share| share.min(ALL))
}

/// One part of a bar.
pub(super) struct Part {
    /// The class of its colour.
    pub(super) class: &'static str,
    pub(super) title: &'static str,
    pub(super) amount: u64,
}

/// A bar whose parts have the lengths of their amounts; long ones bear their titles.
pub(super) fn bar(html: &mut Html, parts: &[Part]) {
    let all = parts.iter().fold(0, |all: u64, part| all.saturating_add(part.amount));
    html.raw("<div class=\"bar\" aria-hidden=\"true\">");
    for part in parts.iter().filter(|part| part.amount > 0) {
        let share = hundredths(part.amount, all);
        html.raw("<span class=\"").raw(part.class).raw("\" style=\"width:").percent(share);
        html.raw("\">");
        if share >= 1200 {
            html.raw(part.title);
        }
        html.raw("</span>");
    }
    html.raw("</div>");
}

/// A place in a map, in hundredths of a per cent of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// Divides `area` among `amounts`, which are sorted, the largest first, and none of them 0: the
/// parts are as near to squares as they can be.
pub(super) fn divide(amounts: &[u64], area: Area) -> Vec<Area> {
    let all: f64 = amounts.iter().map(|amount| as_float(*amount)).sum();
    let mut parts = Vec::with_capacity(amounts.len());
    let mut left = amounts;
    let mut rest = area;
    let scale = area.width * area.height / all.max(1.0);
    while !left.is_empty() {
        // As many in a row along the shorter side as make the worst of them better.
        let side = rest.width.min(rest.height);
        let mut count = 1;
        while count < left.len()
            && worst(&left[..=count], side, scale) <= worst(&left[..count], side, scale)
        {
            count += 1;
        }
        let (row, after) = left.split_at(count);
        let sum: f64 = row.iter().map(|amount| as_float(*amount)).sum();
        let depth = if side > 0.0 { sum * scale / side } else { 0.0 };
        let mut at = 0.0;
        for amount in row {
            let length = side * as_float(*amount) / sum.max(1.0);
            parts.push(match rest.width >= rest.height {
                true => Area { left: rest.left, top: rest.top + at, width: depth, height: length },
                false => Area { left: rest.left + at, top: rest.top, width: length, height: depth },
            });
            at += length;
        }
        if rest.width >= rest.height {
            (rest.left, rest.width) = (rest.left + depth, (rest.width - depth).max(0.0));
        } else {
            (rest.top, rest.height) = (rest.top + depth, (rest.height - depth).max(0.0));
        }
        left = after;
    }
    parts
}

/// How far the worst part of a row is from a square.
fn worst(row: &[u64], side: f64, scale: f64) -> f64 {
    let sum: f64 = row.iter().map(|amount| as_float(*amount) * scale).sum();
    let ratio = |amount: &u64| {
        let part = as_float(*amount) * scale;
        let (one, other) = (side * side * part / (sum * sum), sum * sum / (side * side * part));
        one.max(other)
    };
    row.iter().map(ratio).fold(0.0, f64::max)
}

/// Near enough for a picture.
#[allow(clippy::cast_precision_loss)]
fn as_float(amount: u64) -> f64 {
    amount as f64
}

/// A length of a map in hundredths of a per cent.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(super) fn as_hundredths(length: f64) -> u64 {
    length.clamp(0.0, 10_000.0).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_divided_as_the_amounts_are_and_without_slivers() {
        let amounts = [600, 300, 300, 200, 100, 100];
        let all = Area { left: 0.0, top: 0.0, width: 300.0, height: 200.0 };
        let areas = divide(&amounts, all);
        for (area, amount) in areas.iter().zip(amounts) {
            let expected = as_float(amount) * 300.0 * 200.0 / 1600.0;
            assert!((area.width * area.height - expected).abs() < 0.01, "{area:?}");
            let ratio = area.width / area.height;
            assert!((0.3..3.0).contains(&ratio), "{area:?}");
            assert!(area.left + area.width < 300.01 && area.top + area.height < 200.01);
        }
    }

    #[test]
    fn shares_are_whole_numbers_and_never_more_than_all() {
        assert_eq!(hundredths(1, 3), 3333);
        assert_eq!(hundredths(u64::MAX, u64::MAX), 10_000);
        assert_eq!(hundredths(5, 0), 0);
        assert!(divide(&[], Area { left: 0.0, top: 0.0, width: 1.0, height: 1.0 }).is_empty());
    }
}
