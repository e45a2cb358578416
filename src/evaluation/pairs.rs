//! A JSON object of numbers that keeps the order of its keys: the first file's order of arms is the
//! configured order that a baseline follows, and a sorted map would lose it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// Name and number, in the order of the text; a name may be there twice.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Pairs(pub(super) Vec<(String, f64)>);

impl Pairs {
    /// The first number under that name.
    pub(super) fn get(&self, name: &str) -> Option<f64> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| *value)
    }
}

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor)
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Pairs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of numbers by arm")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
        let mut pairs = Vec::with_capacity(map.size_hint().unwrap_or(0));
        // A `null` is a value that was not recorded.
        while let Some((key, value)) = map.next_entry::<String, Option<f64>>()? {
            pairs.extend(value.map(|value| (key, value)));
        }
        Ok(Pairs(pairs))
    }
}
