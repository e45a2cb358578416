//! A web search in a trace: a span of its own, and the stage behind it begins later.

use super::*;
use crate::domain::failure::{Failure, FailureClass};
use crate::domain::search::{SearchRecord, SearchResult};

const SECRET_QUERY: &str = "what the canary sang";

fn searched(before_previews: bool, error: Option<Failure>) -> RunRecord {
    let mut run = record(1);
    let page =
        SearchResult { title: "Canaries".to_owned(), url: "https://bird.test/".to_owned(), snippet: "…".to_owned() };
    run.policies.search = Some(SearchRecord {
        provider: "searxng".to_owned(),
        before_previews,
        query: SECRET_QUERY.to_owned(),
        results: if error.is_some() { Vec::new() } else { vec![page.clone(), page] },
        cited: Vec::new(),
        seconds: 0.5,
        cost_usd: Some(0.005),
        error,
    });
    run.timings_s.search = 0.5;
    run.timings_s.total += 0.5;
    run
}

fn trace_of(run: &RunRecord) -> Vec<Span> {
    let collector = Collector::answering("200 OK");
    let traces = started(config(collector.endpoint()), Arc::default());
    traces.push(Arc::new(run.clone()));
    let body = collector.next("/v1/traces");
    assert!(!contains(&body, SECRET_QUERY) && !contains(&body, "bird.test"), "content is opt-in");
    assert!(traces.stop(ARRIVES));
    spans(&body)
}

fn start(spans: &[Span], phase: &str) -> u64 {
    let of_phase = |span: &&Span| text(&span.attributes, "banditop.phase").as_deref() == Some(phase);
    spans.iter().filter(of_phase).map(|span| span.start_time_unix_nano).min().unwrap()
}

#[test]
fn a_search_has_a_span_and_what_comes_behind_it_begins_later() {
    const HALF: u64 = 500_000_000;
    let plain = trace_of(&record(1));
    for before_previews in [true, false] {
        let run = searched(before_previews, None);
        let spans = trace_of(&run);
        let (root, others): (Vec<&Span>, Vec<&Span>) = spans.iter().partition(|span| span.parent_span_id.is_empty());
        assert_within(root[0], &others);
        let search = spans.iter().find(|span| span.name == "execute_tool web_search").unwrap();
        assert_eq!(search.end_time_unix_nano - search.start_time_unix_nano, HALF);
        assert_eq!(text(&search.attributes, "gen_ai.operation.name").as_deref(), Some("execute_tool"));
        assert_eq!(value(&search.attributes, "banditop.search.found"), Some(&Any::IntValue(2)));
        assert_eq!(value(&search.attributes, "banditop.cost_usd"), Some(&Any::DoubleValue(0.005)));
        let moved = |phase: &str| start(&spans, phase) - start(&plain, phase);
        assert_eq!(moved("preview"), if before_previews { HALF } else { 0 });
        assert_eq!((moved("judge"), moved("answer")), (moved("preview"), HALF));
    }
}

#[test]
fn a_search_that_failed_is_an_error_of_its_kind_alone() {
    let failure = Failure::new(FailureClass::Transient, "http_503", format!("no: {SECRET_QUERY}"));
    let spans = trace_of(&searched(false, Some(failure)));
    let search = spans.iter().find(|span| span.name == "execute_tool web_search").unwrap();
    assert_eq!(search.status.as_ref().map(|status| status.code), Some(2));
    assert_eq!(text(&search.attributes, "error.type").as_deref(), Some("http_503"));
}
