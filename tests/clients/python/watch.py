"""Watches the server's health until it is gone, and prints every change."""

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from server import ANYONE, channel

statuses = health_pb2.HealthCheckResponse.ServingStatus
with channel() as opened:
    stub = health_pb2_grpc.HealthStub(opened)
    try:
        for answer in stub.Watch(health_pb2.HealthCheckRequest(), **ANYONE):
            print(statuses.Name(answer.status), flush=True)
    except grpc.RpcError as error:
        print(error.code().name)
