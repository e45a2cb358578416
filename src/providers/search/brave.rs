//! Brave's web search: `GET {base_url}/web/search?q=…&count=…` with the key in `X-Subscription-Token`. It
//! takes queries of at most 400 characters and 50 words, and answers a wrong key with 422.

use reqwest::Url;
use reqwest::header::HeaderValue;

use super::super::complaint::Complaint;
use super::super::failure::Endpoint;
use super::super::http::HttpClient;
use super::super::openai::ProviderFault;
use super::super::reply::endpoint_url;
use super::super::secret::Secret;
use super::{ask, results};
use crate::domain::BoxFuture;
use crate::domain::failure::Failure;
use crate::domain::search::{SearchResult, WebSearch};

/// The longest query.
const LONGEST: (usize, usize) = (400, 50);
/// Results of one query, at most.
const MOST: usize = 20;

/// One account.
#[derive(Clone, Debug)]
pub struct BraveConfig {
    /// The shared client.
    pub http: HttpClient,
    /// Up to and including `/res/v1`.
    pub base_url: String,
    /// The account's key.
    pub api_key: Secret,
}

/// The adapter.
#[derive(Debug)]
pub struct BraveSearch {
    http: HttpClient,
    url: Url,
    key: HeaderValue,
    endpoint: Endpoint,
}

impl BraveSearch {
    /// Checks the configuration; connects to nothing.
    ///
    /// # Errors
    /// [`ProviderFault`], saying which setting to mend.
    pub fn new(config: BraveConfig) -> Result<Self, ProviderFault> {
        let url = endpoint_url(&config.base_url, &["web", "search"])?;
        let key = config.api_key.header()?;
        let endpoint = Endpoint::at(&url, Some(config.api_key));
        Ok(Self { http: config.http, url, key, endpoint })
    }
}

impl WebSearch for BraveSearch {
    fn search<'a>(&'a self, query: &'a str, most: usize) -> BoxFuture<'a, Result<Vec<SearchResult>, Failure>> {
        Box::pin(async move {
            let mut url = self.url.clone();
            let count = most.clamp(1, MOST).to_string();
            url.query_pairs_mut().append_pair("q", &fitting(query)).append_pair("count", &count);
            let request = self.http.to(&url).get(url.clone()).header("x-subscription-token", self.key.clone());
            let found = ask(&self.http, &self.endpoint, request, meaning).await?;
            Ok(results(found.pointer("/web/results"), "description", most))
        })
    }
}

/// The status that a complaint stands for.
fn meaning(status: u16, complaint: &Complaint) -> u16 {
    let says = |word: &str| complaint.words.iter().any(|said| said == word);
    match status {
        _ if says("subscription_token_invalid") => 401,
        _ if says("quota_limited") || says("quota_exceeded") => 402,
        status => status,
    }
}

fn fitting(query: &str) -> String {
    let (chars, words) = LONGEST;
    let words: Vec<&str> = query.split_whitespace().take(words).collect();
    words.join(" ").chars().take(chars).collect()
}
