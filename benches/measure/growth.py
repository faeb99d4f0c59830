"""Questions about what single visitors did, asked over REST one after another.

BENCH_VISITS sets how many events are stored (default 10,000,000), spread over the last 90
days. They are put straight into the table of events, so that what is measured on the way is
how fast they are folded; the database is kept under the cache folder.
"""

import datetime
import http.client
import json
import os
import pathlib
import sqlite3
import subprocess
import time

from .machine import CACHE, Bench, free_port, median, project_key, send, table, wrk

STORED = int(os.environ.get("BENCH_VISITS", "10000000"))
ASKED = 9
DAYS = 90

STEPS = [{"type": "pageview", "match": {"path": "/p1"}}, {"type": "signup"}, {"type": "purchase"}]
QUESTIONS = {
    "summary": "/api/analytics/summary?",
    "funnel of three steps": "/api/analytics/funnel",
    "retention by calendar weeks": "/api/analytics/retention?",
    "retention by rolling weeks": "/api/analytics/retention?mode=rolling&",
    "attribution": "/api/attribution/summary?",
    "sessions": "/api/analytics/sessions?",
    "entry pages": "/api/analytics/top?list=entry_pages&",
    "results of an experiment everybody is in": "/api/experiments/results?id=%s&",
}


def run(bench):
    """Every question about all 90 days."""
    last = datetime.datetime.now(datetime.timezone.utc).date() - datetime.timedelta(days=1)
    data, key, experiment, rate = store(last)
    first = last - datetime.timedelta(days=DAYS - 1)
    port = free_port()
    process = bench.serve(data, port)
    connection = http.client.HTTPConnection("127.0.0.1", port)
    rows = []
    for name, path in QUESTIONS.items():
        path = path.replace("%s", experiment)
        times = [ask(connection, path, key, first, last) for _ in range(ASKED)]
        rows.append([name, f"{median(times):.1f}"])
    memory = process.memory()
    process.stop()
    share = active(bench, data, key)
    rows = table([f"{STORED:,} events of {DAYS} days", "ms"], rows)
    return f"""{rows}

{memory:.0f} MiB were resident afterwards; {rate:,.0f} events a second were folded.
`GET /api/experiments/active` answers {share:.2f} x as many requests as bare hyper."""


def active(bench, data, key):
    """What every page asks, as a share of what hyper answers in the same time."""
    shares = []
    for _ in range(bench.rounds):
        process, port = bench.baseline("http")
        bare = wrk(bench, process, port, "/", 64)[0]
        process.stop()
        port = free_port()
        process = bench.serve(data, port)
        path = f"/api/experiments/active?key={project_key(port, key)}"
        shares.append(wrk(bench, process, port, path, 64)[0] / bare)
        process.stop()
    return median(shares)


def ask(connection, path, key, first, last):
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    period = {"period": "custom", "from": str(first), "to": str(last)} if "results" not in path else {}
    begin = time.monotonic()
    if path.endswith("?") or path.endswith("&"):
        query = "&".join(f"{name}={value}" for name, value in period.items())
        connection.request("GET", path + query, headers=headers)
    else:
        connection.request("POST", path, json.dumps({"steps": STEPS, **period}), headers)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise RuntimeError(content)
    return (time.monotonic() - begin) * 1000


def store(last):
    """A data directory that holds so many events, folded; a key, an experiment, and how fast that was."""
    folder = CACHE / "bench" / f"visits-{STORED}-{last}"
    if not (folder / "done").exists():
        subprocess.run(["rm", "-rf", folder], check=True)
        folder.mkdir(parents=True)
        made = Bench(folder / "made", 1, 1)
        data, key, _ = made.apex()
        experiment = run_experiment(made, data, key)
        fill(data, last, experiment)
        rate = settle(made, data)
        (folder / "done").write_text(json.dumps([str(data), key, experiment, rate]))
    data, *rest = json.loads((folder / "done").read_text())
    return pathlib.Path(data), *rest


