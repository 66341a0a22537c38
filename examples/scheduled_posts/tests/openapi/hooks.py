"""What schemathesis cannot know of this server: how tokens are had, how Clerk signs, and what account
there is."""
import base64
import hashlib
import hmac
import json
import os
import time
import urllib.request
import uuid

import schemathesis
from requests.auth import AuthBase
from schemathesis.core.parameters import ParameterLocation

DEV_CLERK = os.environ["FUZZ_DEV_CLERK"]
SECRET_KEY = os.environ["FUZZ_SECRET_KEY"]
SIGNING_KEY = base64.b64decode(os.environ["FUZZ_SIGNING_SECRET"].removeprefix("whsec_"))
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



class Signed(AuthBase):
    """Signs what is sent as Clerk does, by the body's own bytes."""

    def __call__(self, request):
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        delivery, now = f"msg_{uuid.uuid4().hex}", str(int(time.time()))
        digest = hmac.new(SIGNING_KEY, f"{delivery}.{now}.".encode() + body, hashlib.sha256).digest()
        request.headers["svix-id"] = delivery
        request.headers["svix-timestamp"] = now
        request.headers["svix-signature"] = f"v1,{base64.b64encode(digest).decode()}"
        return request


@schemathesis.hook
def before_call(context, case, kwargs):
    """Deliveries are Clerk's, but for those that are about bad headers."""
    webhook = case.operation.path.startswith("/api/webhooks/")
    if webhook and not (case.meta and case.meta.is_negative_at(ParameterLocation.HEADER)):
        kwargs["auth"] = Signed()
