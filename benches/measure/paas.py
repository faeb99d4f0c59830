"""A thousand services that nobody changes: how fast they are listed, and what it costs to look
after them. The engine is a stand-in that speaks as much of Docker's API as is asked of it; all
its containers answer at one port, so what is measured is this server and nothing else.
"""

import json
import os
import re
import socket
import socketserver
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler

from .machine import free_port, median, send, table

SERVICES = int(os.environ.get("BENCH_SERVICES", "1000"))
LISTED = 200
# How long it is watched while nothing changes, in seconds.
IDLE = 10


def run(bench):
    """One table."""
    engine = Engine(bench.folder / "engine.sock")
    data, key, _ = bench.apex()
    port = free_port()
    settings = {
        "APEX_RUNTIME": "docker", "APEX_PAAS_DOCKER_HOST": f"unix://{engine.path}",
        "APEX_PAAS_PROXY_LISTEN": "127.0.0.1:0",
    }
    process = bench.serve(data, port, settings)
    begin = time.monotonic()
    for number in range(SERVICES):
        body = {"name": f"service-{number}", "image": "nginx:alpine", "env": {"NUMBER": str(number)}}
        send("POST", port, "/api/deploy", body, key)
    while any(own["status"] != "RUNNING" for own in send("GET", port, "/api/services", None, key)):
        time.sleep(0.5)
    deployed = time.monotonic() - begin
    listed = {}
    for path in ("/api/services", "/api/services?limit=50"):
        times = []
        for _ in range(LISTED):
            begin = time.monotonic()
            send("GET", port, path, None, key)
            times.append((time.monotonic() - begin) * 1000)
        listed[path] = median(times)
    time.sleep(2)
    before, spent = engine.counts(), process.cpu()
    time.sleep(IDLE)
    after, spent = engine.counts(), process.cpu() - spent
    process.stop()
    rounds = [1000 * (later - earlier - 1) for earlier, later in zip(engine.looks, engine.looks[1:])][-IDLE:]
    rows = [
        [f"deploy {SERVICES:,} services until all run", f"{deployed:.1f} s"],
        [f"list all {SERVICES:,}, p50", f"{listed['/api/services']:.1f} ms"],
        ["list 50 of them, p50", f"{listed['/api/services?limit=50']:.1f} ms"],
        ["a round of the reconciler in which nothing changed", f"{max(0, median(rounds)):.0f} ms"],
        [f"requests to the engine that changed something, in {IDLE} s of them", after[1] - before[1]],
        ["processor of the server meanwhile, checks of health included", f"{spent / IDLE * 100:.1f} % of a core"],
    ]
    return table([f"{SERVICES:,} services", ""], rows)


class Engine(socketserver.ThreadingUnixStreamServer):
    """Docker's API without Docker."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, path):
        self.path, self.lock, self.containers = path, threading.Lock(), {}
        self.requests, self.changes, self.looks = 0, 0, []
        self.port = silent()
        super().__init__(str(path), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        """The server has gone, or has no use for an answer any more."""

    def counts(self):
        """Requests so far, and those of them that changed something."""
        with self.lock:
            return self.requests, self.changes


def silent():
    """A port that takes connections and keeps them until they are closed."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)

    def hold(taken):
        with taken:
            taken.settimeout(5)
            try:
                taken.recv(1)
            except OSError:
                pass

    def accept():
        while True:
            threading.Thread(target=hold, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


class Handler(BaseHTTPRequestHandler):
    """One connection of the server to its engine."""

    protocol_version = "HTTP/1.1"

    def address_string(self):
        return "engine"

    def log_message(self, *_):
        pass

    def answer(self):
        """Answers any request."""
        engine = self.server
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        path, _, query = re.sub(r"^/v1\.\d+", "", self.path).partition("?")
        with engine.lock:
            engine.requests += 1
            engine.changes += self.command != "GET"
        if path == "/containers/json":
            filters = urllib.parse.parse_qs(query).get("filters", ["{}"])[0]
            labels = json.loads(filters).get("label", [])
            wanted = dict(label.split("=", 1) for label in labels)
            if "apex.workload" not in wanted:
                engine.looks.append(time.monotonic())
            with engine.lock:
                found = [own for own in engine.containers.values() if wanted.items() <= own["Labels"].items()]
            self.say(200, found)
        elif path == "/containers/create":
            made = json.loads(body)
            number = f"{engine.changes:064x}"
            ports = [{"IP": "127.0.0.1", "PrivatePort": 80, "PublicPort": engine.port, "Type": "tcp"}]
            with engine.lock:
                engine.containers[number] = {"Id": number, "Labels": made["Labels"], "State": "running", "Ports": ports}
            self.say(201, {"Id": number, "Warnings": []})
        elif path == "/version":
            self.say(200, {"Version": "20.10.24", "ApiVersion": "1.41", "MinAPIVersion": "1.12"})
        elif path.startswith("/images/") and self.command == "GET":
            self.say(200, {"Id": "sha256:image", "RepoDigests": []})
        elif path.startswith("/networks/") and self.command == "GET":
            self.say(200, {"Name": path.rsplit("/", 1)[1]})
        else:
            self.say(204 if path.endswith("/start") else 200, None)

    do_GET = do_POST = do_DELETE = do_PUT = answer

    def say(self, status, body):
        """Answers."""
        text = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        if status != 204:
            self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
