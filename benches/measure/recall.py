"""How well a server finds what was said, by words alone and with an embedder beside them.

The conversations of benches/memory are taken in as they were said, each as a user of its own,
and every question about them is asked; an embedder comes from npm, where it can be installed.
"""

import http.client
import json
import sqlite3
import time

from . import npm
from .machine import free_port

# Memories a question is answered by, and how many of them count for recall.
LIMIT, AMONG = 20, 10
# Nobody waits for the embedder in vain, however busy the machine is.
EMBEDDER = {"APEX_EMBEDDING_MODEL": "energetic-ai-en-0.2.0", "APEX_EMBEDDING_TIMEOUT": "30s"}


class Client:
    """One connection to a server."""

    def __init__(self, port, key):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        self.connection.connect()
        self.headers = {"X-API-Key": key, "Content-Type": "application/json"}

    def send(self, path, body):
        """What was answered, as it came, and its headers."""
        self.connection.request("POST", path, json.dumps(body), self.headers)
        answer = self.connection.getresponse()
        said = answer.read()
        if answer.status not in (200, 201):
            raise RuntimeError(f"{path}: {answer.status} {said[:300]}")
        return said, answer.headers

    def post(self, path, body):
        """What was answered."""
        return json.loads(self.send(path, body)[0])


def rows(bench, halves, plan, said_as):
    """Rows of a table of recall for each half: by words alone, then with an embedder."""
    data, key, _ = bench.apex("recall")
    every = [(f"c{half}-{number}", own) for half, all in enumerate(halves) for number, own in enumerate(all)]
    port = free_port()
    process, client = bench.serve(data, port, plan), Client(port, key)
    for user, own in every:
        for turn in own["turns"]:
            turn["node"] = client.post("/api/v1/ingest", {"user_id": user, **said_as(turn)})["node_id"]
    table = [("server", asked(client, halves))]
    process.stop()
    if npm.install("embedder"):
        model, at = npm.serve("embedder")
        url = {"APEX_EMBEDDING_BASE_URL": f"http://127.0.0.1:{at}/v1"}
        process = bench.serve(data, port, plan | EMBEDDER | url)
        embed(Client(port, key), data, [user for user, _ in every])
        table.append(("server with embedder", asked(Client(port, key), halves)))
        process.stop()
        model.stop()
    return [[row(name, scores[half]) for name, scores in table] for half in range(len(halves))]


def embed(client, data, users):
    """Waits until all memories have their vectors, which they get once their user is asked about."""
    for user in users:
        client.post("/api/v1/query", {"user_id": user, "current_input": "hello"})
    with sqlite3.connect(f"file:{data / 'apex.db'}?mode=ro", uri=True) as base:
        count = lambda table: base.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
        deadline = time.monotonic() + 1800
        while count("memory_vector") < count("memory_index"):
            if time.monotonic() > deadline:
                raise RuntimeError("the embedder does not come to an end")
            time.sleep(1)


def asked(client, halves):
    """For each half, of each kind of question: recall and reciprocal rank of each."""
    scores = []
    for half, conversations in enumerate(halves):
        kinds = {}
        for number, own in enumerate(conversations):
            for question in own["asked"]:
                body = {"user_id": f"c{half}-{number}", "current_input": question["text"], "limit": LIMIT}
                told, headers = client.send("/api/v1/query", body)
                if headers["X-Memory-Degraded"]:
                    raise RuntimeError("the embedder was not asked")
                ranked = [memory["node_id"] for memory in json.loads(told)["memories"]]
                wanted = [own["turns"][turn]["node"] for turn in question["evidence"]]
                recall = sum(node in ranked[:AMONG] for node in wanted) / max(1, len(wanted))
                first = next((1 / rank for rank, node in enumerate(ranked, 1) if node in wanted), 0.0)
                kinds.setdefault(question["kind"], []).append((recall, first))
        scores.append(kinds)
    return scores


def row(name, kinds):
    mean = lambda of, at: sum(one[at] for one in of) / len(of)
    everything = [one for own in kinds.values() for one in own]
    values = [mean(everything, 0), mean(everything, 1), *(mean(kinds[kind], 0) for kind in sorted(kinds))]
    return f"| {name} | " + " | ".join(f"{value:.3f}" for value in values) + " |"
