//! Smaller answers for whoever says that it reads them (`Accept-Encoding: zstd, gzip`).
//!
//! # Rules
//! 1. Nothing of an answer is held: what the encoder keeps back is flushed as soon as no more of the answer is ready, so the
//!    first rows of a slow query come as early as without compression.
//! 2. An error in the midst goes through as an error: the connection ends without its last chunk, and no client takes the half
//!    for the whole.
//! 3. What is compressed already (Parquet) or too short to gain stays as it is.

use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, BodyDataStream, HttpBody};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::Stream;

/// Below it the head of the answer is most of what is sent.
const BYTES_MIN: u64 = 1024;

/// What is compressed before other tasks of the thread have their turn.
const PIECE_BYTES: usize = 128 << 10;

/// Compressed bytes that are worth sending on their own.
const SENT_BYTES: usize = 16 << 10;

/// Levels that keep up with a fast network: a server compresses for many, on the threads that serve all.
const ZSTD_LEVEL: i32 = 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Zstd,
    Gzip,
}

impl Coding {
    /// In the order of our preference.
    const ALL: [Coding; 2] = [Coding::Zstd, Coding::Gzip];

    const fn name(self) -> &'static str {
        match self {
            Coding::Zstd => "zstd",
            Coding::Gzip => "gzip",
        }
    }

    /// What a request accepts best; `None` where it wants the answer as it is, or says nothing.
    pub(crate) fn accepted(headers: &HeaderMap) -> Option<Coding> {
        let values = headers.get_all(header::ACCEPT_ENCODING).iter();
        let offers: Vec<(String, f32)> =
            values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).map(offer).collect();
        let weight = |name: &str| {
            let named = |wanted: &str| offers.iter().find(|(name, _)| name == wanted).map(|(_, weight)| *weight);
            named(name).or_else(|| named("*"))
        };
        // Nobody has to name `identity` to be given it; who does may prefer it.
        let identity = offers.iter().find(|(name, _)| name == "identity").map_or(0.0, |(_, weight)| *weight);
        let mut best: Option<(Coding, f32)> = None;
        for coding in Coding::ALL {
            let weight = weight(coding.name()).unwrap_or(0.0);
            if weight > 0.0 && weight >= identity && best.is_none_or(|(_, known)| weight > known) {
                best = Some((coding, weight));
            }
        }
        best.map(|(coding, _)| coding)
    }
}

/// `gzip;q=0.5`; without a weight, or with one that is none, it weighs 1.
fn offer(text: &str) -> (String, f32) {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    let name = if name == "x-gzip" { "gzip".to_owned() } else { name };
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    (name, weight.and_then(|weight| weight.parse().ok()).unwrap_or(1.0))
}

/// Compresses an answer where that is asked for and pays.
pub(crate) fn compress(method: &Method, accepted: Option<Coding>, response: &mut Response<Body>) {
    if !is_compressible(response.headers()) {
        return;
    }
    response.headers_mut().append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    let Some(coding) = accepted else { return };
    let is_short = response.body().size_hint().exact().is_some_and(|bytes| bytes < BYTES_MIN);
    let has_body = *method != Method::HEAD && response.status() != StatusCode::NO_CONTENT;
    if is_short || !has_body || response.headers().contains_key(header::CONTENT_ENCODING) {
        return;
    }
    let Ok(encoder) = Encoder::new(coding) else { return };
    let body = std::mem::take(response.body_mut()).into_data_stream();
    *response.body_mut() =
        Body::from_stream(Compressed { body, encoder: Some(encoder), rest: Bytes::new(), kept: false });
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
}

fn is_compressible(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let kind = kind.split(';').next().unwrap_or_default().trim();
    // Events are sent one by one, each at once.
    (kind.starts_with("text/") && kind != "text/event-stream")
        || kind.ends_with("json")
        || kind.ends_with("xml")
        || kind == "application/vnd.apache.arrow.stream"
}

enum Encoder {
    Zstd(Box<zstd::stream::write::Encoder<'static, Vec<u8>>>),
    Gzip(Box<GzEncoder<Vec<u8>>>),
}

impl Encoder {
    fn new(coding: Coding) -> io::Result<Self> {
        Ok(match coding {
            Coding::Zstd => Encoder::Zstd(Box::new(zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL)?)),
            Coding::Gzip => Encoder::Gzip(Box::new(GzEncoder::new(Vec::new(), Compression::fast()))),
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Encoder::Zstd(encoder) => encoder.write_all(bytes),
            Encoder::Gzip(encoder) => encoder.write_all(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Encoder::Zstd(encoder) => encoder.flush(),
            Encoder::Gzip(encoder) => encoder.flush(),
        }
    }

    fn ready(&mut self) -> &mut Vec<u8> {
        match self {
            Encoder::Zstd(encoder) => encoder.get_mut(),
            Encoder::Gzip(encoder) => encoder.get_mut(),
        }
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Encoder::Zstd(encoder) => encoder.finish(),
            Encoder::Gzip(encoder) => encoder.finish(),
        }
    }
}

struct Compressed {
    body: BodyDataStream,
    /// `None` when the answer has ended, well or not.
    encoder: Option<Encoder>,
    /// Of the last chunk, not compressed yet.
    rest: Bytes,
    /// Whether the encoder may have something that it has not given out.
    kept: bool,
}

impl Stream for Compressed {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let outcome = ready!(this.poll_some(context));
        if !matches!(outcome, Some(Ok(_))) {
            this.encoder = None;
        }
        Poll::Ready(outcome)
    }
}

