// @grpc/grpc-js, with the protos loaded as they are.
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, test } from "node:test";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";
import {
  billed,
  certificate,
  details,
  key,
  patience,
  readKey,
  secure,
  signedUp,
  url,
} from "./server.mjs";

const { status } = grpc;
const definition = loader.loadSync("apex/metrics/v1/metrics.proto", {
  includeDirs: [process.env.PROTOS],
  keepCase: true,
  longs: Number,
  enums: String,
  defaults: true,
});
const { MetricsService } = grpc.loadPackageDefinition(definition).apex.metrics.v1;
const credentials = secure
  ? grpc.credentials.createSsl(certificate)
  : grpc.credentials.createInsecure();

/** A client with a connection of its own. */
function connect(options = {}) {
  const client = new MetricsService(url.host, credentials, {
    "grpc.use_local_subchannel_pool": 1,
    ...options,
  });
  after(() => client.close());
  return client;
}

/** Metadata of a caller. */
function caller(own = key) {
  const metadata = new grpc.Metadata();
  if (own) metadata.set("authorization", `Bearer ${own}`);
  return metadata;
}

const soon = () => ({ deadline: Date.now() + patience });

/** One call with one answer; also what came with it. */
function unary(client, method, request, metadata = caller(), options = soon()) {
  const came = {};
  const answer = new Promise((resolve, reject) => {
    const done = (error, answer) => (error ? reject(error) : resolve({ answer, ...came }));
    client[method](request, metadata, options, done)
      .on("metadata", (headers) => (came.headers = headers.getMap()))
      .on("status", ({ code }) => (came.code = code));
  });
  return answer;
}

/** Expects a failure, exactly; answers its details. */
async function refused(failing, code, reason, message) {
  const error = await failing.then(
    () => assert.fail("it did not fail"),
    (error) => error,
  );
  assert.deepEqual([error.code, error.details], [code, message]);
  const found = details(error.metadata.get("grpc-status-details-bin")[0], code, message);
  const { reason: told, domain } = found["google.rpc.ErrorInfo"];
  assert.deepEqual([told, domain], [reason, "apex"]);
  return found;
}

const time = (text) => ({ seconds: Date.parse(text) / 1000, nanos: 0 });
const event = (day = "2024-01-15") => ({
  event_name: "user_signup",
  metadata: signedUp,
  visitor_id: "optional_visitor_id",
  timestamp: time(`${day}T10:30:00Z`),
});

test("the documented examples", async () => {
  const client = connect();
  const sent = await unary(client, "SendEvent", event());
  assert.equal(sent.answer.success, true);
  assert.match(sent.answer.event_id, /^evt_[0-9a-f-]{36}$/);
  assert.equal(sent.headers["x-ratelimit-limit"], "1000");
  assert.match(sent.headers["x-request-id"], /^[0-9a-f-]{36}$/);
  const bought = await unary(client, "SendPurchase", {
    price: 2999,
    currency: "USD",
    product_name: "Premium Plan",
    quantity: 1,
    metadata: billed,
    visitor_id: "optional_visitor_id",
    timestamp: time("2024-01-15T10:30:00Z"),
  });
  assert.equal(bought.answer.success, true);
  const january = { start_date: "2024-01-01", end_date: "2024-01-31" };
  const { answer } = await unary(client, "GetAnalytics", {
    ...january,
    metrics: "page_views,unique_visitors,events",
  });
  assert.deepEqual(
    { ...answer.data },
    { page_views: 0, unique_visitors: 1, events: 2, revenue: [], shown: [] },
  );
  assert.deepEqual({ ...answer.period }, { start: "2024-01-01", end: "2024-01-31" });
});

test("failures say why", async () => {
  const client = connect();
  const found = await refused(
    unary(client, "SendEvent", {}),
    status.INVALID_ARGUMENT,
    "INVALID_REQUEST",
    "Event name is required",
  );
  const [violation] = found["google.rpc.BadRequest"].fieldViolations;
  assert.equal(violation.field, "event_name");
  await refused(
    unary(client, "SendEvent", event(), caller("")),
    status.UNAUTHENTICATED,
    "UNAUTHORIZED",
    "Authentication is required",
  );
  await refused(
    unary(client, "SendEvent", event(), caller(readKey)),
    status.PERMISSION_DENIED,
    "FORBIDDEN",
    "The API key lacks the scope metrics.write",
  );
});

test("a request id comes back", async () => {
  const metadata = caller();
  metadata.set("x-request-id", "from-node.1");
  const { headers } = await unary(connect(), "SendEvent", event("2024-05-01"), metadata);
  assert.equal(headers["x-request-id"], "from-node.1");
});

test("both directions at once", async () => {
  const call = connect().IngestEvents(caller(), soon());
  const ended = once(call, "status");
  const answers = call[Symbol.asyncIterator]();
  const say = async (request) => {
    call.write(request);
    return (await answers.next()).value;
  };
  assert.equal((await say({ stream: "node" })).position, 0);
  const first = await say({ position: 2, events: [event("2024-06-01"), { event_name: "" }] });
  assert.deepEqual([first.position, first.received], [2, 1]);
  assert.deepEqual(
    first.errors.map(({ index, outcome, error }) => [index, outcome, error]),
    [[1, "OUTCOME_INVALID", "Event name is required"]],
  );
  // Many at once: each is acknowledged, in order.
  for (let position = 3; position <= 52; position++) {
    call.write({ position, events: [event("2024-06-01")] });
  }
  call.end();
  const positions = [];
  for await (const { position } of answers) positions.push(position);
  assert.deepEqual(positions, Array.from({ length: 50 }, (_, i) => i + 3));
  assert.equal((await ended)[0].code, status.OK);
});

test("a deadline ends a stream", async () => {
  const call = connect().IngestEvents(caller(), { deadline: Date.now() + 500 });
  call.write({ stream: "late" });
  const [error] = await once(call.resume(), "error");
  assert.equal(error.code, status.DEADLINE_EXCEEDED);
});

test("a cancelled call leaves the connection alone", async () => {
  const client = connect();
  const call = client.IngestEvents(caller(), soon());
  call.write({ stream: "cancelled", position: 1, events: [event("2024-07-01")] });
  const [answer] = await once(call, "data");
  assert.equal(answer.received, 1);
  const ended = once(call, "error");
  call.cancel();
  assert.equal((await ended)[0].code, status.CANCELLED);
  // What was acknowledged stays, and the same connection goes on.
  const july = { start_date: "2024-07-01", end_date: "2024-07-31", metrics: "events" };
  const asked = await unary(client, "GetAnalytics", july);
  assert.equal(asked.answer.data.events, 1);
});

test("more calls at once than a connection has streams", async () => {
  const client = connect();
  const calls = Array.from({ length: 250 }, () =>
    unary(client, "SendEvent", event("2024-08-01")),
  );
  const ids = (await Promise.all(calls)).map(({ answer }) => answer.event_id);
  assert.equal(new Set(ids).size, 250);
});
