"""One event per request, answered once it is durable: of a server, and of a page.

The baselines commit every request by itself, on PostgreSQL on a pool of connections;
Apex commits what queued while the last commit was being synced. PostgreSQL is started
by scripts/services, where it is installed.
"""

import re
import subprocess

from .machine import ROOT, free_port, median, project_key, table, wrk

EVENT = '{"event_name":"user_signup","visitor_id":"visitor-1","metadata":{"plan":"premium","url":"https://shop.example.com/"}}'
PAGE = '{"projectKey":"%s","type":"pageview","visitorId":"visitor-1","url":"https://shop.example.com/plans","data":{"isLanding":true}}'
CONNECTIONS = (1, 64)
HYPER, ONE, POOLED = "hyper", "one transaction each", "PostgreSQL, pooled inserts"
APEX, APEX_POSTGRES = "apex", "apex on PostgreSQL"


def run(bench):
    """At one connection and at many."""
    services = bench.fresh("services")
    try:
        return rounds(bench, postgres(services))
    finally:
        subprocess.run([ROOT / "scripts/services", "stop", services], check=True, capture_output=True)


def postgres(folder):
    """Starts it; answers the settings by which Apex finds it, or nothing."""
    out = subprocess.run([ROOT / "scripts/services", "start", folder], capture_output=True, check=True, text=True).stdout
    url = re.search(r"TEST_POSTGRES=(\S+)", out)
    return url and {"APEX_DATABASE_URL": f"{url.group(1)}/postgres", "APEX_SECRET_KEY": "bench " * 8}


def rounds(bench, settings):
    """The servers take turns."""
    stores = [(APEX, None, *bench.apex()[:2])]
    if settings:
        stores.append((APEX_POSTGRES, settings, *bench.apex("postgres", settings)[:2]))
    measured = {}
    for _ in range(bench.rounds):
        for connections in CONNECTIONS:
            kinds = [(HYPER, ["http"]), (ONE, ["one-transaction", bench.fresh("one") / "events.db"])]
            if settings:
                kinds.append((POOLED, ["pooled", settings["APEX_DATABASE_URL"]]))
            for name, arguments in kinds:
                kind, *rest = arguments
                process, port = bench.baseline(kind, *rest)
                note(measured, (name, connections), wrk(bench, process, port, "/", connections, None, EVENT))
                process.stop()
            for name, environment, data, key in stores:
                port = free_port()
                process = bench.serve(data, port, environment)
                note(measured, (name, connections), wrk(bench, process, port, "/api/v1/events", connections, key, EVENT))
                if name == APEX:
                    page = PAGE % project_key(port, key)
                    note(measured, (f"{APEX}, of a page", connections), wrk(bench, process, port, "/api/events", connections, None, page))
                process.stop()
    return shown(measured)


def shown(measured):
    """The table of medians; each Apex beside the baseline on its own database."""
    rows = []
    for connections in CONNECTIONS:
        rates = {name: median([r[0] for r in found]) for (name, own), found in measured.items() if own == connections}
        for name, rate in rates.items():
            base = rates[POOLED if name in (POOLED, APEX_POSTGRES) else ONE]
            _, cpu, p50, p99 = (median(column) for column in zip(*measured[name, connections]))
            rows.append([name, connections, f"{rate:,.0f}", f"{cpu:.1f}", f"{p50:.2f}", f"{p99:.2f}",
                         f"{rate / base:.2f}", f"{rate / rates[HYPER]:.2f}"])
    return table(["server", "connections", "requests/s", "CPU us/request", "p50 ms", "p99 ms",
                  "x one transaction", "x hyper"], rows)


def note(measured, name, figures):
    """Keeps a round's figures."""
    measured.setdefault(name, []).append(figures)
