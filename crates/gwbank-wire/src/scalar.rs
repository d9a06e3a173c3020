//! One value of JSON or CBOR, borrowed where the input allows it; whatever is nested is drained and only named.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use crate::limits::NESTING_MAX;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar<'de> {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(Cow<'de, str>),
    Bytes,
    Array,
    Object,
}

impl Scalar<'_> {
    pub fn number(&self) -> Option<f64> {
        match self {
            Scalar::Integer(number) => Some(*number as f64),
            Scalar::Float(number) => Some(*number),
            _ => None,
        }
    }

    pub fn into_owned(self) -> Scalar<'static> {
        match self {
            Scalar::Text(text) => Scalar::Text(Cow::Owned(text.into_owned())),
            Scalar::Null => Scalar::Null,
            Scalar::Bool(value) => Scalar::Bool(value),
            Scalar::Integer(number) => Scalar::Integer(number),
            Scalar::Float(number) => Scalar::Float(number),
            Scalar::Bytes => Scalar::Bytes,
            Scalar::Array => Scalar::Array,
            Scalar::Object => Scalar::Object,
        }
    }

    /// What it is, for a fault's text.
    pub fn kind(&self) -> &'static str {
        match self {
            Scalar::Null => "null",
            Scalar::Bool(_) => "true or false",
            Scalar::Integer(_) | Scalar::Float(_) => "a number",
            Scalar::Text(_) => "text",
            Scalar::Bytes => "bytes",
            Scalar::Array => "an array",
            Scalar::Object => "an object",
        }
    }
}

/// Reads a scalar at a known depth.
#[derive(Clone, Copy)]
pub(crate) struct ScalarSeed<'de> {
    depth: usize,
    input: PhantomData<&'de ()>,
}

impl ScalarSeed<'_> {
    pub const TOP: Self = ScalarSeed { depth: 0, input: PhantomData };

    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth == NESTING_MAX {
            return Err(E::custom(format_args!("nested deeper than {NESTING_MAX} levels")));
        }
        Ok(ScalarSeed { depth: self.depth + 1, input: PhantomData })
    }
}

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ScalarSeed::TOP.deserialize(deserializer)
    }
}

impl<'de> DeserializeSeed<'de> for ScalarSeed<'de> {
    type Value = Scalar<'de>;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Scalar<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ScalarSeed<'de> {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_unit<E>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Null)
    }
    fn visit_none<E>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Null)
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Scalar<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Integer(value))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Scalar<'de>, E> {
        Ok(i64::try_from(value).map_or(Scalar::Float(value as f64), Scalar::Integer))
    }
    fn visit_i128<E>(self, value: i128) -> Result<Scalar<'de>, E> {
        Ok(i64::try_from(value).map_or(Scalar::Float(value as f64), Scalar::Integer))
    }
    fn visit_u128<E>(self, value: u128) -> Result<Scalar<'de>, E> {
        Ok(i64::try_from(value).map_or(Scalar::Float(value as f64), Scalar::Integer))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Float(value))
    }
    fn visit_str<E>(self, value: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Owned(value.to_owned())))
    }
    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Borrowed(value)))
    }
    fn visit_string<E>(self, value: String) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Owned(value)))
    }
    fn visit_bytes<E>(self, _: &[u8]) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Bytes)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar<'de>, A::Error> {
        let deeper = self.deeper()?;
        while seq.next_element_seed(deeper)?.is_some() {}
        Ok(Scalar::Array)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar<'de>, A::Error> {
        let deeper = self.deeper()?;
        while map.next_key_seed(deeper)?.is_some() {
            map.next_value_seed(deeper)?;
        }
        Ok(Scalar::Object)
    }
    /// A CBOR tag, as ciborium hands it over.
    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Scalar<'de>, A::Error> {
        let deeper = self.deeper()?;
        let (_, content): (Scalar<'de>, A::Variant) = data.variant_seed(deeper)?;
        content.tuple_variant(2, TagVisitor { seed: deeper })
    }
}

/// The tag's number and content. Only decimal fractions (tag 4) and big floats (tag 5) change what the content means.
struct TagVisitor<'de> {
    seed: ScalarSeed<'de>,
}

impl<'de> Visitor<'de> for TagVisitor<'de> {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a tagged value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar<'de>, A::Error> {
        let missing = || A::Error::custom("tag without content");
        let tag = seq.next_element_seed(self.seed)?.ok_or_else(missing)?;
        let base: f64 = match tag {
            Scalar::Integer(4) => 10.0,
            Scalar::Integer(5) => 2.0,
            _ => return seq.next_element_seed(self.seed)?.ok_or_else(missing),
        };
        let pair = seq.next_element_seed(PairSeed { seed: self.seed })?.ok_or_else(missing)?;
        let Some((exponent, mantissa)) = pair else {
            return Ok(Scalar::Array);
        };
        Ok(Scalar::Float(scaled(mantissa, base, exponent)))
    }
}

/// mantissa × base ^ exponent. Decimal fractions go through text, so that [-2, 342] is the same double as 3.42.
fn scaled(mantissa: f64, base: f64, exponent: i64) -> f64 {
    let exponent = exponent.clamp(-5000, 5000) as i32;
    if base == 10.0 {
        return format!("{mantissa}e{exponent}").parse().unwrap_or(f64::NAN);
    }
    mantissa * base.powi(exponent)
}

/// `[exponent, mantissa]`; `None` where it is something else.
struct PairSeed<'de> {
    seed: ScalarSeed<'de>,
}

impl<'de> DeserializeSeed<'de> for PairSeed<'de> {
    type Value = Option<(i64, f64)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for PairSeed<'de> {
    type Value = Option<(i64, f64)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of exponent and mantissa")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let exponent = seq.next_element_seed(self.seed)?;
        let mantissa = seq.next_element_seed(self.seed)?;
        let mut longer = false;
        while seq.next_element_seed(self.seed)?.is_some() {
            longer = true;
        }
        Ok(match (exponent, mantissa.as_ref().and_then(Scalar::number)) {
            (Some(Scalar::Integer(exponent)), Some(mantissa)) if !longer => Some((exponent, mantissa)),
            _ => None,
        })
    }
}
