//! Three charts on one time axis: traffic share (one band per arm), reward (one line per arm), fallback
//! rate. Each arm is named beside its newest value. Events are marked below: `▲` by a person, `!` by
//! themselves.
//!
//! ```text
//! ┌ Traffic share ───────────┐┌ Reward ──────────────────┐┌ Fallback rate ────┐
//! │██████▇▇▇▇▇▇▇▇▇▇▇ ● atlas ││.9     ⣀⠤⠒⠉⠉      ● atlas ││10%     ▂▃         │
//! │10 min ───▲──────── now   ││.4──────▲────────── now   ││ 0%────▲────── now │
//! └──────────────────────────┘└──────────────────────────┘└───────────────────┘
//! ```

use ratatui::style::Style;

use super::super::model::Model;
use super::super::widgets::Canvas;
use super::super::widgets::number::{cells, percent, small, span, unit};
use super::super::widgets::plot::{self, TimeAxis, Trace};
use super::super::widgets::wrap::wrap;
use crate::domain::action::Action;
use crate::domain::ratio::Ratio;
use crate::domain::snapshot::{ArmSeries, Series};

/// Columns of the labels on the left of an axis.
const SCALE: u16 = 4;

pub(super) fn draw(canvas: &mut Canvas<'_>, model: &Model) {
    let (width, height) = (canvas.width(), canvas.height());
    if height < 4 {
        return;
    }
    if width >= 110 {
        let share = width * 2 / 5;
        let reward = width * 7 / 20;
        draw_share(&mut canvas.part(0, 0, share, height), model);
        draw_reward(&mut canvas.part(share, 0, reward, height), model);
        draw_fallback(&mut canvas.part(share + reward, 0, width, height), model);
    } else {
        let share = width / 2;
        draw_share(&mut canvas.part(0, 0, share, height), model);
        draw_reward(&mut canvas.part(share, 0, width, height), model);
    }
}

/// How many of the newest steps have data in any chart, so that all charts span the same time.
fn extent(series: &Series) -> usize {
    let arms = series.arms.iter().flat_map(|arm| [arm.share.as_slice(), arm.reward.as_slice()]);
    plot::extent(arms.chain([series.fallback_rate.as_slice()]))
}

/// The room of a chart: its columns and rows without labels and axis.
struct Room {
    left: u16,
    width: u16,
    height: u16,
    labels: u16,
}

impl Room {
    fn of(canvas: &Canvas<'_>, left: u16, labels: bool) -> Self {
        let labels = match canvas.width() {
            width if labels && width >= 40 => (width / 4).clamp(12, 17),
            width if labels && width >= 24 => 3,
            _ => 0,
        };
        let width = canvas.width().saturating_sub(left).saturating_sub(labels);
        Self { left, width, height: canvas.height().saturating_sub(1), labels }
    }
}

fn draw_share(canvas: &mut Canvas<'_>, model: &Model) {
    let series = &model.shown().series;
    let mut inner = canvas.framed("Traffic share", "", false);
    let room = Room::of(&inner, 0, true);
    let Some(axis) = time_axis(&mut inner, &room, series, model) else { return };
    let traces = traces(model, |arm| axis.resample(&arm.share));
    let newest = plot::bands(&mut inner.part(room.left, 0, room.width, room.height), &traces);
    let rows = f64::from(room.height);
    let labels: Vec<(usize, f64, u16)> = newest
        .iter()
        .map(|(index, from, to)| (*index, to - from, room.height.saturating_sub(1) - row(from.midpoint(*to), rows)))
        .collect();
    draw_labels(&mut inner, &room, model, labels);
}

fn draw_reward(canvas: &mut Canvas<'_>, model: &Model) {
    let series = &model.shown().series;
    let step = if series.step_s > 0.0 { format!("mean of {} s", series.step_s) } else { String::new() };
    let mut inner = canvas.framed("Reward", &step, false);
    let room = Room::of(&inner, SCALE, true);
    let Some(axis) = time_axis(&mut inner, &room, series, model) else { return };
    let fine = axis.halved();
    let range = model.axes.reward;
    scale(&mut inner, room.height, &unit(range.1), &unit(range.0));
    // The leading arm is drawn last, so that its line lies on top.
    let mut lines = traces(model, |arm| fine.resample(&arm.reward));
    let share = |index: usize| model.shown().arms.get(index).and_then(|row| row.share).map_or(0.0, Ratio::get);
    lines.sort_by(|a, b| share(b.index).total_cmp(&share(a.index)));
    plot::lines(&mut inner.part(room.left, 0, room.width, room.height), &lines, range);
    let place = |value: f64| {
        let part = (value - range.0) / (range.1 - range.0).max(f64::EPSILON);
        room.height.saturating_sub(1) - cells(part, room.height.saturating_sub(1))
    };
    let newest = |trace: &Trace| trace.values.iter().rev().take(8).flatten().next().copied();
    let labels = lines
        .iter()
        .filter_map(|line| newest(line).map(|value| (line.index, share(line.index), place(value))))
        .collect();
    draw_labels(&mut inner, &room, model, labels);
}

