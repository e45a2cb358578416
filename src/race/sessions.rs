//! Which arm answered a conversation last: a bounded memory by the digest of a conversation's id. A
//! conversation that is forgotten is one that begins anew. Nothing of it is stored by itself: the records of runs
//! hold the digest, who answered and when, and at a start the memory is made of the newest of them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::policies::SessionRules;
use crate::domain::clock::Timestamp;
use crate::domain::ids::ArmId;
use crate::domain::record::RunRecord;

/// The digest of a conversation's id: what is remembered and recorded of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct SessionKey(u64);

impl SessionKey {
    /// FNV-1a, mixed as in `SplitMix64`; `None` for a blank id.
    pub(super) fn of(id: &str) -> Option<Self> {
        let id = id.trim();
        let hash = id
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (!id.is_empty()).then_some(Self(hash ^ (hash >> 31)))
    }

    /// The digest as a record holds it; `None` for what is none.
    fn recorded(text: &str) -> Option<Self> {
        u64::from_str_radix(text, 16).ok().filter(|_| text.len() == 16).map(Self)
    }

    /// As records hold it.
    pub(super) fn text(self) -> String {
        format!("{:016x}", self.0)
    }

    /// A number in [0, 1) that is the conversation's own.
    pub(super) fn uniform(self) -> f64 {
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// See above.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<SessionKey, (ArmId, Timestamp)>>);

impl Sessions {
    /// Who answered that conversation last.
    pub(super) fn arm(&self, key: SessionKey, rules: &SessionRules, now: Timestamp) -> Option<ArmId> {
        let sessions = self.locked();
        let (arm, at) = sessions.get(&key)?;
        (now.since(*at) < rules.ttl).then(|| arm.clone())
    }

    /// Takes in who answered the conversation of a stored record, in whatever order records come; whether it is young
    /// enough at `now` to matter.
    pub(super) fn recall(&self, record: &RunRecord, rules: &SessionRules, now: Timestamp) -> bool {
        if now.since(record.at) >= rules.ttl {
            return false;
        }
        let key = record.policies.session.as_ref().and_then(|session| SessionKey::recorded(&session.id));
        let (Some(key), Some(winner)) = (key, &record.winner) else { return true };
        let is_newest = self.locked().get(&key).is_none_or(|(_, at)| *at <= record.at);
        if is_newest {
            self.remember(key, winner, record.at, rules, now);
        }
        true
    }

    /// Remembers who answered; the conversation that was silent longest goes where there are too many.
    pub(super) fn answered(&self, key: SessionKey, arm: &ArmId, rules: &SessionRules, now: Timestamp) {
        self.remember(key, arm, now, rules, now);
    }

    fn remember(&self, key: SessionKey, arm: &ArmId, at: Timestamp, rules: &SessionRules, now: Timestamp) {
        if rules.max == 0 {
            return;
        }
        let mut sessions = self.locked();
        sessions.insert(key, (arm.clone(), at));
        if sessions.len() <= rules.max {
            return;
        }
        sessions.retain(|_, (_, at)| now.since(*at) < rules.ttl);
        while sessions.len() > rules.max {
            let oldest = sessions.iter().min_by_key(|(key, (_, at))| (*at, key.0)).map(|(key, _)| *key);
            let Some(oldest) = oldest else { break };
            sessions.remove(&oldest);
        }
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<SessionKey, (ArmId, Timestamp)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_conversation_is_remembered_for_its_time_and_the_newest_are_kept() {
        let rules = SessionRules { ttl: Duration::from_secs(10), max: 3, ..SessionRules::default() };
        let at = |seconds: u64| Timestamp::from_millis(seconds * 1000);
        let key = |n: u64| SessionKey::of(&format!("conversation {n}")).unwrap();
        let sessions = Sessions::default();
        for n in 0..5 {
            sessions.answered(key(n), &ArmId::new("a"), &rules, at(n));
        }
        let known: Vec<bool> = (0..5).map(|n| sessions.arm(key(n), &rules, at(5)).is_some()).collect();
        assert_eq!(known, [false, false, true, true, true]);
        assert_eq!(sessions.arm(key(4), &rules, at(13)), Some(ArmId::new("a")));
        assert_eq!(sessions.arm(key(4), &rules, at(14)), None);
        assert_eq!(SessionKey::of("  "), None);
        assert_eq!(SessionKey::of(" x "), SessionKey::of("x"));
        assert_eq!(SessionKey::recorded(&key(1).text()), Some(key(1)));
        assert_eq!(SessionKey::recorded("+1").or(SessionKey::recorded("")), None);
        let mean = (0..1000).map(|n| key(n).uniform()).sum::<f64>() / 1000.0;
        assert!((mean - 0.5).abs() < 0.04, "{mean}");
    }
}
