"""The server the tests talk to, as the environment names it."""

import os
import unittest
from datetime import datetime, timezone
from urllib.parse import urlsplit

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2
from grpc_status import rpc_status

URL = urlsplit(os.environ["SERVER_URL"])
SECURE = URL.scheme == "https"
KEY = os.environ["KEY"]
READ_KEY = os.environ["READ_KEY"]

# A call that hangs fails its test.
PATIENCE = 30


def channel(**options):
    """A channel to the server, encrypted if the server is."""
    if not SECURE:
        return grpc.insecure_channel(URL.netloc, **options)
    with open(os.environ["SERVER_CERT"], "rb") as file:
        trusted = grpc.ssl_channel_credentials(root_certificates=file.read())
    return grpc.secure_channel(URL.netloc, trusted, **options)


def as_caller(key=KEY):
    """Options of a call that shows a key."""
    metadata = (("authorization", f"Bearer {key}"),)
    return {"metadata": metadata, "timeout": PATIENCE}


ANYONE = {"timeout": PATIENCE}


def time(text):
    """A timestamp of the documented form."""
    moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")
    stamp = Timestamp()
    stamp.FromDatetime(moment.replace(tzinfo=timezone.utc))
    return stamp


def details(error):
    """The details of a failed call, by type."""
    status = rpc_status.from_call(error)
    assert status is not None, "no grpc-status-details-bin"
    found = {}
    for detail in status.details:
        name = detail.TypeName().removeprefix("google.rpc.")
        found[name] = getattr(error_details_pb2, name)()
        assert detail.Unpack(found[name])
    return found


class Case(unittest.TestCase):
    """Calls the server over a channel of its own."""

    maxDiff = None

    def setUp(self):
        self.channel = channel()
        self.addCleanup(self.channel.close)

    def refused(self, code, reason, message, call):
        """Expects a call to fail in exactly this way; answers its details."""
        with self.assertRaises(grpc.RpcError) as caught:
            # A stream fails when it is read.
            for _ in call():
                pass
        error = caught.exception
        self.assertEqual((error.code(), error.details()), (code, message))
        found = details(error)
        info = found["ErrorInfo"]
        self.assertEqual((info.reason, info.domain), (reason, "apex"))
        return found
