//! Two answers beside each other over real sockets: the loser's connection is closed when there is a winner, it is
//! neither a failure nor a fallback, and a second answer that no budget allows is on the record with its reason.

use std::time::Duration;

use banditop::domain::spec::{Lifecycle, Strategy};
use banditop::race::{ExtraRules, HedgeRules, HedgeStart};

use super::rig::{GOOD, Rig, client};
use super::server::{Act, says, stream};
use super::table::{GRACE, Told};

/// Two answers at once, whatever the prompt.
fn beside() -> Rig {
    Rig::new(&client(), Strategy::Baseline).with(|race| {
        race.config.hedge = HedgeRules { start: HedgeStart::Immediate, prompt_chars: 0, margin_tokens: 48 };
    })
}

#[tokio::test]
async fn the_loser_is_hung_up_on() {
    let rows = [
        ("silent", vec![Act::Hold]),
        ("headers and nothing else", vec![stream(""), Act::Hold]),
        ("half an answer", vec![stream(&says("An answer")), Act::Hold]),
        ("a word now and then", vec![stream(""), Act::Forever(says("w ").into_bytes(), Duration::from_millis(20))]),
    ];
    for (loser, script) in rows {
        let _told = Told(format!("a loser: {loser}"));
        let played = beside().play(vec![script]).await;
        assert_eq!(played.attempts(), "bad:lost good:ok");
        let record = &played.record;
        assert_eq!((record.answer.as_deref(), record.fallbacks), (Some(GOOD), 0));
        let [lost, won] = record.attempts.as_slice() else { panic!("{:?}", record.attempts) };
        assert!(lost.lost && !lost.hedge && won.hedge && won.handling.unhedged.is_none());
        assert_eq!((played.learned(), played.arm().state), (None, Lifecycle::Active));
        assert!(played.screens[0].contains("bad lost beside the winner"), "{}", played.screens[0]);
        let most = GRACE * 2 + played.withheld;
        let lasted = played.calls[0].over.unwrap() - played.calls[0].at;
        assert!(lasted <= most, "its connection lasted {lasted:?} of {most:?}");
    }
}

#[tokio::test]
async fn a_second_answer_that_no_budget_allows_is_told() {
    let rig = Rig::new(&client(), Strategy::Baseline).with(|race| {
        race.config.timeouts.first_token = Duration::from_millis(150);
        race.config.hedge = HedgeRules { start: HedgeStart::Immediate, prompt_chars: 0, margin_tokens: 48 };
        race.config.extras = ExtraRules { retry_share: 0.0, extra_share: 0.0, trickle_per_s: 0.0, burst: 0.5 };
    });
    let played = rig.play(vec![vec![Act::Hold]]).await;
    assert_eq!(played.attempts(), "bad:first_token_timeout good:ok", "no hedge, a fallback");
    let attempt = &played.record.attempts[0];
    let reason = "retries and hedges have had their share of the traffic";
    assert_eq!(attempt.handling.unhedged.as_deref(), Some(reason));
    assert!(played.screens[0].contains("had no second answer beside it"), "{}", played.screens[0]);
    let good = played.snapshot.arms.iter().find(|row| row.arm.as_str() == "good").unwrap();
    assert_eq!(good.extras.map(|extras| (extras.hedges, extras.denied)), Some((0, 1)));
}