def run_experiment(bench, data, key):
    """An experiment that runs since before the first event."""
    port = free_port()
    libraries = list(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not libraries:
        raise RuntimeError("faketime is not installed; run scripts/services install")
    earlier = {"LD_PRELOAD": str(libraries[0]), "FAKETIME": f"-{DAYS + 2}d", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    process = bench.serve(data, port, earlier)
    variants = [{"id": "control", "name": "Control"}, {"id": "variant_b", "name": "Another"}]
    goal = {"type": "custom_event", "eventName": "signup"}
    made = {"name": "Bench", "targetUrl": "/", "variants": variants, "goal": goal}
    made = send("POST", port, "/api/experiments", made, key)
    send("PATCH", port, "/api/experiments", {"id": made["id"], "status": "running"}, key)
    process.stop()
    return made["id"]


def fill(data, last, experiment):
    """Sessions of ten events: twenty visitors at a time, each coming two and a half times."""
    end = datetime.datetime.combine(last, datetime.time(), datetime.timezone.utc) + datetime.timedelta(days=1)
    end = int(end.timestamp()) * 1_000_000
    begin = end - DAYS * 86_400_000_000
    step = (end - begin) // STORED
    visitors = max(STORED // 25, 1)
    database = sqlite3.connect(next(data.glob("*.db")))
    database.execute("PRAGMA synchronous = OFF")
    project = database.execute("SELECT number FROM project").fetchone()[0]
    database.execute(
        """INSERT INTO event_visitor (project, id, ordinal)
           WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?)
           SELECT ?, 'v' || n, n FROM n""",
        (visitors, project),
    )
    # The place of an event in its session says what it is.
    database.execute(
        """INSERT INTO event (seq, project, time, received, name, audience, visitor, origin, path,
               referrer, utm_source, utm_medium, currency, amount, units, properties, device)
           WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n + 1 < ?),
           e AS (SELECT n, n / 20 % 10 AS at, n / 200 * 20 + n % 20 AS session FROM n)
           SELECT n + 1, ?, ? + n * ? / 1000 * 1000, ? + n * ?,
               CASE at WHEN 6 THEN 'scroll_depth' WHEN 7 THEN 'click'
                   WHEN 8 THEN CASE session % 10 WHEN 0 THEN 'signup' ELSE 'heartbeat' END
                   WHEN 9 THEN CASE session % 20 WHEN 0 THEN 'purchase' ELSE 'engagement' END
                   ELSE 'pageview' END,
               0, session * 7919 % ? + 1, 'https://shop.example', '/p' || (session * 31 + at) % 50,
               CASE at WHEN 0 THEN CASE session % 4 WHEN 1 THEN 'www.google.com' WHEN 2 THEN 't.co' END END,
               CASE at WHEN 0 THEN CASE session % 8 WHEN 3 THEN 'newsletter' WHEN 1 THEN 'google' END END,
               CASE at WHEN 0 THEN CASE session % 8 WHEN 3 THEN 'email' WHEN 1 THEN 'cpc' END END,
               CASE WHEN at = 9 AND session % 20 = 0 THEN 'EUR' END,
               CASE WHEN at = 9 AND session % 20 = 0 THEN 19990000 END,
               CASE WHEN at = 9 AND session % 20 = 0 THEN 1 END,
               CASE at WHEN 1 THEN '{"assignments":{"' || ? || '":"' ||
                   CASE session * 7919 % ? % 2 WHEN 0 THEN 'control' ELSE 'variant_b' END || '"}}'
                   ELSE '{"title":"A page"}' END,
               'desktop' FROM e""",
        (STORED, project, begin, step, begin, step, visitors, experiment, visitors),
    )
    database.execute("UPDATE event_log SET value = ? WHERE name = 'position'", (STORED,))
    database.commit()
    database.close()


def settle(bench, data):
    """Waits until every event is folded; answers how many were in a second."""
    port = free_port()
    begin = time.monotonic()
    process = bench.serve(data, port)
    connection = http.client.HTTPConnection("127.0.0.1", port)
    waiting = None
    while waiting != 0:
        time.sleep(1)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        line = next(line for line in text.splitlines() if line.startswith("apex_event_tail "))
        waiting = int(line.split()[1])
    rate = STORED / (time.monotonic() - begin)
    process.stop()
    return rate
