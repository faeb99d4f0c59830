//! The gRPC codec: messages stay the bytes they are, and are decoded where their method
//! is called, as those of REST are. Bytes that are no message are the client's fault:
//! tonic's own codec answers INTERNAL, as the specification suggests for clients; a
//! server that is sent garbage says INVALID_ARGUMENT.

use bytes::{Buf as _, BufMut as _, Bytes};
use tonic::Status;
use tonic::codec::{BufferSettings, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// Bytes a message's buffer begins with. Most messages fit, and longer ones make it
/// grow; the 8 KiB that tonic begins with are more than a request is worth.
const BUFFER: usize = 512;
/// Bytes of a stream's messages that are sent together, as tonic has it.
const TOGETHER: usize = 32 * 1024;

/// Messages as the bytes they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Codec;

/// Of bytes that are no message.
pub(super) fn no_message() -> Status {
    Status::invalid_argument("The request is not a message of the method's type")
}

impl tonic::codec::Codec for Codec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Codec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(BUFFER, TOGETHER)
    }
}

impl Decoder for Codec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(BUFFER, TOGETHER)
    }
}
