//! Who goes, for how long, and who does not.

use super::*;
use crate::engine::testing::record;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_millis(1_795_305_600_000);

fn failure(class: FailureClass, kind: &'static str) -> Failure {
    Failure::new(class, kind, "overloaded")
}

fn ran(failure: Option<Failure>) -> RunRecord {
    record(NOW, 1).attempt("a", failure).build()
}

fn failing(class: FailureClass) -> RunRecord {
    ran(Some(failure(class, "http_503")))
}

/// It was never taken out before.
fn none(_: &ArmId) -> u32 {
    0
}

fn seconds(ejections: &[Ejection]) -> Vec<u64> {
    ejections.iter().map(|e| e.span.as_secs()).collect()
}

/// Health with the count of ejections that the router's state keeps.
struct Bench {
    health: Health,
    ejections: u32,
}

impl Bench {
    fn new() -> Self {
        Self { health: Health::new(HealthRules::default()), ejections: 0 }
    }

    fn judge(&mut self, record: &RunRecord) -> Vec<Ejection> {
        let before = self.ejections;
        let out = self.health.judge(record, &|_| before, NOW);
        if self.health.has_recovered(&"a".into()) {
            self.ejections = 0;
        }
        out
    }

    /// Taken out after so many failures in a row.
    fn ejected(&mut self, failures: u32) -> Vec<u64> {
        let mut out = Vec::new();
        for _ in 0..failures {
            out = self.judge(&failing(FailureClass::Transient));
        }
        self.ejections += u32::from(!out.is_empty());
        seconds(&out)
    }

    fn probed(&mut self, failure: Option<&Failure>) -> Result<Option<Ejection>, ()> {
        self.health.probed(&"a".into(), failure, self.ejections, NOW)
    }
}

#[test]
fn ejections_in_a_row_double_up_to_a_bound_until_the_arm_has_recovered() {
    let mut bench = Bench::new();
    assert!(bench.ejected(4).is_empty());
    let spans: Vec<u64> = (0..7).flat_map(|_| bench.ejected(1)).collect();
    assert_eq!(spans, [10, 20, 40, 80, 160, 300, 300]);
    // One success, as a probe's, does not make it as good as new: it would flap.
    bench.judge(&ran(None));
    assert_eq!(bench.ejected(5), [300]);
    for _ in 0..5 {
        bench.judge(&ran(None));
    }
    assert_eq!(bench.ejected(5), [10]);
}

#[test]
fn who_was_in_flight_lengthens_nothing() {
    let mut bench = Bench::new();
    for _ in 0..30 {
        bench.judge(&failing(FailureClass::Transient));
    }
    assert_eq!(bench.ejected(1), [10], "only what was carried out counts");
}

#[test]
fn a_share_of_enough_calls_ejects_too() {
    let rules = HealthRules { volume: 10, share: 0.5, ..HealthRules::default() };
    let mut health = Health::new(rules);
    let mut at = NOW;
    for n in 0..9 {
        let bad = (n % 2 == 0).then(|| failure(FailureClass::Transient, "http_503"));
        assert!(health.judge(&ran(bad), &none, at).is_empty(), "{n}: too few calls to tell");
        at = at.plus(Duration::from_secs(1));
    }
    health.judge(&ran(None), &none, at);
    let out = health.judge(&failing(FailureClass::Transient), &none, at);
    assert_eq!(out[0].reason, "6 of 11 calls failed in 60 s (http_503): overloaded");
    // The same calls over ten minutes are no reason.
    let mut health = Health::new(HealthRules { volume: 10, share: 0.5, ..HealthRules::default() });
    for n in 0..40 {
        let bad = (n % 2 == 0).then(|| failure(FailureClass::Transient, "http_503"));
        assert!(health.judge(&ran(bad), &none, at).is_empty(), "{n}");
        at = at.plus(Duration::from_secs(15));
    }
}

#[test]
fn a_setting_or_a_quota_ejects_at_once() {
    let mut health = Health::new(HealthRules::default());
    let out = health.judge(&failing(FailureClass::Configuration), &none, NOW);
    assert_eq!(seconds(&out), [3_600]);
    assert_eq!(out[0].reason, "configuration (http_503): overloaded");
    assert_eq!(finding(&out[0].reason), "configuration (http_503)");
    assert_eq!(seconds(&health.judge(&failing(FailureClass::Quota), &none, NOW)), [1_800]);
    for class in [FailureClass::Content, FailureClass::Caller, FailureClass::Budget, FailureClass::Cancelled] {
        for _ in 0..99 {
            assert!(health.judge(&failing(class), &none, NOW).is_empty(), "{class}");
        }
    }
}

