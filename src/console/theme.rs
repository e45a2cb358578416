//! Colours and glyphs. Colour marks signals and arm identity and never stands alone: a glyph, bold or
//! reverse video says the same. The palette is Okabe and Ito's, which people with any common colour
//! blindness can tell apart; healthy is blue, trouble is orange to vermilion, nothing is green against
//! red. Each colour is given for 24 bits, 256 and 16 colours, on dark and on light backgrounds.

use ratatui::style::{Color, Modifier, Style};

use super::settings::{Background, ColorDepth};

/// One colour in all depths: dark background, light background, index of 256, one of 16.
struct Swatch(u32, u32, u8, u8, Color);

const BLUE: Swatch = Swatch(0x005a_b4f0, 0x0000_62a8, 75, 25, Color::LightBlue);
const ORANGE: Swatch = Swatch(0x00f0_a830, 0x00a8_6000, 214, 130, Color::Yellow);
const VERMILION: Swatch = Swatch(0x00f0_7040, 0x00b8_3c00, 209, 166, Color::LightRed);
const GREY: Swatch = Swatch(0x0090_9098, 0x0068_6870, 246, 242, Color::DarkGray);

/// Arm identities, in configured order.
const ARMS: [Swatch; 8] = [
    Swatch(0x0056_b4e9, 0x0000_72b2, 74, 25, Color::LightBlue),
    Swatch(0x00e6_9f00, 0x00b0_6a00, 214, 136, Color::Yellow),
    Swatch(0x0000_c896, 0x0000_8060, 43, 29, Color::Cyan),
    Swatch(0x00cc_79a7, 0x00a0_407c, 175, 132, Color::LightMagenta),
    Swatch(0x00f0_e442, 0x0080_7400, 227, 100, Color::LightYellow),
    Swatch(0x00e0_6030, 0x00c0_4800, 167, 166, Color::Red),
    Swatch(0x0080_8cff, 0x0040_48c0, 105, 62, Color::Magenta),
    Swatch(0x00c0_c0c8, 0x0070_7078, 251, 243, Color::Gray),
];

