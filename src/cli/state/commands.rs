//! From what was typed to the command of the router. Nothing is decided here that the engine decides:
//! unknown arms, the last active arm and numbers out of range are refused by it, with its words.

use super::args::{AddArmArgs, ModeArgs, ModeName, StateAction};
use crate::bandit::faults_of;
use crate::cli::failure::{CliError, Outcome};
use crate::domain::command::{Actor, JournalEntry, RouterCommand};
use crate::domain::engine::{EngineHandle, JournalQuery};
use crate::domain::ids::{ArmId, Sequence};
use crate::domain::snapshot::EngineSnapshot;
use crate::domain::spec::{ArmSpec, Mode, ShareLimits, Strategy};

/// How far back an action without a number looks for the one to undo.
const UNDO_DEPTH: usize = 200;

/// What could be checked without an engine.
#[derive(Default)]
pub(super) struct Prepared {
    arm: Option<ArmSpec>,
}

/// Checks what needs no engine.
pub(super) fn prepare(action: &StateAction) -> Outcome<Prepared> {
    match action {
        StateAction::AddArm(args) => Ok(Prepared { arm: Some(declared(args)?) }),
        StateAction::Mode(args) if args.mode.is_none() && args.pin.is_none() && !args.pause_learning => {
            Err(CliError::usage("no mode: expected a strategy, normal, --pin ARM or --pause-learning")
                .hint("banditop state mode direct --for 10m"))
        }
        StateAction::Exploration { alpha: None, share: None } => {
            Err(CliError::usage("nothing to change: expected --alpha or --share"))
        }
        StateAction::Limits { min: None, max: None, off: false, .. } => {
            Err(CliError::usage("nothing to change: expected --min, --max or --off")
                .hint("banditop state show prints the bounds that hold"))
        }
        _ => Ok(Prepared::default()),
    }
}

fn declared(args: &AddArmArgs) -> Outcome<ArmSpec> {
    let price = |value: Option<f64>| value.map(|price| price.to_string());
    let fields = [
        ("name", Some(args.name.clone())),
        ("provider", Some(args.provider.clone())),
        ("base_url", args.base_url.clone()),
        ("model", args.model.clone()),
        ("api_key_env", args.api_key_env.clone()),
        ("price_per_million.input", price(args.price_input)),
        ("price_per_million.output", price(args.price_output)),
        ("price_per_million.cached", price(args.price_cached)),
    ];
    let fields: Vec<(&str, String)> = fields.into_iter().filter_map(|(key, text)| Some((key, text?))).collect();
    crate::settings::declared_arm(&fields).map_err(CliError::usage)
}

/// The command that an action stands for.
pub(super) async fn command(
    engine: &dyn EngineHandle,
    action: StateAction,
    prepared: Prepared,
) -> Outcome<RouterCommand> {
    let ids = |arms: Vec<String>| arms.iter().map(|name| ArmId::new(name)).collect::<Vec<_>>();
    Ok(match action {
        StateAction::Decay { factor, arms } => RouterCommand::Decay { factor, arms: ids(arms) },
        StateAction::Prune { min_trials, min_win_rate } => {
            RouterCommand::Prune { min_trials, min_win_rate, victims: Vec::new() }
        }
        StateAction::Deactivate { arms } => RouterCommand::Deactivate { arms: ids(arms) },
        StateAction::Reactivate { judge: true, .. } => RouterCommand::AskJudge,
        StateAction::Reactivate { arms, .. } => RouterCommand::Reactivate { arms: ids(arms) },
        StateAction::Weights { changes } => weights(engine, &changes)?,
        StateAction::Exploration { alpha, share } => RouterCommand::SetExploration { alpha, explore_share: share },
        StateAction::Budget { dollars } => RouterCommand::SetBudget { dollars: dollars.0 },
        StateAction::Limits { arm, min, max, over, off } => {
            let ramp_s = over.map_or(0.0, |over| over.as_secs_f64());
            let limits = ShareLimits { min: min.unwrap_or(0.0), max: max.unwrap_or(1.0), ramp_s };
            let limits = (!off).then_some(limits);
            RouterCommand::SetShareLimits { arm: ArmId::new(&arm), limits }
        }
        StateAction::Mode(args) => RouterCommand::SetMode { mode: mode(engine, &args) },
        StateAction::RemoveArm { arm } => RouterCommand::RemoveArm { arm: ArmId::new(&arm) },
        StateAction::ResetArm { arm } => RouterCommand::ResetArm { arm: ArmId::new(&arm) },
        StateAction::Discard { from, to } => RouterCommand::Discard { from, to },
        StateAction::Undo { sequence: Some(target) } => RouterCommand::Undo { target },
        StateAction::Undo { sequence: None } => RouterCommand::Undo { target: newest(engine).await? },
        other => match prepared.arm {
            Some(spec) => RouterCommand::AddArm { spec },
            None => return Err(CliError::failed(format!("{other:?} is no command"))),
        },
    })
}

