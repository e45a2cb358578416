//! The arms table. Widths come from the terminal, never from the content; whole columns leave by
//! priority; the interval gets what is left, on one axis from 0 to 1 for all arms.
//!
//! Wider ones add how often an arm was among the best of a judged race, and its places in them.
//!
//! ```text
//!   arm        state      share         Δ  mean  mean ± uncertainty (0 … 1)   p95 s  reward    err  $/run  trials  wins
//! ▌ ● atlas    active     ████▎    41% ▲2   .82  ···········├──●──┤···          0.9  ▂▃▅▆▅▆▇  0.1%  .0012    1243   611
//! ```

use ratatui::style::Style;

use super::super::model::Model;
use super::super::model::table::SortKey;
use super::super::theme::Theme;
use super::super::widgets::number::{count, dollars, or_dashes, percent, seconds, small, span, unit};
use super::super::widgets::{Canvas, figure};
use super::arm_words::{places, selected_detail, standing, within};
use crate::domain::ratio::Ratio;
use crate::domain::snapshot::{ArmRow, WINDOW_RUNS};
use crate::domain::spec::Lifecycle;

/// A column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Column {
    Arm,
    State,
    Share,
    Delta,
    Limits,
    Mean,
    Interval,
    P95,
    Reward,
    Errors,
    Cost,
    Trials,
    Wins,
    Places,
    Best,
    Previews,
    Weight,
    Intents,
}

/// Column, narrow width, wide width, and what it is worth: the lowest leaves first.
const COLUMNS: [(Column, u16, u16, u8); 18] = [
    (Column::Arm, 11, 14, 99),
    (Column::State, 11, 11, 90),
    (Column::Share, 9, 13, 95),
    (Column::Delta, 4, 4, 40),
    (Column::Limits, 11, 13, 62),
    (Column::Mean, 4, 4, 85),
    (Column::Interval, 11, 22, 80),
    (Column::P95, 5, 5, 70),
    (Column::Reward, 8, 8, 50),
    (Column::Errors, 5, 5, 65),
    (Column::Cost, 6, 6, 60),
    (Column::Trials, 6, 6, 30),
    (Column::Wins, 5, 5, 20),
    (Column::Places, 8, 8, 4),
    (Column::Best, 5, 5, 15),
    (Column::Previews, 5, 5, 10),
    (Column::Weight, 6, 6, 5),
    (Column::Intents, 9, 9, 8),
];

/// Before the first column: cursor, mark, glyph.
const PREFIX: u16 = 4;

/// The columns that fit into `width`, each with its width, and the gap between them; that of limits only where an
/// arm has any.
fn columns(width: u16, has_limits: bool) -> (Vec<(Column, u16)>, u16) {
    let room = width.saturating_sub(PREFIX);
    let mut shown: Vec<_> = COLUMNS.to_vec();
    shown.retain(|(column, ..)| has_limits || *column != Column::Limits);
    let needed = |shown: &[(Column, u16, u16, u8)], wide: bool, gap: u16| {
        let widths: u16 = shown.iter().map(|(_, narrow, full, _)| if wide { *full } else { *narrow }).sum();
        widths + gap * small(shown.len().saturating_sub(1))
    };
    // Wide columns are worth more than one more column only once the essential ones are all there.
    let wide = width >= 100;
    while needed(&shown, wide, 1) > room && shown.len() > 1 {
        let least = shown.iter().map(|(.., worth)| *worth).min().unwrap_or(0);
        shown.retain(|(.., worth)| *worth != least);
    }
    let gap = if needed(&shown, wide, 2) <= room { 2 } else { 1 };
    let spare = room.saturating_sub(needed(&shown, wide, gap));
    let mut widths: Vec<(Column, u16)> =
        shown.iter().map(|(column, narrow, full, _)| (*column, if wide { *full } else { *narrow })).collect();
    share_out(&mut widths, spare);
    (widths, gap)
}

