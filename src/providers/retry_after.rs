//! When an endpoint wants to be asked again: `retry-after-ms`, then `Retry-After` as seconds (whole or
//! not) or as an HTTP date. A date is read against the endpoint's own `Date` where it sent one, so that
//! a clock that is wrong here or there does no harm; a date that is past means now.

use std::time::{Duration, UNIX_EPOCH};

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use crate::domain::clock::Timestamp;

/// No endpoint is waited for longer than this on its word alone.
const LONGEST: Duration = Duration::from_hours(24);

/// The wish in `headers`; `now` serves only where the endpoint sent no `Date`.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let millis = text("retry-after-ms").and_then(|t| t.parse::<f64>().ok());
    if let Some(wish) = millis.and_then(|ms| seconds(ms / 1e3)) {
        return Some(wish);
    }
    let wish = text(RETRY_AFTER.as_str())?;
    if let Ok(number) = wish.parse::<f64>() {
        return seconds(number);
    }
    let until = date(wish)?;
    let from = text(DATE.as_str()).and_then(date).unwrap_or(now);
    Some(until.since(from).min(LONGEST))
}

/// Whether the endpoint wants to be asked again at all, where it says so: OpenAI and Anthropic do.
pub(super) fn should_retry(headers: &HeaderMap) -> Option<bool> {
    match headers.get("x-should-retry")?.as_bytes() {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => None,
    }
}

/// A number of seconds as a span: negative is now, what is no number is no wish.
fn seconds(number: f64) -> Option<Duration> {
    if number.is_nan() {
        return None;
    }
    Some(Duration::try_from_secs_f64(number.max(0.0)).unwrap_or(LONGEST).min(LONGEST))
}

fn date(text: &str) -> Option<Timestamp> {
    let moment = httpdate::parse_http_date(text).ok()?;
    let since = moment.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp::from_millis(u64::try_from(since.as_millis()).ok()?))
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT.
    const THEN: Timestamp = Timestamp::from_millis(784_111_777_000);

    #[test]
    fn every_form_of_the_wish() {
        type Row = (&'static [(&'static str, &'static str)], Option<u64>);
        let rows: [Row; 12] = [
            (&[], None),
            (&[("retry-after", "7")], Some(7_000)),
            (&[("retry-after", " 1.5 ")], Some(1_500)),
            (&[("retry-after-ms", "250"), ("retry-after", "7")], Some(250)),
            (&[("retry-after-ms", "soon"), ("retry-after", "7")], Some(7_000)),
            (&[("retry-after", "-3")], Some(0)),
            (&[("retry-after", "NaN")], None),
            (&[("retry-after", "1e300")], Some(86_400_000)),
            (&[("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT")], Some(60_000)),
            (&[("retry-after", "Sun, 06 Nov 1994 08:48:37 GMT")], Some(0)),
            (
                &[("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT"), ("date", "Sun, 06 Nov 1994 08:50:07 GMT")],
                Some(30_000),
            ),
            (&[("retry-after", "later")], None),
        ];
        for (pairs, expected) in rows {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            assert_eq!(retry_after(&headers, THEN), expected.map(Duration::from_millis), "{pairs:?}");
        }
    }
}
