//! The HTTP client that every adapter shares: one pool of connections, TLS by rustls with *ring* and the
//! system's roots. It follows no redirect (a redirected POST is a wrong setting, and would carry the key
//! elsewhere), never decompresses (a compressed stream is no stream), and has no timeout but that of
//! connecting.
//!
//! `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` are honoured, except that loopback is never
//! reached through a proxy: simulated models live there.

use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Url};

use crate::domain::clock::Clock;

use super::openai::ProviderFault;

/// The shared client. Cheap to clone; clones share the pool of connections.
#[derive(Clone)]
pub struct HttpClient {
    proxied: Client,
    direct: Client,
    pub(super) clock: Arc<dyn Clock>,
}

impl HttpClient {
    /// A client that gives up connecting after `connect_timeout`. `clock` is read only to make sense of
    /// a `Retry-After` date.
    ///
    /// # Errors
    /// [`ProviderFault::Client`] where TLS cannot be set up at all.
    pub fn new(connect_timeout: Duration, clock: Arc<dyn Clock>) -> Result<Self, ProviderFault> {
        // An error means that a provider is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
            Client::builder()
                .redirect(Policy::none())
                .connect_timeout(connect_timeout)
                .tcp_nodelay(true)
                .pool_idle_timeout(Duration::from_secs(50))
                .user_agent(concat!("banditop/", env!("CARGO_PKG_VERSION")))
        };
        Ok(Self { proxied: build(builder)?, direct: build(|| builder().no_proxy())?, clock })
    }

    /// The client for `url`.
    pub(super) fn to(&self, url: &Url) -> &Client {
        if is_loopback(url) { &self.direct } else { &self.proxied }
    }
}

impl std::fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HttpClient")
    }
}

/// A machine without system roots still has endpoints on plain HTTP: there, every certificate is
/// refused instead of nothing working at all.
fn build(builder: impl Fn() -> ClientBuilder) -> Result<Client, ProviderFault> {
    builder().build().or_else(|fault| {
        tracing::warn!(%fault, "no system certificates: https endpoints will be refused");
        builder().tls_certs_only([]).build().map_err(|fault| ProviderFault::Client(fault.to_string()))
    })
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_known_in_all_its_forms() {
        let rows = [
            ("http://127.0.0.1:80/v1", true),
            ("http://127.9.0.1/v1", true),
            ("http://[::1]:80/v1", true),
            ("http://localhost/v1", true),
            ("http://10.0.0.1/v1", false),
            ("https://localhost.example.com/v1", false),
        ];
        for (url, expected) in rows {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }
}
