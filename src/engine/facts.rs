//! What the configuration has to say at start. What a person changed at run time beats the
//! configuration, but for facts that were edited since the engine last started: those win. So the facts
//! of the last start are stored, and this file turns the difference into commands by the actor
//! `config`. Nothing else about the configuration reaches the router's state.
//!
//! | configuration since the last start | pool | command |
//! |---|---|---|
//! | first start, or an arm is new | not there | `AddArm`, which is switched off where the declaration is |
//! | the arm's declaration changed | any | `AddArm`: the statistics stay |
//! | the arm is as it was | removed or switched off by a person | nothing |
//! | `enabled` became false, or the arm vanished | in | `Deactivate`, and `AddArm` for the record |
//! | `enabled` became true, or the arm came back | out | `Reactivate`, and `AddArm` for the record |
//! | `enabled` changed | removed by a person | nothing |
//! | weights, α or the explore share changed | any | `SetWeights`, `SetExploration` |
//! | the ceiling of dollars per request changed | any | `SetBudget` |
//! | what is believed of an arm changed | any | `SetPrior`, for arms that are in the pool then |

use crate::domain::command::RouterCommand;
use crate::domain::ids::ArmId;
use crate::domain::prior::ArmPrior;
use crate::domain::spec::{ArmSpec, ConfigFacts, Lifecycle};

/// The pool as it stands: each arm with where it is.
pub(super) type Pool = [(ArmId, Lifecycle)];

/// The commands that `now` calls for, given the facts of the last start (`None` at the first).
pub(super) fn reconcile(last: Option<&ConfigFacts>, now: &ConfigFacts, pool: &Pool) -> Vec<RouterCommand> {
    let (mut commands, mut going) = (Vec::new(), Vec::new());
    for spec in &now.arms {
        let before = last.and_then(|facts| facts.arms.iter().find(|arm| arm.name == spec.name));
        let is_in = standing(pool, &spec.name).is_some_and(|state| state != Lifecycle::Deactivated);
        // Who comes in comes first: the last arm that can answer is never switched off.
        let turn = if is_in && !spec.enabled { &mut going } else { &mut commands };
        arm(before, spec, standing(pool, &spec.name), turn);
    }
    commands.append(&mut going);
    vanished(last, now, pool, &mut commands);
    if last.is_none_or(|last| last.weights != now.weights) {
        commands.push(RouterCommand::SetWeights { weights: now.weights });
    }
    let alpha = changed(last.map(|last| last.alpha), now.alpha);
    let explore_share = changed(last.map(|last| last.explore_share), now.explore_share);
    if alpha.is_some() || explore_share.is_some() {
        commands.push(RouterCommand::SetExploration { alpha, explore_share });
    }
    let budget = |facts: &ConfigFacts| facts.budget_per_request.map(f64::to_bits);
    if last.and_then(budget) != budget(now) {
        commands.push(RouterCommand::SetBudget { dollars: now.budget_per_request });
    }
    commands.extend(priors(last, now, pool));
    commands
}

/// What is believed anew, and what no longer. Under another schema than at the last start everything is new.
fn priors(last: Option<&ConfigFacts>, now: &ConfigFacts, pool: &Pool) -> Option<RouterCommand> {
    let before = last.map(|last| &last.priors).filter(|before| before.feature_version == now.priors.feature_version);
    let before = before.map_or(&[][..], |before| before.arms.as_slice());
    let is_there = |arm: &ArmId| now.arms.iter().any(|spec| spec.name == *arm) || standing(pool, arm).is_some();
    let was_removed = |arm: &ArmId| {
        standing(pool, arm).is_none() && last.is_some_and(|last| last.arms.iter().any(|spec| spec.name == *arm))
    };
    let new = now.priors.arms.iter().filter(|belief| !before.contains(belief)).cloned();
    let gone = before.iter().filter(|belief| now.priors.arms.iter().all(|other| other.arm != belief.arm));
    let arms: Vec<ArmPrior> = new
        .chain(gone.map(|belief| ArmPrior::none(belief.arm.clone())))
        .filter(|belief| is_there(&belief.arm) && !was_removed(&belief.arm))
        .collect();
    // Of nothing, nothing need be said; what is said of an earlier schema is no longer believed anyway.
    let feature_version = now.priors.feature_version.clone();
    (!arms.is_empty()).then_some(RouterCommand::SetPrior { feature_version, arms })
}

