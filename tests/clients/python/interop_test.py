"""gRPC's interoperability cases, by their own names, through grpcio."""

import os
import queue
import unittest
from urllib.parse import urlsplit

import grpc
from grpc import StatusCode
from interop import test_pb2 as pb
from interop import test_pb2_grpc, unimplemented_pb2_grpc

# A call that hangs fails its test.
PATIENCE = 30

REQUESTS = [27182, 8, 1828, 45904]
ANSWERS = [31415, 9, 2653, 58979]

SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"


def payload(size):
    """So many zeros."""
    return pb.Payload(body=bytes(size))


def asking(*sizes, interval_us=0, **more):
    """A request for answers of these sizes."""
    wanted = [pb.ResponseParameters(size=s, interval_us=interval_us) for s in sizes]
    return pb.StreamingOutputCallRequest(response_parameters=wanted, **more)


class Sending:
    """Requests that are sent one by one."""

    def __init__(self):
        self.queue = queue.Queue()

    def __iter__(self):
        return iter(self.queue.get, None)

    def send(self, request):
        self.queue.put(request)

    def end(self):
        self.queue.put(None)


class Cases(unittest.TestCase):
    def setUp(self):
        self.channel = grpc.insecure_channel(urlsplit(os.environ["SERVER_URL"]).netloc)
        self.addCleanup(self.channel.close)
        self.stub = test_pb2_grpc.TestServiceStub(self.channel)

    def failed(self, code, message, call):
        """Expects a call to fail in this way."""
        with self.assertRaises(grpc.RpcError) as caught:
            # A stream fails when it is read.
            for _ in call():
                pass
        error = caught.exception
        self.assertEqual(error.code(), code)
        if message is not None:
            self.assertEqual(error.details(), message)

    def test_empty_unary(self):
        self.assertEqual(self.stub.EmptyCall(pb.Empty(), timeout=PATIENCE), pb.Empty())

    def test_large_unary(self):
        request = pb.SimpleRequest(response_size=314159, payload=payload(271828))
        answer = self.stub.UnaryCall(request, timeout=PATIENCE)
        self.assertEqual(answer.payload, payload(314159))

    def test_client_streaming(self):
        requests = (pb.StreamingInputCallRequest(payload=payload(s)) for s in REQUESTS)
        answer = self.stub.StreamingInputCall(requests, timeout=PATIENCE)
        self.assertEqual(answer.aggregated_payload_size, 74922)

    def test_server_streaming(self):
        answers = self.stub.StreamingOutputCall(asking(*ANSWERS), timeout=PATIENCE)
        self.assertEqual([a.payload for a in answers], [payload(s) for s in ANSWERS])
        self.assertEqual(answers.code(), StatusCode.OK)

    def test_ping_pong(self):
        sending = Sending()
        answers = self.stub.FullDuplexCall(iter(sending), timeout=PATIENCE)
        for size, answer in zip(REQUESTS, ANSWERS):
            sending.send(asking(answer, payload=payload(size)))
            self.assertEqual(next(answers).payload, payload(answer))
        sending.end()
        self.assertEqual(list(answers), [])
        self.assertEqual(answers.code(), StatusCode.OK)

    def test_empty_stream(self):
        answers = self.stub.FullDuplexCall(iter([]), timeout=PATIENCE)
        self.assertEqual(list(answers), [])
        self.assertEqual(answers.code(), StatusCode.OK)

    def test_cancel_after_begin(self):
        sending = Sending()
        self.addCleanup(sending.end)
        call = self.stub.StreamingInputCall.future(iter(sending), timeout=PATIENCE)
        call.cancel()
        self.assertTrue(call.cancelled())
        self.assertEqual(call.code(), StatusCode.CANCELLED)

    def test_cancel_after_first_response(self):
        sending = Sending()
        self.addCleanup(sending.end)
        answers = self.stub.FullDuplexCall(iter(sending), timeout=PATIENCE)
        sending.send(asking(31415, payload=payload(27182)))
        self.assertEqual(next(answers).payload, payload(31415))
        answers.cancel()
        with self.assertRaises(grpc.RpcError):
            next(answers)
        self.assertEqual(answers.code(), StatusCode.CANCELLED)
        # The connection goes on.
        self.test_empty_unary()

    def test_timeout_on_sleeping_server(self):
        sending = Sending()
        self.addCleanup(sending.end)
        sending.send(asking(31415, interval_us=20_000_000, payload=payload(27182)))
        self.failed(
            StatusCode.DEADLINE_EXCEEDED,
            None,
            lambda: self.stub.FullDuplexCall(iter(sending), timeout=0.001),
        )

    def failing(self, message):
        """Both kinds of call are answered with this message, and code 2."""
        status = pb.EchoStatus(code=2, message=message)
        request = pb.SimpleRequest(response_status=status)
        unary = self.stub.UnaryCall
        self.failed(
            StatusCode.UNKNOWN, message, lambda: unary(request, timeout=PATIENCE)
        )
        requests = [pb.StreamingOutputCallRequest(response_status=status)]
        duplex = self.stub.FullDuplexCall
        self.failed(
            StatusCode.UNKNOWN, message, lambda: duplex(iter(requests), timeout=PATIENCE)
        )

    def test_status_code_and_message(self):
        self.failing("test status message")

    def test_special_status_message(self):
        self.failing(SPECIAL)

    def test_a_failure_after_answers(self):
        """Not one of gRPC's: messages are followed by a failure."""
        status = pb.EchoStatus(code=10, message="late")
        answers = self.stub.StreamingOutputCall(
            asking(*ANSWERS, response_status=status), timeout=PATIENCE
        )
        read = [next(answers).payload for _ in ANSWERS]
        self.assertEqual(read, [payload(size) for size in ANSWERS])
        self.failed(StatusCode.ABORTED, "late", lambda: answers)

    def test_unimplemented_method(self):
        method = self.stub.UnimplementedCall
        self.failed(
            StatusCode.UNIMPLEMENTED,
            None,
            lambda: method(pb.Empty(), timeout=PATIENCE),
        )

    def test_unimplemented_service(self):
        stub = unimplemented_pb2_grpc.UnimplementedServiceStub(self.channel)
        self.failed(
            StatusCode.UNIMPLEMENTED,
            None,
            lambda: stub.UnimplementedCall(pb.Empty(), timeout=PATIENCE),
        )

    def test_custom_metadata(self):
        initial = ("x-grpc-test-echo-initial", "test_initial_metadata_value")
        trailing = ("x-grpc-test-echo-trailing-bin", b"\xab\xab\xab")
        options = {"metadata": (initial, trailing), "timeout": PATIENCE}

        request = pb.SimpleRequest(response_size=314159, payload=payload(271828))
        answer, call = self.stub.UnaryCall.with_call(request, **options)
        self.assertEqual(answer.payload, payload(314159))
        self.assertIn(initial, call.initial_metadata())
        self.assertIn(trailing, call.trailing_metadata())

        requests = [asking(314159, payload=payload(271828))]
        answers = self.stub.FullDuplexCall(iter(requests), **options)
        self.assertEqual([a.payload for a in answers], [payload(314159)])
        self.assertIn(initial, answers.initial_metadata())
        self.assertIn(trailing, answers.trailing_metadata())
