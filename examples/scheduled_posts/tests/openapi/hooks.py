"""What schemathesis cannot know of this server: how tokens are had, and what account there is."""
import json
import os
import urllib.request
import uuid

import schemathesis

DEV_CLERK = os.environ["FUZZ_DEV_CLERK"]
SECRET_KEY = os.environ["FUZZ_SECRET_KEY"]
USER_ID = os.environ["FUZZ_USER_ID"]
ACCOUNT_ID = os.environ["FUZZ_ACCOUNT_ID"]


def backend(path, body):
    """A question to the dev Clerk's Backend API."""
    headers = {"Authorization": f"Bearer {SECRET_KEY}", "Content-Type": "application/json"}
    request = urllib.request.Request(DEV_CLERK + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


# Tokens last for a minute.
@schemathesis.auth(refresh_interval=30)
class SessionToken:
    def get(self, case, context):
        session = backend("/v1/sessions", {"user_id": USER_ID})
        return backend(f"/v1/sessions/{session['id']}/tokens", {})["jwt"]

    def set(self, case, data, context):
        case.headers = case.headers or {}
        case.headers["Authorization"] = f"Bearer {data}"


def is_uuid(value):
    try:
        return isinstance(value, str) and str(uuid.UUID(value)) == value.lower()
    except ValueError:
        return False


@schemathesis.hook
def map_body(context, body):
    """Posts on an account that is there; anything but a UUID stays what it was drawn as."""
    if isinstance(body, dict) and is_uuid(body.get("x_account_id")):
        return {**body, "x_account_id": ACCOUNT_ID}
    return body

