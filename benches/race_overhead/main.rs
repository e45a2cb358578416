//! What the orchestrator adds to a race, at 100 races a second in an open loop.
//!
//! **The set-up.** Arms and judge are zero-latency models in another process: this binary starts itself
//! again as a bare OpenAI-compatible server (`upstream.rs`), which answers a request it has read with one
//! ready-made event stream. Races reach it through the real adapter: HTTP, SSE, usage, keep-alive. Three
//! previews of five arms at once, a verdict, a full answer, every event read by somebody.
//!
//! **The measure.** `overhead = total − critical path of upstream time`.
//! *Total* runs from the moment at which the load generator (a thread of its own, which no stall of the
//! runtime can hold up) hands the race over, to its report: waiting for a worker counts.
//! *Upstream time* of one call is what the server process measures between having read the request and
//! being ready to write the answer; its critical path is the slowest preview, then the judge, then the
//! answer. For zero-latency models it is microseconds. So everything else is overhead: our work, the HTTP
//! client's, the kernel's loopback, and the scheduling of both processes. That is the strictest reading.
//! *At the port* is the same race without what passes below the `ChatModel` port: total minus, per phase, the
//! longest time that a call spent waiting for its adapter. It is what the race room itself adds.
//!
//! Run: `cargo bench --bench race_overhead [-- SECONDS [RACES_PER_SECOND]]`. Exits with 1 where the p99 of the
//! overhead is above 2 ms. Beside other work the tail measures that work: look at the lateness of the load
//! generator, and run it under `chrt -r 20` to keep the others out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark fails by panicking")]
#![expect(clippy::print_stdout, reason = "the figures are the output")]

mod load;
mod port;
mod upstream;

use std::process::ExitCode;
use std::time::Duration;

use load::{Measured, run_load};

/// p99 of the overhead that the project promises, in seconds.
const TARGET_P99_S: f64 = 0.002;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    if arguments.first().is_some_and(|a| a == upstream::ARGUMENT) {
        upstream::serve();
        return ExitCode::SUCCESS;
    }
    let number = |i: usize, or: u64| arguments.get(i).and_then(|a| a.parse().ok()).unwrap_or(or);
    let (seconds, rate) = (number(0, 10), number(1, 100));
    let upstream = upstream::Upstream::start();
    let warm_up = Duration::from_secs(1);
    let measured = run_load(&upstream.base_url(), warm_up, Duration::from_secs(seconds), rate);
    println!("{} races at {rate} a second, {} not served", measured.len(), count_unserved(&measured));
    let p99 = print("overhead (total − upstream, as measured there)", &measured, |m| m.total_s - m.upstream_s);
    print("  of it, above the port (the race room)", &measured, |m| m.total_s - m.port_s);
    print("total", &measured, |m| m.total_s);
    print("upstream critical path", &measured, |m| m.upstream_s);
    print("lateness of the load generator", &measured, |m| m.late_s);
    let is_good = p99 <= TARGET_P99_S && count_unserved(&measured) == 0;
    println!("target: p99 of the overhead ≤ 2 ms: {}", if is_good { "met" } else { "MISSED" });
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn count_unserved(measured: &[Measured]) -> usize {
    measured.iter().filter(|m| !m.is_served).count()
}

/// One line of quantiles in milliseconds; the p99 in seconds.
fn print(what: &str, measured: &[Measured], of: impl Fn(&Measured) -> f64) -> f64 {
    let mut values: Vec<f64> = measured.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    let at = |percent: usize| values[(values.len() * percent / 100).min(values.len() - 1)];
    let [p50, p90, p99, max] = [at(50), at(90), at(99), at(100)].map(|s| s * 1e3);
    println!("{what:<48} p50 {p50:7.3} ms   p90 {p90:7.3} ms   p99 {p99:7.3} ms   max {max:7.3} ms");
    p99 / 1e3
}
