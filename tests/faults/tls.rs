//! Certificates: the program itself, as a process that trusts the authority of these tests, asks an endpoint
//! behind TLS. A certificate that cannot be trusted is a setting to mend, is never tried twice, and is told
//! in words; the request with its key is never sent.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::program::{Program, Ran};
use super::rig::KEY;
use super::server::{Server, answer, stream};

fn file(name: &str) -> PathBuf {
    super::root().join("tests/faults/certificates").join(name)
}

/// An endpoint that shows that certificate.
fn acceptor(certificate: &str) -> TlsAcceptor {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let chain = vec![CertificateDer::from_pem_file(file(certificate)).unwrap()];
    let key = PrivateKeyDer::from_pem_file(file("endpoint.key")).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    TlsAcceptor::from(Arc::new(config))
}

fn ask(server: &Server) -> Ran {
    let config = format!(
        "version = 1\n[[arms]]\nname = \"far\"\nprovider = \"openai\"\nmodel = \"m\"\nbase_url = \"{}\"\napi_key_env = \"FAR_KEY\"\n",
        server.base_url()
    );
    let authority = file("authority.pem");
    let program = Program::with_text(&config).variable("FAR_KEY", KEY);
    program.variable("SSL_CERT_FILE", authority.to_str().unwrap()).run(&["ask", "hello"])
}

#[tokio::test]
async fn certificates() {
    let rows = [
        ("good.pem", None),
        ("expired.pem", Some("its certificate has expired")),
        ("wrong_host.pem", Some("its certificate is for another host")),
        ("unknown.pem", Some("by an authority that this machine does not trust")),
    ];
    for (certificate, fault) in rows {
        let server = Server::start_tls(vec![vec![stream(&answer("An answer from afar."))]], acceptor(certificate));
        let ran = ask(&server);
        assert!(!ran.out.contains(KEY) && !ran.err.contains(KEY));
        // The endpoint may notice a moment later than its caller that there is no handshake.
        server.sees(|seen| !seen.is_empty()).await;
        let calls = server.calls();
        let Some(fault) = fault else {
            assert_eq!((ran.code, ran.out.trim()), (Some(0), "An answer from afar."), "{}", ran.err);
            assert!(calls[0].request.contains(KEY), "the key is for the endpoint");
            continue;
        };
        assert_eq!(ran.code, Some(1), "{certificate}: {}", ran.out);
        for words in ["configuration (certificate)", fault, "check `base_url` and the endpoint's certificate"] {
            assert!(ran.err.contains(words), "{certificate}: {words:?} in {}", ran.err);
        }
        assert_eq!(calls.len(), 1, "{certificate}: asked once");
        assert!(!calls[0].request.contains("POST"), "{certificate}: nothing is sent");
    }
}
