//! Turns `proto/` into code: descriptor bytes, tonic services, the policy table,
//! validation, and one endpoint per service that gRPC and REST share.
//!
//! It needs no `protoc`, and it refuses to build what is not sound: see
//! `src/policy/read.rs`.

#[path = "build/checks.rs"]
mod checks;
#[path = "build/endpoints.rs"]
mod endpoints;
#[path = "build/names.rs"]
mod names;
#[path = "src/policy/mod.rs"]
#[allow(dead_code)] // the library uses the rest
mod policy;
#[path = "build/table.rs"]
mod table;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use prost::encoding::{
    DecodeContext, WireType, decode_key, decode_varint, encode_key, encode_varint, skip_field,
};
use prost::{DecodeError, Message as _};
use prost_reflect::DescriptorPool;

/// Services whose protos are not ours, with the rate group of their methods. A
/// vendored service that is missing here stops the build.
const FOREIGN: &[(&str, &str)] = &[
    ("grpc.health.v1.Health", "pages"),
    ("grpc.reflection.v1.ServerReflection", "pages"),
    ("grpc.reflection.v1alpha.ServerReflection", "pages"),
];

fn main() -> Result<(), Box<dyn Error>> {
    // tonic-prost-build has a switch for these lines but never acts on it.
    for input in [
        "proto",
        "build",
        "build.rs",
        "src/policy",
        "src/config/defaults.toml",
    ] {
        println!("cargo:rerun-if-changed={input}");
    }
    #[allow(clippy::disallowed_methods)] // cargo's own variable
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let files = proto_files(Path::new("proto"))?;
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_source_info(true).include_imports(true);
    compiler.open_files(files)?;

    // Custom options survive only in the encoded bytes, not in typed sets.
    let bytes = compiler.encode_file_descriptor_set();
    fs::write(out.join("descriptors.bin"), &bytes)?;
    fs::write(out.join("shapes.bin"), without_comments(&bytes)?)?;
    let pool = DescriptorPool::decode(bytes.as_slice())?;

    let defaults: toml::Table = fs::read_to_string("src/config/defaults.toml")?.parse()?;
    let groups = defaults.get("limits").and_then(toml::Value::as_table);
    let groups: Vec<&str> = groups
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .collect();
    let reader = policy::read::Reader {
        rate_groups: &groups,
        foreign: FOREIGN,
        lenient: false,
    };
    let methods = reader
        .read(&pool)
        .map_err(|faults| format!("the protos are refused:\n  {}", faults.join("\n  ")))?;
    fs::write(out.join("table.rs"), table::emit(&methods))?;
    fs::write(out.join("checks.rs"), checks::emit(&pool))?;
    fs::write(out.join("endpoints.rs"), endpoints::emit(&pool, &methods))?;

    let mut typed = prost_types::FileDescriptorSet::decode(bytes.as_slice())?;
    let needed = |package: &str| names::has_code(package) || package == "google.protobuf";
    typed.file.retain(|file| needed(file.package()));
    let mut config = tonic_prost_build::Config::new();
    config.bytes([".google.api.HttpBody"]);
    // Requests are digested for idempotency: equal maps must encode alike.
    config.btree_map(["."]);
    // Requests are looked at by their name before they are decoded.
    config.enable_type_names();
    config.skip_debug(checks::secret_messages(&pool));
    tonic_prost_build::configure()
        .build_server(false)
        .include_file("api.rs")
        .compile_fds_with_config(typed, config)?;
    Ok(())
}

/// Every `.proto` below a folder, relative to it, in a stable order.
fn proto_files(root: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "proto") {
                found.push(path.strip_prefix(root)?.to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Number of a file in a set of descriptors, and of the comments in a file.
const FILE: u32 = 1;
const SOURCE_CODE_INFO: u32 = 9;

/// A set of descriptors without what only people read, which is most of it once decoded.
fn without_comments(set: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let mut lean = Vec::new();
    for (_, file) in fields(set)? {
        // A file is the only field of a set; its key and length come first.
        let mut file = file;
        decode_key(&mut file)?;
        decode_varint(&mut file)?;
        let kept = fields(file)?;
        let kept = kept
            .iter()
            .filter(|(number, _)| *number != SOURCE_CODE_INFO);
        let kept = kept.flat_map(|(_, field)| field.iter().copied());
        encode_key(FILE, WireType::LengthDelimited, &mut lean);
        let kept: Vec<u8> = kept.collect();
        encode_varint(kept.len() as u64, &mut lean);
        lean.extend(kept);
    }
    Ok(lean)
}

/// The fields of a message, each with its number, key and all.
fn fields(mut message: &[u8]) -> Result<Vec<(u32, &[u8])>, DecodeError> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let begin = message;
        let (number, kind) = decode_key(&mut message)?;
        skip_field(kind, number, &mut message, DecodeContext::default())?;
        found.push((number, &begin[..begin.len() - message.len()]));
    }
    Ok(found)
}
