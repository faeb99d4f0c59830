"""Servers pinned to one core, load on the other, and what the load tools say."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "apex"
SERVER_CORE, LOAD_CORE = "0", "1" if (os.cpu_count() or 1) > 1 else "0"


def python():
    """The Python that has what the generator of events needs."""
    subprocess.run([ROOT / "scripts/clients", "install"], check=True)
    return CACHE / "clients" / "venv" / "bin" / "python"


def processor():
    """The processor's name."""
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "an unnamed processor"


def free_port():
    """A port nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def table(headings, rows):
    """A Markdown table; numbers to the right."""
    lines = [headings, ["---", *["---:"] * (len(headings) - 1)], *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def without_limits():
    """A configuration in which every rate limit is out of reach."""
    groups = re.findall(r"^\[limits\.(\w+)\]", (ROOT / "src/config/defaults.toml").read_text(), re.M)
    return "".join(f"[limits.{group}]\nlimit = 1000000000\n" for group in groups)


class Process:
    """A server under measurement."""

    def __init__(self, command, environment=None, cwd=None, output=None):
        self.child = subprocess.Popen(
            ["taskset", "-c", SERVER_CORE, *map(str, command)],
            env={**os.environ, **(environment or {})}, cwd=cwd,
            stdout=subprocess.DEVNULL, stderr=output or subprocess.DEVNULL,
        )

    def wait_for(self, port):
        """Waits until it accepts connections."""
        for _ in range(2000):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return self
            except OSError:
                if self.child.poll() is not None:
                    raise RuntimeError(f"{self.child.args} ended with {self.child.returncode}")
                time.sleep(0.005)
        raise RuntimeError(f"{self.child.args} does not answer")

    def cpu(self):
        """Seconds of processor time so far."""
        fields = pathlib.Path(f"/proc/{self.child.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self):
        """Resident MiB."""
        status = pathlib.Path(f"/proc/{self.child.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024

    def stop(self):
        """Ends it."""
        self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(15)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


class Bench:
    """Rounds of measurements in a folder of their own."""

    def __init__(self, folder, rounds, seconds):
        self.folder, self.rounds, self.seconds = folder, rounds, seconds
        folder.mkdir(parents=True)

    def apex(self, name="apex", environment=None):
        """A data directory with one organization; answers (data, key, project)."""
        data = self.folder / name
        environment = {**os.environ, **(environment or {}), "APEX_DATA_DIR": str(data)}
        # PostgreSQL is not migrated by whoever comes first.
        subprocess.run([TARGET / "apex", "migrate", "up"], env=environment, capture_output=True, check=True)
        made = subprocess.run(
            [TARGET / "apex", "--json", "organization", "create", "--name", "Bench", "--email", "bench@example.com"],
            env=environment, capture_output=True, check=True,
        )
        made = json.loads(made.stdout)
        return data, made["api_key"], made["project"]["id"]

    def serve(self, data, port, environment=None):
        """Starts Apex as it ships, its request log in a file; only the limits are out of reach."""
        config = data.with_suffix(".toml")
        config.write_text(without_limits())
        log = open(data.with_suffix(".log"), "ab")
        environment = {**(environment or {}), "APEX_DATA_DIR": str(data), "APEX_LISTEN": f"127.0.0.1:{port}"}
        return Process([TARGET / "apex", "--config", config, "serve"], environment, output=log).wait_for(port)

    def baseline(self, *arguments):
        """A baseline that listens: its kind, then what comes after the address."""
        port = free_port()
        kind, *rest = arguments
        return Process([TARGET / "baselines", kind, f"127.0.0.1:{port}", *rest]).wait_for(port), port

    def fresh(self, name):
        """A folder that is empty."""
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder


def median(values):
    """The middle one."""
    return statistics.median(values)


def wrk(bench, process, port, path, connections, key=None, body=None):
    """HTTP/1.1 load: requests per second, CPU microseconds per request, p50 and p99 in ms."""
    script = bench.folder / "request.lua"
    lines = [f'wrk.method = "{"POST" if body else "GET"}"']
    if key:
        lines.append(f'wrk.headers["Authorization"] = "Bearer {key}"')
    if body:
        lines += ['wrk.headers["Content-Type"] = "application/json"', f"wrk.body = [==[{body}]==]"]
    lines.append(
        'done = function(s, l, r) print(string.format("RESULT %d %d %d %d %d", s.requests, s.duration,'
        " l:percentile(50), l:percentile(99), s.errors.status + s.errors.read + s.errors.timeout)) end"
    )
    script.write_text("\n".join(lines))
    command = ["taskset", "-c", LOAD_CORE, "wrk", "-t1", f"-c{connections}", "-s", script, f"http://127.0.0.1:{port}{path}"]
    subprocess.run([*command, "-d1"], capture_output=True, check=True)
    before = process.cpu()
    out = subprocess.run([*command, f"-d{bench.seconds}"], capture_output=True, check=True, text=True).stdout
    spent = process.cpu() - before
    requests, micros, p50, p99, errors = map(int, re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+)", out).groups())
    if errors or not requests:
        raise RuntimeError(f"{errors} of {requests} requests failed: {out}")
    return requests / micros * 1e6, spent / requests * 1e6, p50 / 1000, p99 / 1000


def h2load(bench, process, port, path, message, key=None):
    """gRPC load, 8 connections of 8 streams: requests per second and CPU microseconds."""
    frame = bench.folder / "message.bin"
    frame.write_bytes(b"\0" + len(message).to_bytes(4, "big") + message)
    command = ["taskset", "-c", LOAD_CORE, "h2load", "-t1", "-c8", "-m8", "-d", frame,
               "-H", "content-type: application/grpc", "-H", "te: trailers"]
    if key:
        command += ["-H", f"authorization: Bearer {key}"]
    command.append(f"http://127.0.0.1:{port}{path}")
    subprocess.run([*command, "-D1"], capture_output=True, check=True)
    before = process.cpu()
    out = subprocess.run([*command, f"-D{bench.seconds}"], capture_output=True, check=True, text=True).stdout
    spent = process.cpu() - before
    done, failed = map(int, re.search(r"(\d+) succeeded, (\d+) failed", out).groups())
    if failed or not done:
        raise RuntimeError(f"{failed} of {done} calls failed: {out}")
    return done / bench.seconds, spent / done * 1e6


def send(verb, port, path, body, key):
    """One request, which must succeed."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", method=verb, data=body and json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


def project_key(port, key):
    """The public key of the only project."""
    return send("GET", port, "/api/projects", None, key)[0]["key"]
