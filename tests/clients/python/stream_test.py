"""IngestEvents, the stream in both directions, through grpcio."""

import queue

from apex.metrics.v1 import metrics_pb2 as pb
from apex.metrics.v1 import metrics_pb2_grpc
from grpc import StatusCode
from server import Case, as_caller, time


def item(name, **more):
    """An event of a stream."""
    return pb.EventItem(
        event_name=name, timestamp=time("2024-07-01T10:30:00Z"), **more
    )


class Conversation:
    """A stream whose next message is sent when the last one was answered."""

    def __init__(self, stub):
        self.requests = queue.Queue()
        self.answers = stub.IngestEvents(iter(self.requests.get, None), **as_caller())

    def say(self, **members):
        """Sends a message and waits for its answer."""
        self.requests.put(pb.IngestEventsRequest(**members))
        return next(self.answers)

    def end(self):
        """Says that nothing follows; answers what is still said."""
        self.requests.put(None)
        return list(self.answers)


class Ingestion(Case):
    def setUp(self):
        super().setUp()
        self.stub = metrics_pb2_grpc.MetricsServiceStub(self.channel)

    def test_every_message_is_acknowledged(self):
        stream = Conversation(self.stub)
        first = stream.say(position=2, events=[item("a"), item("b", event_id="b")])
        self.assertEqual(first, pb.IngestEventsResponse(position=2, received=2))
        again = stream.say(position=3, events=[item("b", event_id="b")])
        self.assertEqual(again, pb.IngestEventsResponse(position=3, duplicates=1))
        bought = pb.EventItem(price=2999, currency="USD")
        mixed = stream.say(position=6, events=[item(""), bought, item("c")])
        refused = pb.EventResult(
            index=0, outcome=pb.OUTCOME_INVALID, error="Event name is required"
        )
        self.assertEqual(
            mixed, pb.IngestEventsResponse(position=6, received=2, errors=[refused])
        )
        self.assertEqual(stream.end(), [])
        self.assertEqual(stream.answers.code(), StatusCode.OK)

    def test_a_named_stream_goes_on_where_it_was(self):
        stream = Conversation(self.stub)
        opened = stream.say(stream="python")
        self.assertEqual(opened, pb.IngestEventsResponse(position=0))
        stream.say(position=1, events=[item("x")])
        stream.say(position=2, events=[item("y")])
        # It breaks off: the client cannot know what arrived.
        stream.answers.cancel()
        self.assertEqual(stream.answers.code(), StatusCode.CANCELLED)

        stream = Conversation(self.stub)
        opened = stream.say(stream="python")
        self.assertEqual(opened, pb.IngestEventsResponse(position=2))
        resent = stream.say(position=2, events=[item("y")])
        self.assertEqual(resent, pb.IngestEventsResponse(position=2))
        more = stream.say(position=3, events=[item("z")])
        self.assertEqual(more, pb.IngestEventsResponse(position=3, received=1))
        self.assertEqual(stream.end(), [])

    def test_a_message_that_is_not_valid_ends_the_stream(self):
        stream = Conversation(self.stub)
        stored = stream.say(position=1, events=[item("kept")])
        self.assertEqual(stored.received, 1)
        message = pb.IngestEventsRequest(position=2, events=[item("n")] * 1001)
        stream.requests.put(message)
        self.refused(
            StatusCode.INVALID_ARGUMENT,
            "INVALID_REQUEST",
            "events must have at most 1000 elements",
            lambda: stream.answers,
        )
