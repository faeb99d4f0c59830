//! Answers Google's protobuf conformance runner with the product's JSON codec. A
//! request says how a message is given and how it is wanted back; JSON on either
//! side is this project's, binary on both is the library's that serves gRPC.

use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, Value};

use crate::policy::Profile;
use crate::transcode::json::lexer::Lexer;
use crate::transcode::json::{Rules, decode, encode};
use crate::transcode::schema::Schema;

/// Values of `conformance.WireFormat`.
const PROTOBUF: i32 = 1;
const JSON: i32 = 2;
/// Value of `conformance.TestCategory` that wants unknown members ignored.
const IGNORE_UNKNOWN: i32 = 3;
/// Deepest nesting the suite asks for.
const SUITE_DEPTH: u32 = 100;

/// What became of a case.
enum Outcome {
    Protobuf(Vec<u8>),
    Json(String),
    /// The input is not a message.
    ParseError(String),
    /// The message has no such form.
    SerializeError(String),
    Skipped(&'static str),
}

/// Answers cases over one set of descriptors.
#[derive(Debug)]
pub struct Testee {
    pool: DescriptorPool,
    schema: Schema,
}

impl Testee {
    /// Reads the descriptors of the suite's messages and of its own protocol.
    pub fn new(descriptors: &[u8]) -> Result<Self, prost_reflect::DescriptorError> {
        let pool = DescriptorPool::decode(descriptors)?;
        let schema = Schema::new(&pool);
        Ok(Self { pool, schema })
    }

    /// Answers an encoded `ConformanceRequest` with an encoded
    /// `ConformanceResponse`; nothing when it is not one.
    pub fn answer(&self, request: &[u8]) -> Option<Vec<u8>> {
        let request_type = self
            .pool
            .get_message_by_name("conformance.ConformanceRequest")?;
        let response_type = self
            .pool
            .get_message_by_name("conformance.ConformanceResponse")?;
        let request = DynamicMessage::decode(request_type, request).ok()?;
        let (field, value) = match self.outcome(&request)? {
            Outcome::Protobuf(bytes) => ("protobuf_payload", Value::Bytes(bytes.into())),
            Outcome::Json(text) => ("json_payload", Value::String(text)),
            Outcome::ParseError(why) => ("parse_error", Value::String(why)),
            Outcome::SerializeError(why) => ("serialize_error", Value::String(why)),
            Outcome::Skipped(why) => ("skipped", Value::String(why.to_owned())),
        };
        let mut response = DynamicMessage::new(response_type);
        response.set_field_by_name(field, value);
        Some(response.encode_to_vec())
    }

    fn outcome(&self, request: &DynamicMessage) -> Option<Outcome> {
        let name = request.get_field_by_name("message_type")?;
        let name = name.as_str()?;
        let category = request
            .get_field_by_name("test_category")?
            .as_enum_number()?;
        let rules = Rules {
            ignore_unknown: category == IGNORE_UNKNOWN,
            depth: SUITE_DEPTH,
            ..Rules::of(Profile::Canonical)
        };
        // The first question of the runner: which failures to expect.
        if name == "conformance.FailureSet" {
            return Some(Outcome::Protobuf(Vec::new()));
        }
        let wire = if request.has_field_by_name("json_payload") {
            let json = request.get_field_by_name("json_payload")?;
            match self.read(name, rules, json.as_str()?)? {
                Ok(wire) => wire,
                Err(why) => return Some(Outcome::ParseError(why)),
            }
        } else if request.has_field_by_name("protobuf_payload") {
            request
                .get_field_by_name("protobuf_payload")?
                .as_bytes()?
                .to_vec()
        } else {
            return Some(Outcome::Skipped("neither JSON nor protobuf"));
        };
        let message = self.pool.get_message_by_name(name)?;
        let message = match DynamicMessage::decode(message, wire.as_slice()) {
            Ok(message) => message,
            Err(error) => return Some(Outcome::ParseError(error.to_string())),
        };
        let wanted = request
            .get_field_by_name("requested_output_format")?
            .as_enum_number()?;
        Some(match wanted {
            PROTOBUF => Outcome::Protobuf(message.encode_to_vec()),
            JSON => match self.write(name, rules, &wire)? {
                Ok(text) => Outcome::Json(text),
                Err(why) => Outcome::SerializeError(why),
            },
            _ => Outcome::Skipped("neither JSON nor protobuf"),
        })
    }

    fn read(&self, name: &str, rules: Rules, text: &str) -> Option<Result<Vec<u8>, String>> {
        let id = self.schema.find(name)?;
        let mut wire = Vec::new();
        let read = Lexer::check(text.as_bytes())
            .and_then(|text| decode::message(&self.schema, rules, id, text, &mut wire));
        Some(read.map(|()| wire).map_err(|fault| fault.to_string()))
    }

    fn write(&self, name: &str, rules: Rules, wire: &[u8]) -> Option<Result<String, String>> {
        let id = self.schema.find(name)?;
        let mut text = Vec::new();
        let written = encode::message(&self.schema, rules, id, wire, &mut text);
        let text = written
            .map_err(|_| "the message has no JSON form".to_owned())
            .and_then(|()| String::from_utf8(text).map_err(|error| error.to_string()));
        Some(text)
    }
}
