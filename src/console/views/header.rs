//! Two lines that are always there, and a banner for each thing that must not be missed.
//!
//! ```text
//!  banditop ● LIVE   race · linucb · length d=8   5/6 arms   12.3 run/s   first try 94%   fallback 3.2% ▁▂▁▃   ! 1 alarm
//!  p50 0.8s  p95 2.4s  p99 4.1s   $0.0021/run of 0.0030   today $4.12   weights q.70 l.20 c.10   α 0.60   explore 8%
//! ```
//!
//! A figure of the first line takes the same columns whatever it is, so that nothing in it moves, comes or goes
//! because an alarm opened or a rate has a digit more.

use ratatui::style::Style;
use ratatui::text::Span;

use super::super::model::dialog::weights_text;
use super::super::model::{Model, Screen};
use super::super::theme::Theme;
use super::super::widgets::Canvas;
use super::super::widgets::number::{count, dollars, money, or_dashes, percent, rate, seconds, small, span};
use super::super::widgets::segments::{Segment, fit};
use super::super::widgets::wrap::wrap;
use crate::domain::action::Action;
use crate::domain::alarm::{Alarm, Severity};
use crate::domain::command::Durability;
use crate::domain::ratio::Ratio;
use crate::domain::snapshot::ArmRow;
use crate::domain::spec::COOLING;
use crate::domain::text::one_line;

/// From so many columns on the parts of the first line stand farther apart.
const ROOMY: u16 = 132;

/// Below so many columns one word says what is watched, rather than that anything else goes.
const TIGHT: u16 = 80;

/// Draws the header; gives the rows it took.
pub(super) fn draw(canvas: &mut Canvas<'_>, model: &Model) -> u16 {
    let width = canvas.width();
    let theme = canvas.theme;
    let gap = if width < ROOMY { "  " } else { "   " };
    canvas.put_line(1, 0, &fit(&first(model, theme, width), width.saturating_sub(2), gap));
    let tabs = tabs(model, theme, width);
    let tabs_width = u16::try_from(tabs.iter().map(Span::width).sum::<usize>()).unwrap_or(width);
    canvas.put_line(1, 1, &fit(&second(model, theme), width.saturating_sub(tabs_width + 4), "   "));
    let mut x = width.saturating_sub(tabs_width + 1);
    for tab in &tabs {
        x = canvas.put(x, 1, &tab.content, tab.style);
    }
    let mut y = 2;
    let (fault, notice) = banners(model);
    let styled = [(2, fault, theme.banner()), (1, notice, theme.warn().patch(theme.reversed()))];
    for (severity, text, style) in styled {
        for line in text.map_or_else(Vec::new, |text| lines(&text, width)) {
            canvas.style(0, y, width, 1, style);
            // Lines after the first stand below its words.
            canvas.put(1, y, if line.is_first { theme.glyphs.severity[severity] } else { " " }, style);
            canvas.put_within(3, y, &line.text, style, width.saturating_sub(4));
            y += 1;
        }
    }
    y
}

/// The rows that it takes in `width` columns.
pub(super) fn height(model: &Model, width: u16) -> u16 {
    let (fault, notice) = banners(model);
    2 + fault.into_iter().chain(notice).map(|text| small(lines(&text, width).len())).sum::<u16>()
}

struct BannerLine {
    text: String,
    is_first: bool,
}

/// A banner in at most two lines: what to do about it stands at its end. The second ends in an ellipsis where it is
/// longer still.
fn lines(text: &str, width: u16) -> Vec<BannerLine> {
    let mut wrapped = wrap(&one_line(text), width.saturating_sub(4));
    let rest = wrapped.split_off(wrapped.len().min(1)).join(" ");
    wrapped.extend((!rest.is_empty()).then_some(rest));
    wrapped.into_iter().enumerate().map(|(n, text)| BannerLine { text, is_first: n == 0 }).collect()
}

fn label(theme: &Theme, name: &str, value: String, style: Style, keep: u8) -> Segment {
    Segment::spans(vec![Span::styled(format!("{name} "), theme.dim()), Span::styled(value, style)], keep)
}

