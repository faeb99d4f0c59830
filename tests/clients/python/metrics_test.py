"""The documented examples through stubs that grpcio-tools made of the protos."""

import json
import os
import unittest

import grpc
from apex.metrics.v1 import metrics_pb2 as pb
from apex.metrics.v1 import metrics_pb2_grpc
from grpc import StatusCode
from server import (
    ANYONE,
    KEY,
    READ_KEY,
    SECURE,
    Case,
    as_caller,
    channel,
    details,
    time,
)

SIGNED_UP = '{"plan": "premium", "source": "landing_page"}'
BILLED = '{"billing": "monthly", "category": "subscription"}'


def event(day="2024-01-15", **more):
    """The documented event."""
    known = {
        "event_name": "user_signup",
        "metadata": SIGNED_UP,
        "visitor_id": "optional_visitor_id",
        "timestamp": time(f"{day}T10:30:00Z"),
    }
    return pb.SendEventRequest(**(known | more))


def purchase():
    """The documented purchase."""
    return pb.SendPurchaseRequest(
        price=2999,
        currency="USD",
        product_name="Premium Plan",
        quantity=1,
        metadata=BILLED,
        visitor_id="optional_visitor_id",
        timestamp=time("2024-01-15T10:30:00Z"),
    )


class Documented(Case):
    """Every example of the reference. Other tests keep out of January 2024."""

    def setUp(self):
        super().setUp()
        self.stub = metrics_pb2_grpc.MetricsServiceStub(self.channel)

    def test_the_examples(self):
        sent, call = self.stub.SendEvent.with_call(event(), **as_caller())
        self.assertTrue(sent.success)
        self.assertRegex(sent.event_id, "^evt_[0-9a-f-]{36}$")
        self.assertEqual(call.code(), StatusCode.OK)
        headers = dict(call.initial_metadata())
        self.assertEqual(headers["x-ratelimit-limit"], "1000")
        self.assertLess(int(headers["x-ratelimit-remaining"]), 1000)
        self.assertEqual(int(headers["x-ratelimit-reset"]) % 60, 0)
        self.assertRegex(headers["x-request-id"], "^[0-9a-f-]{36}$")

        bought = self.stub.SendPurchase(purchase(), **as_caller())
        self.assertTrue(bought.success)
        self.assertNotEqual(bought.event_id, sent.event_id)

        january = {"start_date": "2024-01-01", "end_date": "2024-01-31"}
        asked = pb.GetAnalyticsRequest(
            metrics="page_views,unique_visitors,events", **january
        )
        answer = self.stub.GetAnalytics(asked, **as_caller())
        self.assertEqual(
            answer,
            pb.GetAnalyticsResponse(
                data=pb.Figures(page_views=0, unique_visitors=1, events=2),
                period=pb.Period(start="2024-01-01", end="2024-01-31"),
            ),
        )
        # Presence counts in that comparison: a figure that is zero is there, and
        # one that was not asked for is not.
        asked = pb.GetAnalyticsRequest(metrics="events,revenue", **january)
        answer = self.stub.GetAnalytics(asked, **as_caller(READ_KEY))
        dollars = pb.Revenue(currency="USD", purchases=1, units=1, amount="29.99")
        self.assertEqual(answer.data, pb.Figures(events=2, revenue=[dollars]))

    def test_a_stream_of_answers(self):
        days = ["2024-03-01", "2024-03-02"]
        sent = [self.stub.SendEvent(event(day), **as_caller()) for day in days]
        march = pb.ExportEventsRequest(
            **{"from": time("2024-03-01T00:00:00Z"), "to": time("2024-04-01T00:00:00Z")}
        )
        read = self.stub.ExportEvents(march, **as_caller(READ_KEY))
        events = [event for some in read for event in some.events]
        self.assertEqual([e.event_id for e in events], [s.event_id for s in sent])
        for stored, day in zip(events, days):
            self.assertEqual(stored.timestamp, time(f"{day}T10:30:00Z"))
            self.assertEqual(stored.metadata, SIGNED_UP)
            self.assertFalse(stored.HasField("price"))

    def test_a_repeat_answers_the_same(self):
        again = event("2024-05-01", event_id="python-1")
        once = self.stub.SendEvent(again, **as_caller())
        self.assertEqual(self.stub.SendEvent(again, **as_caller()), once)

    def test_compressed(self):
        with channel(compression=grpc.Compression.Gzip) as zipped:
            stub = metrics_pb2_grpc.MetricsServiceStub(zipped)
            text = json.dumps({"text": "again and " * 100_000})
            request = event("2024-05-02", metadata=text)
            self.assertTrue(stub.SendEvent(request, **as_caller()).success)
            # What counts is the size it unfolds to.
            text = json.dumps({"text": "again and " * 1_000_000})
            self.refused(
                StatusCode.RESOURCE_EXHAUSTED,
                "PAYLOAD_TOO_LARGE",
                "Error decompressing: size limit, of 4194304 bytes, exceeded "
                "while decompressing message",
                lambda: stub.SendEvent(event(metadata=text), **as_caller()),
            )

    def test_not_valid(self):
        found = self.refused(
            StatusCode.INVALID_ARGUMENT,
            "INVALID_REQUEST",
            "Event name is required",
            lambda: self.stub.SendEvent(pb.SendEventRequest(), **as_caller()),
        )
        (violation,) = found["BadRequest"].field_violations
        self.assertEqual(violation.field, "event_name")
        self.assertEqual(violation.description, "Event name is required")
        for members, message in [
            ({"currency": "USD"}, "price is required"),
            ({"price": 0, "currency": "USD"}, "price must be at least 1"),
            (
                {"price": 1, "currency": "ABC"},
                "currency must be an ISO 4217 code such as USD",
            ),
        ]:
            request = pb.SendPurchaseRequest(**members)
            self.refused(
                StatusCode.INVALID_ARGUMENT,
                "INVALID_REQUEST",
                message,
                lambda: self.stub.SendPurchase(request, **as_caller()),
            )

    def test_callers_that_may_not(self):
        stub = self.stub
        for call, request in [
            (stub.SendEvent, event()),
            (stub.GetAnalytics, pb.GetAnalyticsRequest()),
            (stub.ExportEvents, pb.ExportEventsRequest()),
            (stub.IngestEvents, iter([])),
        ]:
            self.refused(
                StatusCode.UNAUTHENTICATED,
                "UNAUTHORIZED",
                "Authentication is required",
                lambda: call(request, **ANYONE),
            )
        self.refused(
            StatusCode.UNAUTHENTICATED,
            "UNAUTHORIZED",
            "Invalid API key",
            lambda: stub.SendEvent(event(), **as_caller("apex_key_nonsense")),
        )
        self.refused(
            StatusCode.PERMISSION_DENIED,
            "FORBIDDEN",
            "The API key lacks the scope metrics.write",
            lambda: stub.SendEvent(event(), **as_caller(READ_KEY)),
        )

    @unittest.skipUnless(SECURE, "grpcio keeps such credentials off plain channels")
    def test_credentials_of_the_call(self):
        token = grpc.access_token_call_credentials(KEY)
        request = event("2024-05-03")
        answer = self.stub.SendEvent(request, credentials=token, **ANYONE)
        self.assertTrue(answer.success)

    def test_what_is_not_there(self):
        nothing = self.channel.unary_unary("/apex.metrics.v1.MetricsService/Nothing")
        self.refused(
            StatusCode.UNIMPLEMENTED,
            "METHOD_NOT_FOUND",
            "There is no such method",
            lambda: nothing(b"", **ANYONE),
        )

    def test_too_large(self):
        large = event(metadata=json.dumps({"text": "x" * 5_000_000}))
        self.refused(
            StatusCode.RESOURCE_EXHAUSTED,
            "PAYLOAD_TOO_LARGE",
            "Error, decoded message length too large: found "
            f"{large.ByteSize()} bytes, the limit is: 4194304 bytes",
            lambda: self.stub.SendEvent(large, **as_caller()),
        )

    def test_too_many(self):
        """The server is started with room for five questions a year."""
        asked, hasty = pb.GetAnalyticsRequest(), os.environ["HASTY_KEY"]
        for left in [4, 3, 2, 1, 0]:
            _, call = self.stub.GetAnalytics.with_call(asked, **as_caller(hasty))
            headers = dict(call.initial_metadata())
            self.assertEqual(headers["x-ratelimit-remaining"], str(left))
        with self.assertRaises(grpc.RpcError) as caught:
            self.stub.GetAnalytics(asked, **as_caller(hasty))
        error = caught.exception
        self.assertEqual(error.code(), StatusCode.RESOURCE_EXHAUSTED)
        found = details(error)
        self.assertEqual(found["ErrorInfo"].reason, "RATE_LIMITED")
        wait = found["RetryInfo"].retry_delay.seconds
        self.assertIn(wait, range(1, 365 * 86_400 + 1))
        message = f"Rate limit exceeded. Retry after {wait} seconds."
        self.assertEqual(error.details(), message)
