// gRPC's interoperability cases, by their own names: through @grpc/grpc-js, and
// those that gRPC-Web can do through connect-web.
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";
import {
  StreamingOutputCallRequestSchema,
  StreamingOutputCallResponseSchema,
  TestService,
} from "./gen/interop/test_pb.js";
import { UnimplementedService } from "./gen/interop/unimplemented_pb.js";

const { status } = grpc;
const server = new URL(process.env.SERVER_URL);
const files = ["interop/test.proto", "interop/unimplemented.proto"];
const definition = loader.loadSync(files, {
  includeDirs: [process.env.PROTOS],
  keepCase: true,
  defaults: true,
});
const known = grpc.loadPackageDefinition(definition).grpc.testing;
const plain = grpc.credentials.createInsecure();
const client = new known.TestService(server.host, plain);
const stranger = new known.UnimplementedService(server.host, plain);
after(() => [client, stranger].forEach((own) => own.close()));

// A call that hangs fails its test.
const soon = () => ({ deadline: Date.now() + 30_000 });
const sizes = { requests: [27182, 8, 1828, 45904], answers: [31415, 9, 2653, 58979] };
const special = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";
const payload = (size) => ({ body: Buffer.alloc(size) });
const asking = (...answers) => ({ response_parameters: answers.map((size) => ({ size })) });

function metadata(members = {}) {
  const own = new grpc.Metadata();
  for (const [name, value] of Object.entries(members)) own.set(name, value);
  return own;
}

/** One call with one answer; also what came with it. */
function unary(method, request, own = metadata(), from = client) {
  return new Promise((resolve, reject) => {
    const came = {};
    from[method](request, own, soon(), (error, answer) => {
      if (error) return reject(error);
      came.answer = answer;
      if (came.trailers) resolve(came);
    })
      .on("metadata", (headers) => (came.headers = headers))
      .on("status", ({ metadata }) => {
        came.trailers = metadata;
        if (came.answer) resolve(came);
      });
  });
}

/** Expects a failure. */
async function failed(failing, code, message) {
  const error = await failing.then(
    () => assert.fail("it did not fail"),
    (error) => error,
  );
  assert.equal(error.code, code);
  if (message !== undefined) assert.equal(error.rawMessage ?? error.details, message);
  return error;
}

const read = (call) => call.map(({ payload }) => payload.body.length).toArray();

test("empty_unary", async () => {
  const { answer } = await unary("EmptyCall", {});
  assert.deepEqual({ ...answer }, {});
});

test("large_unary", async () => {
  const request = { response_size: 314159, payload: payload(271828) };
  const { answer } = await unary("UnaryCall", request);
  assert.deepEqual(answer.payload.body, Buffer.alloc(314159));
});

test("client_streaming", async () => {
  const answer = await new Promise((resolve, reject) => {
    const call = client.StreamingInputCall(metadata(), soon(), (error, answer) =>
      error ? reject(error) : resolve(answer),
    );
    for (const size of sizes.requests) call.write({ payload: payload(size) });
    call.end();
  });
  assert.equal(answer.aggregated_payload_size, 74922);
});

test("server_streaming", async () => {
  const call = client.StreamingOutputCall(asking(...sizes.answers), soon());
  assert.deepEqual(await read(call), sizes.answers);
});

test("ping_pong", async () => {
  const call = client.FullDuplexCall(metadata(), soon());
  const ended = once(call, "status");
  const answers = call[Symbol.asyncIterator]();
  for (const [at, size] of sizes.requests.entries()) {
    const wanted = sizes.answers[at];
    call.write({ ...asking(wanted), payload: payload(size) });
    const { value } = await answers.next();
    assert.equal(value.payload.body.length, wanted);
  }
  call.end();
  assert.equal((await answers.next()).done, true);
  assert.equal((await ended)[0].code, status.OK);
});

test("empty_stream", async () => {
  const call = client.FullDuplexCall(metadata(), soon());
  const ended = once(call, "status");
  call.end();
  assert.deepEqual(await read(call), []);
  assert.equal((await ended)[0].code, status.OK);
});

test("cancel_after_begin", async () => {
  let call;
  const ended = new Promise((resolve) => {
    call = client.StreamingInputCall(metadata(), soon(), resolve);
  });
  // Of a call that has not begun grpc-js would tell nobody that it is cancelled.
  await sleep(100);
  call.cancel();
  assert.equal((await ended).code, status.CANCELLED);
});

test("cancel_after_first_response", async () => {
  const call = client.FullDuplexCall(metadata(), soon());
  call.write({ ...asking(31415), payload: payload(27182) });
  const [answer] = await once(call, "data");
  assert.equal(answer.payload.body.length, 31415);
  const ended = once(call, "error");
  call.cancel();
  assert.equal((await ended)[0].code, status.CANCELLED);
  // The connection goes on.
  await unary("EmptyCall", {});
});

test("timeout_on_sleeping_server", async () => {
  const call = client.FullDuplexCall(metadata(), { deadline: Date.now() + 1 });
  const wanted = [{ size: 31415, interval_us: 20_000_000 }];
  call.write({ response_parameters: wanted, payload: payload(27182) });
  const [error] = await once(call.resume(), "error");
  assert.equal(error.code, status.DEADLINE_EXCEEDED);
});

for (const [name, message] of [
  ["status_code_and_message", "test status message"],
  ["special_status_message", special],
]) {
  test(name, async () => {
    const request = { response_status: { code: 2, message } };
    await failed(unary("UnaryCall", request), status.UNKNOWN, message);
    const call = client.FullDuplexCall(metadata(), soon());
    call.end(request);
    await failed(read(call), status.UNKNOWN, message);
  });
}