fn standing(pool: &Pool, arm: &ArmId) -> Option<Lifecycle> {
    pool.iter().find(|(name, _)| name == arm).map(|(_, state)| *state)
}

fn changed(before: Option<f64>, now: f64) -> Option<f64> {
    before.is_none_or(|before| before.to_bits() != now.to_bits()).then_some(now)
}

fn arm(before: Option<&ArmSpec>, now: &ArmSpec, standing: Option<Lifecycle>, commands: &mut Vec<RouterCommand>) {
    if before == Some(now) {
        return;
    }
    let add = RouterCommand::AddArm { spec: now.clone() };
    // `enabled` is a switch, not a part of what the arm is: an arm that a person removed stays removed.
    let only_switched = before.is_some_and(|before| ArmSpec { enabled: now.enabled, ..before.clone() } == *now);
    let Some(standing) = standing else {
        commands.extend((!only_switched).then_some(add));
        return;
    };
    let is_switched = before.is_none_or(|before| before.enabled != now.enabled);
    let is_out = matches!(standing, Lifecycle::Deactivated | Lifecycle::Pruned);
    let arms = vec![now.name.clone()];
    if is_switched && !now.enabled && standing != Lifecycle::Deactivated {
        commands.push(RouterCommand::Deactivate { arms });
    } else if is_switched && now.enabled && is_out {
        commands.push(RouterCommand::Reactivate { arms });
    }
    commands.push(add);
}

