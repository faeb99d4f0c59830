"""One event per request, answered once it is durable.

The baseline commits every request by itself; Apex commits what queued while the last
commit was being synced.
"""

from .machine import free_port, median, table, wrk

EVENT = '{"event_name":"user_signup","visitor_id":"visitor-1","metadata":{"plan":"premium","url":"https://shop.example.com/"}}'


def run(bench):
    """At one connection and at many."""
    data, key, _ = bench.apex()
    measured = {}
    for _ in range(bench.rounds):
        for connections in (1, 64):
            process, port = bench.baseline("http")
            note(measured, ("hyper", connections), wrk(bench, process, port, "/", connections, None, EVENT))
            process.stop()
            file = bench.fresh("one") / "events.db"
            process, port = bench.baseline("one-transaction", file)
            note(measured, ("one transaction each", connections), wrk(bench, process, port, "/", connections, None, EVENT))
            process.stop()
            port = free_port()
            process = bench.serve(data, port)
            note(measured, ("apex", connections), wrk(bench, process, port, "/api/v1/events", connections, key, EVENT))
            process.stop()
    rows = []
    for (name, connections), rounds in sorted(measured.items(), key=lambda item: item[0][1]):
        rate, cpu, p50, p99 = (median(column) for column in zip(*rounds))
        base = median([r[0] for r in measured["one transaction each", connections]])
        top = median([r[0] for r in measured["hyper", connections]])
        rows.append([name, connections, f"{rate:,.0f}", f"{cpu:.1f}", f"{p50:.2f}", f"{p99:.2f}",
                     f"{rate / base:.2f}", f"{rate / top:.2f}"])
    return table(["server", "connections", "requests/s", "CPU us/request", "p50 ms", "p99 ms",
                  "x one transaction", "x hyper"], rows)


def note(measured, name, figures):
    """Keeps a round's figures."""
    measured.setdefault(name, []).append(figures)
