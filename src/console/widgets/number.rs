//! Numbers as text: two or three significant digits, no unit where the header has it, `--` for no data.
//! Absent is never 0, and nothing here can print NaN or an infinity.

use std::time::Duration;

use crate::domain::clock::Timestamp;

/// Shown where there is no data.
pub(crate) const NO_DATA: &str = "--";

/// `show(value)` where there is a finite value, else `--`.
pub(crate) fn or_dashes(value: Option<f64>, show: impl Fn(f64) -> String) -> String {
    value.filter(|v| v.is_finite()).map_or_else(|| NO_DATA.to_owned(), show)
}

/// A fraction as per cent: `41%`, `3.2%`, `0%`.
pub(crate) fn percent(fraction: f64) -> String {
    let value = fraction * 100.0;
    if value == 0.0 || value >= 9.95 { format!("{value:.0}%") } else { format!("{value:.1}%") }
}

/// A number in [0, 1] without its leading zero: `.82`, `1.0`.
pub(crate) fn unit(value: f64) -> String {
    let text = format!("{value:.2}");
    match text.strip_prefix("0.") {
        Some(rest) => format!(".{rest}"),
        None if value >= 0.0 => format!("{value:.1}"),
        None => text,
    }
}

/// An uncertainty, as [`unit()`], with so many digits that it is not 0 unless it is: `.04`, `.004`, `<.001`.
pub(crate) fn spread(value: f64) -> String {
    match value {
        v if v >= 0.009_95 || v <= 0.0 => unit(v),
        v if v >= 0.000_5 => format!("{v:.3}").trim_start_matches('0').to_owned(),
        _ => "<.001".to_owned(),
    }
}

/// Seconds without their unit: `0.31`, `2.4`, `38`.
pub(crate) fn seconds(value: f64) -> String {
    match value {
        v if v < 0.995 => format!("{v:.2}"),
        v if v < 9.95 => format!("{v:.1}"),
        v if v < 9999.5 => format!("{v:.0}"),
        _ => ">9999".to_owned(),
    }
}

/// Dollars without their sign: `.0012`, `.034`, `4.12`, `1240`.
pub(crate) fn dollars(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        v if v < 0.000_05 => "<.0001".to_owned(),
        v if v < 0.01 => format!("{v:.4}").trim_start_matches('0').to_owned(),
        v if v < 0.9995 => format!("{v:.3}").trim_start_matches('0').to_owned(),
        v if v < 99.995 => format!("{v:.2}"),
        v if v < 99_999.5 => format!("{v:.0}"),
        v => format!("{:.0}k", (v / 1e3).min(1e9)),
    }
}

/// Dollars with their sign, with the zero that reads better in a sentence.
pub(crate) fn money(value: f64) -> String {
    let bare = dollars(value);
    match bare.strip_prefix('<') {
        Some(rest) => format!("<$0{rest}"),
        None if bare.starts_with('.') => format!("$0{bare}"),
        None => format!("${bare}"),
    }
}

/// A count: `1243`, `12.3k`, `4.1M`.
pub(crate) fn count(value: u64) -> String {
    match value {
        0..=9_999 => value.to_string(),
        10_000..=999_949 => format!("{:.1}k", value as f64 / 1e3),
        _ => format!("{:.1}M", (value as f64 / 1e6).min(99_999.0)),
    }
}

/// A count with its word, which has an `s` where they are not one: `1 call`, `1243 calls`.
pub(crate) fn counted(value: u64, word: &str) -> String {
    format!("{value} {word}{}", if value == 1 { "" } else { "s" })
}

/// A rate a second: `0.4`, `12.3`, `140`.
pub(crate) fn rate(value: f64) -> String {
    if value < 99.95 { format!("{value:.1}") } else { format!("{:.0}", value.min(999_999.0)) }
}

/// A span for a person: `14 s`, `3 min`, `2 h`, `5 d`.
pub(crate) fn span(span: Duration) -> String {
    match span.as_secs() {
        s @ 0..=119 => format!("{s} s"),
        s @ 120..=7_199 => format!("{} min", s / 60),
        s @ 7_200..=172_799 => format!("{} h", s / 3600),
        s => format!("{} d", s / 86_400),
    }
}

/// A moment for a person, UTC: the time where it is of the day of `now`, else the day as well: `12:04:31`,
/// `11-21 12:04`, `2025-11-21 12:04`.
pub(crate) fn moment(at: Timestamp, now: Timestamp) -> String {
    let (then, today) = (at.rfc3339(), now.rfc3339());
    match (then.get(..4) == today.get(..4), at.day() == now.day()) {
        (true, true) => at.clock_text(),
        (true, false) => then.get(5..16).unwrap_or_default().replace('T', " "),
        (false, _) => then.get(..16).unwrap_or_default().replace('T', " "),
    }
}

/// `value` in [0, 1] as a number of cells out of `width`, rounded; anything else counts as 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped into the range of the target first"
)]
pub(crate) fn cells(value: f64, width: u16) -> u16 {
    let scaled = (value.clamp(0.0, 1.0) * f64::from(width)).round();
    if scaled.is_nan() { 0 } else { scaled as u16 }
}

/// `n` as a number of cells, saturating.
pub(crate) fn small(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absence_is_never_zero_and_nan_is_never_shown() {
        assert_eq!(or_dashes(None, percent), "--");
        assert_eq!(or_dashes(Some(f64::NAN), seconds), "--");
        assert_eq!(or_dashes(Some(0.0), percent), "0%");
        assert_eq!(cells(f64::NAN, 10), 0);
        assert_eq!(cells(7.0, 10), 10);
    }

    #[test]
    fn a_moment_of_another_day_has_its_date() {
        let now = Timestamp::from_millis(1_795_349_081_000);
        let ago = |hours: u64| moment(now.minus(Duration::from_hours(hours)), now);
        assert_eq!([ago(0), ago(12)], ["12:04:41", "00:04:41"]);
        assert_eq!([ago(13), ago(24 * 40), ago(24 * 400)], ["11-21 23:04", "10-13 12:04", "2025-10-18 12:04"]);
    }

    #[test]
    fn numbers_keep_two_or_three_digits() {
        let rows = [
            (percent(0.412), "41%"),
            (percent(0.0321), "3.2%"),
            (unit(0.824), ".82"),
            (unit(1.0), "1.0"),
            (unit(0.999), "1.0"),
            (spread(0.0421), ".04"),
            (spread(0.0099), ".010"),
            (spread(0.004), ".004"),
            (spread(0.000_2), "<.001"),
            (spread(0.0), ".00"),
            (seconds(0.312), "0.31"),
            (seconds(2.44), "2.4"),
            (seconds(38.2), "38"),
            (dollars(0.0012), ".0012"),
            (dollars(0.034), ".034"),
            (dollars(4.123), "4.12"),
            (dollars(0.000_01), "<.0001"),
            (money(0.0021), "$0.0021"),
            (money(0.0), "$0"),
            (count(12_345), "12.3k"),
            (counted(1, "call"), "1 call"),
            (counted(0, "call"), "0 calls"),
            (rate(12.34), "12.3"),
            (span(Duration::from_secs(14)), "14 s"),
            (span(Duration::from_secs(200)), "3 min"),
        ];
        for (found, expected) in rows {
            assert_eq!(found, expected);
        }
    }
}
