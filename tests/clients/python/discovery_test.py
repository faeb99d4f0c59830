"""What a client learns from the server itself: reflection and health."""

import grpc
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message_factory import GetMessageClass
from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from server import ANYONE, Case, as_caller

SERVICE = "apex.metrics.v1.MetricsService"

# Extensions of google.protobuf.MethodOptions.
HTTP, POLICY = 72295728, 50600
OWN = "apex.options.v1.method"


def extension(number):
    """A question for an extension of a method's options."""
    return reflection_pb2.ExtensionRequest(
        containing_type="google.protobuf.MethodOptions", extension_number=number
    )


class Reflection(Case):
    def setUp(self):
        super().setUp()
        self.database = ProtoReflectionDescriptorDatabase(self.channel)
        self.pool = DescriptorPool(self.database)

    def test_every_service_and_all_it_imports(self):
        names = self.database.get_services()
        self.assertIn(SERVICE, names)
        self.assertIn("grpc.health.v1.Health", names)
        files = {}

        def walk(file):
            # The pool asks the server for what a file imports, and fails when
            # the server does not have it.
            files[file.name] = file
            for imported in file.dependencies:
                if imported.name not in files:
                    walk(imported)

        for name in names:
            service = self.pool.FindServiceByName(name)
            self.assertEqual(service.full_name, name)
            walk(service.file)
        for expected in [
            "apex/metrics/v1/metrics.proto",
            "apex/options/v1/options.proto",
            "google/api/annotations.proto",
            "google/api/http.proto",
            "google/protobuf/descriptor.proto",
            "google/protobuf/timestamp.proto",
        ]:
            self.assertIn(expected, files)

    def test_a_call_without_stubs(self):
        service = self.pool.FindServiceByName(SERVICE)

        def call(name, request):
            method = service.methods_by_name[name]
            answer = GetMessageClass(method.output_type)
            call = self.channel.unary_unary(
                f"/{SERVICE}/{name}",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=answer.FromString,
            )
            message = ParseDict(
                request, GetMessageClass(method.input_type)(), descriptor_pool=self.pool
            )
            return MessageToDict(call(message, **as_caller()))

        sent = call(
            "SendEvent",
            {
                "event_name": "user_signup",
                "metadata": '{"plan": "premium"}',
                "visitor_id": "optional_visitor_id",
                "timestamp": "2024-09-15T10:30:00Z",
            },
        )
        self.assertEqual(set(sent), {"success", "event_id"})
        september = {"start_date": "2024-09-01", "end_date": "2024-09-30"}
        self.assertEqual(
            call("GetAnalytics", september | {"metrics": "unique_visitors,events"}),
            {
                "data": {"unique_visitors": "1", "events": "1"},
                "period": {"start": "2024-09-01", "end": "2024-09-30"},
            },
        )

    def test_options_are_told_too(self):
        """Policy is in the protos, where a client can read it."""
        extended = "google.protobuf.MethodOptions"
        numbers = set(self.database.FindAllExtensionNumbers(extended))
        self.assertLessEqual({HTTP, POLICY}, numbers)
        method = self.pool.FindMethodByName(f"{SERVICE}.SendEvent")
        known = GetMessageClass(self.pool.FindMessageTypeByName(extended))
        options = known.FromString(method.GetOptions().SerializeToString())
        http = options.Extensions[self.pool.FindExtensionByName("google.api.http")]
        self.assertEqual((http.post, http.body), ("/api/v1/events", "*"))
        policy = options.Extensions[self.pool.FindExtensionByName(OWN)]
        self.assertEqual(policy.scope, "metrics.write")

    def test_details_of_failures_are_described(self):
        for name in ["Status", "ErrorInfo", "BadRequest", "RetryInfo"]:
            message = self.pool.FindMessageTypeByName(f"google.rpc.{name}")
            self.assertEqual(message.name, name)

    def test_what_is_not_there(self):
        with self.assertRaises(KeyError):
            self.pool.FindServiceByName("apex.metrics.v1.Nothing")

    def test_one_stream_takes_every_question(self):
        """Also after one that cannot be answered."""
        stub = reflection_pb2_grpc.ServerReflectionStub(self.channel)
        package = "apex.metrics.v1"
        own = "apex/metrics/v1/metrics.proto"
        questions = [
            ({"file_containing_symbol": "apex.nothing"}, StatusCode.NOT_FOUND),
            ({"file_containing_symbol": SERVICE}, own),
            ({"file_containing_symbol": f"{SERVICE}.SendEvent"}, own),
            ({"file_containing_symbol": f"{SERVICE}.Nothing"}, StatusCode.NOT_FOUND),
            ({"file_containing_symbol": f"{package}.EventItem"}, own),
            ({"file_containing_symbol": f"{package}.EventItem.currency"}, own),
            ({"file_containing_symbol": f"{package}.EventItem._price"}, own),
            ({"file_containing_symbol": f"{package}.Outcome"}, own),
            ({"file_containing_symbol": f"{package}.OUTCOME_STORED"}, own),
            ({"file_containing_symbol": OWN}, "apex/options/v1/options.proto"),
            ({"file_by_filename": "nothing.proto"}, StatusCode.NOT_FOUND),
            ({"file_by_filename": own}, own),
            (
                {"file_containing_extension": extension(HTTP)},
                "google/api/annotations.proto",
            ),
            ({"file_containing_extension": extension(7)}, StatusCode.NOT_FOUND),
            ({"all_extension_numbers_of_type": "nothing"}, StatusCode.NOT_FOUND),
            ({}, StatusCode.INVALID_ARGUMENT),
        ]
        requests = [
            reflection_pb2.ServerReflectionRequest(host="h", **asked)
            for asked, _ in questions
        ]
        answers = list(stub.ServerReflectionInfo(iter(requests), **ANYONE))
        self.assertEqual(len(answers), len(questions))
        for request, answer, (_, expected) in zip(requests, answers, questions):
            self.assertEqual(answer.original_request, request)
            self.assertEqual(answer.valid_host, "h")
            if isinstance(expected, StatusCode):
                error = answer.error_response
                self.assertEqual(error.error_code, expected.value[0], request)
                continue
            (encoded,) = answer.file_descriptor_response.file_descriptor_proto
            self.assertEqual(FileDescriptorProto.FromString(encoded).name, expected)


class Health(Case):
    def setUp(self):
        super().setUp()
        self.stub = health_pb2_grpc.HealthStub(self.channel)

    def test_check(self):
        for name in ["", SERVICE]:
            request = health_pb2.HealthCheckRequest(service=name)
            answer = self.stub.Check(request, **ANYONE)
            self.assertEqual(answer.status, health_pb2.HealthCheckResponse.SERVING)
        request = health_pb2.HealthCheckRequest(service="nothing")
        with self.assertRaises(grpc.RpcError) as caught:
            self.stub.Check(request, **ANYONE)
        self.assertEqual(caught.exception.code(), StatusCode.NOT_FOUND)

    def test_watch(self):
        kinds = health_pb2.HealthCheckResponse
        for name, status in [
            (SERVICE, kinds.SERVING),
            ("nothing", kinds.SERVICE_UNKNOWN),
        ]:
            request = health_pb2.HealthCheckRequest(service=name)
            watch = self.stub.Watch(request, **ANYONE)
            self.assertEqual(next(watch).status, status)
            watch.cancel()