/// All glyphs that are not letters. One set is Unicode, the other is ASCII only.
#[derive(Debug)]
pub(crate) struct Glyphs {
    /// Whether everything is ASCII.
    pub(crate) ascii: bool,
    /// Eighths of a cell from the left, the last is full.
    pub(crate) bar: [&'static str; 9],
    /// Eighths of a cell from below, the last is full.
    pub(crate) level: [&'static str; 9],
    /// Arm identities.
    pub(crate) arms: [&'static str; 8],
    /// Interval: left end, line, mean, right end, outside.
    pub(crate) interval: [&'static str; 5],
    /// Border: horizontal, vertical, corners from top left clockwise.
    pub(crate) frame: [&'static str; 6],
    /// Risen, fallen, level.
    pub(crate) delta: [&'static str; 3],
    /// Live, frozen.
    pub(crate) live: [&'static str; 2],
    /// Notice, warning, critical.
    pub(crate) severity: [&'static str; 3],
    /// The selected row.
    pub(crate) selected: &'static str,
    /// A marked row.
    pub(crate) mark: &'static str,
    /// The winner.
    pub(crate) star: &'static str,
    /// Done, refused, waiting.
    pub(crate) outcome: [&'static str; 3],
    /// Text was cut.
    pub(crate) ellipsis: &'static str,
    /// Leads to.
    /// Leads to.
    pub(crate) arrow: &'static str,
    /// The key.
    pub(crate) arrow_up: &'static str,
    /// Before a prompt.
    pub(crate) prompt: &'static str,
    /// Plus or minus.
    pub(crate) plus_minus: &'static str,
    /// Between parts of a line.
    pub(crate) dot: &'static str,
    /// Exploration.
    pub(crate) alpha: &'static str,
    /// Change of a share.
    pub(crate) change: &'static str,
    /// Times.
    pub(crate) times: &'static str,
    /// Event on a time axis: by a person, by itself.
    pub(crate) event: [&'static str; 2],
    /// A gauge's empty cell.
    pub(crate) empty: &'static str,
}

static UNICODE: Glyphs = Glyphs {
    ascii: false,
    bar: [" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"],
    level: [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    arms: ["●", "■", "▲", "◆", "▼", "○", "□", "△"],
    interval: ["├", "─", "●", "┤", "·"],
    frame: ["─", "│", "┌", "┐", "┘", "└"],
    delta: ["▲", "▼", "="],
    live: ["●", "‖"],
    severity: ["·", "!", "‼"],
    selected: "▌",
    mark: "✓",
    star: "★",
    outcome: ["✓", "✗", "…"],
    ellipsis: "…",
    arrow: "→",
    arrow_up: "↑",
    prompt: "▸",
    plus_minus: "±",
    dot: "·",
    alpha: "α",
    change: "Δ",
    times: "×",
    event: ["▲", "!"],
    empty: "░",
};

static ASCII: Glyphs = Glyphs {
    ascii: true,
    bar: [" ", " ", " ", "-", "-", "-", "=", "=", "#"],
    level: [" ", "_", "_", ".", "-", "-", "=", "=", "#"],
    arms: ["o", "x", "+", "*", "%", "@", "&", "$"],
    interval: ["[", "-", "o", "]", "."],
    frame: ["-", "|", "+", "+", "+", "+"],
    delta: ["+", "-", "="],
    live: ["*", "="],
    severity: [".", "!", "!"],
    selected: ">",
    mark: "x",
    star: "*",
    outcome: ["ok", "no", ".."],
    ellipsis: "~",
    arrow: "->",
    arrow_up: "Up",
    prompt: ">",
    plus_minus: "+-",
    dot: "|",
    alpha: "alpha",
    change: "chg",
    times: "x",
    event: ["^", "!"],
    empty: ".",
};

/// How everything looks.
#[derive(Debug)]
pub(crate) struct Theme {
    /// Glyphs.
    pub(crate) glyphs: &'static Glyphs,
    depth: ColorDepth,
    background: Background,
}

impl Theme {
    /// A theme for a terminal that shows so many colours on such a background.
    pub(crate) fn new(depth: ColorDepth, background: Background, ascii: bool) -> Self {
        Self { glyphs: if ascii { &ASCII } else { &UNICODE }, depth, background }
    }

    /// Whether arms are told apart by glyph alone.
    pub(crate) fn is_colourless(&self) -> bool {
        self.depth == ColorDepth::None
    }

    fn color(&self, swatch: &Swatch) -> Option<Color> {
        let light = self.background == Background::Light;
        match self.depth {
            ColorDepth::None => None,
            ColorDepth::Sixteen => Some(swatch.4),
            ColorDepth::Indexed => Some(Color::Indexed(if light { swatch.3 } else { swatch.2 })),
            ColorDepth::True => Some(Color::from_u32(if light { swatch.1 } else { swatch.0 })),
        }
    }

    fn fg(&self, swatch: &Swatch) -> Style {
        self.color(swatch).map_or_else(Style::new, |color| Style::new().fg(color))
    }

    /// Ordinary text, in the terminal's own colours.
    #[expect(clippy::unused_self, reason = "every style is asked of the theme, so that one can differ later")]
    pub(crate) fn text(&self) -> Style {
        Style::new()
    }

    /// What matters less: labels, units, axes.
    pub(crate) fn dim(&self) -> Style {
        if self.is_colourless() { Style::new() } else { self.fg(&GREY) }
    }

    /// What matters more.
    #[expect(clippy::unused_self, reason = "every style is asked of the theme, so that one can differ later")]
    pub(crate) fn strong(&self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Healthy, chosen, in order.
    pub(crate) fn good(&self) -> Style {
        self.fg(&BLUE)
    }

    /// Worth a look.
    pub(crate) fn warn(&self) -> Style {
        self.fg(&ORANGE).add_modifier(Modifier::BOLD)
    }

    /// Act.
    pub(crate) fn bad(&self) -> Style {
        self.fg(&VERMILION).add_modifier(Modifier::BOLD)
    }

    /// A banner across the screen.
    pub(crate) fn banner(&self) -> Style {
        self.bad().add_modifier(Modifier::REVERSED)
    }

    /// The title of a pane.
    pub(crate) fn title(&self) -> Style {
        self.strong()
    }

    /// A pane's border.
    pub(crate) fn border(&self, focused: bool) -> Style {
        if focused { self.good() } else { self.dim() }
    }

    /// A key in hints and help.
    pub(crate) fn key(&self) -> Style {
        self.good().add_modifier(Modifier::BOLD)
    }

    /// What the cursor is on.
    #[expect(clippy::unused_self, reason = "every style is asked of the theme, so that one can differ later")]
    pub(crate) fn selected(&self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// The value that is being turned.
    #[expect(clippy::unused_self, reason = "every style is asked of the theme, so that one can differ later")]
    pub(crate) fn reversed(&self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// An arm's colour, by its place in the configured order.
    pub(crate) fn arm(&self, index: usize) -> Style {
        self.fg(&ARMS[index % ARMS.len()])
    }

    /// An arm's glyph, by its place in the configured order.
    pub(crate) fn arm_glyph(&self, index: usize) -> &'static str {
        self.glyphs.arms[index % self.glyphs.arms.len()]
    }
}