impl Compressed {
    fn poll_some(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, axum::Error>>> {
        let failed = |error: io::Error| Poll::Ready(Some(Err(axum::Error::new(error))));
        loop {
            let Some(encoder) = &mut self.encoder else { return Poll::Ready(None) };
            if !self.rest.is_empty() {
                let piece = self.rest.split_to(self.rest.len().min(PIECE_BYTES));
                self.kept = true;
                if let Err(error) = encoder.write(&piece) {
                    return failed(error);
                }
                if encoder.ready().len() >= SENT_BYTES {
                    return Poll::Ready(Some(Ok(std::mem::take(encoder.ready()).into())));
                }
                if !self.rest.is_empty() {
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
            match Pin::new(&mut self.body).poll_next(context) {
                Poll::Ready(Some(Ok(chunk))) => self.rest = chunk,
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(None) => {
                    let finished = self.encoder.take().map_or(Ok(Vec::new()), Encoder::finish);
                    return match finished {
                        Ok(bytes) if bytes.is_empty() => Poll::Ready(None),
                        Ok(bytes) => Poll::Ready(Some(Ok(bytes.into()))),
                        Err(error) => failed(error),
                    };
                }
                Poll::Pending => {
                    if std::mem::take(&mut self.kept) {
                        if let Err(error) = encoder.flush() {
                            return failed(error);
                        }
                        if !encoder.ready().is_empty() {
                            return Poll::Ready(Some(Ok(std::mem::take(encoder.ready()).into())));
                        }
                    }
                    return Poll::Pending;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use futures::StreamExt;
    use futures::stream;

    use super::*;

    fn accepted(value: &str) -> Option<Coding> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_str(value).unwrap());
        Coding::accepted(&headers)
    }

    #[test]
    fn what_is_accepted_best_is_chosen() {
        assert_eq!(Coding::accepted(&HeaderMap::new()), None);
        for (value, coding) in [
            ("gzip, deflate, br, zstd", Some(Coding::Zstd)),
            ("gzip", Some(Coding::Gzip)),
            ("X-GZIP", Some(Coding::Gzip)),
            ("zstd;q=0.5, gzip;q=0.8", Some(Coding::Gzip)),
            ("*", Some(Coding::Zstd)),
            ("*, zstd;q=0", Some(Coding::Gzip)),
            ("identity, gzip;q=0.5", None),
            ("identity;q=0.5, gzip", Some(Coding::Gzip)),
            ("gzip;q=0", None),
            ("br", None),
            ("", None),
        ] {
            assert_eq!(accepted(value), coding, "{value}");
        }
    }

    fn compressed(coding: Coding, chunks: Vec<Result<Bytes, axum::Error>>) -> Compressed {
        let body = Body::from_stream(stream::iter(chunks)).into_data_stream();
        Compressed { body, encoder: Some(Encoder::new(coding).unwrap()), rest: Bytes::new(), kept: false }
    }

    fn plain(coding: Coding, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        match coding {
            Coding::Zstd => zstd::stream::read::Decoder::new(bytes).unwrap().read_to_end(&mut out),
            Coding::Gzip => flate2::read::GzDecoder::new(bytes).read_to_end(&mut out),
        }
        .unwrap();
        out
    }

    #[tokio::test]
    async fn all_that_goes_in_comes_out() {
        let text: Vec<u8> = (0..200_000u32).flat_map(|n| format!("{n},{}\n", n % 97).into_bytes()).collect();
        for coding in Coding::ALL {
            for step in [text.len(), 70_001, 4096] {
                let chunks = text.chunks(step).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
                let sent: Vec<Bytes> = compressed(coding, chunks).map(Result::unwrap).collect().await;
                let sent = sent.concat();
                assert!(sent.len() < text.len() * 3 / 4, "{coding:?}: {} of {}", sent.len(), text.len());
                assert!(plain(coding, &sent) == text, "{coding:?} by {step}");
            }
        }
    }

    #[tokio::test]
    async fn what_was_read_so_far_is_sent_while_the_rest_is_waited_for() {
        for coding in Coding::ALL {
            let (sender, receiver) = futures::channel::mpsc::unbounded::<Result<Bytes, axum::Error>>();
            let body = Body::from_stream(receiver).into_data_stream();
            let encoder = Some(Encoder::new(coding).unwrap());
            let mut stream = Compressed { body, encoder, rest: Bytes::new(), kept: false };
            sender.unbounded_send(Ok(Bytes::from_static(b"first rows"))).unwrap();
            let first = stream.next().await.unwrap().unwrap();
            let mut readable = [0; 10];
            match coding {
                Coding::Zstd => zstd::stream::read::Decoder::new(&*first).unwrap().read_exact(&mut readable).unwrap(),
                Coding::Gzip => flate2::read::GzDecoder::new(&*first).read_exact(&mut readable).unwrap(),
            }
            assert_eq!(&readable, b"first rows", "{coding:?}");
            drop(sender);
        }
    }

    #[tokio::test]
    async fn an_error_ends_the_stream_as_an_error() {
        for coding in Coding::ALL {
            let chunks = vec![Ok(Bytes::from_static(b"rows")), Err(axum::Error::new(io::Error::other("limit")))];
            let outcomes: Vec<_> = compressed(coding, chunks).collect().await;
            assert!(outcomes.last().unwrap().is_err(), "{coding:?}");
        }
    }
}
