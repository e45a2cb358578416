//! The log: tui-logger's widgets with their own keys, in the console's frames. Levels and targets are switched on the
//! left. A line is told once: fields that its sentence has as well are left out, and words are kept whole.
//!
//! ```text
//! ┌─ Targets ───────────────┐┌─ Log ────────────────────────────────────────────────┐
//! │ EWIDT:banditop::decision││12:04:31 I decision: run 01a2…, intent writing: race by│
//! │ EWIDT:banditop::reward  ││         bandit (…); chosen atlas-70b .8201±.0412      │
//! └─────────────────────────┘└──────────────────────────────────────────────────────┘
//! ```

use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::Widget;
use tui_logger::{ExtLogRecord, LogFormatter, TuiLoggerTargetWidget, TuiLoggerWidget};

use super::super::model::Model;
use super::super::theme::Theme;
use super::super::widgets::Canvas;
use super::super::widgets::number::small;
use super::super::widgets::wrap::wrap;
use super::prompt::scrub;
use crate::domain::clock::Timestamp;

pub(super) fn draw(canvas: &mut Canvas<'_>, model: &Model) {
    let theme = canvas.theme;
    let (width, height) = (canvas.width(), canvas.height());
    // The widgets' own arithmetic assumes some room.
    if width < 40 || height < 6 {
        canvas.put_within(1, 0, "too little room for the log", theme.dim(), width);
        return;
    }
    let targets = if model.logs.hides_targets { 0 } else { (width / 3).clamp(16, 36) };
    if targets > 0 {
        let mut inner = canvas.part(1, 1, targets - 2, height - 2);
        let (area, buffer) = inner.raw();
        let widget = TuiLoggerTargetWidget::default().highlight_style(theme.reversed());
        widget.state(&model.logs.state).render(area, buffer);
        scrub(&mut inner);
        // The widget writes long names beyond its room: frame and log come after it.
        canvas.part(0, 0, targets, height).framed("Targets", "", false);
    }
    let mut part = canvas.part(targets, 0, width, height);
    part.clear();
    let mut inner = part.framed("Log", "", false);
    let (area, buffer) = inner.raw();
    let lines = TuiLoggerWidget::default().formatter(Box::new(Lines::of(theme)));
    lines.state(&model.logs.state).render(area, buffer);
    scrub(&mut inner);
}

/// Columns of the time, under which the words of a line stay free.
const TIME: u16 = 9;

/// How lines of each level look: error, warning, information, and less.
struct Lines([Style; 4]);

impl Lines {
    fn of(theme: &Theme) -> Self {
        Self([theme.bad(), theme.warn(), theme.text(), theme.dim()])
    }
}

impl LogFormatter for Lines {
    fn min_width(&self) -> u16 {
        TIME + 4
    }

    fn format(&self, width: usize, record: &ExtLogRecord) -> Vec<Line<'_>> {
        let level = record.level.as_str();
        let style = self.0[match level {
            "ERROR" => 0,
            "WARN" => 1,
            "INFO" => 2,
            _ => 3,
        }];
        let at = u64::try_from(record.timestamp.timestamp().as_millisecond()).unwrap_or(0);
        let lines = entry(Timestamp::from_millis(at), level, record.target(), record.msg(), small(width));
        lines.into_iter().map(|line| Line::styled(line, style)).collect()
    }
}

/// One entry of the log in lines of at most `width` columns.
fn entry(at: Timestamp, level: &str, target: &str, message: &str, width: u16) -> Vec<String> {
    let target = target.strip_prefix("banditop::").unwrap_or(target);
    let text = format!("{} {target}: {}", level.get(..1).unwrap_or_default(), told_once(message));
    let lines = wrap(&text, width.saturating_sub(TIME)).into_iter().enumerate();
    lines
        .map(|(n, line)| if n == 0 { format!("{} {line}", at.clock_text()) } else { format!("         {line}") })
        .collect()
}

