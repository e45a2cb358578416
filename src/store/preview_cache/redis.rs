//! Previews in Redis, shared by every program that names the same one. Per arm and scope a hash holds where
//! each prompt points; they are compared on our side, and only the text of the best is fetched. Redis forgets
//! each text after its time; one sorted set knows which was used longest ago.
//!
//! ```text
//! {banditop:previews:1}:in:<arm>:<scope>   id → tokens, moment, direction     at most NEIGHBOURS
//! {banditop:previews:1}:is:<id>            text and counts, JSON              expires by itself
//! {banditop:previews:1}:order              id and its hash, by use            at most `bounds.max`
//! ```
//!
//! One that does not answer in time is a cache that has nothing, and is left alone for a growing while. It is
//! no store of what was learned, and it is never waited for.

use std::future::Future;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, IntoConnectionInfo, RedisError, RedisResult};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout};

use super::standing::{Standing, Turn};
use crate::domain::BoxFuture;
use crate::domain::cache::{CacheBounds, CacheFault, CachedPreview, PreviewCache, PreviewKey};
use crate::domain::clock::Timestamp;
use crate::domain::text::{cut, one_line};

/// How long one question may take, connecting and all: less than a run waits for any cache.
const PATIENCE: Duration = Duration::from_millis(40);
/// Before every key; in braces, so that a cluster keeps all in one place. The number is that of the layout.
const SPACE: &str = "{banditop:previews:1}";
/// Previews of one arm and scope that are compared, and so sent over the wire (one is 1 to 6 kB).
const NEIGHBOURS: usize = 256;
/// Bytes before the direction: tokens and moment.
const HEAD: usize = 12;

/// Keeps a preview and lets those go that were used longest ago. An id has 32 letters.
const KEEP: &str = "
local bucket, text, order, count = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, head, body, ttl, most, wide, texts = unpack(ARGV)
local function drop(member)
  redis.call('HDEL', string.sub(member, 33), string.sub(member, 1, 32))
  redis.call('DEL', texts .. string.sub(member, 1, 32))
  redis.call('ZREM', order, member)
end
redis.call('SET', text, body, 'PX', ttl)
redis.call('HSET', bucket, id, head)
redis.call('ZADD', order, redis.call('INCR', count), id .. bucket)
for _, key in ipairs({bucket, order, count}) do redis.call('PEXPIRE', key, ttl) end
local over = redis.call('ZCARD', order) - tonumber(most)
if over > 0 then
  for _, member in ipairs(redis.call('ZRANGE', order, 0, over - 1)) do drop(member) end
end
if redis.call('HLEN', bucket) > tonumber(wide) then
  local oldest, least
  for _, other in ipairs(redis.call('HKEYS', bucket)) do
    local used = tonumber(redis.call('ZSCORE', order, other .. bucket) or 0)
    if not least or used < least then oldest, least = other, used end
  end
  drop(oldest .. bucket)
end
return 1";

/// The text of an id, which counts as used; one whose text is gone goes as a whole.
const USE: &str = "
local bucket, text, order, count = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local body = redis.call('GET', text)
if body then
  redis.call('ZADD', order, 'XX', redis.call('INCR', count), ARGV[1] .. bucket)
else
  redis.call('HDEL', bucket, ARGV[1])
  redis.call('ZREM', order, ARGV[1] .. bucket)
end
return body";

/// Previews in Redis.
pub struct RedisPreviewCache {
    client: Client,
    bounds: CacheBounds,
    patience: Duration,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    connection: Option<MultiplexedConnection>,
    standing: Standing,
}

/// What is kept of a preview beside its key.
#[derive(Serialize, Deserialize)]
struct Body {
    text: String,
    tokens: u32,
    tokens_in: u32,
    estimated: bool,
}

