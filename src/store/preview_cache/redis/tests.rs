//! The adapter against a real server, where Debian's `redis-server` is installed.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::store::preview_cache::contract::{BOUNDS, keeps_the_contract, key, preview, text};

const PASSWORD: &str = "open-sesame";

/// A server of its own, gone with this.
struct Server {
    child: Child,
    port: u16,
    _home: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Ready to be asked; `None` where none is installed, which is said.
    fn start() -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let home = tempfile::tempdir().unwrap();
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.args(["--requirepass", PASSWORD, "--dir"]).arg(home.path());
        let Ok(mut child) = command.stdout(Stdio::piped()).spawn() else {
            eprintln!("skipped: redis-server is not installed (Debian: redis-server)");
            return None;
        };
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let is_ready = lines.map_while(Result::ok).any(|line| line.contains("Ready to accept connections"));
        assert!(is_ready, "redis-server ended at once");
        Some(Self { child, port, _home: home })
    }

    fn cache(&self, database: u32, bounds: CacheBounds) -> RedisPreviewCache {
        let url = format!("redis://127.0.0.1:{}/{database}", self.port);
        patient(RedisPreviewCache::new(&url, Some(PASSWORD), bounds).unwrap())
    }

    async fn says<T: redis::FromRedisValue>(&self, database: u32, words: &[&str]) -> T {
        let cache = self.cache(database, BOUNDS);
        let mut connection = cache.connect().await.unwrap();
        let mut command = redis::cmd(words[0]);
        words[1..].iter().for_each(|word| _ = command.arg(*word));
        command.query_async(&mut connection).await.unwrap()
    }
}

/// A busy machine is not what is tested.
fn patient(cache: RedisPreviewCache) -> RedisPreviewCache {
    RedisPreviewCache { patience: Duration::from_secs(20), ..cache }
}

#[tokio::test]
async fn in_redis() {
    let Some(server) = Server::start() else { return };
    let turn = AtomicU32::new(0);
    keeps_the_contract(|| Arc::new(server.cache(turn.fetch_add(1, Ordering::Relaxed), BOUNDS))).await;
}

#[tokio::test]
async fn two_programs_share_what_either_kept_within_both_bounds() {
    let Some(server) = Server::start() else { return };
    let (one, other) = (server.cache(0, BOUNDS), server.cache(0, BOUNDS));
    for n in 0..6_u32 {
        let cache = if n % 2 == 0 { &one } else { &other };
        cache.keep(preview(key("a", "s", f64::from(n)), &n.to_string(), u64::from(n))).await.unwrap();
    }
    for (n, expected) in [(0, None), (1, None), (2, Some("2")), (3, Some("3")), (5, Some("5"))] {
        for cache in [&one, &other] {
            assert_eq!(text(cache, &key("a", "s", f64::from(n)), 7).await.as_deref(), expected, "{n}");
        }
    }
    let keys: Vec<String> = server.says(0, &["KEYS", "*"]).await;
    assert_eq!(keys.len(), 4 + 3, "four texts, one bucket, order and count: {keys:?}");
    for key in &keys {
        let left: i64 = server.says(0, &["PTTL", key]).await;
        assert!((1..=60_000).contains(&left), "{key} goes by itself, in {left} ms");
    }
    let text_of_one = keys.iter().find(|key| key.contains(":is:")).unwrap();
    let _: i64 = server.says(0, &["DEL", text_of_one]).await;
    let mut left = 0;
    for n in 2..6_u32 {
        left += u32::from(text(&one, &key("a", "s", f64::from(n)), 7).await.is_some());
    }
    let ordered: i64 = server.says(0, &["ZCARD", &format!("{SPACE}:order")]).await;
    assert_eq!((left, ordered), (3, 3), "what Redis let go is gone as a whole");
}

#[tokio::test]
async fn one_arm_and_scope_is_bounded_too() {
    let Some(server) = Server::start() else { return };
    let cache = server.cache(0, CacheBounds { max: 20_000, ..BOUNDS });
    for n in 0..u32::try_from(NEIGHBOURS).unwrap() + 5 {
        let key = PreviewKey { tokens: n + 1, ..key("a", "s", 0.0) };
        cache.keep(preview(key, &n.to_string(), 0)).await.unwrap();
    }
    let wide: usize = server.says(0, &["HLEN", &Places::of(&key("a", "s", 0.0)).bucket]).await;
    let ordered: usize = server.says(0, &["ZCARD", &format!("{SPACE}:order")]).await;
    assert_eq!((wide, ordered), (NEIGHBOURS, NEIGHBOURS));
    let first = PreviewKey { tokens: 1, ..key("a", "s", 0.0) };
    assert_eq!(text(&cache, &first, 1).await, None, "the one used longest ago has gone");
}

#[tokio::test]
async fn a_server_that_has_gone_has_nothing_and_comes_back() {
    let Some(server) = Server::start() else { return };
    let port = server.port;
    let cache = server.cache(0, BOUNDS);
    cache.keep(preview(key("a", "s", 0.0), "x", 0)).await.unwrap();
    drop(server);
    assert!(cache.find(&key("a", "s", 0.0), 0.99, Timestamp::from_millis(0)).await.is_err());
    let resting = cache.find(&key("a", "s", 0.0), 0.99, Timestamp::from_millis(0)).await.unwrap_err();
    assert_eq!(resting.0, "Redis is left alone for a moment");
    let Ok(nobody) = TcpListener::bind(("127.0.0.1", port)) else { return };
    // It accepts, and never says a word.
    let mute = RedisPreviewCache::new(&format!("redis://127.0.0.1:{port}"), None, BOUNDS).unwrap();
    let fault = mute.keep(preview(key("a", "s", 0.0), "x", 0)).await.unwrap_err();
    drop(nobody);
    let is_late = fault.0.contains("no answer") || fault.0.contains("timed out");
    assert!(is_late, "{fault}");
}

#[tokio::test]
async fn a_wrong_password_is_a_fault_that_does_not_repeat_it() {
    let Some(server) = Server::start() else { return };
    let url = format!("redis://127.0.0.1:{}", server.port);
    let cache = patient(RedisPreviewCache::new(&url, Some("hunter2-hunter2"), BOUNDS).unwrap());
    let fault = cache.keep(preview(key("a", "s", 0.0), "x", 0)).await.unwrap_err();
    assert!(fault.0.contains("uthentication") || fault.0.contains("WRONGPASS"), "{fault}");
    assert!(!fault.0.contains("hunter2"), "{fault}");
}

#[test]
fn what_somebody_else_wrote_is_no_preview() {
    let asked = key("a", "s", 0.5);
    let head = head_of(&asked, Timestamp::from_millis(7));
    assert_eq!(key_of(&asked, &head), Some((asked.clone(), Timestamp::from_millis(7))));
    for broken in [&head[..3], &head[..HEAD - 1], &head[..HEAD + 3]] {
        assert_eq!(key_of(&asked, broken), None);
    }
    assert_eq!(Places::of(&asked).id.len(), 32);
}
