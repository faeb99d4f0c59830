//! The JSON codec agrees with prost-reflect on random messages, both ways.

use apex::policy::Profile;
use apex::transcode::json::{Rules, decode, encode};
use apex::transcode::schema::Schema;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng};
use prost::Message as _;
use prost_reflect::{
    Cardinality, DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor,
    SerializeOptions, Value,
};

fn pool() -> DescriptorPool {
    let files = protox::compile(["testing/v1/all_types.proto"], ["tests/proto"]).unwrap();
    DescriptorPool::from_file_descriptor_set(files).unwrap()
}

/// Random messages within what JSON can say.
struct Generator {
    rng: TestRng,
}

impl Generator {
    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.rng.random_range(0..from.len())]
    }

    fn number(&mut self) -> u64 {
        // Small, large and boundary values in equal parts.
        match self.rng.random_range(0..4) {
            0 => 0,
            1 => self.rng.random_range(0..300),
            2 => self.rng.random(),
            _ => self.pick(&[1, u64::MAX, 1 << 31, 1 << 63, (1 << 53) + 1]),
        }
    }

    fn text(&mut self) -> String {
        const TEXTS: [&str; 7] = ["", "a", "é\n\"\\", "\u{1}\u{7f}", "日本語", "😀/", "a_b"];
        self.pick(&TEXTS).to_owned()
    }

    fn double(&mut self) -> f64 {
        self.pick(&[
            0.0,
            -0.0,
            1.0,
            0.1,
            -1.5e300,
            5e-324,
            f64::MAX,
            f64::INFINITY,
        ])
    }

    fn message(&mut self, descriptor: &MessageDescriptor, depth: u32) -> DynamicMessage {
        let mut message = DynamicMessage::new(descriptor.clone());
        for field in descriptor.fields() {
            if self.rng.random_bool(0.3) {
                self.fill(&mut message, &field, depth);
            }
        }
        message
    }

    fn fill(&mut self, message: &mut DynamicMessage, field: &FieldDescriptor, depth: u32) {
        if field.is_map() {
            let entry = field.kind();
            let entry = entry.as_message().unwrap();
            let key = match entry.map_entry_key_field().kind() {
                Kind::String => MapKey::String(self.text()),
                Kind::Bool => MapKey::Bool(self.rng.random()),
                _ => MapKey::I64(self.number() as i64),
            };
            let Some(value) = self.value(&entry.map_entry_value_field(), depth) else {
                return;
            };
            message.set_field(field, Value::Map([(key, value)].into()));
        } else if field.cardinality() == Cardinality::Repeated {
            let values = (0..self.rng.random_range(0..4)).filter_map(|_| self.value(field, depth));
            let values = values.collect();
            message.set_field(field, Value::List(values));
        } else if let Some(value) = self.value(field, depth) {
            message.set_field(field, value);
        }
    }

    fn value(&mut self, field: &FieldDescriptor, depth: u32) -> Option<Value> {
        let n = self.number();
        Some(match field.kind() {
            Kind::Double => Value::F64(self.double()),
            Kind::Float => Value::F32(self.double() as f32),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(n as i32),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(n as i64),
            Kind::Uint32 | Kind::Fixed32 => Value::U32(n as u32),
            Kind::Uint64 | Kind::Fixed64 => Value::U64(n),
            Kind::Bool => Value::Bool(n.is_multiple_of(2)),
            Kind::String => Value::String(self.text()),
            Kind::Bytes => Value::Bytes(self.text().into_bytes().into()),
            Kind::Enum(e) if e.full_name().starts_with("google.") => Value::EnumNumber(0),
            Kind::Enum(_) => Value::EnumNumber([0, 1, 2, -3, 77][n as usize % 5]),
            Kind::Message(m) => return self.known(&m, depth),
        })
    }

    fn known(&mut self, descriptor: &MessageDescriptor, depth: u32) -> Option<Value> {
        let n = self.number();
        let mut message = DynamicMessage::new(descriptor.clone());
        match descriptor.name() {
            "Timestamp" => {
                let seconds = (n % 253_402_300_800) as i64 - 62_135_596_800;
                message.set_field_by_name("seconds", Value::I64(seconds.min(253_402_300_799)));
                message.set_field_by_name("nanos", Value::I32((n % 1_000_000_000) as i32));
            }
            "Duration" => {
                message.set_field_by_name("seconds", Value::I64((n % 315_576_000_000) as i64));
                message.set_field_by_name("nanos", Value::I32((n % 1_000_000_000) as i32));
            }
            "FieldMask" => {
                let paths = ["a", "a_b.c", "long_name_here"].map(|p| Value::String(p.into()));
                message.set_field_by_name("paths", Value::List(paths.into()));
            }
            // JSON keeps finite numbers and no duplicate: build from JSON itself.
            "Struct" | "Value" | "ListValue" => {
                let text = match descriptor.name() {
                    // One member each: the order of several is not kept.
                    "Struct" => r#"{"a": [1, null, {"b": {}}, {"c": 1.5}]}"#,
                    "Value" => ["null", "[]", "\"x\"", "2.25", "false"][n as usize % 5],
                    _ => r#"[1, [2], {"x": null}]"#,
                };
                let mut json = serde_json::Deserializer::from_str(text);
                message = DynamicMessage::deserialize(descriptor.clone(), &mut json).unwrap();
            }
            "Any" if depth == 0 => return None,
            "Any" => {
                let inner = descriptor
                    .parent_pool()
                    .get_message_by_name("testing.v1.AllTypes");
                let inner = self.message(&inner?, depth - 1);
                let url = "type.googleapis.com/testing.v1.AllTypes".to_owned();
                message.set_field_by_name("type_url", Value::String(url));
                message.set_field_by_name("value", Value::Bytes(inner.encode_to_vec().into()));
            }
            "AllTypes" if depth == 0 => return None,
            "AllTypes" => message = self.message(descriptor, depth - 1),
            _ => self.fill(&mut message, &descriptor.fields().next()?, depth),
        }
        Some(Value::Message(message))
    }
}

