//! What the Arms pane says about one arm in words: of the selected one on the frame's lower edge, and in the cells
//! that hold more than a number.

use super::super::model::Model;
use super::super::theme::Theme;
use super::super::widgets::number::{count, counted, or_dashes, percent, span, unit};
use crate::domain::clock::Timestamp;
use crate::domain::context::Intent;
use crate::domain::ratio::Ratio;
use crate::domain::snapshot::{ArmLimits, ArmRow};

/// Where it stands, and for how long yet: `active`, `ejected 40s`; in fewer words where there is no room.
pub(super) fn standing(row: &ArmRow, now: Timestamp, room: u16) -> String {
    let state = row.state.shown(row.state_reason.as_deref());
    let left = row.until.map(|until| until.since(now).as_secs()).filter(|left| *left > 0);
    let left = left.map(|left| match left {
        0..=99 => format!("{left}s"),
        100..=5_999 => format!("{}m", left.div_ceil(60)),
        _ => format!("{}h", left.div_ceil(3_600)),
    });
    let long = left.map_or_else(|| state.to_owned(), |left| format!("{state} {left}"));
    if long.len() > usize::from(room) { state.to_owned() } else { long }
}

/// Per cent of runs that it takes part in, and those that it is held to: `5 in 2-10`, `12 not 2-10`.
pub(super) fn within(limits: &ArmLimits) -> String {
    let taken = or_dashes(limits.taken.map(Ratio::get), |taken| format!("{:.0}", taken * 100.0));
    let word = if limits.is_held() { "in" } else { "not" };
    let (least, most) = limits.now;
    format!("{taken} {word} {:.0}-{:.0}", least * 100.0, most * 100.0)
}

/// The same in a sentence, with what becomes of the bounds.
fn limits_in_words(limits: &ArmLimits, now: Timestamp) -> String {
    let (least, most) = limits.now;
    let taken = or_dashes(limits.taken.map(Ratio::get), percent);
    let rising = limits
        .rises_until(now)
        .map_or_else(String::new, |end| format!(", {} in {}", percent(limits.set.max), span(end.since(now))));
    format!("in {taken} of {} runs, limits {} to {}{rising}", count(limits.runs), percent(least), percent(most))
}

/// In how many of 100 judged races it came first, second and third: `49/32/7`.
pub(super) fn places(row: &ArmRow) -> String {
    let shares = row.places.first_three.map(|n| Ratio::of(n, row.places.races).map(Ratio::get));
    let texts: Option<Vec<String>> = shares.iter().map(|share| Some(format!("{:.0}", (*share)? * 100.0))).collect();
    texts.map_or_else(|| or_dashes(None, unit), |texts| texts.join("/"))
}

/// What there is to say about the selected arm, for the frame's lower edge; its places only where they fit
/// into `room`, whole.
pub(super) fn selected_detail(model: &Model, theme: &Theme, room: usize) -> String {
    let Some(row) = model.table.selected.as_ref().and_then(|arm| model.shown().arms.iter().find(|row| row.arm == *arm))
    else {
        return String::new();
    };
    let mut parts = vec![row.arm.to_string()];
    // What is out of the ordinary first: the end of the line goes where there is no room.
    if let Some(until) = row.until {
        let is_cooling = row.state.shown(row.state_reason.as_deref()) == "cooling";
        parts.push(match until.since(model.counted_to()) {
            left if is_cooling => format!("back in {}", span(left)),
            left if left.is_zero() => "probe with the next run".to_owned(),
            left => format!("probe in {}", span(left)),
        });
    }
    parts.extend(row.state_reason.clone());
    parts.extend(row.limits.as_ref().map(|limits| limits_in_words(limits, model.counted_to())));
    if let Some(extras) = row.extras.filter(|extras| extras.retries + extras.hedges + extras.denied > 0) {
        let made = extras.retries + extras.hedges;
        parts.push(format!(
            "{}, {} refused, {:.0} retries left",
            counted(made, "extra call"),
            extras.denied,
            extras.left
        ));
    }
    parts.extend(refused_to_helpers(model));
    if row.spec.model != row.arm.as_str() {
        parts.push(row.spec.model.clone());
    }
    if let Some(price) = &row.spec.price {
        parts.push(format!("${}/{} per M tokens", price.input, price.output));
    }
    parts.extend(serves(&row.served_by_intent));
    let between = format!(" {} ", theme.glyphs.dot);
    let told = parts.join(&between);
    let longer = places_in_words(row).map(|places| format!("{told}{between}{places}"));
    longer.filter(|longer| longer.chars().count() <= room).unwrap_or(told)
}

/// That retries of the judge or of embeddings were refused: they have no row of their own.
fn refused_to_helpers(model: &Model) -> impl Iterator<Item = String> {
    let refused = model.shown().helpers.iter().filter(|(_, extras)| extras.denied > 0);
    refused.map(|(helper, extras)| {
        let retries = if extras.retries == 1 { "retry" } else { "retries" };
        let (name, made) = (helper.name(), extras.retries);
        format!("{name}: {made} {retries}, {} refused, {:.0} left", extras.denied, extras.left)
    })
}

/// In how many judged races it was among the best, and how often it came first, second and third.
fn places_in_words(row: &ArmRow) -> Option<String> {
    let best = percent(row.places.best_share()?.get());
    let [first, second, third] = row.places.first_three.map(count);
    let races = count(row.places.races);
    Some(format!("among the best in {best} of {races} races, 1st {first}, 2nd {second}, 3rd {third}"))
}

/// What kinds of prompt an arm answers most: `serves coding 63%, reasoning 21%`. Only a wide terminal has
/// the columns for all of them.
fn serves(by_intent: &[u64; 5]) -> Option<String> {
    let whole: u64 = by_intent.iter().sum();
    let mut kinds: Vec<(u64, Intent)> = by_intent.iter().copied().zip(Intent::ALL).filter(|(n, _)| *n > 0).collect();
    kinds.sort_by_key(|(n, _)| std::cmp::Reverse(*n));
    let text = |(n, intent): &(u64, Intent)| {
        Ratio::of(*n, whole).map(|part| format!("{} {}", intent.name(), percent(part.get())))
    };
    let texts: Vec<String> = kinds.iter().take(2).filter_map(text).collect();
    (!texts.is_empty()).then(|| format!("serves {}", texts.join(", ")))
}
