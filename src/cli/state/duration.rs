//! Durations as people type them: `90s`, `10m`, `2h`, `1d`, `500ms`, `1h30m`; a bare number is seconds.

use std::time::Duration;

/// The longest that makes sense.
const LONGEST: Duration = Duration::from_hours(24 * 366);

/// A duration above zero.
pub(in crate::cli) fn parse(text: &str) -> Result<Duration, String> {
    let fault = || format!("expected a duration such as 90s, 10m, 2h or 1d, found {text:?}");
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, next) = tail.split_at(letters);
        let number: u64 = number.parse().map_err(|_| fault())?;
        let millis = match unit.trim() {
            "ms" => 1,
            "" | "s" => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(fault()),
        };
        let part = Duration::from_millis(number.checked_mul(millis).ok_or_else(fault)?);
        total = total.checked_add(part).ok_or_else(fault)?;
        rest = next;
    }
    if total.is_zero() || total > LONGEST { Err(fault()) } else { Ok(total) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_write_durations() {
        let rows = [("90s", 90), ("10m", 600), ("2h", 7_200), ("1d", 86_400), ("1h30m", 5_400), ("45", 45)];
        for (text, seconds) in rows {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse("500ms"), Ok(Duration::from_millis(500)));
        for bad in ["", "0s", "m", "-1s", "1y", "1.5h", "99999999999999999999d", "400d", "10m-"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
