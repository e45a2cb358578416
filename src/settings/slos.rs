//! `[[slo]]` tables: what each may hold, and whether it makes sense as a whole. An objective that cannot be
//! missed, or an alarm that cannot go off, is refused with the number that would.

use std::time::Duration;

use crate::domain::slo::{Indicator, SloSpec};

use super::fault::{Origin, SettingsFault};
use super::kind::{Kind, Scalar};
use super::row::{FlagForm, KeyRow};

/// An alarm waits for at least this rate, where it is reachable: a budget that burns at 1 is just used up.
const ALARM: f64 = 2.0;

/// What one table said.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct SloDraft {
    name: Option<String>,
    indicator: Option<Indicator>,
    limit: Option<f64>,
    window: Duration,
    alarm_burn: Option<f64>,
    /// Keys that were there, fit or not.
    pub(super) seen: Vec<&'static str>,
}

const fn key(
    name: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    help: &'static str,
    set: fn(&mut SloDraft, &Scalar),
) -> KeyRow<SloDraft> {
    KeyRow { name, kind, default, flag: FlagForm::None, help, set }
}

/// The keys of one table.
#[rustfmt::skip]
pub(super) static SLO_KEYS: &[KeyRow<SloDraft>] = &[
    key("name", Kind::Name, None, "its name on screen, in metrics and alarms", |d, v| d.name = Some(v.text().into())),
    key("indicator", Kind::OneOf(&Indicator::NAMES), None, "what it is about",
        |d, v| d.indicator = Indicator::ALL.iter().find(|(_, name)| *name == v.text()).map(|(indicator, _)| *indicator)),
    key("limit", Kind::Number { min: 0.0, max: f64::MAX }, None,
        "at most so much (seconds, tokens, dollars, a share); of first_try_rate at least",
        |d, v| d.limit = Some(v.number())),
    key("window_s", Kind::Number { min: 60.0, max: 2_592_000.0 }, Some("3600"),
        "seconds that the error budget is for; the short window is a twelfth", |d, v| d.window = v.seconds()),
    key("alarm_burn", Kind::Number { min: 1.0, max: 1_000.0 }, None,
        "raise an alarm where both windows burn so many times faster than allowed; default: 2, or 1 where 2 is out of reach",
        |d, v| d.alarm_burn = Some(v.number())),
];

impl SloDraft {
    /// The defaults.
    pub(super) fn new() -> Self {
        let mut draft = Self::default();
        for row in SLO_KEYS {
            if let Some(Ok(value)) = row.default.map(|text| row.kind.of_text(text)) {
                (row.set)(&mut draft, &value);
            }
        }
        draft
    }
}

/// The objectives that are whole, and what is wrong with the others.
pub(super) fn check(drafts: &[(SloDraft, Origin)]) -> (Vec<SloSpec>, Vec<SettingsFault>) {
    let mut specs: Vec<SloSpec> = Vec::new();
    let mut faults = Vec::new();
    for (index, (draft, origin)) in drafts.iter().enumerate() {
        match whole(draft) {
            Ok(spec) if specs.iter().any(|other| other.name == spec.name) => {
                let found = format!("{:?} again", spec.name);
                faults.push(fault(
                    origin,
                    index,
                    ("name", "a name of its own", found, "rename one of them".to_owned()),
                ));
            }
            Ok(spec) => specs.push(spec),
            Err(wrong) => faults.extend(wrong.into_iter().map(|wrong| fault(origin, index, wrong))),
        }
    }
    (specs, faults)
}

/// Key, expected, found, mend.
type Wrong = (&'static str, &'static str, String, String);

fn whole(draft: &SloDraft) -> Result<SloSpec, Vec<Wrong>> {
    let mut wrong: Vec<Wrong> = Vec::new();
    for (key, is_there, expected, mend) in [
        ("name", draft.name.is_some(), "a name", "add name = \"…\""),
        ("indicator", draft.indicator.is_some(), "what it is about", "add indicator = \"p95_s\""),
        ("limit", draft.limit.is_some(), "a limit", "add limit = …"),
    ] {
        // What was there but did not fit has been reported.
        if !is_there && !draft.seen.contains(&key) {
            wrong.push((key, expected, "none".to_owned(), mend.to_owned()));
        }
    }
    let (Some(name), Some(indicator), Some(limit)) = (draft.name.clone(), draft.indicator, draft.limit) else {
        return Err(wrong);
    };
    if indicator.is_share() && !(limit > 0.0 && limit < 1.0) {
        let mend = "a share of 0 or 1 leaves no error budget: set one between them, such as 0.95";
        wrong.push(("limit", "a share between 0 and 1, both excluded", limit.to_string(), mend.to_owned()));
    } else if limit <= 0.0 {
        let mend = "nothing stays within 0: set what a run may take";
        wrong.push(("limit", "a number above 0", limit.to_string(), mend.to_owned()));
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let fastest = budget(indicator, limit).map_or(f64::INFINITY, |budget| 1.0 / budget);
    if let Some(burn) = draft.alarm_burn.filter(|burn| *burn > fastest) {
        let mend = format!("even if every run is bad this budget burns {fastest:.1} times too fast: set that or less");
        wrong.push(("alarm_burn", "a rate that can be reached", burn.to_string(), mend));
        return Err(wrong);
    }
    let alarm_burn = draft.alarm_burn.unwrap_or(if 0.8 * fastest >= ALARM { ALARM } else { 1.0 });
    Ok(SloSpec { name, indicator, limit, window: draft.window, alarm_burn })
}

/// The share of runs that may be bad, where it is one.
fn budget(indicator: Indicator, limit: f64) -> Option<f64> {
    match indicator {
        Indicator::FirstTryRate => Some(1.0 - limit),
        Indicator::FallbackRate => Some(limit),
        Indicator::Percentile(percent) => Some(1.0 - f64::from(percent) / 100.0),
        _ => None,
    }
}

fn fault(origin: &Origin, index: usize, (key, expected, found, mend): Wrong) -> SettingsFault {
    SettingsFault {
        origin: origin.clone(),
        key: format!("slo[{index}].{key}"),
        expected: expected.to_owned(),
        found,
        mend,
    }
}
