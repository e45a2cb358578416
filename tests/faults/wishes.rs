//! What an endpoint says about when it wants to be asked again: in seconds, as a float, in milliseconds, until a
//! date, by a clock that may be decades off. A wish is read against the clock of whoever says it, and is waited
//! for only within the phase's deadline.

use banditop::domain::failure::FailureClass::Transient;

use super::server::{answer, response, stream};
use super::table::Row;

const WHOLE: &str = "An answer that is whole, in a few words.";

pub(crate) fn rows() -> Vec<Row> {
    let whole = || vec![stream(&answer(WHOLE))];
    let a_fast_clock = "date: Thu, 08 Nov 2096 10:00:00 GMT\r\nretry-after: Thu, 08 Nov 2096 10:00:00 GMT\r\n";
    vec![
        slow("429 in seconds", "retry-after: 7\r\n").wishing(7_000).once(),
        slow("429 as float", "retry-after: 7.5\r\n").wishing(7_500).once(),
        slow("429 in milliseconds", "retry-after-ms: 7250\r\nretry-after: 99\r\n").wishing(7_250).once(),
        slow(
            "429 until a date, by a clock that is 25 years slow",
            "date: Thu, 08 Nov 2001 10:00:00 GMT\r\nretry-after: Thu, 08 Nov 2001 10:00:30 GMT\r\n",
        )
        .wishing(30_000)
        .once(),
        slow(
            "429 until a date, by a clock that is 70 years fast",
            "date: Thu, 08 Nov 2096 10:00:00 GMT\r\nretry-after: Thu, 08 Nov 2096 10:00:30 GMT\r\n",
        )
        .wishing(30_000)
        .once(),
        slow(
            "429 until a date that is past by the fast clock of who says so",
            "date: Thu, 08 Nov 2096 10:00:00 GMT\r\nretry-after: Thu, 08 Nov 2096 09:59:00 GMT\r\n",
        )
        .wishing(0),
        slow("429 until a date in 70 years, without a clock", "retry-after: Thu, 08 Nov 2096 10:00:30 GMT\r\n")
            .wishing(86_400_000)
            .once(),
        slow("429 until a date that is past", "retry-after: Thu, 08 Nov 2001 10:00:30 GMT\r\n").wishing(0),
        Row::served("429 until this second by a clock that is 70 years fast, then an answer", whole(), &[WHOLE])
            .after(vec![response("429 Slow", a_fast_clock, "")]),
    ]
}

/// A 429 with those headers, told in those words.
fn slow(told: &'static str, headers: &str) -> Row {
    Row::fails(told, [response("429 Slow", headers, "")], Transient, "http_429", &[])
}