fn first(model: &Model, theme: &Theme, width: u16) -> Vec<Segment> {
    let shown = model.shown();
    let (totals, text) = (&shown.totals, theme.text());
    let candidates = shown.arms.iter().filter(|row| is_in(row, &shown.alarms)).count();
    let dot = theme.glyphs.dot;
    let how = format!("{} {dot} {}", shown.strategy.name(), shown.router.name());
    let mut parts = vec![
        source(model, theme, width),
        Segment::text(format!("{how} {dot} {} d={}", shown.features, shown.d), theme.dim(), 2)
            .or(vec![Span::styled(how, theme.dim())]),
        Segment::text(format!("{candidates}/{} arms", shown.arms.len()), text, 5),
        Segment::text(format!("{:<10}", format!("{} run/s", or_dashes(totals.runs_per_s, rate))), text, 6),
        label(theme, "first try", format!("{:<4}", or_dashes(totals.first_try.map(Ratio::get), percent)), text, 3),
        fallback(model, theme),
    ];
    if totals.dropped_events > 0 {
        parts.push(Segment::text(format!("dropped {}", count(totals.dropped_events)), theme.warn(), 8));
    }
    if model.identity.read_only {
        parts.push(Segment::text("READ-ONLY", theme.warn(), 9));
    }
    if let Some(traffic) = &model.traffic {
        let rate = rate(traffic.rate_per_s);
        let state = if traffic.on { format!("{}/s", rate.trim_end_matches(".0")) } else { "off".to_owned() };
        let style = if traffic.on { theme.good() } else { text };
        parts.push(if model.held_back.is_now {
            let held = Span::styled(format!("{state} held"), theme.warn());
            Segment::spans(vec![Span::styled("traffic ", theme.dim()), held.clone()], 6).or(vec![held])
        } else {
            label(theme, "traffic", format!("{state:<5}"), style, 4)
        });
    }
    let (alarms, style) = alarm_words(model, theme);
    parts.push(Segment::text(format!("{alarms:<11}"), style, 9));
    parts
}

/// Whether the arm is in the pool. One that pauses so shortly that it is no alarm is.
fn is_in(row: &ArmRow, alarms: &[Alarm]) -> bool {
    let is_pausing = row.state.shown(row.state_reason.as_deref()) == COOLING;
    let subject = format!("ejected:{}", row.arm);
    row.state.is_candidate() || (is_pausing && alarms.iter().all(|alarm| alarm.subject != subject))
}

/// What is watched, and whether it stands still; neither takes the other's place, and in little room the first word of
/// what is watched is enough.
fn source(model: &Model, theme: &Theme, width: u16) -> Segment {
    let name = Span::styled("banditop ", theme.strong());
    let watched = &model.identity.source;
    let still = match &model.frozen {
        Some(frozen) => {
            let age = span(model.now.since(frozen.at));
            Span::styled(format!("{} FROZEN {age}", theme.glyphs.live[1]), theme.reversed())
        }
        // What was attached to is no more.
        None if model.engine_gone && model.identity.attached_to.is_some() => {
            let state = Span::styled("STOPPED", theme.banner());
            return Segment::spans(vec![name, state.clone()], 10).or(vec![state]);
        }
        None if model.engine_gone => Span::styled("STOPPED", theme.banner()),
        None => {
            let state = Span::styled(format!("{} {watched}", theme.glyphs.live[0]), theme.good());
            return Segment::spans(vec![name, state.clone()], 10).or(vec![state]);
        }
    };
    let was = |text: &str| Span::styled(format!(" {text}"), theme.good());
    let (whole, word) = (was(watched), was(watched.split(' ').next().unwrap_or_default()));
    let forms = Segment::spans(vec![name, still.clone(), whole.clone()], 10).or(vec![still.clone(), whole]);
    if width < TIGHT { forms.or(vec![still, word]) } else { forms }
}

fn fallback(model: &Model, theme: &Theme) -> Segment {
    let shown = model.shown();
    let rate = shown.totals.fallback_rate.map(Ratio::get);
    let style = match rate {
        Some(rate) if rate >= 0.2 => theme.bad(),
        Some(rate) if rate >= 0.1 => theme.warn(),
        _ => theme.text(),
    };
    let history = &shown.series.fallback_rate;
    let newest = &history[history.len().saturating_sub(8)..];
    let spark: String = newest
        .iter()
        .map(|value| {
            let eighths = |v: f64| usize::from(super::super::widgets::number::cells(v / model.axes.fallback, 8)).max(1);
            value.map_or(" ", |value| theme.glyphs.level[eighths(value.get())])
        })
        .collect();
    let value = format!("{:<4}", or_dashes(rate, percent));
    let long = vec![
        Span::styled("fallback ", theme.dim()),
        Span::styled(value.clone(), style),
        Span::styled(format!(" {spark}"), style),
    ];
    Segment::spans(long, 7).or(vec![Span::styled("fallback ", theme.dim()), Span::styled(value, style)])
}