/// What is left goes to history and to the interval, whose resolution grows with it.
fn share_out(widths: &mut [(Column, u16)], spare: u16) {
    let history = widths.iter().any(|(column, _)| *column == Column::Reward);
    let to_history = if history { (spare / 2).min(24) } else { 0 };
    for (column, width) in widths {
        match column {
            Column::Reward => *width += to_history,
            Column::Interval => *width += (spare - to_history).min(60),
            _ => {}
        }
    }
}

pub(super) fn draw(canvas: &mut Canvas<'_>, model: &Model) {
    let shown = model.shown();
    let window = if shown.totals.window_s > 0.0 {
        let time = span(std::time::Duration::from_secs_f64(shown.totals.window_s.min(1e9)));
        // Where so many runs are made that fewer minutes of them are held, that is why.
        let is_full = shown.totals.window_runs >= WINDOW_RUNS as u64;
        let runs = if is_full { format!("the last {WINDOW_RUNS} runs, ") } else { String::new() };
        format!("share over {runs}{time} {} ", canvas.theme.glyphs.dot)
    } else {
        String::new()
    };
    let marked = if model.table.marked.is_empty() {
        String::new()
    } else {
        format!("{} marked {} ", model.table.marked.len(), canvas.theme.glyphs.dot)
    };
    let right = format!("{marked}{window}sorted by {}", model.table.sort.name());
    let (outer_width, outer_height) = (canvas.width(), canvas.height());
    let detail = selected_detail(model, canvas.theme, usize::from(outer_width.saturating_sub(8)));
    let style = canvas.theme.dim();
    let mut inner = canvas.framed("Arms", &right, false);
    if shown.arms.is_empty() {
        empty(&mut inner, model);
        return;
    }
    let (columns, gap) = columns(inner.width(), shown.arms.iter().any(|row| row.limits.is_some()));
    header(&mut inner, &columns, gap, model.table.sort);
    let rows = inner.height().saturating_sub(1);
    let cursor =
        model.table.selected.as_ref().and_then(|arm| model.table.order.iter().position(|a| a == arm)).unwrap_or(0);
    let first = cursor.saturating_sub(usize::from(rows.saturating_sub(1)));
    for (y, arm) in (1..=rows).zip(model.table.order.iter().skip(first)) {
        if let Some((index, row)) = shown.arms.iter().enumerate().find(|(_, row)| row.arm == *arm) {
            draw_row(&mut inner.part(0, y, u16::MAX, 1), model, (index, row), &columns, gap);
        }
    }
    let hidden = model.table.order.len().saturating_sub(usize::from(rows));
    let below = if hidden > 0 { format!(" {hidden} more ") } else { String::new() };
    let y = outer_height.saturating_sub(1);
    if outer_height > 2 {
        canvas.put_within(2, y, &format!(" {detail} "), style, outer_width.saturating_sub(6 + small(below.len())));
        canvas.put_right(outer_width.saturating_sub(2), y, small(below.len()), &below, style);
    }
}

/// Nothing to show: what to do next.
fn empty(canvas: &mut Canvas<'_>, model: &Model) {
    let theme = canvas.theme;
    let lines = if model.live.revision > 0 {
        [
            "There is no arm in the pool.",
            "Add one to config.toml under [[arms]] and start again, or `banditop state add-arm`.",
        ]
    } else {
        [
            "Waiting for the engine's first picture …",
            "It comes as soon as the store is open and the arms are built; `6` shows the log.",
        ]
    };
    for (y, (line, style)) in (1..).zip(lines.iter().zip([theme.strong(), theme.dim()])) {
        canvas.put_within(2, y, line, style, canvas.width().saturating_sub(2));
    }
}

