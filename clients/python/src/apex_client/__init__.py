"""Sends events to Apex: they wait in memory and leave as batches.

A batch that fails is sent again; every event has an id, so that none counts twice.
"""

import json
import random
import threading
import time
import uuid
from collections import deque
from datetime import datetime, timezone
from urllib.parse import urlsplit

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from apex.growth.v1 import events_pb2, events_pb2_grpc

__all__ = ["Apex"]

# Failures that pass: the server is away or busy, or the caller was too fast.
PASSING = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.ABORTED,
}
# Most events of a request, and the longest one may take, in seconds.
BATCH = 500
PATIENCE = 30.0


class Apex:
    """A project's events. Safe to use from several threads.

    `url` is the server, `project_key` the project's public key; `api_key` makes
    `metadata` for calls of other services over `channel`. `page` is the page of events
    that name none. Events are sent when there are `flush_at` of them, or
    `flush_every` seconds after the first. While they cannot be sent `max_queue` are
    kept; the oldest are given up first. A batch is tried `attempts` times, with waits of
    at most `max_wait` seconds. `on_error(error, events)` is told of events that are
    given up, and why.
    """

    def __init__(
        self,
        url,
        project_key,
        *,
        api_key=None,
        visitor_id="",
        page="/",
        environment="",
        flush_at=100,
        flush_every=5.0,
        max_queue=10_000,
        attempts=6,
        max_wait=30.0,
        on_error=None,
        credentials=None,
    ):
        self._project_key = project_key
        self._visitor_id = visitor_id
        self._page = page
        self._environment = environment
        self._user_id = ""
        self._flush_at = flush_at
        self._flush_every = flush_every
        self._max_queue = max_queue
        self._attempts = attempts
        self._max_wait = max_wait
        self._on_error = on_error
        self.metadata = (("authorization", f"Bearer {api_key}"),) if api_key else ()
        self.channel = _channel(url, credentials)
        self.events = events_pb2_grpc.EventServiceStub(self.channel)
        self._queue = deque()
        self._waiting = threading.Condition()
        self._sending = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="apex", daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def track(
        self,
        type,
        data=None,
        *,
        visitor_id=None,
        user_id=None,
        url=None,
        referrer="",
        timestamp=None,
        event_id=None,
    ):
        """Notes an event; answers its id."""
        event_id = event_id or str(uuid.uuid4())
        event = events_pb2.EventItem(
            type=type,
            data=json.dumps(data or {}),
            visitor_id=self._visitor_id if visitor_id is None else visitor_id,
            user_id=self._user_id if user_id is None else user_id,
            url=url or self._page,
            referrer=referrer,
            timestamp=_stamp(timestamp),
            event_id=event_id,
        )
        lost = []
        with self._waiting:
            self._queue.append(event)
            while len(self._queue) > self._max_queue:
                lost.append(self._queue.popleft())
            self._waiting.notify()
        if lost:
            self._give_up(RuntimeError("The queue is full"), lost)
        return event_id

    def identify(self, user_id, traits=None, *, visitor_id=None):
        """Says who the visitor is. An e-mail, as id or trait, links what they did before."""
        traits = traits or {}
        if visitor_id is None:
            # Where the visitor is the only one, what follows is theirs.
            self._user_id = user_id
        about = {"userId": user_id, "traits": traits}
        texts = [text for text in (traits.get("email"), user_id) if isinstance(text, str)]
        email = next((text for text in texts if "@" in text), None)
        if email:
            about["email"] = email
        return self.track("identify", about, visitor_id=visitor_id, user_id=user_id)

    def flush(self):
        """Sends what waits; returns once it is stored."""
        # One batch after the other: the order of events is that of their making.
        with self._sending:
            while batch := self._take():
                try:
                    self._send(batch)
                except grpc.RpcError as error:
                    if error.code() in PASSING:
                        with self._waiting:
                            self._queue.extendleft(reversed(batch))
                    else:
                        self._give_up(error, batch)
                    raise

    def close(self):
        """Sends what waits and ends."""
        with self._waiting:
            self._closed = True
            self._waiting.notify()
        self._thread.join()
        try:
            self.flush()
        finally:
            self.channel.close()

    def _run(self):
        while True:
            with self._waiting:
                self._waiting.wait_for(lambda: self._queue or self._closed)
                enough = lambda: len(self._queue) >= self._flush_at or self._closed
                self._waiting.wait_for(enough, timeout=self._flush_every)
                if self._closed:
                    return
            try:
                self.flush()
            except grpc.RpcError:
                # What passes is tried again; of the rest `on_error` was told.
                time.sleep(min(self._flush_every, 1.0))

    def _take(self):
        with self._waiting:
            size = min(len(self._queue), BATCH)
            return [self._queue.popleft() for _ in range(size)]

    def _send(self, batch):
        def attempt():
            request = events_pb2.TrackEventsRequest(
                project_key=self._project_key,
                environment=self._environment,
                events=batch,
                sent_at=_stamp(None),
            )
            return self.events.TrackEvents(request, timeout=PATIENCE)

        for refused in self._again(attempt).errors:
            self._give_up(ValueError(refused.message), [batch[refused.index]])

    def _again(self, attempt):
        """Tries until it works, waiting longer each time, by chance and as the server asks."""
        for number in range(1, self._attempts + 1):
            try:
                return attempt()
            except grpc.RpcError as error:
                if number == self._attempts or error.code() not in PASSING:
                    raise
                trailers = dict(error.trailing_metadata() or ())
                asked = float(trailers.get("retry-after", 0))
                own = 0.25 * 2**number * random.uniform(0.5, 1)
                time.sleep(min(max(asked, own), self._max_wait))

    def _give_up(self, error, events):
        if self._on_error:
            self._on_error(error, events)


def _channel(url, credentials):
    parts = urlsplit(url)
    if parts.scheme == "https":
        address = parts.netloc if parts.port else f"{parts.netloc}:443"
        return grpc.secure_channel(address, credentials or grpc.ssl_channel_credentials())
    return grpc.insecure_channel(parts.netloc)


def _stamp(moment):
    stamp = Timestamp()
    stamp.FromDatetime(moment or datetime.now(timezone.utc))
    return stamp
