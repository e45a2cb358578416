//! The version of a schema: a digest over the ordered names, their blocks and every parameter that
//! changes what a number means. Not cryptographic: it tells schemas apart, it does not guard them.

use crate::domain::context::FeatureBlock;

/// 16 hex digits over kind, names with their blocks, and named parameters, in their order (FNV-1a, with
/// lengths between the parts so that no two lists run together, then mixed as in `SplitMix64`).
#[must_use]
pub fn version_digest(kind: &str, features: &[(String, FeatureBlock)], parameters: &[(&str, String)]) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut absorb = |part: &str| {
        let length = (part.len() as u64).to_le_bytes();
        for byte in length.into_iter().chain(part.bytes()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    absorb(kind);
    for (name, block) in features {
        absorb(name);
        absorb(match block {
            FeatureBlock::Intercept => "intercept",
            FeatureBlock::Length => "length",
            FeatureBlock::Intent => "intent",
            FeatureBlock::Embedding => "embedding",
            FeatureBlock::Signal => "signal",
        });
    }
    for (name, value) in parameters {
        absorb(name);
        absorb(value);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    format!("{:016x}", hash ^ (hash >> 31))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_change_of_meaning_changes_the_version() {
        let names = |list: &[&str]| -> Vec<(String, FeatureBlock)> {
            list.iter().map(|n| ((*n).to_owned(), FeatureBlock::Length)).collect()
        };
        let base = version_digest("length", &names(&["bias", "length"]), &[("threshold", "2000".to_owned())]);
        let others = [
            version_digest("length", &names(&["length", "bias"]), &[("threshold", "2000".to_owned())]),
            version_digest("length", &names(&["biaslength"]), &[("threshold", "2000".to_owned())]),
            version_digest("length", &names(&["bias", "length"]), &[("threshold", "2001".to_owned())]),
            version_digest("embedding", &names(&["bias", "length"]), &[("threshold", "2000".to_owned())]),
        ];
        assert_eq!(base.len(), 16);
        assert!(others.iter().all(|other| *other != base));
    }
}
