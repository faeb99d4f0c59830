//! What turns texts into vectors, where the operator named something that does: an address
//! that speaks OpenAI's protocol for embeddings. Nothing waits for it but a question, and
//! that not for long: without it memories are found by their words, and the answer says so.

mod client;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::json;

use crate::config::Embedding;
use crate::error::{Error, Result};
use client::Client;

/// A text as a place among others: of length one, so that two are as alike as their
/// product says.
pub(super) type Vector = Box<[f32]>;

/// Why there is no vector, in words for the log.
pub(super) type Failure = &'static str;

/// How long it is left alone after a failure.
const REST: Duration = Duration::from_secs(5);
/// Bytes of a text that are told it: models take some thousand words at most.
const TOLD: usize = 8 * 1024;

/// The embedder.
#[derive(Debug)]
pub(super) struct Embedder {
    client: Client,
    /// Which model it is, and how many numbers it is asked for: vectors of others are not
    /// compared with.
    pub(super) model: String,
    asked: serde_json::Map<String, serde_json::Value>,
    /// How long a question waits for it.
    pub(super) timeout: Duration,
    failures: Counter,
    /// Until when it is left alone.
    rests: Mutex<Option<Instant>>,
    well: AtomicBool,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Place>,
}

#[derive(Deserialize)]
struct Place {
    index: usize,
    embedding: Vec<f32>,
}

impl Embedder {
    /// The one of the configuration, if there is one.
    pub(super) fn of(config: &Embedding, failures: Counter) -> Result<Option<Self>> {
        if config.base_url.is_empty() {
            return Ok(None);
        }
        let key = config.api_key.expose_secret();
        let client = Client::new(&config.base_url, key)?;
        let mut asked = serde_json::Map::new();
        asked.insert("model".to_owned(), json!(config.model));
        asked.insert("encoding_format".to_owned(), json!("float"));
        if !config.dimensions.is_empty() {
            let count = config.dimensions.parse::<u32>();
            let words = "embedding.dimensions is no number";
            let count = count.map_err(|_| Error::invalid(words))?;
            asked.insert("dimensions".to_owned(), json!(count));
        }
        Ok(Some(Self {
            client,
            model: format!("{} {}", config.model, config.dimensions)
                .trim_end()
                .to_owned(),
            asked,
            timeout: config.timeout.0,
            failures,
            rests: Mutex::new(None),
            well: AtomicBool::new(true),
        }))
    }

    /// Whether it answered when it was last asked.
    pub(super) fn is_well(&self) -> bool {
        self.well.load(Ordering::Relaxed)
    }

    /// The vectors of texts, in their order.
    pub(super) async fn embed(
        &self,
        texts: &[&str],
        patience: Duration,
    ) -> Result<Vec<Vector>, Failure> {
        let now = Instant::now();
        let rests = *self.rests.lock().unwrap_or_else(PoisonError::into_inner);
        if rests.is_some_and(|until| now < until) {
            return Err("it failed a moment ago");
        }
        let asked = tokio::time::timeout(patience, self.ask(texts)).await;
        let answer = asked.unwrap_or(Err("no answer in time"));
        let failed = answer.as_ref().err();
        *self.rests.lock().unwrap_or_else(PoisonError::into_inner) = failed.map(|_| now + REST);
        let was_well = self.well.swap(failed.is_none(), Ordering::Relaxed);
        match failed {
            Some(why) => {
                self.failures.inc();
                if was_well {
                    tracing::warn!(why, "the embedder failed: words alone find memories");
                }
            }
            None if !was_well => tracing::info!("the embedder answers again"),
            None => {}
        }
        answer
    }

    async fn ask(&self, texts: &[&str]) -> Result<Vec<Vector>, Failure> {
        let told = |text: &&str| text[..text.floor_char_boundary(TOLD)].to_owned();
        let mut body = self.asked.clone();
        body.insert("input".to_owned(), texts.iter().map(told).collect());
        let body = serde_json::Value::from(body).to_string();
        let (status, bytes) = self.client.post(body).await?;
        if status != 200 {
            return Err("it refused");
        }
        let answer: Answer =
            serde_json::from_slice(&bytes).map_err(|_| "its answer cannot be read")?;
        let mut vectors = vec![Vector::default(); texts.len()];
        for place in answer.data {
            let own = vectors.get_mut(place.index).ok_or("it answers too much")?;
            *own = unit(place.embedding);
        }
        let length = vectors.first().map_or(0, |first| first.len());
        match length > 0 && vectors.iter().all(|own| own.len() == length) {
            true => Ok(vectors),
            false => Err("it answers too little"),
        }
    }
}

/// A vector of length one in the same direction; nothing of one that has none.
fn unit(mut vector: Vec<f32>) -> Vector {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if !length.is_finite() || length == 0.0 {
        return Vector::default();
    }
    vector.iter_mut().for_each(|x| *x /= length);
    vector.into()
}

/// How alike two are, from -1 to 1; not at all if they are of two models.
pub(super) fn cosine(a: &[f32], b: &[f32]) -> f32 {
    match a.len() == b.len() {
        true => a.iter().zip(b).map(|(x, y)| x * y).sum(),
        false => 0.0,
    }
}

/// A vector as the database keeps it.
pub(super) fn bytes_of(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// A vector the database kept.
pub(super) fn vector_of(bytes: &[u8]) -> Vector {
    let numbers = bytes
        .chunks_exact(4)
        .filter_map(|four| four.try_into().ok());
    numbers.map(f32::from_le_bytes).collect()
}