/// What is wrong with a command before it is sent: numbers outside their ranges, and arms that are not there.
///
/// # Errors
/// All of it, as a fault of the command line; what would change nothing is refused.
pub(super) fn check(picture: &EngineSnapshot, command: &RouterCommand) -> Outcome {
    let mut faults: Vec<String> = faults_of(command).iter().map(ToString::to_string).collect();
    let is_there = |arm: &&ArmId| picture.arms.iter().any(|row| row.arm == **arm);
    let unknown: Vec<String> =
        named(command).into_iter().filter(|arm| !is_there(arm)).map(|arm| format!("{:?}", arm.as_str())).collect();
    if !unknown.is_empty() {
        let known: Vec<&str> = picture.arms.iter().map(|row| row.arm.as_str()).collect();
        faults.push(format!("there is no arm {}: the pool has {}", unknown.join(", "), known.join(", ")));
    }
    if !faults.is_empty() {
        return Err(CliError::usage(faults.join("; ")));
    }
    let idle = match command {
        RouterCommand::Decay { factor, .. } if *factor >= 1.0 => "a decay by 1 forgets nothing",
        RouterCommand::SetBudget { dollars } if *dollars == picture.budget_per_request_usd => {
            "that ceiling holds already"
        }
        _ => return Ok(()),
    };
    Err(CliError::failed(format!("refused: {idle}: nothing to do")))
}

/// The arms that a command needs.
fn named(command: &RouterCommand) -> Vec<&ArmId> {
    match command {
        // A single one may mean the judge, whose name the engine knows.
        RouterCommand::Reactivate { arms } if arms.len() == 1 => Vec::new(),
        RouterCommand::Decay { arms, .. } | RouterCommand::Deactivate { arms } | RouterCommand::Reactivate { arms } => {
            arms.iter().collect()
        }
        RouterCommand::SetShareLimits { arm, .. }
        | RouterCommand::RemoveArm { arm }
        | RouterCommand::ResetArm { arm } => {
            vec![arm]
        }
        RouterCommand::SetMode { mode } => mode.pinned.iter().collect(),
        _ => Vec::new(),
    }
}

fn weights(engine: &dyn EngineHandle, changes: &[(String, f64)]) -> Outcome<RouterCommand> {
    let weights = engine.snapshot().weights.with(changes).map_err(|faults| {
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        CliError::usage(lines.join("; "))
    })?;
    Ok(RouterCommand::SetWeights { weights })
}

fn mode(engine: &dyn EngineHandle, args: &ModeArgs) -> Mode {
    let strategy = match args.mode {
        None | Some(ModeName::Normal) => None,
        Some(ModeName::Race) => Some(Strategy::Race),
        Some(ModeName::Direct) => Some(Strategy::Direct),
        Some(ModeName::Baseline) => Some(Strategy::Baseline),
        Some(ModeName::Auto) => Some(Strategy::Auto),
    };
    let expires = args.lasting.map(|span| engine.now().plus(span));
    let pinned = args.pin.as_deref().map(ArmId::new);
    Mode { strategy, pinned, learning_paused: args.pause_learning, expires }
}

/// The newest action of a person that stands.
async fn newest(engine: &dyn EngineHandle) -> Outcome<Sequence> {
    let entries = engine.journal(JournalQuery { limit: UNDO_DEPTH }).await?;
    let newest = entries.iter().find(|entry| can_be_undone(entry)).map(|entry| entry.sequence);
    newest.ok_or_else(|| CliError::failed("there is nothing to undo").hint("banditop state journal"))
}

fn can_be_undone(entry: &JournalEntry) -> bool {
    let is_action = !matches!(entry.command, RouterCommand::Undo { .. } | RouterCommand::Import { .. });
    is_action && entry.command.can_be_undone() && entry.undone_by.is_none() && matches!(entry.actor, Actor::Person(_))
}
