//! Messages on the wire as the bytes they are, for gRPC and for gRPC-Web.

use bytes::{Buf as _, BufMut as _, Bytes};
use reqwest::header::HeaderMap;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// The trailers of gRPC-Web: lines of a header block.
pub fn parsed(block: &[u8]) -> HeaderMap {
    let text = String::from_utf8_lossy(block);
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs
        .map(|(name, value)| {
            let name: http::HeaderName = name.trim().parse().unwrap();
            (name, value.trim().parse().unwrap())
        })
        .collect()
}

/// Messages as the bytes they are.
#[derive(Debug, Clone, Copy)]
pub struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let length = from.remaining();
        Ok(Some(from.copy_to_bytes(length)))
    }
}
