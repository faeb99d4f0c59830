// The server the tests talk to, as the environment names it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fromBinary } from "@bufbuild/protobuf";
import { BadRequestSchema, ErrorInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "./gen/google/rpc/status_pb.js";

export const url = new URL(process.env.SERVER_URL);
export const secure = url.protocol === "https:";
export const key = process.env.KEY;
export const readKey = process.env.READ_KEY;
export const certificate = secure ? readFileSync(process.env.SERVER_CERT) : undefined;

// A call that hangs fails its test.
export const patience = 30_000;

export const signedUp = '{"plan": "premium", "source": "landing_page"}';
export const billed = '{"billing": "monthly", "category": "subscription"}';

const schemas = {
  "google.rpc.ErrorInfo": ErrorInfoSchema,
  "google.rpc.BadRequest": BadRequestSchema,
};

/** The details of a failure, by type, from the bytes of its status. */
export function details(bytes, code, message) {
  assert.ok(bytes, "grpc-status-details-bin is there");
  const status = fromBinary(StatusSchema, bytes);
  assert.deepEqual([status.code, status.message], [code, message]);
  return Object.fromEntries(
    status.details.map(({ typeUrl, value }) => {
      const name = typeUrl.split("/").pop();
      return [name, fromBinary(schemas[name], value)];
    }),
  );
}
