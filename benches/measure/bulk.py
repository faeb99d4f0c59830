"""Batches of 1,000 events, durable, deduplicated and counted, beside bare inserts.

The data is that of tests/data/events/make_events.py; BENCH_EVENTS sets how many (default
400,000, the first half of them stored before the clock starts).
"""

import http.client
import json
import os
import pathlib
import subprocess
import threading
import time

from .machine import LOAD_CORE, ROOT, SERVER_CORE, TARGET, free_port, median, python, table

COUNT = int(os.environ.get("BENCH_EVENTS", "400000"))
SENDERS = 4


def run(bench):
    """With the clients' ids and with the server's."""
    events = generate(bench)
    lines = [line for line in events.read_bytes().splitlines() if line]
    half = len(lines) // 2
    measured = {}
    for _ in range(bench.rounds):
        for ids in ("client", "server"):
            measured.setdefault(("prepared inserts", ids), []).append(inserts(bench, events, ids, half))
            measured.setdefault(("apex", ids), []).append(batches(bench, lines, ids, half))
    rows = []
    for (name, ids), rounds in measured.items():
        base = median(measured["prepared inserts", ids])
        rows.append([name, ids, f"{median(rounds):,.0f}", f"{median(rounds) / base:.2f}"])
    return table([f"{COUNT:,} events in batches of 1,000", "ids", "events/s", "x prepared inserts"], rows)


def generate(bench):
    """An NDJSON file of events, in the order they arrive."""
    folder = bench.fresh("events")
    script = ROOT / "tests/data/events/make_events.py"
    subprocess.run([python(), script, "--n", str(COUNT), "--seed", "7", "--out", folder], check=True, stdout=subprocess.DEVNULL)
    return folder / "infinity_events.ndjson"


def inserts(bench, events, ids, preload):
    """Rows per second with nothing around them."""
    file = bench.fresh("inserts") / "events.db"
    command = ["taskset", "-c", SERVER_CORE, TARGET / "baselines", "inserts", file, events, "--preload", str(preload)]
    if ids == "client":
        command.append("--client-ids")
    return float(subprocess.run(command, check=True, capture_output=True).stdout)


def batches(bench, lines, ids, half):
    """Events per second through POST /api/v1/events/batch."""
    name = f"apex-{time.monotonic_ns()}"
    data, key, _ = bench.apex(name)
    port = free_port()
    process = bench.serve(data, port)
    if ids == "server":
        lines = [line.replace(b'"event_id"', b'"some_other"', 1) for line in lines]
    bodies = [b'{"events":[' + b",".join(lines[at:at + 1000]) + b"]}" for at in range(0, len(lines), 1000)]
    before = half // 1000
    send(port, key, bodies[:before])
    begin = time.monotonic()
    send(port, key, bodies[before:])
    rate = len(lines[before * 1000:]) / (time.monotonic() - begin)
    process.stop()
    return rate


def send(port, key, bodies):
    """Sends the bodies over a few connections, from the load's core."""
    os.sched_setaffinity(0, {int(LOAD_CORE)})
    queue, failures = iter(bodies), []
    lock = threading.Lock()

    def sender():
        connection = http.client.HTTPConnection("127.0.0.1", port)
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        while True:
            with lock:
                body = next(queue, None)
            if body is None:
                return
            connection.request("POST", "/api/v1/events/batch", body, headers)
            answer = connection.getresponse()
            content = answer.read()
            if answer.status != 200 or not json.loads(content)["success"]:
                failures.append((answer.status, content[:200]))
                return

    threads = [threading.Thread(target=sender) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.sched_setaffinity(0, set(range(os.cpu_count() or 1)))
    if failures:
        raise RuntimeError(f"a batch failed: {failures[0]}")
