//! The scale of an embedding's slots, and what other features leave of a state.

use super::super::config::RouterConfig;
use super::super::prepare::Rejection;
use super::super::state::RouterState;
use super::{Log, config, scale};
use crate::domain::command::RouterCommand;
use crate::domain::context::Normaliser;
use crate::domain::terms::Weights;

#[test]
fn a_scale_is_set_once_fits_the_slots_and_travels_with_the_snapshot() {
    let mut log = Log::new(config(4), Weights::default(), &["a", "b"]);
    let set = |normaliser| RouterCommand::SetNormaliser { normaliser };
    let mut odd = scale(3);
    odd.sd[1] = 0.0;
    for wrong in [scale(2), odd, Normaliser { mean: vec![0.0; 2], ..scale(3) }] {
        assert!(matches!(log.state.prepare(set(wrong)), Err(Rejection::BadNormaliser { .. })));
    }
    let before = log.state.digest();
    log.push(log.state.prepare(set(scale(3))).unwrap());
    assert_ne!(log.state.digest(), before);
    assert_eq!(log.state.normaliser(), Some(&scale(3)));
    assert!(log.state.prepare(set(scale(3))).is_err(), "it is frozen");
    let again = RouterState::from_snapshot(&log.state.to_snapshot(), log.state.config()).unwrap();
    assert_eq!((again.normaliser(), again.digest()), (Some(&scale(3)), log.state.digest()));
    let other = RouterConfig { feature_version: "other".to_owned(), ..config(4) };
    let carried = RouterState::carried_over(&log.state.to_snapshot(), &other).unwrap();
    assert_eq!((carried.normaliser(), carried.arms().count()), (None, 2), "a scale belongs to its features");
}
