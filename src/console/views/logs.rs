//! The log: tui-logger's smart widget with its own keys. Levels and targets are switched on the left.

use ratatui::widgets::Widget;
use tui_logger::{TuiLoggerLevelOutput, TuiLoggerSmartWidget};

use super::super::model::Model;
use super::super::widgets::Canvas;
use super::prompt::scrub;

pub(super) fn draw(canvas: &mut Canvas<'_>, model: &Model) {
    let theme = canvas.theme;
    // The widget's own arithmetic assumes some room.
    if canvas.width() < 40 || canvas.height() < 6 {
        canvas.put_within(1, 0, "too little room for the log", theme.dim(), canvas.width());
        return;
    }
    let widget = TuiLoggerSmartWidget::default()
        .title_log(" Log ")
        .title_target(" Targets ")
        .border_style(theme.border(false))
        .highlight_style(theme.reversed())
        .style_error(theme.bad())
        .style_warn(theme.warn())
        .style_info(theme.text())
        .style_debug(theme.dim())
        .style_trace(theme.dim())
        .output_separator(' ')
        .output_timestamp(Some("%H:%M:%S".to_owned()))
        .output_level(Some(TuiLoggerLevelOutput::Abbreviated))
        .output_target(true)
        .output_file(false)
        .output_line(false)
        .state(&model.logs.0);
    let (area, buffer) = canvas.raw();
    widget.render(area, buffer);
    without_rate(canvas);
    scrub(canvas);
}

/// Takes out the rate in the title: over a short log it is a number without a meaning (`3000.0/s`).
fn without_rate(canvas: &mut Canvas<'_>) {
    let rule = canvas.theme.glyphs.frame[0];
    let (area, buffer) = canvas.raw();
    let mut inside = false;
    for x in area.left()..area.right() {
        let Some(cell) = buffer.cell_mut((x, area.top())) else { break };
        inside |= cell.symbol() == "[";
        let is_end = cell.symbol() == "]";
        if inside {
            cell.set_symbol(rule);
        }
        inside &= !is_end;
    }
}
