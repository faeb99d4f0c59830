"""Questions about a year of events, asked over REST one after another.

BENCH_STORED sets how many events are stored (default 1,000,000), spread over 365 days.
They are generated once and kept, with the database made of them, under the cache folder.
The same questions are asked of a tenth as many, to show that the cost follows what is
asked for and not what is stored.
"""

import datetime
import http.client
import json
import os
import pathlib
import subprocess
import time

from .machine import CACHE, ROOT, TARGET, Bench, free_port, median, python, table

STORED = int(os.environ.get("BENCH_STORED", "1000000"))
# make_events.py holds its events in memory.
PART = 2_000_000
ASKED = 15

QUESTIONS = {
    "counts": "metrics=page_views,events",
    "distinct visitors": "metrics=unique_visitors",
    "daily series of counts": "metrics=page_views,events&interval=day",
    "top 20 URLs": "metrics=page_views,events&group_by=url&limit=20",
    "top 20 URLs of one event": "metrics=events,page_views&group_by=url&limit=20&event_name=page_view",
    "counts of one referrer": "metrics=page_views,events&referrer=www.google.com",
}


def run(bench):
    """Every question for 30 days and for 365."""
    last = datetime.date.today() - datetime.timedelta(days=2)
    small, large = (answers(bench, count, last) for count in (STORED // 10, STORED))
    rows = []
    for (name, days), took in large.items():
        rows.append([name, days, f"{took:.1f}", f"{took / small[name, days]:.2f}"])
    return table([f"{STORED:,} events", "days", "ms", f"x the same on {STORED // 10:,}"], rows)


def answers(bench, count, last):
    """Milliseconds per question; the median of some."""
    data, key = store(count, last)
    port = free_port()
    process = bench.serve(data, port)
    connection = http.client.HTTPConnection("127.0.0.1", port)
    took = {}
    for days in (30, 365):
        first = last - datetime.timedelta(days=days - 1)
        for name, question in QUESTIONS.items():
            path = f"/api/v1/analytics?start_date={first}&end_date={last}&{question}"
            times = [ask(connection, path, key) for _ in range(ASKED)]
            took[name, days] = median(times)
    process.stop()
    return took


def ask(connection, path, key):
    begin = time.monotonic()
    connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise RuntimeError(content)
    return (time.monotonic() - begin) * 1000


def store(count, last):
    """A data directory that holds so many events; answers it and a key."""
    folder = CACHE / "bench" / f"store-{count}-{last}"
    if not (folder / "done").exists():
        subprocess.run(["rm", "-rf", folder], check=True)
        folder.mkdir(parents=True)
        made = Bench(folder / "made", 1, 1)
        data, key, project = made.apex()
        first = last - datetime.timedelta(days=364)
        for number, begin in enumerate(range(0, count, PART)):
            some = min(PART, count - begin)
            generate(folder / "events", some, number, first)
            for shape in ("events", "purchases"):
                load(data, project, folder / "events" / f"infinity_{shape}.ndjson")
            subprocess.run(["rm", "-rf", folder / "events"], check=True)
        settle(made, data, key)
        (folder / "done").write_text(json.dumps([str(data), key]))
    data, key = json.loads((folder / "done").read_text())
    return pathlib.Path(data), key


def generate(folder, count, seed, first):
    script = ROOT / "tests/data/events/make_events.py"
    command = [python(), script, "--n", count, "--seed", 100 + seed, "--days", 365, "--start", first, "--out", folder]
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)


def load(data, project, file):
    command = [TARGET / "apex", "events", "import", file, "--project", project, "--format", "metrics"]
    environment = {**os.environ, "APEX_DATA_DIR": str(data)}
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def settle(bench, data, key):
    """Waits until every event is folded into the rollups."""
    port = free_port()
    process = bench.serve(data, port)
    connection = http.client.HTTPConnection("127.0.0.1", port)
    waiting = None
    while waiting != 0:
        time.sleep(1)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        line = next(line for line in text.splitlines() if line.startswith("apex_event_tail "))
        waiting = int(line.split()[1])
    process.stop()
