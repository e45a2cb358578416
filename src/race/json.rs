//! JSON of which no key is lost: where an object names a key twice, both are there. Parsers keep the last one
//! silently, which lets whoever writes last decide; here the reader is told. Only objects are taken apart: what is in
//! a list is kept as it is.

use serde::de::value::SeqAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    /// An object.
    Table(Table),
    /// Anything else.
    Plain(Value),
}

/// The entries of an object, as they were written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Table(Vec<(String, Json)>);

/// A key is there twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Double;

impl Table {
    /// The value under `key`, where there is one.
    ///
    /// # Errors
    /// [`Double`] where there are several, be they the same.
    pub(super) fn only(&self, key: &str) -> Result<Option<&Json>, Double> {
        let mut values = self.0.iter().filter(|(name, _)| name == key).map(|(_, value)| value);
        match (values.next(), values.next()) {
            (found, None) => Ok(found),
            (_, Some(_)) => Err(Double),
        }
    }

    /// Whether there is a value under `key`.
    pub(super) fn holds(&self, key: &str) -> bool {
        self.0.iter().any(|(name, _)| name == key)
    }
}

impl Json {
    /// A number, or a text that is one.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Table(_) => None,
            Self::Plain(value) => value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()),
        }
    }

    /// For a person.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Table(_) => "an object".to_owned(),
            Self::Plain(value) => value.to_string(),
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Json::Table(Table(entries)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Json, A::Error> {
        Value::deserialize(SeqAccessDeserializer::new(list)).map(Json::Plain)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Plain(text.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Json, E> {
        Ok(Json::Plain(number.into()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Plain(number.into()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Plain(number.into()))
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Json, E> {
        Ok(Json::Plain(truth.into()))
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Plain(Value::Null))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_there_twice_is_told() {
        let text = r#"{"a": 1, "b": [{"a": 1}], "c": {"a": null, "a": null}, "\u0061": 2, "d": "0.5"}"#;
        let Json::Table(table) = serde_json::from_str(text).unwrap() else { panic!("an object") };
        assert_eq!((table.only("a"), table.only("x")), (Err(Double), Ok(None)));
        let Ok(Some(Json::Table(inner))) = table.only("c") else { panic!("an object") };
        assert_eq!(inner.only("a"), Err(Double));
        let shown = |key: &str| table.only(key).unwrap().map(Json::shown);
        assert_eq!((shown("b"), shown("c")), (Some(r#"[{"a":1}]"#.to_owned()), Some("an object".to_owned())));
        assert_eq!(table.only("d").unwrap().and_then(Json::number), Some(0.5));
        assert!(table.holds("a") && !table.holds("x"));
    }

    #[test]
    fn every_kind_of_value_is_read_as_json_has_it() {
        for text in ["null", "true", "-3", "3", "0.25", "\"x\"", "[1,null,\"y\"]", "1e300"] {
            let plain: Value = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::from_str::<Json>(text).unwrap(), Json::Plain(plain), "{text}");
        }
        assert!(serde_json::from_str::<Json>(&"{\"a\":".repeat(100_000)).is_err(), "bounded depth");
    }
}