impl RedisPreviewCache {
    /// A cache at `redis://host:port/database`, with a password where it needs one. Nothing is connected yet.
    ///
    /// # Errors
    /// Where `url` is no such address.
    pub fn new(url: &str, password: Option<&str>, bounds: CacheBounds) -> Result<Self, CacheFault> {
        let mut info = url.into_connection_info().map_err(|error| fault(&error))?;
        if let Some(password) = password {
            let settings = info.redis_settings().clone().set_password(password);
            info = info.set_redis_settings(settings);
        }
        let client = Client::open(info).map_err(|error| fault(&error))?;
        Ok(Self { client, bounds, patience: PATIENCE, held: Mutex::default() })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `work` says on a connection, within the time, unless Redis is left alone just now.
    async fn asked<T, W>(&self, work: impl FnOnce(MultiplexedConnection) -> W + Send) -> Result<T, CacheFault>
    where
        W: Future<Output = RedisResult<T>> + Send,
    {
        let known = {
            let held = self.held();
            if held.standing.rests(Instant::now()) {
                return Err(CacheFault("Redis is left alone for a moment".to_owned()));
            }
            held.connection.clone()
        };
        let whole = pin!(async {
            let connection = match known {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            work(connection).await
        });
        let outcome = match timeout(self.patience, whole).await {
            Ok(said) => said.map_err(|error| fault(&error)),
            Err(_) => Err(CacheFault(format!("no answer within {} ms", self.patience.as_millis()))),
        };
        self.note(outcome.as_ref().err());
        outcome
    }

    async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.patience))
            .set_response_timeout(Some(self.patience));
        let connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        self.held().connection = Some(connection.clone());
        Ok(connection)
    }

    /// Says once that Redis is gone, and once that it is back.
    fn note(&self, fault: Option<&CacheFault>) {
        let now = Instant::now();
        let mut held = self.held();
        let turn = if fault.is_some() { held.standing.failed(now) } else { held.standing.answered() };
        if fault.is_some() {
            held.connection = None;
        }
        drop(held);
        match (turn, fault) {
            (Turn::Lost, Some(fault)) => tracing::warn!(%fault, "previews in Redis are not used until it answers"),
            (Turn::Back, _) => tracing::info!("previews in Redis are used again"),
            _ => {}
        }
    }

    async fn best(
        &self,
        key: &PreviewKey,
        threshold: f64,
        now: Timestamp,
    ) -> Result<Option<CachedPreview>, CacheFault> {
        let places = Places::of(key);
        let bucket = places.bucket.clone();
        let ask = |mut connection: MultiplexedConnection| async move {
            let mut heads = redis::cmd("HGETALL");
            heads.arg(bucket);
            heads.query_async::<Vec<(Vec<u8>, Vec<u8>)>>(&mut connection).await
        };
        let heads = self.asked(ask).await?;
        let alike = heads.into_iter().filter_map(|(id, head)| {
            let (kept, at) = key_of(key, &head)?;
            let cosine = self.bounds.is_fresh(at, now).then(|| key.likeness(&kept, threshold)).flatten()?;
            Some((cosine, at, id, kept))
        });
        let Some((_, at, id, key)) = alike.max_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))) else {
            return Ok(None);
        };
        let places = Places { id: String::from_utf8_lossy(&id).into_owned(), ..places };
        let ask = |mut connection: MultiplexedConnection| async move {
            let mut used = redis::cmd("EVAL");
            places.into_keys(used.arg(USE).arg(4)).arg(id);
            used.query_async::<Option<Vec<u8>>>(&mut connection).await
        };
        // What cannot be read is not there: another program may have written it.
        let body = self.asked(ask).await?.and_then(|body| serde_json::from_slice::<Body>(&body).ok());
        Ok(body.map(|Body { text, tokens, tokens_in, estimated }| CachedPreview {
            key,
            text,
            tokens,
            tokens_in,
            estimated,
            at,
        }))
    }

    async fn write(&self, preview: CachedPreview) -> Result<(), CacheFault> {
        let CachedPreview { key, text, tokens, tokens_in, estimated, at } = preview;
        let body = Body { text, tokens, tokens_in, estimated };
        let body = serde_json::to_vec(&body).map_err(|error| CacheFault(error.to_string()))?;
        let (places, head) = (Places::of(&key), head_of(&key, at));
        let ttl = u64::try_from(self.bounds.ttl.as_millis()).unwrap_or(u64::MAX).clamp(1, MOST_MILLIS);
        let most = self.bounds.max;
        let ask = |mut connection: MultiplexedConnection| async move {
            let mut keep = redis::cmd("EVAL");
            let id = places.id.clone();
            let keep = places.into_keys(keep.arg(KEEP).arg(4)).arg(id).arg(head).arg(body).arg(ttl);
            keep.arg(most).arg(NEIGHBOURS).arg(texts()).query_async::<i64>(&mut connection).await
        };
        self.asked(ask).await.map(|_| ())
    }
}