/// The sentence of an event, whose fields tui-logger writes before and after it as `name: value`, without those that
/// are in it already: the run, and what was decided about it.
fn told_once(message: &str) -> String {
    let mut text = format!("{message} ");
    let Some(field) =
        text.find(" run: ").map(|at| text[at..].chars().skip(6).take_while(|c| *c != ' ').collect::<String>())
    else {
        return message.trim().to_owned();
    };
    let (as_field, as_words) = (format!(" run: {field} "), format!("run {field}"));
    while text.matches(&as_field).count() > usize::from(!text.contains(&as_words)) {
        text = text.replacen(&as_field, " ", 1);
    }
    let words: Vec<&str> = text.split_whitespace().take(5).collect();
    if let ["decision:", decision, "intent:", intent, "run"] = words[..] {
        let fields = format!("decision: {decision} intent: {intent} ");
        text = text.replacen(&fields, "", 1).replacen(&as_words, &format!("{as_words}, intent {intent}"), 1);
    }
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::super::settings::{Background, ColorDepth};
    use super::*;

    const RUN: &str = "01a208e528dba0b1c2d3e4f50617";

    #[test]
    fn a_long_target_stays_in_its_frame() {
        use ratatui::buffer::Buffer;
        use ratatui::layout::Rect;
        use tracing_subscriber::layer::SubscriberExt;

        let subscriber = tracing_subscriber::registry().with(crate::console::log_layer());
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(target: "banditop::a_name_that_is_longer_than_any_frame_has_room_for", "words");
        });
        tui_logger::move_events();
        let theme = Theme::new(ColorDepth::None, Background::Dark, false);
        let mut buffer = Buffer::empty(Rect::new(0, 0, 80, 12));
        draw(&mut Canvas::new(&mut buffer, &theme), &crate::console::fixture::model());
        let at = |x: u16, y: u16| buffer.cell((x, y)).unwrap().symbol().to_owned();
        let targets = (1..11).map(|y| (1..25).map(|x| at(x, y)).collect::<String>());
        assert!(targets.collect::<String>().contains("banditop::a_name"));
        for y in 1..11 {
            assert_eq!([at(0, y), at(25, y), at(26, y), at(79, y)], ["│", "│", "│", "│"], "row {y}");
            let line: String = (27..79).map(|x| at(x, y)).collect();
            let is_entry = !line.starts_with(' ') || line.chars().nth(usize::from(TIME)).is_some_and(|c| c != ' ');
            assert!(is_entry || line.trim().is_empty(), "the name's end is left in row {y}: {line}");
        }
    }

    #[test]
    fn a_line_says_the_run_once_and_breaks_between_words() {
        let span = format!(" run: {RUN}");
        let decided = format!(
            "{span} decision: bandit intent: writing run {RUN}: race by bandit (3 of 5 candidates); chosen atlas-70b 0.8200±0.0400 p=0.9200 run: {RUN}"
        );
        let lines = entry(Timestamp::from_millis(45_000), "INFO", "banditop::decision", &decided, 70);
        assert_eq!(
            lines,
            [
                "00:00:45 I decision: run 01a208e528dba0b1c2d3e4f50617, intent writing:",
                "         race by bandit (3 of 5 candidates); chosen atlas-70b",
                "         0.8200±0.0400 p=0.9200",
            ]
        );
        let served = format!("{span} prompt_sha256: ab12 run {RUN}: served by mini run: {RUN}");
        assert_eq!(told_once(&served), format!("prompt_sha256: ab12 run {RUN}: served by mini"));
        assert_eq!(told_once(&format!("{span} a run was dropped run: {RUN}")), format!("a run was dropped run: {RUN}"));
        assert_eq!(told_once(&format!("{span} a call was slow")), format!("run: {RUN} a call was slow"));
        assert_eq!(told_once(" alarm raised subject: store"), "alarm raised subject: store");
        assert_eq!(told_once(" run: "), "run:");
    }
}
