"""One call that touches no database: what the stack costs beside a bare server.

Apex authenticates, counts, traces, logs and encodes; the baselines do nothing.
"""

from . import envoy
from .machine import free_port, h2load, median, table, wrk


def run(bench):
    """Both protocols, in turns."""
    data, key, _ = bench.apex()
    has_envoy = envoy.install()
    names = ["hyper", "apex REST", *(["envoy and tonic, REST"] if has_envoy else []), "tonic", "apex gRPC"]
    measured = {name: [] for name in names}
    for _ in range(bench.rounds):
        process, port = bench.baseline("http")
        measured["hyper"].append(wrk(bench, process, port, "/", 64)[:2])
        process.stop()
        port = free_port()
        process = bench.serve(data, port)
        measured["apex REST"].append(wrk(bench, process, port, "/api/organizations", 64, key)[:2])
        process.stop()
        process, port = bench.baseline("rpc")
        measured["tonic"].append(h2load(bench, process, port, ECHO, MESSAGE))
        if has_envoy:
            measured["envoy and tonic, REST"].append(transcoded(bench, process, port))
        process.stop()
        port = free_port()
        process = bench.serve(data, port)
        call = "/apex.account.v1.OrganizationService/ListOrganizations"
        measured["apex gRPC"].append(h2load(bench, process, port, call, b"", key))
        process.stop()
    figures = {name: [median(column) for column in zip(*rounds)] for name, rounds in measured.items()}
    against = {"apex REST": "hyper", "envoy and tonic, REST": "hyper", "apex gRPC": "tonic"}
    rows = []
    for name, (rate, cpu) in figures.items():
        base = against.get(name)
        ratio = f"{rate / figures[base][0]:.2f} x {base}" if base else "1.00"
        rows.append([name, f"{rate:,.0f}", f"{cpu:.1f}", ratio])
    return table(["server", "requests/s", "CPU us/request", "ratio"], rows)


def transcoded(bench, service, port):
    """The echo, asked in JSON through Envoy: rate and CPU of both processes."""
    process, front = envoy.before(bench, port)
    spent = service.cpu()
    rate, cpu, _, _ = wrk(bench, process, front, ECHO, 64, body=JSON)
    # The service has also worked for the second in which things grow warm.
    share = bench.seconds / (bench.seconds + 1)
    cpu += (service.cpu() - spent) * share / (rate * bench.seconds) * 1e6
    process.stop()
    return rate, cpu


ECHO = "/baselines.v1.Echo/Echo"
JSON = '{"id":"101","name":"An organization with a name of some length","note":"scale"}'
# {id: 101, name: "An organization with a name of some length", note: "scale"}
MESSAGE = b"\x08\x65\x12\x2aAn organization with a name of some length\x1a\x05scale"
