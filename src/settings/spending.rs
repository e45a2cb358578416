//! What runs may spend, and when a second answer is started beside the first: `[budget]` and `[hedge]`.

/// `[budget]`; an absent ceiling is none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BudgetSettings {
    /// Tokens of all previews of a run, prompts included.
    pub preview_tokens: Option<u64>,
    /// Tokens of the judge in a run, prompts included.
    pub judge_tokens: Option<u64>,
    /// Tokens of all full answers of a run, prompts included.
    pub answer_tokens: Option<u64>,
    /// Dollars of one run.
    pub per_run_usd: Option<f64>,
    /// Dollars of one day (UTC): of all runs that began on it, and of what is done beside them.
    pub per_day_usd: Option<f64>,
}

/// `[hedge]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HedgeSettings {
    /// When the second answer starts.
    pub start: HedgeStart,
    /// Characters of all turns from which a prompt is long enough.
    pub prompt_chars: usize,
    /// Tokens by which an answer must be ahead of the other to be the clear winner before its end.
    pub margin_tokens: u32,
}

/// When a second answer is started beside the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HedgeStart {
    /// After the p95 of the first arm's time to its first token, where none has come by then.
    #[default]
    P95,
    /// At once.
    Immediate,
    /// Never.
    Off,
}

impl HedgeStart {
    /// Every value with its name.
    pub(super) const ALL: [(Self, &'static str); 3] =
        [(Self::P95, "p95"), (Self::Immediate, "immediate"), (Self::Off, "off")];
}
