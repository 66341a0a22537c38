"""What schemathesis cannot know of this server: how tokens are had, how Clerk signs, and whose the
accounts and posts are."""
import base64
import hashlib
import hmac
import itertools
import json
import os
import time
import urllib.request
import uuid

import schemathesis
from requests.auth import AuthBase
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import TestPhase

DEV_CLERK = os.environ["FUZZ_DEV_CLERK"]
SECRET_KEY = os.environ["FUZZ_SECRET_KEY"]
SIGNING_KEY = base64.b64decode(os.environ["FUZZ_SIGNING_SECRET"].removeprefix("whsec_"))
# Whatever proxy the environment names: it is asked on this machine.
DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
# Two users, each with an account that stays, and accounts and posts that may be deleted.
USERS = json.loads(os.environ["FUZZ_USERS"])
# Whose each account and each post is. Grows with what is created.
OWNERS = {
    thing: user["id"]
    for user in USERS
    for thing in [user["account"], *user["accounts"], *user["posts"]]
}
# Whose a token is.
CALLERS = {}


def backend(path, body):
    """A question to the dev Clerk's Backend API."""
    headers = {"Authorization": f"Bearer {SECRET_KEY}", "Content-Type": "application/json"}
    request = urllib.request.Request(DEV_CLERK + path, json.dumps(body).encode(), headers)
    with DIRECTLY.open(request, timeout=10) as answer:
        return json.load(answer)


# Tokens last for a minute.
@schemathesis.auth(refresh_interval=30)
class SessionTokens:
    """A token of each user; they take turns, but for a chain of requests, which is one user's."""

    turns = itertools.cycle(range(len(USERS)))

    def get(self, case, context):
        tokens = []
        for user in USERS:
            session = backend("/v1/sessions", {"user_id": user["id"]})
            token = backend(f"/v1/sessions/{session['id']}/tokens", {})["jwt"]
            CALLERS[token] = user["id"]
            tokens.append(token)
        return tokens

    def set(self, case, data, context):
        case.headers = case.headers or {}
        is_chain = case.meta is not None and case.meta.phase.name == TestPhase.STATEFUL
        case.headers["Authorization"] = f"Bearer {data[0 if is_chain else next(self.turns)]}"


def is_uuid(value):
    try:
        return isinstance(value, str) and str(uuid.UUID(value)) == value.lower()
    except ValueError:
        return False


def one_of(things, drawn):
    """One of these, chosen by what was drawn: the same each time."""
    return things[uuid.UUID(drawn).int % len(things)]


@schemathesis.hook
def map_body(context, body):
    """Posts on an account that is there, one's own or the other's; anything but a UUID stays what it
    was drawn as."""
    if isinstance(body, dict) and is_uuid(drawn := body.get("x_account_id")):
        return {**body, "x_account_id": one_of([user["account"] for user in USERS], drawn)}
    return body


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Changes and deletes what is there, one's own or the other's."""
    known = {"id": "accounts", "post_id": "posts"}
    return {
        name: one_of([thing for user in USERS for thing in user[known[name]]], value)
        if name in known and is_uuid(value)
        else value
        for name, value in (path_parameters or {}).items()
    }


def things_in(value):
    """All accounts and posts in an answer."""
    if isinstance(value, dict):
        if "handle" in value or "content" in value:
            yield value
        for member in value.values():
            yield from things_in(member)
    elif isinstance(value, list):
        for member in value:
            yield from things_in(member)


@schemathesis.check
def nobody_reaches_anothers_data(ctx, response, case):
    """What a user sees, creates, changes and deletes is their own."""
    authorization = response.request.headers.get("Authorization", "")
    caller = CALLERS.get(authorization.removeprefix("Bearer "))
    # A preflight asks what may be asked, and reaches nothing.
    preflight = response.request.method == "OPTIONS"
    if caller is None or preflight or not 200 <= response.status_code < 300:
        return
    body = case.body if isinstance(case.body, dict) else {}
    named = [*(case.path_parameters or {}).values(), body.get("x_account_id")]
    for thing in named:
        if isinstance(thing, str):
            assert OWNERS.get(thing, caller) == caller, f"{caller} reached {thing}, which is the other's"
    try:
        answer = response.json()
    except ValueError:
        return
    if isinstance(answer, dict) and "session_id" in answer:
        assert answer["user_id"] == caller, f"{caller} is taken for {answer['user_id']}"
    for thing in things_in(answer):
        for shown in (thing["id"], thing.get("x_account_id")):
            owner = OWNERS.setdefault(shown, caller) if shown else caller
            assert owner == caller, f"{caller} sees {shown}, which is the other's"


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
