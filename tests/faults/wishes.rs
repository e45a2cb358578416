//! What an endpoint says about when it wants to be asked again: in seconds, as a float, in milliseconds, until a
//! date, by a clock that may be decades off. A wish is read against the clock of whoever says it, and is waited
//! for only within the phase's deadline.

use banditop::domain::failure::FailureClass::Transient;

use super::server::{answer, response, stream};
use super::table::Row;

const WHOLE: &str = "An answer that is whole, in a few words.";

pub(crate) fn rows() -> Vec<Row> {
    let with = |status: &str, headers: &str| [response(status, headers, "")];
    let whole = || vec![stream(&answer(WHOLE))];
    let a_fast_clock = "date: Thu, 08 Nov 2096 10:00:00 GMT\r\nretry-after: Thu, 08 Nov 2096 10:00:00 GMT\r\n";
    vec![
        Row::fails("429 in seconds", with("429 Slow", "retry-after: 7\r\n"), Transient, "http_429", &[])
            .wishing(7_000)
            .once(),
        Row::fails("429 as float", with("429 Slow", "retry-after: 7.5\r\n"), Transient, "http_429", &[])
            .wishing(7_500)
            .once(),
        Row::fails(
            "429 in milliseconds",
            with("429 Slow", "retry-after-ms: 7250\r\nretry-after: 99\r\n"),
            Transient,
            "http_429",
            &[],
        )
        .wishing(7_250)
        .once(),
        Row::fails(
            "429 until a date, by a clock that is 25 years slow",
            with("429 Slow", "date: Thu, 08 Nov 2001 10:00:00 GMT\r\nretry-after: Thu, 08 Nov 2001 10:00:30 GMT\r\n"),
            Transient,
            "http_429",
            &[],
        )
        .wishing(30_000)
        .once(),
        Row::fails(
            "429 until a date, by a clock that is 70 years fast",
            with("429 Slow", "date: Thu, 08 Nov 2096 10:00:00 GMT\r\nretry-after: Thu, 08 Nov 2096 10:00:30 GMT\r\n"),
            Transient,
            "http_429",
            &[],
        )
        .wishing(30_000)
        .once(),
        Row::fails(
            "429 until a date that is past by the fast clock of who says so",
            with("429 Slow", "date: Thu, 08 Nov 2096 10:00:00 GMT\r\nretry-after: Thu, 08 Nov 2096 09:59:00 GMT\r\n"),
            Transient,
            "http_429",
            &[],
        )
        .wishing(0),
        Row::fails(
            "429 until a date in 70 years, without a clock",
            with("429 Slow", "retry-after: Thu, 08 Nov 2096 10:00:30 GMT\r\n"),
            Transient,
            "http_429",
            &[],
        )
        .wishing(86_400_000)
        .once(),
        Row::fails(
            "429 until a date that is past",
            with("429 Slow", "retry-after: Thu, 08 Nov 2001 10:00:30 GMT\r\n"),
            Transient,
            "http_429",
            &[],
        )
        .wishing(0),
        Row::served("429 until this second by a clock that is 70 years fast, then an answer", whole(), &[WHOLE])
            .after(with("429 Slow", a_fast_clock).to_vec()),
    ]
}
