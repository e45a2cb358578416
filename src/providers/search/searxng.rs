//! `SearXNG`'s JSON API: `GET {base_url}/search?q=…&format=json`. An instance serves JSON only where its
//! settings list it under `search.formats`, and answers 403 where they do not.

use reqwest::Url;

use super::super::failure::Endpoint;
use super::super::http::HttpClient;
use super::super::openai::ProviderFault;
use super::super::reply::endpoint_url;
use super::{ask, results};
use crate::domain::BoxFuture;
use crate::domain::failure::Failure;
use crate::domain::search::{SearchResult, WebSearch};

/// One instance.
#[derive(Clone, Debug)]
pub struct SearxngConfig {
    /// The shared client.
    pub http: HttpClient,
    /// The instance's address, without `/search`.
    pub base_url: String,
}

/// The adapter.
#[derive(Debug)]
pub struct SearxngSearch {
    http: HttpClient,
    url: Url,
    endpoint: Endpoint,
}

impl SearxngSearch {
    /// Checks the configuration; connects to nothing.
    ///
    /// # Errors
    /// [`ProviderFault`], saying which setting to mend.
    pub fn new(config: SearxngConfig) -> Result<Self, ProviderFault> {
        let url = endpoint_url(&config.base_url, &["search"])?;
        let endpoint = Endpoint::at(&url, None);
        Ok(Self { http: config.http, url, endpoint })
    }
}

impl WebSearch for SearxngSearch {
    fn search<'a>(&'a self, query: &'a str, most: usize) -> BoxFuture<'a, Result<Vec<SearchResult>, Failure>> {
        Box::pin(async move {
            let mut url = self.url.clone();
            url.query_pairs_mut().append_pair("q", query).append_pair("format", "json");
            let request = self.http.to(&url).get(url.clone());
            let found = ask(&self.http, &self.endpoint, request, |status, _| status).await;
            let found = found.map_err(|failure| match failure.kind.as_ref() {
                "http_403" => Failure {
                    message: format!(
                        "{} refuses to answer in JSON (403): list `json` under `search.formats` in the settings of SearXNG",
                        self.endpoint.host
                    ),
                    ..failure
                },
                _ => failure,
            })?;
            Ok(results(found.get("results"), "content", most))
        })
    }
}
