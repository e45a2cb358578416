//! The web search of a run: once, for the stages that are to know, never in the way of an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::doubles::*;
use crate::domain::BoxFuture;
use crate::domain::answer::ModelCall;
use crate::domain::failure::{Failure, FailureClass};
use crate::domain::record::{RunOutcome, RunRecord};
use crate::domain::search::{SearchResult, WebSearch};
use crate::race::{EventSink, SearchSource};

/// Answers so many milliseconds later.
struct Web {
    asked: AtomicUsize,
    after: u64,
    found: Result<Vec<SearchResult>, Failure>,
}

impl WebSearch for Web {
    fn search<'a>(&'a self, _: &'a str, _: usize) -> BoxFuture<'a, Result<Vec<SearchResult>, Failure>> {
        Box::pin(async {
            self.asked.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(self.after)).await;
            self.found.clone()
        })
    }
}

fn pages() -> Vec<SearchResult> {
    let page = |name: &str| SearchResult {
        title: name.to_owned(),
        url: format!("https://{name}.test/"),
        snippet: format!("about {name}"),
    };
    vec![page("one"), page("two"), page("three")]
}

fn web(after: u64, found: Result<Vec<SearchResult>, Failure>) -> Arc<Web> {
    Arc::new(Web { asked: AtomicUsize::new(0), after, found })
}

fn source(web: &Arc<Web>, previews: bool) -> SearchSource {
    SearchSource {
        port: Arc::clone(web) as Arc<dyn WebSearch>,
        name: "searxng".to_owned(),
        results: 2,
        patience: Duration::from_secs(3),
        usd_per_query: Some(0.005),
        previews,
    }
}

async fn run(pool: &Pool, web: &Arc<Web>, previews: bool) -> RunRecord {
    let race = pool.race().with_search(source(web, previews));
    race.run(pool.input("what is new?"), &EventSink::none(), &CancellationToken::new()).await.record
}

fn is_told(call: &ModelCall) -> bool {
    let system = call.request.messages.iter().find(|turn| turn.role == "system");
    system.is_some_and(|turn| turn.text().contains("[2] two") && !turn.text().contains("three"))
}

#[tokio::test(start_paused = true)]
async fn one_search_serves_every_call_and_is_counted() {
    for previews in [true, false] {
        let arms = [Scripted::new([answer(10, "as said [2], not [3]")]), Scripted::new([answer(10, "no")])];
        let judge = judge_by_length();
        let pool = Pool::new().arm("a", &arms[0]).arm("b", &arms[1]).judged_by(&judge);
        let plain = pool.unheard("what is new?").await.record;
        let before = [arms[0].calls().len(), arms[1].calls().len()];
        let web = web(200, Ok(pages()));
        let record = run(&pool, &web, previews).await;
        assert_eq!(web.asked.load(Ordering::Relaxed), 1);
        let calls: Vec<ModelCall> =
            arms.iter().zip(before).flat_map(|(arm, n)| arm.calls().into_iter().skip(n)).collect();
        assert_eq!(calls.len(), 3);
        assert_eq!(calls.iter().filter(|call| is_told(call)).count(), if previews { 3 } else { 1 });
        assert!(judge.calls().iter().all(|call| !call.request.messages.iter().any(|m| m.text().contains("about two"))));
        let search = record.policies.search.unwrap();
        assert_eq!((search.provider.as_str(), search.query.as_str()), ("searxng", "what is new?"));
        assert_eq!((search.results.len(), search.cited.as_slice()), (2, [2].as_slice()));
        assert_eq!((search.cost_usd, search.error), (Some(0.005), None));
        assert!((record.timings_s.search - 0.2).abs() < 1e-9 && (search.seconds - 0.2).abs() < 1e-9);
        assert!((record.timings_s.previews - plain.timings_s.previews).abs() < 1e-9, "no part of another phase");
        assert!(record.cost_usd > plain.cost_usd + 0.005 - 1e-12, "{} {}", record.cost_usd, plain.cost_usd);
        assert_eq!(record.request.messages.len(), 1, "the record holds what was asked");
    }
}

#[tokio::test(start_paused = true)]
async fn a_search_that_fails_or_hangs_or_has_no_money_fails_no_run() {
    let down = Failure::new(FailureClass::Transient, "http_503", "host answered 503");
    let rows = [
        (web(5, Err(down.clone())), None, "http_503", 1),
        // What was not answered is not paid: all of the ceiling is there for the answer.
        (web(5, Err(down)), Some(0.005), "http_503", 1),
        (web(60_000, Ok(pages())), None, "search_timeout", 1),
        (web(5, Ok(pages())), Some(0.001), "run_ceiling", 0),
    ];
    for (web, ceiling, kind, asked) in rows {
        let a = Scripted::new([answer(10, "all the same")]);
        let mut pool = Pool::new().arm("a", &a);
        pool.config.budget.run_usd = ceiling;
        let record = run(&pool, &web, true).await;
        assert_eq!((record.outcome, record.answer.as_deref()), (RunOutcome::Served, Some("all the same")), "{kind}");
        let search = record.policies.search.unwrap();
        assert_eq!(search.error.as_ref().unwrap().kind, kind);
        assert_eq!((search.cost_usd, search.results.len()), (Some(0.0), 0));
        assert!(record.timings_s.search <= 3.01, "{kind}");
        assert_eq!(web.asked.load(Ordering::Relaxed), asked, "{kind}");
        assert!(a.calls().iter().all(|call| call.request.messages.len() == 1), "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_search_is_said_when_it_begins_and_when_it_ends() {
    let refused = Failure::new(FailureClass::Transient, "http_503", "words of the provider");
    for (found, previews, said) in [(Ok(pages()), true, "searched 2"), (Err(refused), false, "searched http_503")] {
        let model = Scripted::new([answer(1, "words")]);
        let pool = Pool::new().arm("a", &model).arm("b", &model).judged_by(&judge_by_length());
        let (sender, mut receiver) = tokio::sync::mpsc::channel(1024);
        let race = pool.race().with_search(source(&web(500, found), previews));
        let record = race.run(pool.input("news?"), &EventSink::to(sender), &CancellationToken::new()).await.record;
        let mut events = Vec::new();
        while let Some(event) = receiver.recv().await {
            events.push(event);
        }
        let phases = phases_of(&events);
        let at = phases.iter().position(|phase| phase == "searching searxng").unwrap();
        assert_eq!(phases[at + 1], said);
        let judged = phases.iter().position(|phase| phase == "judged").unwrap();
        assert_eq!(at < judged, previews, "{phases:?}");
        assert_eq!(record.policies.search.unwrap().before_previews, previews);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_found_changes_nothing() {
    let a = Scripted::new([answer(10, "from memory")]);
    let pool = Pool::new().arm("a", &a);
    let record = run(&pool, &web(5, Ok(Vec::new())), false).await;
    let search = record.policies.search.unwrap();
    assert_eq!((search.error, search.cost_usd), (None, Some(0.005)), "it was asked, and answered");
    assert!(a.calls().iter().all(|call| call.request.messages.len() == 1));
}