fn header(canvas: &mut Canvas<'_>, columns: &[(Column, u16)], gap: u16, sort: SortKey) {
    let theme = canvas.theme;
    let mut x = PREFIX;
    for (column, width) in columns {
        let (title, right, key) = match column {
            Column::Arm => ("arm".to_owned(), false, Some(SortKey::Configured)),
            Column::State => ("state".to_owned(), false, None),
            Column::Share => ("share".to_owned(), true, Some(SortKey::Share)),
            Column::Delta => (theme.glyphs.change.to_owned(), true, None),
            Column::Limits => ("% of runs".to_owned(), true, None),
            Column::Mean => ("mean".to_owned(), true, Some(SortKey::Mean)),
            Column::Interval => (interval_title(theme, *width), false, None),
            Column::P95 => ("p95 s".to_owned(), true, Some(SortKey::P95)),
            Column::Reward => ("reward".to_owned(), false, None),
            Column::Errors => ("err".to_owned(), true, Some(SortKey::Errors)),
            Column::Cost => ("$/run".to_owned(), true, Some(SortKey::Cost)),
            Column::Trials => ("trials".to_owned(), true, Some(SortKey::Trials)),
            Column::Wins => ("wins".to_owned(), true, None),
            Column::Places => ("1/2/3 %".to_owned(), true, None),
            Column::Best => ("best".to_owned(), true, None),
            Column::Previews => ("prev".to_owned(), true, None),
            Column::Weight => ("data n".to_owned(), true, None),
            Column::Intents => ("by intent".to_owned(), false, None),
        };
        let style = if key == Some(sort) { theme.strong() } else { theme.dim() };
        if right {
            canvas.put_right(x + width, 0, *width, &title, style);
        } else {
            canvas.put_within(x, 0, &title, style, *width);
        }
        x += width + gap;
    }
}

/// The axis's name between its ends.
fn interval_title(theme: &Theme, width: u16) -> String {
    let plus = theme.glyphs.plus_minus;
    let names = [format!("mean {plus} uncertainty"), format!("{plus} uncertainty"), plus.to_owned()];
    let room = usize::from(width).saturating_sub(2);
    let name = names.iter().find(|name| name.chars().count() + 2 <= room).map_or("", String::as_str);
    format!("0{name:^room$}1")
}

fn draw_row(
    canvas: &mut Canvas<'_>,
    model: &Model,
    (index, row): (usize, &ArmRow),
    columns: &[(Column, u16)],
    gap: u16,
) {
    let theme = canvas.theme;
    let selected = model.table.selected.as_ref() == Some(&row.arm);
    let inside = row.state.is_candidate();
    let base = if inside { theme.text() } else { theme.dim() };
    let base = if selected { base.patch(theme.selected()) } else { base };
    let own = if inside { theme.arm(index) } else { theme.dim() };
    if selected {
        canvas.put(0, 0, theme.glyphs.selected, theme.key());
    }
    if model.table.marked.contains(&row.arm) {
        canvas.put(1, 0, theme.glyphs.mark, theme.key());
    }
    canvas.put(2, 0, theme.arm_glyph(index), own);
    let mut x = PREFIX;
    for (column, width) in columns {
        let mut cell = canvas.part(x, 0, *width, 1);
        draw_cell(&mut cell, *column, model, row, (base, own));
        x += width + gap;
    }
}