/// Longest time that is asked of Redis, a year.
const MOST_MILLIS: u64 = 31_536_000_000;

/// Where a preview lies.
struct Places {
    bucket: String,
    id: String,
}

impl Places {
    fn of(key: &PreviewKey) -> Self {
        let arm = key.arm.as_str();
        let bucket = format!("{SPACE}:in:{}:{arm}:{}", arm.len(), key.scope);
        let direction = key.direction.iter().flat_map(|value| value.to_le_bytes());
        let bytes = bucket.bytes().chain(key.tokens.to_le_bytes()).chain(direction);
        // Two prompts of one id would share a place, not a text that is wrong: FNV-1a in both halves.
        let start = (0xcbf2_9ce4_8422_2325_u64, 0x6c62_272e_07bb_0142_u64);
        let (a, b) = bytes.fold(start, |(a, b), byte| {
            let a = (a ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            (a, (b.rotate_left(5) ^ u64::from(byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15))
        });
        Self { bucket, id: format!("{a:016x}{b:016x}") }
    }

    fn into_keys(self, command: &mut redis::Cmd) -> &mut redis::Cmd {
        let text = texts() + &self.id;
        command.arg(self.bucket).arg(text).arg(format!("{SPACE}:order")).arg(format!("{SPACE}:count"))
    }
}

fn texts() -> String {
    format!("{SPACE}:is:")
}

fn head_of(key: &PreviewKey, at: Timestamp) -> Vec<u8> {
    let mut head = Vec::with_capacity(HEAD + 4 * key.direction.len());
    head.extend(key.tokens.to_le_bytes());
    head.extend(at.millis().to_le_bytes());
    head.extend(key.direction.iter().flat_map(|value| value.to_le_bytes()));
    head
}

/// The key in the bucket of `asked` that a head belongs to, and when it was kept.
fn key_of(asked: &PreviewKey, head: &[u8]) -> Option<(PreviewKey, Timestamp)> {
    let (tokens, rest) = head.split_first_chunk::<4>()?;
    let (at, direction) = rest.split_first_chunk::<8>()?;
    let (values, odd) = direction.as_chunks::<4>();
    let direction: Vec<f32> = values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let key = PreviewKey { tokens: u32::from_le_bytes(*tokens), direction, ..asked.clone() };
    odd.is_empty().then_some((key, Timestamp::from_millis(u64::from_le_bytes(*at))))
}

/// In Redis' own words, cut: they come from elsewhere.
fn fault(error: &RedisError) -> CacheFault {
    CacheFault(one_line(cut(&error.to_string(), 200).0))
}

impl PreviewCache for RedisPreviewCache {
    fn kind(&self) -> &'static str {
        "redis"
    }

    fn find<'a>(
        &'a self,
        key: &'a PreviewKey,
        threshold: f64,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Option<CachedPreview>, CacheFault>> {
        Box::pin(self.best(key, threshold, now))
    }

    fn keep(&self, preview: CachedPreview) -> BoxFuture<'_, Result<(), CacheFault>> {
        Box::pin(self.write(preview))
    }
}

#[cfg(test)]
mod tests;