fn vanished(last: Option<&ConfigFacts>, now: &ConfigFacts, pool: &Pool, commands: &mut Vec<RouterCommand>) {
    let gone = last.into_iter().flat_map(|facts| &facts.arms).filter(|old| now.arms.iter().all(|a| a.name != old.name));
    let arms: Vec<ArmId> = gone
        .map(|spec| spec.name.clone())
        .filter(|name| standing(pool, name).is_some_and(|state| state != Lifecycle::Deactivated))
        .collect();
    if !arms.is_empty() {
        commands.push(RouterCommand::Deactivate { arms });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::spec::{ConfigPriors, Provider};
    use crate::domain::terms::Weights;

    fn spec(name: &str, model: &str, enabled: bool) -> ArmSpec {
        ArmSpec {
            name: name.into(),
            provider: Provider::Simulated,
            base_url: String::new(),
            model: model.into(),
            api_key_env: None,
            price: None,
            enabled,
        }
    }

    fn facts(arms: &[ArmSpec]) -> ConfigFacts {
        ConfigFacts {
            arms: arms.to_vec(),
            weights: Weights::default(),
            alpha: 1.0,
            explore_share: 0.05,
            budget_per_request: None,
            priors: ConfigPriors::default(),
        }
    }

    /// `do:arm` for each command.
    fn words(last: Option<&ConfigFacts>, now: &ConfigFacts, pool: &Pool) -> String {
        let word = |command: &RouterCommand| match command {
            RouterCommand::AddArm { spec } => format!("add-arm:{}", spec.name),
            RouterCommand::Deactivate { arms } | RouterCommand::Reactivate { arms } => {
                let names: Vec<&str> = arms.iter().map(ArmId::as_str).collect();
                format!("{}:{}", command.name(), names.join("+"))
            }
            RouterCommand::SetExploration { alpha, explore_share } => format!("explore:{alpha:?}:{explore_share:?}"),
            other => other.name().to_owned(),
        };
        reconcile(last, now, pool).iter().map(word).collect::<Vec<_>>().join(" ")
    }

    /// What happened, the last declaration, the present one, where the arm stands, the commands.
    type Row<'a> = (&'a str, Option<&'a ArmSpec>, Option<&'a ArmSpec>, Option<Lifecycle>, &'a str);

    #[test]
    fn the_precedence_table() {
        use Lifecycle::{Active, Deactivated, Ejected, Pruned};
        let (on, off) = (spec("a", "m", true), spec("a", "m", false));
        let other = spec("a", "m2", true);
        let rows: &[Row<'_>] = &[
            ("unchanged, active", Some(&on), Some(&on), Some(Active), ""),
            ("unchanged, switched off by a person", Some(&on), Some(&on), Some(Deactivated), ""),
            ("unchanged, pruned", Some(&on), Some(&on), Some(Pruned), ""),
            ("unchanged, removed by a person", Some(&on), Some(&on), None, ""),
            ("off and unchanged, switched on by a person", Some(&off), Some(&off), Some(Active), ""),
            ("new", None, Some(&on), None, "add-arm:a"),
            ("new and off", None, Some(&off), None, "add-arm:a"),
            ("came back", None, Some(&on), Some(Deactivated), "reactivate:a add-arm:a"),
            ("added at run time, now declared", None, Some(&on), Some(Active), "add-arm:a"),
            ("another model", Some(&on), Some(&other), Some(Active), "add-arm:a"),
            ("another model, off by a person", Some(&on), Some(&other), Some(Deactivated), "add-arm:a"),
            ("another model, removed by a person", Some(&on), Some(&other), None, "add-arm:a"),
            ("switched off", Some(&on), Some(&off), Some(Active), "deactivate:a add-arm:a"),
            ("switched off while ejected", Some(&on), Some(&off), Some(Ejected), "deactivate:a add-arm:a"),
            ("switched off, is off already", Some(&on), Some(&off), Some(Deactivated), "add-arm:a"),
            ("switched off, removed by a person", Some(&on), Some(&off), None, ""),
            ("switched on", Some(&off), Some(&on), Some(Deactivated), "reactivate:a add-arm:a"),
            ("switched on, is on already", Some(&off), Some(&on), Some(Active), "add-arm:a"),
            ("vanished", Some(&on), None, Some(Active), "deactivate:a"),
            ("vanished, removed by a person", Some(&on), None, None, ""),
            ("vanished, is off already", Some(&on), None, Some(Deactivated), ""),
        ];
        let arms = |arm: Option<&ArmSpec>| facts(&arm.into_iter().cloned().collect::<Vec<_>>());
        for (what, last, now, standing, wanted) in rows {
            let pool: Vec<(ArmId, Lifecycle)> = standing.iter().map(|state| ("a".into(), *state)).collect();
            assert_eq!(words(Some(&arms(*last)), &arms(*now), &pool), *wanted, "{what}");
        }
    }

    #[test]
    fn two_arms_change_places() {
        let (a, b) = (|on| spec("a", "m", on), |on| spec("b", "m", on));
        let pool = [("a".into(), Lifecycle::Active), ("b".into(), Lifecycle::Deactivated)];
        let (last, now) = (facts(&[a(true), b(false)]), facts(&[a(false), b(true)]));
        assert_eq!(words(Some(&last), &now, &pool), "reactivate:b add-arm:b deactivate:a add-arm:a");
    }

    #[test]
    fn beliefs_apply_where_they_were_edited() {
        let believed = |n: f64| ArmPrior::of_level("a".into(), 1, n);
        let with = |arms: Vec<ArmPrior>| ConfigFacts {
            priors: ConfigPriors { feature_version: "v".into(), arms },
            ..facts(&[spec("a", "m", true)])
        };
        let pool = [("a".into(), Lifecycle::Active)];
        let set = |last: Option<&ConfigFacts>, now: &ConfigFacts, pool: &Pool| {
            reconcile(last, now, pool).into_iter().find_map(|command| match command {
                RouterCommand::SetPrior { arms, .. } => Some(arms),
                _ => None,
            })
        };
        let (two, five, none) = (with(vec![believed(2.0)]), with(vec![believed(5.0)]), with(vec![]));
        assert_eq!(set(None, &two, &[]), Some(vec![believed(2.0)]), "the first start");
        assert_eq!(set(Some(&two), &two, &pool), None, "unchanged: what a person did stands");
        assert_eq!(set(Some(&two), &five, &pool), Some(vec![believed(5.0)]));
        assert_eq!(set(Some(&two), &none, &pool), Some(vec![ArmPrior::none("a".into())]), "no longer");
        assert_eq!(set(Some(&none), &two, &[]), None, "an arm that a person removed stays removed");
        let of_nobody = with(vec![ArmPrior::of_level("nobody".into(), 1, 1.0)]);
        assert_eq!(set(None, &of_nobody, &[]), None);
    }

    #[test]
    fn numbers_apply_where_they_were_edited() {
        let last = facts(&[]);
        let mut now = last.clone();
        assert_eq!(words(Some(&last), &now, &[]), "");
        now.alpha = 2.0;
        assert_eq!(words(Some(&last), &now, &[]), "explore:Some(2.0):None");
        now = ConfigFacts { weights: Weights::new([1.0; 6], 0.0).unwrap(), ..last.clone() };
        assert_eq!(words(Some(&last), &now, &[]), "weights");
        assert_eq!(words(None, &last, &[]), "weights explore:Some(1.0):Some(0.05)");
    }
}
