"""How well memories are found, beside plain BM25, and what that costs.

The index is measured by itself, by the program in benches/memory; a server on SQLite is asked
the same, and about one user with 5,000 memories, while BENCH_USERS others (default 1,000) have
BENCH_EACH (default 300) each.
"""

import datetime
import json
import os
import subprocess
import time

from . import recall
from .machine import ROOT, free_port, median, table
from .recall import Client

USERS = int(os.environ.get("BENCH_USERS", "1000"))
EACH = int(os.environ.get("BENCH_EACH", "300"))
ASKED = 400
SAID = 400
# As many as anybody could ask for in a minute.
PLAN = {f"APEX_PLANS_SCALE_{name}": "1000000000" for name in ("PER_MINUTE", "PER_DAY")}


def run(bench):
    """Two tables of recall, the half constants were chosen on and the half to report; then times."""
    begin, *tables, speed = program().split("\n\n")
    halves = recall.rows(bench, json.loads(program("conversations")), PLAN, said_as)
    tables = ["\n".join([table, *rows]) for table, rows in zip(tables, halves)]
    return "\n\n".join([begin, *tables, speed, server(bench, json.loads(program("talk")))])


def program(*arguments):
    """What benches/memory prints."""
    command = ["cargo", "bench", "--quiet", "--bench", "memory", "--", *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def timed(client, path, body):
    """Milliseconds until a request was answered."""
    begin = time.monotonic()
    client.send(path, body)
    return (time.monotonic() - begin) * 1000


def ask(client, user, text):
    return timed(client, "/api/v1/query", {"user_id": user, "current_input": text})


def server(bench, talk):
    """Times of a server, and what it weighs with everybody in memory."""
    data, key, _ = bench.apex()
    port = free_port()
    process = bench.serve(data, port, PLAN)
    client = Client(port, key)
    nodes = [node(turn) for turn in talk["turns"]]
    said = [timed(client, "/api/v1/ingest", {"user_id": "large", **said_as(turn)}) for turn in talk["turns"]]
    for user in range(USERS):
        begin = user * 7 % (len(nodes) - EACH)
        client.post(f"/api/v1/users/u{user}/import", {"nodes": nodes[begin : begin + EACH]})
    first = []
    for _ in range(bench.rounds):
        process.stop()
        port = free_port()
        process = bench.serve(data, port, PLAN)
        client = Client(port, key)
        first.append(ask(client, "large", talk["asked"][0]))
    asked = [ask(client, "large", text) for text in talk["asked"][:ASKED]]
    for user in range(USERS):
        ask(client, f"u{user}", talk["asked"][0])
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
