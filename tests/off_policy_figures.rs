//! The off-policy figures of the recorded bandit log, to all printed digits. The log is no part of the
//! repository: `BANDITOP_DATA`, or `../shared/data`; without it the test says so and passes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test")]

mod common;

use banditop::evaluation::off_policy::{Estimate, Logged, estimate};

const ITEMS: usize = 80;
const POSITIONS: usize = 3;

/// Item, position from 0, click, propensity.
type Shown = (usize, usize, f64, f64);

fn shown(text: &str) -> Vec<Shown> {
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let column = |name: &str| header.iter().position(|h| *h == name).unwrap();
    let columns = ["item_id", "position", "click", "propensity_score"].map(column);
    lines
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            let [item, position] = [columns[0], columns[1]].map(|c| cells[c].parse::<usize>().unwrap());
            let [click, propensity] = [columns[2], columns[3]].map(|c| cells[c].parse::<f64>().unwrap());
            (item, position - 1, click, propensity)
        })
        .collect()
}

/// By position and item: the policy's probabilities, from how often the other log shows an item.
fn policy(rows: &[Shown]) -> Vec<Vec<f64>> {
    (0..POSITIONS)
        .map(|position| {
            let here: Vec<usize> = rows.iter().filter(|r| r.1 == position).map(|r| r.0).collect();
            let count = |item: usize| here.iter().filter(|i| **i == item).count() as f64;
            (0..ITEMS).map(|item| (count(item) + 1.0) / (here.len() + ITEMS) as f64).collect()
        })
        .collect()
}

/// By position and item: clicks, shrunk by one showing of average success.
fn model(rows: &[Shown]) -> Vec<Vec<f64>> {
    let average = rows.iter().map(|r| r.2).sum::<f64>() / rows.len() as f64;
    let (mut clicks, mut n) = (vec![vec![average; ITEMS]; POSITIONS], vec![vec![1.0; ITEMS]; POSITIONS]);
    for (item, position, click, _) in rows {
        clicks[*position][*item] += click;
        n[*position][*item] += 1.0;
    }
    let divide = |(c, n): (Vec<f64>, Vec<f64>)| c.iter().zip(n).map(|(c, n)| c / n).collect();
    clicks.into_iter().zip(n).map(divide).collect()
}

#[test]
fn the_figures_of_the_recorded_log_are_reproduced() {
    let Some(folder) = common::data::folder("the off-policy figures") else { return };
    let read = |name: &str| shown(&common::data::text(&folder.join("obd").join(name)));
    let (logged, other) = (read("random_all.csv.gz"), read("bts_all.csv.gz"));
    let (policy, model) = (policy(&other), model(&logged));
    let log: Vec<Logged> = logged
        .iter()
        .map(|(item, position, click, propensity)| Logged {
            reward: *click,
            propensity: *propensity,
            target: policy[*position][*item],
            modelled: model[*position][*item],
            modelled_target: policy[*position].iter().zip(&model[*position]).map(|(p, q)| p * q).sum(),
            unsupported: 0.0,
        })
        .collect();
    let found = estimate(&log).unwrap();
    let digits = |e: Estimate| (format!("{:.8}", e.value), format!("{:.8}", e.se));
    assert_eq!(digits(found.ips), ("0.00500646".into(), "0.00126226".into()));
    assert_eq!(digits(found.snips).0, "0.00521761");
    assert_eq!(digits(found.dm).0, "0.00492000");
    assert_eq!(digits(found.dr), ("0.00494618".into(), "0.00124135".into()));
    assert_eq!(format!("{:.1}", found.effective_sample_size), "2736.1");
    assert_eq!(format!("{:.3}", found.largest_weight), "9.420");
}
