// gRPC by hand over node:http2: what the server does when no client library keeps
// the deadline for it, and what is on the wire.
import assert from "node:assert/strict";
import http2 from "node:http2";
import { once } from "node:events";
import { after, test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  GetAnalyticsRequestSchema,
  GetAnalyticsResponseSchema,
} from "./gen/apex/metrics/v1/metrics_pb.js";
import { certificate, details, key, url } from "./server.mjs";

const service = "/apex.metrics.v1.MetricsService";

function connect() {
  const session = http2.connect(url, { ca: certificate });
  after(() => session.destroy());
  return session;
}

/** Opens a call; what it answers is collected until it ends. */
function open(session, method, headers = {}) {
  const stream = session.request({
    ":method": "POST",
    ":path": `${service}/${method}`,
    "content-type": "application/grpc",
    te: "trailers",
    authorization: `Bearer ${key}`,
    ...headers,
  });
  const came = { stream, chunks: [] };
  stream.on("response", (headers) => (came.headers = headers));
  stream.on("trailers", (trailers) => (came.trailers = trailers));
  stream.on("data", (chunk) => came.chunks.push(chunk));
  return came;
}

async function end({ stream, ...came }, body) {
  const ended = once(stream, "close");
  if (body) stream.end(body);
  await ended;
  return came;
}

function frame(message) {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

const question = frame(toBinary(GetAnalyticsRequestSchema, create(GetAnalyticsRequestSchema)));

/** Failure of a call, wherever it stands. */
function failure({ headers, trailers }) {
  const last = headers["grpc-status"] === undefined ? trailers : headers;
  const bytes = Buffer.from(last["grpc-status-details-bin"], "base64");
  const code = Number(last["grpc-status"]);
  const message = decodeURIComponent(last["grpc-message"]);
  return { code, message, info: details(bytes, code, message)["google.rpc.ErrorInfo"] };
}

test("an answer ends with trailers", async () => {
  const call = open(connect(), "GetAnalytics");
  await end(call, question);
  const { headers, trailers, chunks } = call;
  assert.equal(headers[":status"], 200);
  assert.equal(headers["content-type"], "application/grpc");
  assert.equal(trailers["grpc-status"], "0");
  const body = Buffer.concat(chunks);
  assert.equal(body.readUInt32BE(1), body.length - 5);
  const answer = fromBinary(GetAnalyticsResponseSchema, body.subarray(5));
  assert.equal(answer.data.events, 0n);
});

test("the server keeps the deadline of a call", async () => {
  const call = open(connect(), "GetAnalytics", { "grpc-timeout": "1n" });
  await end(call, question);
  const { code, message, info } = failure(call);
  assert.deepEqual([code, message], [4, "The deadline has passed"]);
  assert.equal(info.reason, "DEADLINE_EXCEEDED");
});

test("the server keeps the deadline of a stream", async () => {
  const call = open(connect(), "IngestEvents", { "grpc-timeout": "300m" });
  await end(call);
  const { code, message, info } = failure(call);
  assert.deepEqual([code, message], [4, "The deadline has passed"]);
  assert.equal(info.reason, "DEADLINE_EXCEEDED");
});

test("a deadline that is none is refused", async () => {
  for (const wrong of ["soon", "1", "123456789S", "-1S"]) {
    const call = open(connect(), "GetAnalytics", { "grpc-timeout": wrong });
    await end(call, question);
    assert.equal(failure(call).code, 3, wrong);
  }
});

test("a message that is cut short is refused", async () => {
  const call = open(connect(), "GetAnalytics");
  await end(call, Buffer.from([0, 0, 0, 0, 9, 1]));
  const { code, message, info } = failure(call);
  assert.deepEqual([code, message], [3, "Unexpected EOF decoding stream."]);
  assert.equal(info.reason, "INVALID_REQUEST");
});

test("pings are answered", async () => {
  const session = connect();
  await once(session, "remoteSettings");
  for (let round = 0; round < 100; round++) {
    const echo = await new Promise((resolve, reject) => {
      const sent = Buffer.from(String(round).padStart(8, "0"));
      session.ping(sent, (error, _, back) =>
        error ? reject(error) : resolve(back.equals(sent)),
      );
    });
    assert.ok(echo);
  }
  const call = open(session, "GetAnalytics");
  await end(call, question);
  assert.equal(call.trailers["grpc-status"], "0");
});