#[test]
fn a_rate_limit_cools_down_and_counts_for_nothing() {
    let mut bench = Bench::new();
    for (asked, given) in [(None, 5), (Some(60), 60), (Some(86_400), 600)] {
        let mut limit = failure(FailureClass::Transient, "http_429");
        limit.retry_after = asked.map(Duration::from_secs);
        for _ in 0..30 {
            let out = bench.judge(&ran(Some(limit.clone())));
            assert!(out.iter().all(|ejection| !ejection.grows));
            assert_eq!((seconds(&out), out[0].reason.as_str()), (vec![given], "cooling (http_429): overloaded"));
            assert_eq!(bench.health.until(&out[0], NOW, u64::MAX).since(NOW).as_secs(), given, "to the second");
        }
    }
    assert_eq!(bench.ejected(4), Vec::<u64>::new(), "ninety rate limits brought it no nearer to ejection");
    assert_eq!(bench.ejected(1), [10]);
}

#[test]
fn one_probe_at_a_time_brings_the_arm_back_or_keeps_it_out_longer() {
    let mut bench = Bench::new();
    let a = ArmId::from("a");
    assert_eq!(bench.ejected(5), [10]);
    assert!(bench.health.begin_probe(&a, NOW));
    assert!(!bench.health.begin_probe(&a, NOW), "one is under way");
    let out = bench.probed(Some(&failure(FailureClass::Transient, "connect"))).unwrap().unwrap();
    assert_eq!((out.span.as_secs(), out.reason.as_str()), (20, "the probe failed (connect): overloaded"));
    bench.ejections += 1;
    assert!(bench.health.begin_probe(&a, NOW));
    assert!(bench.probed(Some(&failure(FailureClass::Cancelled, "cancelled"))).is_err());
    for up in [None, Some(failure(FailureClass::Content, "empty")), Some(failure(FailureClass::Caller, "http_400"))] {
        assert!(bench.health.begin_probe(&a, NOW));
        assert_eq!(bench.probed(up.as_ref()), Ok(None), "{up:?}");
    }
    assert_eq!(bench.ejected(5), [40], "and it remembers");
    let wrong = bench.probed(Some(&failure(FailureClass::Configuration, "http_401"))).unwrap().unwrap();
    assert_eq!(wrong.span.as_secs(), 3_600);
}

#[test]
fn a_probe_that_never_comes_back_is_forgotten() {
    let mut health = Health::new(HealthRules::default());
    let a = ArmId::from("a");
    assert!(health.begin_probe(&a, NOW));
    assert!(!health.begin_probe(&a, NOW.plus(Duration::from_mins(2))));
    assert!(health.begin_probe(&a, NOW.plus(Duration::from_mins(4))));
}

proptest! {
    /// However failures come, an ejection lasts from `first` to `longest`, chance included, and the same
    /// command gives the same moment.
    #[test]
    fn spans_keep_their_bounds(entropy: u64, outcomes in prop::collection::vec((0u8..6, 0u64..500_000), 1..200)) {
        let rules = HealthRules::default();
        let (mut health, mut ejections) = (Health::new(rules.clone()), 0);
        for (what, asked_ms) in outcomes {
            let mut bad = failure(FailureClass::Transient, if what == 0 { "http_429" } else { "reset" });
            bad.retry_after = (what < 2).then(|| Duration::from_millis(asked_ms));
            let before = ejections;
            for ejection in health.judge(&ran((what < 5).then_some(bad)), &|_| before, NOW) {
                let until = health.until(&ejection, NOW, entropy);
                prop_assert_eq!(until, health.until(&ejection, NOW, entropy));
                let span = until.since(NOW);
                prop_assert!(span <= health.longest());
                if ejection.grows {
                    prop_assert!(span >= rules.first && span <= rules.longest.mul_f64(1.0 + rules.jitter));
                }
                ejections += u32::from(ejection.grows);
            }
        }
    }
}
