//! `grpc.reflection`: describes the services here to clients that have no
//! protos, with custom options and extensions, file by file as they ask. A
//! question that cannot be answered is told so, and the next one is taken.

use std::sync::LazyLock;

use futures_util::StreamExt as _;
use http::Uri;
use prost_reflect::{DescriptorPool, FileDescriptor};
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::server_reflection_server::{
    ServerReflection, ServerReflectionServer,
};
use tonic_reflection::pb::v1::{
    ErrorResponse, ExtensionNumberResponse, FileDescriptorResponse, ListServiceResponse,
    ServerReflectionRequest, ServerReflectionResponse, ServiceResponse,
};
use tower::ServiceExt as _;

use super::call::{Call, Replies};
use super::dispatch::{self, GrpcService};
use super::pace;

/// Full name of the service.
pub const NAME: &str = "grpc.reflection.v1.ServerReflection";
/// Its former name, which many tools still ask for first. Nothing else of it is
/// different, on the wire.
pub const FORMER_NAME: &str = "grpc.reflection.v1alpha.ServerReflection";

/// Descriptors, or how they are made once somebody asks: they take megabytes, and many
/// servers are never asked.
pub type Descriptors = Box<dyn FnOnce() -> DescriptorPool + Send>;

struct Service {
    pool: LazyLock<DescriptorPool, Descriptors>,
}

/// The service, of everything in these descriptors.
pub fn service(descriptors: Descriptors) -> GrpcService {
    let pool = LazyLock::new(descriptors);
    let mut server = ServerReflectionServer::new(Service { pool });
    for encoding in dispatch::ENCODINGS {
        server = server.accept_compressed(encoding).send_compressed(encoding);
    }
    dispatch::grpc(server)
}

/// The service under its former name.
pub fn former(service: GrpcService) -> GrpcService {
    let renamed = service.map_request(|mut request: http::Request<tonic::body::Body>| {
        *request.uri_mut() =
            Uri::from_static("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo");
        request
    });
    dispatch::grpc(renamed)
}

#[tonic::async_trait]
impl ServerReflection for Service {
    type ServerReflectionInfoStream = Replies<ServerReflectionResponse>;

    async fn server_reflection_info(
        &self,
        mut request: Request<Streaming<ServerReflectionRequest>>,
    ) -> Result<Response<Self::ServerReflectionInfoStream>, Status> {
        let call = request.extensions_mut().remove::<Call>();
        let call = call.ok_or_else(|| Status::internal("Internal server error"))?;
        let pool = DescriptorPool::clone(&self.pool);
        let own = call.clone();
        let answers = pace::while_sending(&call, request.into_inner()).map(move |question| {
            let question = question.map_err(|error| own.status_of(error))?;
            Ok(answer(&pool, question))
        });
        let answers = pace::until_deadline(&call, Box::pin(answers));
        Ok(Response::new(answers))
    }
}

fn answer(pool: &DescriptorPool, question: ServerReflectionRequest) -> ServerReflectionResponse {
    let asked = question.message_request.as_ref();
    let found = match asked {
        Some(asked) => found(pool, asked).ok_or((Code::NotFound, "It is not described here")),
        None => Err((Code::InvalidArgument, "The request asks for nothing")),
    };
    let response = found.unwrap_or_else(|(code, message)| {
        MessageResponse::ErrorResponse(ErrorResponse {
            error_code: code.into(),
            error_message: message.to_owned(),
        })
    });
    ServerReflectionResponse {
        valid_host: question.host.clone(),
        original_request: Some(question),
        message_response: Some(response),
    }
}

fn found(pool: &DescriptorPool, asked: &MessageRequest) -> Option<MessageResponse> {
    let file = match asked {
        MessageRequest::FileByFilename(name) => pool.get_file_by_name(name)?,
        MessageRequest::FileContainingSymbol(name) => file_of(pool, name)?,
        MessageRequest::FileContainingExtension(asked) => {
            let message = pool.get_message_by_name(&asked.containing_type)?;
            let number = u32::try_from(asked.extension_number).ok()?;
            message.get_extension(number)?.parent_file()
        }
        MessageRequest::AllExtensionNumbersOfType(name) => {
            let message = pool.get_message_by_name(name)?;
            let numbers = message.extensions().map(|extension| extension.number());
            return Some(MessageResponse::AllExtensionNumbersResponse(
                ExtensionNumberResponse {
                    base_type_name: name.clone(),
                    extension_number: numbers.filter_map(|n| n.try_into().ok()).collect(),
                },
            ));
        }
        MessageRequest::ListServices(_) => {
            let service = |service: prost_reflect::ServiceDescriptor| ServiceResponse {
                name: service.full_name().to_owned(),
            };
            return Some(MessageResponse::ListServicesResponse(ListServiceResponse {
                service: pool.services().map(service).collect(),
            }));
        }
    };
    let file_descriptor_proto = vec![file.encode_to_vec()];
    Some(MessageResponse::FileDescriptorResponse(
        FileDescriptorResponse {
            file_descriptor_proto,
        },
    ))
}

/// The file that declares a name.
fn file_of(pool: &DescriptorPool, name: &str) -> Option<FileDescriptor> {
    if let Some(file) = declared(pool, name) {
        return Some(file);
    }
    let (parent, member) = name.rsplit_once('.')?;
    if let Some(service) = pool.get_service_by_name(parent) {
        let mut methods = service.methods();
        return methods
            .any(|method| method.name() == member)
            .then(|| service.parent_file());
    }
    if let Some(message) = pool.get_message_by_name(parent) {
        let mut oneofs = message.oneofs();
        let own = message.get_field_by_name(member).is_some()
            || oneofs.any(|oneof| oneof.name() == member);
        if own {
            return Some(message.parent_file());
        }
    }
    // A value belongs to the scope its enum is in.
    let mut enums = pool.all_enums();
    let own = enums.find(|own| own.values().any(|value| value.full_name() == name));
    own.map(|own| own.parent_file())
}

fn declared(pool: &DescriptorPool, name: &str) -> Option<FileDescriptor> {
    let message = pool.get_message_by_name(name).map(|m| m.parent_file());
    message
        .or_else(|| pool.get_service_by_name(name).map(|s| s.parent_file()))
        .or_else(|| pool.get_enum_by_name(name).map(|e| e.parent_file()))
        .or_else(|| pool.get_extension_by_name(name).map(|e| e.parent_file()))
}
