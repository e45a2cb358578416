//! What must be readable to its last word, at 80x24 and at 120x36: sentences that matter, the way out of what lies on
//! top, and signs that say what they count.

use crossterm::event::KeyCode;

use super::super::fixture::{self, step};
use super::super::message::Event;
use super::super::model::Model;
use super::super::update::update;
use super::tests::{check, frame};
use crate::domain::command::Acknowledgement;

const SIZES: [(u16, u16); 2] = [(80, 24), (120, 36)];

fn press(model: &mut Model, key: KeyCode) {
    update(model, Event::Key(key.into()), step(10));
}

/// The words of a frame with everything between them made one blank: sentences that were wrapped are whole again,
/// where nothing stands beside them.
fn words(frame: &str) -> String {
    let bare: String = frame.chars().map(|c| if "│─┌┐└┘".contains(c) { ' ' } else { c }).collect();
    bare.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_change_that_would_be_rejected_says_why_to_the_last_word_and_how_to_leave() {
    let reason = "nobody would go: no active arm has at least 50 trials and wins fewer than 5 % of them";
    for (width, height) in SIZES {
        let mut model = fixture::model();
        press(&mut model, KeyCode::Char('p'));
        let answer = Event::WhatIf(model.question, Err(reason.to_owned()));
        update(&mut model, answer, step(20));
        let shown = frame(&model, width, height);
        check(&format!("dialog_refused_{width}x{height}"), &shown);
        for word in ["5 % of", "of them", "Left Right turn", "Up Down choose", "Esc leaves it"] {
            assert!(shown.contains(word), "{word} at {width}x{height}:\n{shown}");
        }
        assert!(!shown.contains("who would go") && !shown.contains("Enter applies"), "{shown}");
    }
}

#[test]
fn a_message_that_needs_more_than_one_line_gets_it_and_the_keys_stay() {
    let reason = "nobody would go: no active arm has at least 20 trials and wins fewer than 7 % of them";
    for (width, height) in SIZES {
        let mut model = fixture::model();
        let id = crate::domain::ids::CommandId::new(model.now, 1);
        model.statuses.sent(id, "prune below 7% wins after 20 trials".to_owned());
        let answer = Acknowledgement::Rejected { reason: reason.to_owned() };
        update(&mut model, Event::Acknowledged(id, Ok(answer)), step(20));
        let shown = frame(&model, width, height);
        check(&format!("footer_wrapped_{width}x{height}"), &shown);
        assert!(words(&shown).contains(&format!("rejected, nothing changed: {reason}")), "{shown}");
        assert!(shown.ends_with("q quit") || shown.trim_end().ends_with("?  q"), "{shown}");
        // What has no end is cut, and says so.
        let endless = Acknowledgement::Rejected { reason: "no ".repeat(400) };
        update(&mut model, Event::Acknowledged(id, Ok(endless)), step(30));
        let shown = frame(&model, width, height);
        assert!(shown.lines().last().is_some_and(|line| line.contains('…')), "{shown}");
        assert_eq!(frame(&fixture::model(), width, height).lines().take(9).last(), shown.lines().take(9).last());
    }
}
