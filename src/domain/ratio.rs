//! A number that is safe to draw: finite and in [0, 1]. Gauges panic on NaN and on 1.0000001, and a
//! screen must not show either, so the border between computing and showing is this type.

use serde::{Deserialize, Serialize};

/// A finite number in [0, 1].
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Ratio(f64);

impl Ratio {
    /// Nothing.
    pub const ZERO: Self = Self(0.0);
    /// The whole.
    pub const ONE: Self = Self(1.0);

    /// `value` clamped into [0, 1]; `None` where it is not a number.
    #[must_use]
    pub fn new(value: f64) -> Option<Self> {
        (!value.is_nan()).then(|| Self(value.clamp(0.0, 1.0)))
    }

    /// `part / whole`, `None` where there is no whole: no data is not zero.
    #[must_use]
    pub fn of(part: u64, whole: u64) -> Option<Self> {
        (whole > 0).then(|| Self((part as f64 / whole as f64).clamp(0.0, 1.0)))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Ratio {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = f64::deserialize(deserializer)?;
        Self::new(value).ok_or_else(|| serde::de::Error::custom("expected a number in [0, 1], found NaN"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_drawn_never_becomes_a_ratio() {
        assert_eq!(Ratio::new(f64::NAN), None);
        assert_eq!(Ratio::new(1.000_000_1), Some(Ratio::ONE));
        assert_eq!(Ratio::new(f64::NEG_INFINITY), Some(Ratio::ZERO));
        assert_eq!(Ratio::of(0, 0), None);
        assert_eq!(Ratio::of(1, 4).map(Ratio::get), Some(0.25));
    }
}