test("unimplemented_method", async () => {
  await failed(unary("UnimplementedCall", {}), status.UNIMPLEMENTED);
});

test("unimplemented_service", async () => {
  const call = unary("UnimplementedCall", {}, metadata(), stranger);
  await failed(call, status.UNIMPLEMENTED);
});

test("custom_metadata", async () => {
  const own = metadata({
    "x-grpc-test-echo-initial": "test_initial_metadata_value",
    "x-grpc-test-echo-trailing-bin": Buffer.from([0xab, 0xab, 0xab]),
  });
  const seen = (headers, trailers) => {
    const initial = headers.get("x-grpc-test-echo-initial");
    assert.deepEqual(initial, ["test_initial_metadata_value"]);
    const trailing = trailers.get("x-grpc-test-echo-trailing-bin");
    assert.deepEqual(trailing, [Buffer.from([0xab, 0xab, 0xab])]);
  };
  const request = { response_size: 314159, payload: payload(271828) };
  const { headers, trailers } = await unary("UnaryCall", request, own);
  seen(headers, trailers);

  const call = client.FullDuplexCall(own, soon());
  const [began, ended] = [once(call, "metadata"), once(call, "status")];
  call.end({ ...asking(314159), payload: payload(271828) });
  assert.deepEqual(await read(call), [314159]);
  seen((await began)[0], (await ended)[0].metadata);
});

// gRPC-Web has no streams of requests.
const web = (transport) => ({
  tests: createClient(TestService, transport),
  nothing: createClient(UnimplementedService, transport),
});
const { tests, nothing } = web(createGrpcWebTransport({ baseUrl: server.origin }));
const wanting = (...answers) => ({ responseParameters: answers.map((size) => ({ size })) });

test("gRPC-Web: empty_unary and large_unary", async () => {
  const { $typeName } = await tests.emptyCall({});
  assert.equal($typeName, "grpc.testing.Empty");
  const request = { responseSize: 314159, payload: { body: new Uint8Array(271828) } };
  const answer = await tests.unaryCall(request);
  assert.deepEqual(answer.payload.body, new Uint8Array(314159));
});

test("gRPC-Web: server_streaming", async () => {
  const read = [];
  for await (const { payload } of tests.streamingOutputCall(wanting(...sizes.answers))) {
    read.push(payload.body.length);
  }
  assert.deepEqual(read, sizes.answers);
});

test("gRPC-Web: a failure after answers", async () => {
  const request = {
    ...wanting(...sizes.answers),
    responseStatus: { code: Code.Aborted, message: special },
  };
  const read = [];
  const reading = async () => {
    for await (const { payload } of tests.streamingOutputCall(request)) {
      read.push(payload.body.length);
    }
  };
  const error = await failed(reading(), Code.Aborted, special);
  assert.deepEqual(read, sizes.answers);
  assert.deepEqual(
    error.details.map(({ type }) => type),
    ["google.rpc.ErrorInfo"],
  );
});

test("gRPC-Web: a failure after answers, as text", async () => {
  const responseStatus = { code: Code.Aborted, message: "late" };
  const request = create(StreamingOutputCallRequestSchema, {
    ...wanting(...sizes.answers),
    responseStatus,
  });
  const message = toBinary(StreamingOutputCallRequestSchema, request);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  const kind = "application/grpc-web-text";
  const answer = await fetch(new URL("/grpc.testing.TestService/StreamingOutputCall", server), {
    method: "POST",
    headers: { "content-type": kind, accept: kind },
    body: Buffer.concat([head, message]).toString("base64"),
  });
  assert.equal(answer.status, 200);
  assert.ok(answer.headers.get("content-type").startsWith(kind));
  // Each piece of the answer may have its own padding.
  const pieces = (await answer.text()).match(/[^=]+=*/g);
  let rest = Buffer.concat(pieces.map((piece) => Buffer.from(piece, "base64")));
  const frames = [];
  while (rest.length > 0) {
    const end = 5 + rest.readUInt32BE(1);
    frames.push({ flags: rest[0], bytes: rest.subarray(5, end) });
    rest = rest.subarray(end);
  }
  const trailers = frames.pop();
  const read = frames.map(({ bytes }) => fromBinary(StreamingOutputCallResponseSchema, bytes));
  assert.deepEqual(
    read.map(({ payload }) => payload.body.length),
    sizes.answers,
  );
  assert.equal(trailers.flags, 0x80);
  const told = trailers.bytes.toString().trimEnd().split("\r\n");
  assert.ok(told.includes("grpc-status:10") && told.includes("grpc-message:late"), told);
});

test("gRPC-Web: status_code_and_message and special_status_message", async () => {
  for (const message of ["test status message", special]) {
    const responseStatus = { code: Code.Unknown, message };
    const error = await failed(tests.unaryCall({ responseStatus }), Code.Unknown, message);
    assert.ok(error instanceof ConnectError);
  }
});

test("gRPC-Web: unimplemented_method and unimplemented_service", async () => {
  await failed(tests.unimplementedCall({}), Code.Unimplemented);
  await failed(nothing.unimplementedCall({}), Code.Unimplemented);
});

test("gRPC-Web: custom_metadata", async () => {
  let trailers;
  await tests.emptyCall(
    {},
    {
      headers: {
        "x-grpc-test-echo-initial": "test_initial_metadata_value",
        "x-grpc-test-echo-trailing-bin": "q6ur",
      },
      onHeader: (headers) =>
        assert.equal(headers.get("x-grpc-test-echo-initial"), "test_initial_metadata_value"),
      onTrailer: (own) => (trailers = own),
    },
  );
  assert.equal(trailers.get("x-grpc-test-echo-trailing-bin"), "q6ur");
});
