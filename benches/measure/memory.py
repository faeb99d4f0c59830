"""How well memories are found, beside plain BM25, and what that costs.

The index is measured by itself, by the program in benches/memory; a server is asked about one
user with 5,000 memories, on SQLite, while BENCH_USERS others (default 1,000) have 300 each.
"""

import datetime
import http.client
import json
import os
import subprocess
import time

from .machine import ROOT, free_port, median, table

USERS = int(os.environ.get("BENCH_USERS", "1000"))
EACH = 300
ASKED = 400
SAID = 400
# As many as anybody could ask for in a minute.
PLAN = {f"APEX_PLANS_SCALE_{name}": "1000000000" for name in ("PER_MINUTE", "PER_DAY")}


def run(bench):
    """Two tables of recall, the half constants were chosen on and the half to report; then times."""
    talk = json.loads(program("talk"))
    return f"{program()}\n\n{server(bench, talk)}"


def program(*arguments):
    """What benches/memory prints."""
    command = ["cargo", "bench", "--quiet", "--bench", "memory", "--", *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


class Client:
    """One connection to a server."""

    def __init__(self, port, key):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        self.headers = {"X-API-Key": key, "Content-Type": "application/json"}

    def post(self, path, body):
        """Milliseconds until a request was answered."""
        body = json.dumps(body)
        begin = time.monotonic()
        self.connection.request("POST", path, body, self.headers)
        answer = self.connection.getresponse()
        said = answer.read()
        if answer.status not in (200, 201):
            raise RuntimeError(f"{path}: {answer.status} {said[:300]}")
        return (time.monotonic() - begin) * 1000

    def ask(self, user, text):
        return self.post("/api/v1/query", {"user_id": user, "current_input": text})


def server(bench, talk):
    """Times of a server, and what it weighs with everybody in memory."""
    data, key, _ = bench.apex()
    port = free_port()
    process = bench.serve(data, port, PLAN)
    client = Client(port, key)
    nodes = [node(turn) for turn in talk["turns"]]
    said = [client.post("/api/v1/ingest", {"user_id": "large", **said_as(turn)}) for turn in talk["turns"]]
    for user in range(USERS):
        begin = user * 7 % (len(nodes) - EACH)
        client.post(f"/api/v1/users/u{user}/import", {"nodes": nodes[begin : begin + EACH]})
    first = []
    for _ in range(bench.rounds):
        process.stop()
        port = free_port()
        process = bench.serve(data, port, PLAN)
        client = Client(port, key)
        client.connection.connect()
        first.append(client.ask("large", talk["asked"][0]))
    asked = [client.ask("large", text) for text in talk["asked"][:ASKED]]
    for user in range(USERS):
        client.ask(f"u{user}", talk["asked"][0])
    memory = process.memory()
    process.stop()
    rows = [
        ["first question after a start", f"{median(first):.1f}", ""],
        ["question", *quantiles(asked)],
        ["new memory, durable", *quantiles(said[-SAID:])],
    ]
    return table([f"one user, {len(nodes):,} memories", "p50 ms", "p95 ms"], rows) + (
        f"\n\n{memory:.0f} MiB were resident with {USERS:,} users of {EACH} memories in memory."
    )


def node(turn):
    """A turn as an import takes it."""
    said = said_as(turn)
    at = said.pop("timestamp")
    return {**said, "created_at": at, "scoring": {"base_score": 0.3}}


def said_as(turn):
    """A turn as it is taken in when it is said."""
    at = datetime.datetime.fromtimestamp(turn["at"] / 1e6, datetime.timezone.utc)
    said = {name: turn[name] for name in ("content", "speaker", "session_id")}
    return said | {"timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ")}


def quantiles(times):
    """Half of the times, and nineteen of twenty, are at most this."""
    times = sorted(times)
    return [f"{times[len(times) // 2]:.1f}", f"{times[len(times) * 95 // 100]:.1f}"]
