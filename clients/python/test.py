"""What the client does when the server does not: run by `python -m unittest test`."""

import time
import unittest
from concurrent.futures import ThreadPoolExecutor

import grpc

from apex.growth.v1 import events_pb2, events_pb2_grpc
from apex_client import Apex

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
DENIED = grpc.StatusCode.PERMISSION_DENIED


class Events(events_pb2_grpc.EventServiceServicer):
    """Fails as it is told."""

    def __init__(self):
        self.failures = []
        self.requests = []

    def TrackEvents(self, request, context):
        self.requests.append(request)
        if self.failures:
            context.abort(self.failures.pop(0), "not now")
        return events_pb2.TrackEventsResponse(received=len(request.events))


def ids(request):
    return [event.event_id for event in request.events]


class Client(unittest.TestCase):
    def setUp(self):
        self.events = Events()
        self.server = grpc.server(ThreadPoolExecutor(4))
        events_pb2_grpc.add_EventServiceServicer_to_server(self.events, self.server)
        self.url = f"http://127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()
        self.addCleanup(self.server.stop, None)
        self.lost = []

    def client(self, **options):
        def lose(_, events):
            self.lost.extend(event.event_id for event in events)

        settings = {"flush_every": 60, "max_wait": 0.01, "on_error": lose, **options}
        return Apex(self.url, "pk", **settings)

    def test_events_leave_together_and_in_order(self):
        with self.client(visitor_id="v", environment="preview") as apex:
            made = [apex.track(name, {"name": name}) for name in "abc"]
            apex.flush()
            (request,) = self.events.requests
            self.assertEqual(ids(request), made)
            self.assertEqual(request.environment, "preview")
            self.assertEqual(request.events[0].data, '{"name": "a"}')
            self.assertEqual({event.visitor_id for event in request.events}, {"v"})
        self.assertEqual(len(self.events.requests), 1)

    def test_what_passes_is_tried_again_with_the_same_ids(self):
        self.events.failures = [UNAVAILABLE, EXHAUSTED]
        with self.client() as apex:
            apex.track("a")
            apex.flush()
        first, _, last = self.events.requests
        self.assertEqual(ids(first), ids(last))
        self.assertEqual(self.lost, [])

    def test_what_stays_away_keeps_its_events_and_what_refuses_them_does_not(self):
        self.events.failures = [UNAVAILABLE, UNAVAILABLE, DENIED]
        with self.client(attempts=2) as apex:
            made = apex.track("a")
            self.assertRaises(grpc.RpcError, apex.flush)
            self.assertEqual(self.lost, [])
            self.assertRaises(grpc.RpcError, apex.flush)
            self.assertEqual(self.lost, [made])

    def test_a_queue_that_is_full_gives_up_the_oldest(self):
        with self.client(max_queue=2) as apex:
            first, *rest = [apex.track(name) for name in "abc"]
            self.assertEqual(self.lost, [first])
        self.assertEqual(ids(self.events.requests[0]), rest)

    def test_enough_events_leave_by_themselves(self):
        with self.client(flush_at=3) as apex:
            for _ in range(3):
                apex.track("a")
            for _ in range(500):
                if self.events.requests:
                    break
                time.sleep(0.02)
            self.assertEqual(len(self.events.requests[0].events), 3)


if __name__ == "__main__":
    unittest.main()
