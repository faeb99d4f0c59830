"""The CRM: questions to a large organization, and the usual ones beside FeathersJS.

BENCH_CONTACTS sets how many contacts the large organization has (default 1,000,000), with
a deal for every fifth. They are put straight into the tables. The comparison is of 10,000
contacts on the same database in turns, both servers pinned to one core.
"""

import http.client
import json
import os
import re
import sqlite3
import subprocess
import time
import urllib.parse

from . import npm
from .ingest import postgres
from .machine import ROOT, free_port, median, send, table, wrk

CONTACTS = int(os.environ.get("BENCH_CONTACTS", "1000000"))
FEW = 10_000
ASKED = 25
NEWEST = "/contacts?$limit=25&$sort[created_at]=-1"
QUESTIONS = {
    "the newest 25": NEWEST,
    "a search that finds 50": "/contacts?searchTerm=family19999&$limit=25",
    "a search that finds 1 in 100": "/contacts?searchTerm=anna17&$limit=25",
    "a custom field, 1 in 50": "/contacts?custom_fields_by_name[Industry]=Trade 7&$limit=25",
    "a custom field, in the order of creation": "/contacts?custom_fields_by_name[Industry]=Trade 7&$limit=25&$sort[created_at]=-1",
    "deals of a stage": "/deals?pipeline_stage_id=%s&$limit=25&$sort[created_at]=-1",
}
NEW = {"first_name": "Ada", "last_name": "Lovelace", "email": "ada@example.com"}


def run(bench):
    """On SQLite, and on PostgreSQL where it is installed."""
    services = bench.fresh("services")
    try:
        settings = postgres(services)
        stores = {"SQLite": None, **({"PostgreSQL": settings} if settings else {})}
        large = [[name, *asked] for name, *asked in questions(bench, stores)]
        beside = peers(bench, stores) if npm.install("feathers") else []
    finally:
        subprocess.run([ROOT / "scripts/services", "stop", services], check=True, capture_output=True)
    names = [f"{name}, p50 ms" for name in stores]
    text = table([f"{CONTACTS:,} contacts, {CONTACTS // 5:,} deals", *names], large)
    if beside:
        text += "\n\n" + table(
            [f"{FEW:,} contacts", "database", "requests/s", "CPU us/request", "x FeathersJS", "x its CPU"], beside)
    return text


def questions(bench, stores):
    """A row of medians for every question."""
    columns = []
    for name, settings in stores.items():
        database = Database(bench, f"large-{name}", settings)
        stage = database.fill(bench, CONTACTS)
        process, port = database.serve(bench)
        columns.append([ask(port, database.key, path.replace("%s", str(stage))) for path in QUESTIONS.values()])
        process.stop()
    return [[name, *(f"{column[at]:.1f}" for column in columns)] for at, name in enumerate(QUESTIONS)]


