// What the page of a browser test can do; the driver calls it through `window`.
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { fromBinary, toBinary, create, toJson } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { GrpcWebClientBase, MethodDescriptor } from "grpc-web";
import {
  ExportEventsRequestSchema,
  ExportEventsResponseSchema,
  GetAnalyticsResponseSchema,
  MetricsService,
  SendEventRequestSchema,
  SendEventResponseSchema,
} from "./gen/apex/metrics/v1/metrics_pb.js";
import { BadRequestSchema, ErrorInfoSchema } from "./gen/google/rpc/error_details_pb.js";

const event = (day) => ({
  eventName: "user_signup",
  metadata: '{"plan": "premium", "source": "landing_page"}',
  visitorId: "optional_visitor_id",
  timestamp: timestampFromDate(new Date(`${day}T10:30:00Z`)),
});

const purchase = {
  price: 2999n,
  currency: "USD",
  productName: "Premium Plan",
  quantity: 1n,
  metadata: '{"billing": "monthly", "category": "subscription"}',
  visitorId: "optional_visitor_id",
  timestamp: timestampFromDate(new Date("2024-01-15T10:30:00Z")),
};

/** A connect-web client, and the headers of the last answer. */
function connect({ url, key }) {
  const seen = {};
  const note = (next) => async (request) => {
    if (key) request.header.set("authorization", `Bearer ${key}`);
    const answer = await next(request);
    seen.headers = Object.fromEntries(answer.header);
    return answer;
  };
  const transport = createGrpcWebTransport({ baseUrl: url, interceptors: [note] });
  return { client: createClient(MetricsService, transport), seen };
}

/** A failure as plain values. */
async function failure(failing) {
  try {
    await failing;
  } catch (error) {
    const known = ConnectError.from(error);
    const [info] = known.findDetails(ErrorInfoSchema);
    const [bad] = known.findDetails(BadRequestSchema);
    return {
      code: Code[known.code],
      message: known.rawMessage,
      reason: info?.reason,
      fields: bad?.fieldViolations.map(({ field }) => field) ?? [],
    };
  }
  return undefined;
}

window.january = async (server) => {
  const answer = await connect(server).client.getAnalytics({
    startDate: "2024-01-01",
    endDate: "2024-01-31",
    metrics: "page_views,unique_visitors,events",
  });
  return toJson(GetAnalyticsResponseSchema, answer);
};

window.examples = async (server) => {
  const { client, seen } = connect(server);
  const sent = await client.sendEvent(event("2024-01-15"));
  const { headers } = seen;
  const bought = await client.sendPurchase(purchase);
  const analytics = await window.january(server);
  const stored = [];
  for await (const { events } of client.exportEvents({})) {
    stored.push(...events.map(({ eventId }) => eventId));
  }
  return {
    sent: [sent.success, sent.eventId],
    bought: [bought.success, bought.eventId],
    headers,
    analytics,
    stored,
  };
};

window.failures = async (server) => {
  const { client } = connect(server);
  const { client: stranger } = connect({ url: server.url });
  const { client: reader } = connect({ url: server.url, key: server.readKey });
  const drain = async (stream) => {
    for await (const _ of stream);
  };
  return {
    invalid: await failure(client.sendEvent({})),
    stranger: await failure(stranger.sendEvent(event("2024-01-15"))),
    reader: await failure(reader.sendEvent(event("2024-01-15"))),
    stream: await failure(drain(stranger.exportEvents({}))),
  };
};

window.attempt = async (server) => failure(connect(server).client.sendEvent(event("2024-01-15")));

// Google's own client, which knows text as well as binary.
const send = new MethodDescriptor(
  "/apex.metrics.v1.MetricsService/SendEvent",
  "unary",
  Object,
  Object,
  (request) => toBinary(SendEventRequestSchema, request),
  (bytes) => fromBinary(SendEventResponseSchema, bytes),
);
const read = new MethodDescriptor(
  "/apex.metrics.v1.MetricsService/ExportEvents",
  "server_streaming",
  Object,
  Object,
  (request) => toBinary(ExportEventsRequestSchema, request),
  (bytes) => fromBinary(ExportEventsResponseSchema, bytes),
);

window.google = async ({ url, key }, format) => {
  const client = new GrpcWebClientBase({ format });
  const metadata = { authorization: `Bearer ${key}` };
  const call = (request, metadata) =>
    new Promise((resolve) => {
      const message = create(SendEventRequestSchema, request);
      client.rpcCall(url + send.name, message, metadata, send, (error, answer) =>
        resolve(error ? [error.code, error.message] : answer.eventId),
      );
    });
  const sent = await call(event("2024-02-15"), metadata);
  const stored = await new Promise((resolve, reject) => {
    const ids = [];
    const window = {
      from: timestampFromDate(new Date("2024-02-01T00:00:00Z")),
      to: timestampFromDate(new Date("2024-03-01T00:00:00Z")),
    };
    const message = create(ExportEventsRequestSchema, window);
    client
      .serverStreaming(url + read.name, message, metadata, read)
      .on("data", ({ events }) => ids.push(...events.map(({ eventId }) => eventId)))
      .on("error", reject)
      .on("end", () => resolve(ids));
  });
  return { sent, stored, invalid: await call({}, metadata), stranger: await call({}, {}) };
};