/// Messages compare as canonical JSON: the bytes of an `Any` may differ in the
/// order of their fields.
fn text(message: &DynamicMessage) -> String {
    serde_json::to_string(message).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..Default::default() })]
    #[test]
    fn codec_agrees_with_prost_reflect(seed in any::<[u8; 32]>()) {
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        let pool = pool();
        let schema = Schema::new(&pool);
        let descriptor = pool.get_message_by_name("testing.v1.AllTypes").unwrap();
        let id = schema.find("testing.v1.AllTypes").unwrap();
        let rules = Rules { depth: 100, ..Rules::of(Profile::Canonical) };
        let message = Generator { rng }.message(&descriptor, 2);

        let mut ours = Vec::new();
        encode::message(&schema, rules, id, &message.encode_to_vec(), &mut ours).unwrap();
        let mut json = serde_json::Deserializer::from_slice(&ours);
        let back = DynamicMessage::deserialize(descriptor.clone(), &mut json);
        let back = back.unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&ours)));
        prop_assert!(text(&back) == text(&message), "{}", String::from_utf8_lossy(&ours));

        for skip_defaults in [true, false] {
            let options = SerializeOptions::new().skip_default_fields(skip_defaults);
            let mut theirs = Vec::new();
            let mut out = serde_json::Serializer::new(&mut theirs);
            message.serialize_with_options(&mut out, &options).unwrap();
            let theirs = String::from_utf8(theirs).unwrap();
            let mut wire = Vec::new();
            decode::message(&schema, rules, id, &theirs, &mut wire)
                .unwrap_or_else(|fault| panic!("{fault}: {theirs}"));
            let read = DynamicMessage::decode(descriptor.clone(), wire.as_slice()).unwrap();
            prop_assert!(text(&read) == text(&message), "{theirs}");
        }
    }
}