def ask(port, key, path):
    """The median of the times of a question, in ms."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    path = urllib.parse.quote(path, safe="/?&=$[]")
    times = []
    for _ in range(ASKED):
        begin = time.monotonic()
        connection.request("GET", path, headers={"x-api-key": key})
        answer = connection.getresponse()
        found = json.loads(answer.read())
        times.append((time.monotonic() - begin) * 1000)
        if answer.status != 200 or not found["data"]:
            raise RuntimeError(f"{path}: {found}")
    return median(times)


def peers(bench, stores):
    """Rows for lists and for contacts that are made, of both servers in turns."""
    measured = {}
    for name, settings in stores.items():
        database = Database(bench, f"few-{name}", settings)
        database.fill(bench, FEW)
        database.fill_peer(FEW)
        for _ in range(bench.rounds):
            for server in ("FeathersJS", "apex"):
                if server == "apex":
                    process, port = database.serve(bench)
                else:
                    process, port = npm.serve("feathers", database.peer)
                key = database.key if server == "apex" else None
                for what, body, connections in (("list", None, 16), ("make", json.dumps(NEW), 16)):
                    path = "/contacts" if body else urllib.parse.quote(NEWEST, safe="/?&=$")
                    figures = wrk(bench, process, port, path, connections, key, body)
                    measured.setdefault((what, name, server), []).append(figures[:2])
                process.stop()
    rows = []
    for (what, name, server), found in sorted(measured.items(), key=lambda entry: entry[0][:2]):
        rate, cpu = (median(column) for column in zip(*found))
        base = [median(column) for column in zip(*measured[what, name, "FeathersJS"])]
        rows.append([f"{what}, {server}", name, f"{rate:,.0f}", f"{cpu:.0f}", f"{rate / base[0]:.2f}", f"{cpu / base[1]:.2f}"])
    return rows


class Database:
    """A database with one organization."""

    def __init__(self, bench, name, settings):
        self.settings = settings
        if settings:
            # A database of its own, on the same server.
            base, _ = settings["APEX_DATABASE_URL"].rsplit("/", 1)
            own = re.sub(r"\W", "_", name.lower())
            psql(settings["APEX_DATABASE_URL"], f"CREATE DATABASE {own}")
            self.settings = {**settings, "APEX_DATABASE_URL": f"{base}/{own}"}
        self.data, self.key, _ = bench.apex(name, self.settings)

    @property
    def peer(self):
        """Where FeathersJS finds its own table."""
        return self.settings["APEX_DATABASE_URL"] if self.settings else self.data.parent / "peer.db"

    def serve(self, bench):
        """Starts Apex on it."""
        port = free_port()
        return bench.serve(self.data, port, self.settings), port

    def execute(self, statements, file=None):
        """Runs statements."""
        if self.settings:
            psql(self.settings["APEX_DATABASE_URL"], statements)
            return
        database = sqlite3.connect(file or next(self.data.glob("*.db")))
        database.execute("PRAGMA synchronous = OFF")
        database.executescript(statements)
        database.close()

    def fill(self, bench, contacts):
        """Puts contacts and deals into the organization; answers the stage of the deals."""
        process, port = self.serve(bench)
        own = send("GET", port, "/organizations", None, self.key)["data"][0]["id"]
        field = {"entity_type": "contact", "name": "Industry", "type": "text"}
        field = send("POST", port, "/custom-fields", field, self.key)["id"]
        pipeline = send("POST", port, "/pipelines", {"name": "Sales"}, self.key)["id"]
        stage = send("GET", port, f"/pipeline-stages?pipeline_id={pipeline}", None, self.key)["data"][0]["id"]
        process.stop()
        self.execute(FILL.format(own=own, field=field, pipeline=pipeline, stage=stage, contacts=contacts))
        if self.settings:
            # PostgreSQL would by itself, after a while.
            self.execute("ANALYZE")
        else:
            # As the server does before it commits.
            self.execute(FOUND)
        return stage

    def fill_peer(self, contacts):
        """Puts as many into the table of FeathersJS."""
        made = PEER.format(contacts=contacts)
        if not self.settings:
            made = made.replace("GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY", "PRIMARY KEY")
        self.execute(made, self.peer)


def psql(url, statements):
    """Runs statements on PostgreSQL."""
    command = ["psql", "-q", "-v", "ON_ERROR_STOP=1", url]
    subprocess.run(command, input=statements, text=True, check=True, stdout=subprocess.DEVNULL)


FILL = """
INSERT INTO crm_contact (organization_id, first_name, last_name, email, phone, system_type, custom,
    search, created_at, updated_at)
WITH RECURSIVE n (n) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT n + 1 FROM n WHERE n < {contacts})
SELECT {own}, 'Anna' || (n % 100), 'Family' || (n % 20000), 'p' || n || '@example.com',
    '555' || n, 'contact', '{{"{field}":"Trade ' || (n % 50) || '"}}',
    'anna' || (n % 100) || ' family' || (n % 20000) || ' p' || n || '@example.com 555' || n,
    1700000000000000 + n * 1000000, 1700000000000000 + n * 1000000 FROM n;
INSERT INTO crm_custom_value (field, record, text)
SELECT {field}, id, 'Trade ' || (CAST(substr(email, 2, length(email) - 13) AS INTEGER) % 50) FROM crm_contact;
INSERT INTO crm_deal (organization_id, name, amount, currency, status, pipeline_id,
    pipeline_stage_id, contact_id, created_at, updated_at)
SELECT {own}, 'Deal of ' || last_name, 10000, 'EUR', 'open', {pipeline}, {stage}, id, created_at, updated_at
    FROM crm_contact WHERE id % 5 = 0;
DELETE FROM crm_count WHERE resource IN ('contacts', 'deals');
INSERT INTO crm_count (organization_id, resource, shard, living)
SELECT {own}, 'contacts', 0, COUNT(*) FROM crm_contact;
INSERT INTO crm_count (organization_id, resource, shard, living)
SELECT {own}, 'deals', 0, COUNT(*) FROM crm_deal;
"""

FOUND = """
INSERT INTO crm_contact_search (rowid, search) SELECT id, search FROM crm_contact;
DELETE FROM crm_contact_due;
"""

PEER = """
CREATE TABLE peer_contact (
    id INTEGER GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, organization_id BIGINT, first_name TEXT,
    last_name TEXT, email TEXT, phone TEXT, company_id BIGINT, created_at BIGINT, updated_at BIGINT,
    deleted_at BIGINT
);
CREATE INDEX peer_contact_created ON peer_contact (created_at);
INSERT INTO peer_contact (organization_id, first_name, last_name, email, phone, created_at, updated_at)
WITH RECURSIVE n (n) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT n + 1 FROM n WHERE n < {contacts})
SELECT 101, 'Anna' || (n % 100), 'Family' || (n % 20000), 'p' || n || '@example.com', '555' || n,
    1700000000000000 + n * 1000000, 1700000000000000 + n * 1000000 FROM n;
"""
