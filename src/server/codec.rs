//! The gRPC message codec: prost, but bytes that are no message are the client's
//! fault. tonic's own codec answers INTERNAL, as the specification suggests for
//! clients; a server that is sent garbage says INVALID_ARGUMENT.

use std::marker::PhantomData;

use bytes::Buf as _;
use prost::{Message, Name};
use tonic::Status;
use tonic::codec::{BufferSettings, DecodeBuf, Decoder};
use tonic_prost::{ProstCodec, ProstEncoder};

use super::parts;

/// Bytes a message's buffer begins with. Most messages fit, and longer ones make it
/// grow; the 8 KiB that tonic begins with are more than a request is worth.
const BUFFER: usize = 512;
/// Bytes of a stream's messages that are sent together, as tonic has it.
const TOGETHER: usize = 32 * 1024;

/// Encodes `T`, decodes `U`.
#[derive(Debug)]
pub struct Codec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for Codec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> tonic::codec::Codec for Codec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Name + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = MessageDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(BufferSettings::new(BUFFER, TOGETHER))
    }

    fn decoder(&mut self) -> Self::Decoder {
        MessageDecoder(PhantomData)
    }
}

/// Of bytes that are no message.
pub(super) fn no_message() -> Status {
    Status::invalid_argument("The request is not a message of the method's type")
}

/// Decodes `U`.
#[derive(Debug)]
pub struct MessageDecoder<U>(PhantomData<U>);

impl<U: Message + Name + Default> Decoder for MessageDecoder<U> {
    type Item = U;
    type Error = Status;

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(BUFFER, TOGETHER)
    }

    fn decode(&mut self, buf: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        // The buffer is in one piece: the whole message has come.
        parts::check::<U>(buf.chunk())
            .map_err(|error| Status::invalid_argument(error.message()))?;
        match U::decode(buf) {
            Ok(message) => Ok(Some(message)),
            Err(_) => Err(no_message()),
        }
    }
}
