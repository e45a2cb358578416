//! Certificates: the program itself, as a process that trusts the authority of these tests, asks an endpoint
//! behind TLS. A certificate that cannot be trusted is a setting to mend, is never tried twice, and is told
//! in words; the request with its key is never sent.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use banditop::race::RaceConfig;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use super::invariants::{Endpoint, Seen};
use super::program::{Program, Ran};
use super::rig::KEY;
use super::server::{Server, Withheld, answer, stream};

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

/// What the program said, when it had ended, and every byte that it left on disk.
fn ask(server: &Server) -> (Ran, Instant, Vec<String>) {
    let config = format!(
        "version = 1\n[[arms]]\nname = \"far\"\nprovider = \"openai\"\nmodel = \"m\"\nbase_url = \"{}\"\napi_key_env = \"FAR_KEY\"\n",
        server.base_url()
    );
    let authority = file("authority.pem");
    let program = Program::with_text(&config).variable("FAR_KEY", KEY);
    let program = program.variable("SSL_CERT_FILE", authority.to_str().unwrap());
    let ran = program.run(&["ask", "hello"]);
    let ended = Instant::now();
    let left = files(program.home());
    (ran, ended, left)
}

/// What is in every file below `dir`, as far as it is text.
fn files(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let of = |path: PathBuf| {
        if path.is_dir() {
            files(&path)
        } else {
            vec![String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()]
        }
    };
    entries.flat_map(of).collect()
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
        let withheld = Withheld::begin();
        let (ran, stopped, mut texts) = ask(&server);
        // The endpoint may notice a moment later than its caller that there is no handshake.
        server.sees(|seen| !seen.is_empty() && seen.iter().all(|call| call.over.is_some())).await;
        let calls = server.calls();
        texts.extend([ran.out.clone(), ran.err.clone()]);
        assert!(texts.len() > 2, "it left something on disk");
        let endpoint = Endpoint { name: String::from("far"), calls: calls.clone() };
        Seen {
            config: &RaceConfig::default(),
            runs: &[],
            log: &[],
            endpoints: &[endpoint],
            texts: &texts,
            stopped,
            withheld: withheld.so_far(),
        }
        .holds();
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
