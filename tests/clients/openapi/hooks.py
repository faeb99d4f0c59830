"""What schemathesis must not do to itself, and what it need not tell."""

import os

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData

# The owner's user and key, with which everything is called, and the project.
OWN = os.environ["OWN"].split(",")


@schemathesis.hook
def before_call(context, case, kwargs):
    """Lets be what all the other requests need to be answered anything but 401."""
    is_account = case.operation.path.startswith("/api/")
    if is_account and case.method in ("DELETE", "PATCH"):
        for name in ("id", "user_id"):
            if str(case.path_parameters.get(name)) in OWN:
                case.path_parameters[name] = "987654321"


    # The CRM numbers keys; the owner's is the first.
    if case.operation.path == "/api-keys/{id}" and case.method != "GET":
        if str(case.path_parameters.get("id")) == "1":
            case.path_parameters["id"] = 987654321


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """White space is the same as no body, which is one without members."""
    sent = response.request.body
    is_blank = sent is not None and not sent.strip()
    return not (is_blank and isinstance(failure, AcceptedNegativeData))
