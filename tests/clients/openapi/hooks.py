"""What schemathesis must not do to itself, and what it need not tell."""

import json
import os
from pathlib import Path

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData

# The owner's user and key, with which everything is called, and the project.
OWN = os.environ["OWN"].split(",")

ROTATE = "/api/v1/keys/rotate"
# The key that rotates itself, as it is now.
ROTATING = [os.environ["ROTATOR"]]

# A request of each operation of the CRM and the platform that succeeds, and of some of
# memories, by verb and path.
REQUESTS = json.loads(Path(__file__).with_name("requests.json").read_text())


def is_memory(path):
    """Whether a path is one whose example brings a key in the header of its own."""
    return path.startswith(("/api/v1/nodes", "/api/v1/users", "/mcp"))


@schemathesis.hook
def before_add_examples(context, examples):
    """What succeeds: the records it names are there as long as nobody fuzzes."""
    operation = context.operation
    known = REQUESTS.get(f"{operation.method.upper()} {operation.path}")
    if known is None:
        return
    # API keys are made by people.
    own = {"Cookie": f"apex_session={os.environ['SESSION']}"}
    if is_memory(operation.path):
        own = {"X-API-Key": os.environ["KEY"]}
    elif not operation.path.startswith("/api-keys"):
        own = {"Authorization": f"Bearer {os.environ['KEY']}"}
    headers = known.get("headers", {}) | own
    examples.append(operation.Case(**known | {"headers": headers}))


@schemathesis.hook
def before_call(context, case, kwargs):
    """Lets be what all the other requests need to be answered anything but 401."""
    is_account = case.operation.path.startswith("/api/")
    if is_account and case.method in ("DELETE", "PATCH"):
        for name in ("id", "user_id"):
            if str(case.path_parameters.get(name)) in OWN:
                case.path_parameters[name] = "987654321"
    if case.operation.path == ROTATE:
        for name in [name for name in case.headers or {} if name.lower() == "x-api-key"]:
            case.headers[name] = ROTATING[0]
    # The CRM numbers keys; the owner's is the first.
    if case.operation.path == "/api-keys/{id}" and case.method != "GET":
        if str(case.path_parameters.get("id")) == "1":
            case.path_parameters["id"] = 987654321


@schemathesis.hook
def after_call(context, case, response):
    """The key that rotated itself is another one now."""
    if case.operation.path == ROTATE and response.status_code == 200:
        ROTATING[0] = response.json()["api_key"]


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """White space is the same as no body, which is one without members."""
    sent = response.request.body
    is_blank = sent is not None and not sent.strip()
    return not (is_blank and isinstance(failure, AcceptedNegativeData))