fn draw_fallback(canvas: &mut Canvas<'_>, model: &Model) {
    let series = &model.shown().series;
    let top = model.axes.fallback;
    let mut inner = canvas.framed("Fallback rate", "", false);
    let room = Room::of(&inner, SCALE, false);
    let Some(axis) = time_axis(&mut inner, &room, series, model) else { return };
    scale(&mut inner, room.height, &percent(top), "0%");
    let style = inner.theme.warn();
    let values = axis.resample(&series.fallback_rate);
    plot::columns(&mut inner.part(room.left, 0, room.width, room.height), &values, top, plain(style));
}

/// A colour without its weight: a chart is an area, not a word.
fn plain(style: Style) -> Style {
    style.remove_modifier(ratatui::style::Modifier::BOLD)
}

fn row(value: f64, rows: f64) -> u16 {
    cells(((value * rows).floor() / rows.max(1.0)).min(1.0), small(rows_of(rows)))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of screen rows")]
fn rows_of(rows: f64) -> usize {
    rows.clamp(0.0, 1000.0) as usize
}

fn traces(model: &Model, values: impl Fn(&ArmSeries) -> Vec<Option<f64>>) -> Vec<Trace> {
    let shown = model.shown();
    let index = |arm: &ArmSeries| shown.arms.iter().position(|row| row.arm == arm.arm);
    shown.series.arms.iter().filter_map(|arm| index(arm).map(|index| Trace { index, values: values(arm) })).collect()
}

/// Draws the axis of time with its marks; nothing but words where there is no history.
fn time_axis(canvas: &mut Canvas<'_>, room: &Room, series: &Series, model: &Model) -> Option<TimeAxis> {
    let steps = extent(series);
    let theme = canvas.theme;
    let axis = TimeAxis::new(room.width, steps, series.step_s, series.end).filter(|_| steps > 0);
    let Some(axis) = axis else {
        let keys = &model.identity.keys;
        let key = |action| keys.keys(action).first().map_or_else(String::new, ToString::to_string);
        let hint = match &model.traffic {
            Some(traffic) if traffic.on => "traffic is on: the first runs are under way".to_owned(),
            Some(_) => format!("`{}` asks, `{}` starts traffic", key(Action::Prompt), key(Action::Traffic)),
            None => format!("`{}` asks the first question", key(Action::Prompt)),
        };
        canvas.put_within(1, 0, "no runs yet", theme.strong(), canvas.width());
        for (y, line) in (1..canvas.height()).zip(wrap(&hint, canvas.width().saturating_sub(2))) {
            canvas.put(1, y, &line, theme.dim());
        }
        return None;
    };
    let (y, width) = (room.height, room.width);
    let rule = theme.glyphs.frame[0].repeat(usize::from(width));
    canvas.put(room.left, y, &rule, theme.dim());
    for mark in &series.marks {
        if let Some(x) = axis.column(mark.at) {
            let glyph = theme.glyphs.event[usize::from(!mark.by_person)];
            let style = if mark.by_person { theme.key() } else { theme.warn() };
            canvas.put(room.left + x, y, glyph, style);
        }
    }
    let ago = format!("-{} ", span(std::time::Duration::from_secs_f64(axis.span_s().clamp(0.0, 1e9))));
    canvas.put_within(room.left, y, &ago, theme.dim(), width / 2);
    canvas.put_right(room.left + width, y, 4, " now", theme.dim());
    Some(axis)
}

/// The ends of the scale on the left.
fn scale(canvas: &mut Canvas<'_>, rows: u16, top: &str, bottom: &str) {
    let style = canvas.theme.dim();
    canvas.put_right(SCALE - 1, 0, SCALE - 1, top, style);
    canvas.put_right(SCALE - 1, rows.saturating_sub(1), SCALE - 1, bottom, style);
}

/// Names beside the newest values, each on a row of its own, the weightiest nearest to its place.
fn draw_labels(canvas: &mut Canvas<'_>, room: &Room, model: &Model, mut labels: Vec<(usize, f64, u16)>) {
    if room.labels == 0 {
        return;
    }
    let theme = canvas.theme;
    labels.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut free: Vec<u16> = (0..room.height).collect();
    for (index, _, wanted) in labels {
        let Some(at) = (0..free.len()).min_by_key(|&i| free[i].abs_diff(wanted)) else { break };
        let y = free.remove(at);
        let x = room.left + room.width + 1;
        let after = canvas.put(x, y, theme.arm_glyph(index), theme.arm(index));
        if let Some(row) = model.shown().arms.get(index).filter(|_| room.labels > 4) {
            canvas.put_within(after + 1, y, row.arm.as_str(), theme.arm(index), room.labels.saturating_sub(3));
        }
    }
}
