//! An endpoint of embeddings that is out of order: the run goes on without, says why, and waits no longer than it has
//! patience for.

use std::sync::Arc;
use std::time::Duration;

use banditop::domain::record::RunOutcome;
use banditop::domain::spec::Strategy;
use banditop::providers::{EmbeddingsConfig, EmbeddingsModel, Secret};
use banditop::race::EmbeddingSource;

use super::rig::{GOOD, KEY, Rig, client};
use super::server::{Act, Server, answer, json, response, stream};
use super::table::{GRACE, Told};

const PATIENCE: Duration = Duration::from_millis(300);

/// What its endpoint does, and the failure's kind.
fn rows() -> Vec<(&'static str, Vec<Act>, &'static str)> {
    let echo = format!(r#"{{"error":{{"message":"Incorrect API key provided: {KEY}."}}}}"#);
    vec![
        ("down", vec![response("503 Busy", "", "")], "http_503"),
        ("without a key, which it echoes", vec![json("401 No", &echo)], "http_401"),
        ("silent", vec![Act::Hold], ""),
        ("silent after its headers", vec![response("200 OK", "content-length: 99\r\n", ""), Act::Hold], ""),
        ("reset", vec![Act::Reset], "reset"),
        ("no JSON", vec![json("200 OK", "<html>")], ""),
        ("no numbers", vec![json("200 OK", r#"{"data":[]}"#)], ""),
    ]
}

#[tokio::test]
async fn an_endpoint_of_embeddings_that_is_out_of_order() {
    for (fault, script, kind) in rows() {
        let _told = Told(format!("embeddings: {fault}"));
        let http = client();
        let endpoint = Server::start(vec![script]);
        let (url, shared) = (endpoint.base_url(), http.clone());
        let mut rig = Rig::new(&http, Strategy::Race).with(move |race| {
            let (http, base_url, api_key) = (shared.clone(), url.clone(), Some(Secret::new(KEY)));
            let config = EmbeddingsConfig { http, base_url, model: "e".to_owned(), api_key };
            let model = Arc::new(EmbeddingsModel::new(config).unwrap());
            race.embedding = Some(EmbeddingSource::new(model, 4, PATIENCE, 9).priced(Some(1.0)));
        });
        rig.embedding = Some(endpoint);
        let played = rig.play(vec![vec![stream(&answer("An answer that is whole."))]]).await;
        let record = &played.record;
        assert_eq!(record.outcome, RunOutcome::Served);
        assert!([Some(GOOD), Some("An answer that is whole.")].contains(&record.answer.as_deref()));
        let asked = record.policies.embedding.as_ref().unwrap();
        let failure = asked.error.as_ref().unwrap();
        assert!(kind.is_empty() || failure.kind == kind, "{failure}");
        assert!(played.learned().is_some(), "the run is learned from without it");
        let most = PATIENCE + GRACE + played.withheld;
        assert!(Duration::from_secs_f64(asked.seconds) <= most, "{} s of {most:?}", asked.seconds);
    }
}
