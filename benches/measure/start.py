"""From starting the process to the first answer, and what it weighs then."""

import time
import urllib.request

from .machine import TARGET, free_port, median, table


def run(bench):
    """On a database that exists."""
    data, _, _ = bench.apex()
    times, sizes = [], []
    for _ in range(bench.rounds * 3):
        port = free_port()
        begin = time.monotonic()
        process = bench.serve(data, port)
        urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz").read()
        times.append((time.monotonic() - begin) * 1000)
        time.sleep(0.5)
        sizes.append(process.memory())
        process.stop()
    binary = (TARGET / "apex").stat().st_size / 1e6
    rows = [[f"{median(times):.0f} ms", f"{median(sizes):.1f} MiB", f"{binary:.1f} MB"]]
    return table(["start to first 200", "idle memory", "binary"], rows)