/// How many alarms are open, in words: `✓ no alarm`, `! 2 alarms`, and `· 1 notice` where there is nothing worse.
pub(super) fn alarm_words(model: &Model, theme: &Theme) -> (String, Style) {
    let open = model.alarms().count();
    let worst = model.alarms().map(|alarm| alarm.severity).max();
    let (glyph, noun, style) = match worst {
        Some(Severity::Critical) => (theme.glyphs.severity[2], "alarm", theme.bad()),
        Some(Severity::Warning) => (theme.glyphs.severity[1], "alarm", theme.warn()),
        Some(Severity::Notice) => (theme.glyphs.severity[0], "notice", theme.text()),
        None => return (format!("{} no alarm", theme.glyphs.outcome[0]), theme.dim()),
    };
    let many = if open == 1 { "" } else { "s" };
    (format!("{glyph} {open} {noun}{many}"), style)
}

fn second(model: &Model, theme: &Theme) -> Vec<Segment> {
    let shown = model.shown();
    let (totals, text) = (&shown.totals, theme.text());
    let time = |value: Option<f64>| or_dashes(value, |v| format!("{}s", seconds(v)));
    let known = |usd| model.spent(usd, |_| true);
    let spent = or_dashes(totals.usd_per_run.and_then(known), money);
    let ceiling = shown.budget_per_request_usd.map_or_else(String::new, |b| format!(" of {}", dollars(b)));
    let day = shown.budget_per_day_usd;
    let of = day.map_or_else(String::new, |most| format!(" of {}", money(most)));
    let today = format!("{}{of}", or_dashes(known(totals.usd_today), money));
    let is_spent = day.is_some_and(|most| totals.usd_today >= most);
    let mut parts = vec![
        label(theme, "p50", time(totals.p50_s), text, 3),
        label(theme, "p95", time(totals.p95_s), text, 8),
        label(theme, "p99", time(totals.p99_s), text, 2),
        Segment::spans(vec![Span::styled(spent, text), Span::styled(format!("/run{ceiling}"), theme.dim())], 7),
        // Under a ceiling it matters more than what a run costs.
        label(theme, "today", today, if is_spent { theme.bad() } else { text }, if day.is_some() { 8 } else { 6 }),
        label(theme, "weights", weights_text(&shown.weights), text, 5),
        label(theme, theme.glyphs.alpha, format!("{:.2}", shown.alpha), text, 4),
        label(theme, "explore", or_dashes(totals.explore_rate.map(Ratio::get), percent), text, 3),
    ];
    parts.extend(mode(model, theme));
    if totals.clamped > 0 {
        parts.push(label(theme, "clamped", count(totals.clamped), text, 1));
    }
    parts
}

/// What an operator set over the configuration, and for how long: in words, then in fewer.
fn mode(model: &Model, theme: &Theme) -> Option<Segment> {
    let mode = &model.shown().mode;
    let strategy = mode.strategy.map(|strategy| format!("MODE {}", strategy.name()));
    let pinned = mode.pinned.as_ref().map(|arm| format!("PINNED {arm}"));
    let set: Vec<String> = strategy.into_iter().chain(pinned).collect();
    let left = mode.expires.map(|at| format!("{} left", span(at.since(model.counted_to()))));
    let form = |paused: &str, separator: &str| {
        let paused = mode.learning_paused.then(|| paused.to_owned());
        let text = set.iter().cloned().chain(paused).chain(left.clone()).collect::<Vec<_>>().join(separator);
        vec![Span::styled(text, theme.warn())]
    };
    let is_set = mode.learning_paused || !set.is_empty();
    is_set.then(|| Segment::spans(form("LEARNING PAUSED", ", "), 9).or(form("PAUSED", " ")))
}

fn tabs(model: &Model, theme: &Theme, width: u16) -> Vec<Span<'static>> {
    let keys = [Action::Overview, Action::Race, Action::Runs, Action::Logs];
    let mut spans = Vec::new();
    for ((screen, name), action) in Screen::ALL.into_iter().zip(keys) {
        let current = screen == model.screen;
        let style = if current { theme.reversed() } else { theme.dim() };
        if !spans.is_empty() {
            spans.push(Span::raw("  "));
        }
        let key = model.identity.keys.keys(action).first().map_or_else(String::new, ToString::to_string);
        // A narrow one has room for every key, and for the beginning of a long name.
        let name = if width < 100 { name.get(..4).unwrap_or(name) } else { name };
        spans.push(Span::styled(format!("{key} {name}"), style));
    }
    spans
}

/// What must not be missed about the store.
fn store_notice(model: &Model) -> Option<String> {
    let store = &model.shown().store;
    match (&store.notice, store.durability) {
        (Some(notice), durability) => Some(format!("store ({}): {notice}", durability.name())),
        (None, Durability::MemoryOnly) if store.kind != "memory" => {
            Some("store: memory only, what is learned now is lost with this process".to_owned())
        }
        _ => None,
    }
}

/// What went wrong here, and what must not be missed about the store.
fn banners(model: &Model) -> (Option<String>, Option<String>) {
    (model.fault.clone(), store_notice(model))
}