fn draw_cell(cell: &mut Canvas<'_>, column: Column, model: &Model, row: &ArmRow, (base, own): (Style, Style)) {
    let (width, theme) = (cell.width(), cell.theme);
    let right = |cell: &mut Canvas<'_>, text: String, style| cell.put_right(width, 0, width, &text, style);
    let ratio = |value: Option<Ratio>| value.map(Ratio::get);
    match column {
        Column::Arm => drop(cell.put_within(0, 0, row.arm.as_str(), base, width)),
        Column::State => {
            let style = state_style(theme, row.state, base);
            cell.put_within(0, 0, &standing(row, model.counted_to(), width), style, width);
        }
        Column::Share => {
            let share = ratio(row.share);
            figure::bar(cell, 0, 0, width.saturating_sub(5), share.unwrap_or(0.0), own);
            right(cell, or_dashes(share, percent), base);
        }
        Column::Delta => right(cell, delta(theme, row.share_delta), theme.dim()),
        Column::Limits => {
            if let Some(limits) = &row.limits {
                right(cell, within(limits), if limits.is_held() { base } else { theme.warn() });
            }
        }
        Column::Mean => right(cell, or_dashes(row.mean, unit), base),
        Column::Interval => {
            if let (Some(mean), Some(uncertainty)) = (row.mean, row.uncertainty) {
                figure::interval(cell, (0, 0), width, mean, uncertainty, own);
            }
        }
        Column::P95 => right(cell, or_dashes(row.p95_preview_s, seconds), base),
        Column::Reward => figure::sparkline(cell, (0, 0), width, &row.reward_history, model.axes.reward, own),
        Column::Errors => {
            let rate = ratio(row.error_rate);
            let style = match rate {
                Some(rate) if rate >= 0.2 => theme.bad(),
                Some(rate) if rate >= 0.05 => theme.warn(),
                _ => base,
            };
            right(cell, or_dashes(rate, percent), style);
        }
        Column::Cost => {
            let cost = row.cost_usd_per_run.and_then(|usd| model.spent(usd, |other| other.arm == row.arm));
            right(cell, or_dashes(cost, dollars), base);
        }
        Column::Trials => right(cell, count(row.trials), base),
        Column::Wins => right(cell, count(row.wins), base),
        Column::Places => right(cell, places(row), base),
        Column::Best => right(cell, or_dashes(ratio(row.places.best_share()), percent), base),
        Column::Previews => right(cell, or_dashes(ratio(row.preview_share), percent), base),
        Column::Weight => right(cell, or_dashes(Some(row.effective_n), |n| format!("{n:.0}")), base),
        Column::Intents => intents(cell, row, own),
    }
}

/// Answers by intent against this arm's most frequent: reasoning, coding, retrieval, writing, other.
fn intents(cell: &mut Canvas<'_>, row: &ArmRow, own: Style) {
    let most = row.served_by_intent.iter().copied().max().unwrap_or(0);
    for (i, served) in row.served_by_intent.iter().enumerate() {
        if let Some(share) = Ratio::of(*served, most) {
            figure::sparkline(cell, (small(i * 2), 0), 1, &[Some(share)], (0.0, 1.0), own);
        }
    }
}

fn state_style(theme: &Theme, state: Lifecycle, base: Style) -> Style {
    match state {
        Lifecycle::Active => base,
        Lifecycle::Probation => theme.good(),
        Lifecycle::Ejected => theme.bad(),
        Lifecycle::Deactivated | Lifecycle::Pruned => theme.dim(),
    }
}

/// Points of change, `▲2`; blank where it is less than one.
fn delta(theme: &Theme, delta: Option<f64>) -> String {
    match delta {
        Some(d) if d >= 0.005 => format!("{}{:.0}", theme.glyphs.delta[0], (d * 100.0).min(99.0)),
        Some(d) if d <= -0.005 => format!("{}{:.0}", theme.glyphs.delta[1], (-d * 100.0).min(99.0)),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_columns_leave_by_worth_and_none_is_cut() {
        for (width, has_limits) in (0..260).flat_map(|width| [(width, false), (width, true)]) {
            let (columns, gap) = columns(width, has_limits);
            let used: u16 = columns.iter().map(|(_, w)| *w).sum::<u16>() + gap * small(columns.len() - 1);
            assert!(columns.len() == 1 || used + PREFIX <= width, "{width}: {used} {columns:?}");
        }
        let has = |width, column| columns(width, false).0.iter().any(|(c, _)| *c == column);
        assert!(has(78, Column::Interval) && has(78, Column::Errors) && has(78, Column::Cost));
        assert!(has(118, Column::Wins) && !has(118, Column::Previews));
        assert!(has(198, Column::Weight) && has(198, Column::Intents));
        let limited = |width| columns(width, true).0;
        for width in [78, 118] {
            assert!(limited(width).iter().any(|(c, _)| *c == Column::Limits), "{width}: {:?}", limited(width));
            assert!(!has(width, Column::Limits));
        }
    }
}
