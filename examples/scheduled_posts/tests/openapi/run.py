"""Starts the server with its dev Clerk, and lets schemathesis loose on it. scripts/fuzz-api runs it.

    run.py SERVER-PROGRAM [ARGUMENT OF schemathesis run…]
"""
import http.server
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
DEADLINE = 30
# Whatever proxy the environment names: all that is asked is on this machine.
DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Model(http.server.BaseHTTPRequestHandler):
    """An AI service that has always the same ideas."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        ideas = json.dumps([f"An idea, number {n}" for n in range(1, 6)])
        message = {"role": "assistant", "content": ideas}
        body = json.dumps({"choices": [{"index": 0, "message": message}]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def free_port():
    """From below the range that the system takes for connections."""
    while True:
        port = random.randrange(10_000, 30_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def ask(url, token=None, body=None):
    """The status, and the answer's JSON if it has one."""
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    try:
        with DIRECTLY.open(urllib.request.Request(url, data, headers), timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, None


def wait_for(what, done):
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        try:
            if (answer := done()) is not None:
                return answer
        except OSError:
            pass
        time.sleep(0.05)
    raise SystemExit(f"waited {DEADLINE} s in vain: {what}")


def token_of(clerk, secret_key, user_id):
    """A session token of a new session."""
    _, session = ask(f"{clerk}/v1/sessions", secret_key, {"user_id": user_id})
    return ask(f"{clerk}/v1/sessions/{session['id']}/tokens", secret_key, {})[1]["jwt"]


def set_up(url, clerk, secret_key, address):
    """A user with an account that stays, and with accounts and posts that may be deleted."""
    _, user = ask(f"{clerk}/v1/users", secret_key, {"email_address": [address]})
    token = token_of(clerk, secret_key, user["id"])

    def create(path, body):
        status, created = ask(f"{url}/api/{path}", token, body)
        assert status == 201, status
        return created["id"]

    account, *accounts = [create("x-accounts", {"handle": f"@h{n}"}) for n in range(20)]
    when = "2030-01-01T00:00:00Z"
    post = {"x_account_id": account, "content": f"of {address}", "scheduled_at": when}
    posts = [create("scheduled-posts", post) for _ in range(50)]
    return {"id": user["id"], "account": account, "accounts": accounts, "posts": posts}


def listed(url, token):
    """The ids of all accounts and posts that a user is shown."""
    status, answer = ask(f"{url}/api/x-accounts", token)
    assert status == 200, status
    ids, cursor = {account["id"] for account in answer["accounts"]}, ""
    while cursor is not None:
        _, page = ask(f"{url}/api/scheduled-posts?limit=500&cursor={cursor}", token)
        ids |= {post["id"] for post in page["posts"]}
        cursor = page["next_cursor"]
    return ids


def main():
    program, *arguments = sys.argv[1:]
    model = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
    threading.Thread(target=model.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(fuzz(pathlib.Path(folder), program, arguments, model.server_address[1]))


def fuzz(folder, program, arguments, model_port):
    port, clerk_port = free_port(), free_port()
    url, clerk = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{clerk_port}"
    log = folder / "server.log"
    variables = {
        "PORT": str(port),
        "DEV_CLERK_PORT": str(clerk_port),
        "DATABASE_URL": os.environ.get("FUZZ_DATABASE_URL", f"sqlite://{folder}/posts.db?mode=rwc"),
        # What schemathesis asks in a minute is more than one address may.
        "ADDRESS_RATE_LIMIT": "off",
        "RATE_LIMIT": "off",
        "OPENAI_BASE_URL": f"http://127.0.0.1:{model_port}/v1",
        "OPENAI_API_KEY": "none",
        "OPENAI_MODEL": "stand-in",
    }
    with log.open("w") as output:
        server = subprocess.Popen([program], cwd=folder, env=variables, stdout=output, stderr=output)
    try:
        wait_for("the server is ready", lambda: ask(f"{url}/readyz")[0] == 200 or None)
        records = next(folder.glob("*.dev-clerk.json"))
        records = json.loads(records.read_text())
        secret_key = records["secret_key"]
        names = ("ada", "ben")
        users = [set_up(url, clerk, secret_key, f"{name}@example.com") for name in names]
        environment = {
            **os.environ,
            "FUZZ_DEV_CLERK": clerk,
            "FUZZ_SECRET_KEY": secret_key,
            "FUZZ_SIGNING_SECRET": records["signing_secret"],
            "FUZZ_USERS": json.dumps(users),
            "SCHEMATHESIS_HOOKS": "hooks",
            "PYTHONPATH": str(HERE),
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }
        command = [
            pathlib.Path(sys.executable).parent / "schemathesis",
            "--config-file", HERE / "schemathesis.toml",
            "run", f"{url}/openapi.json", *arguments,
        ]
        # It keeps a cache where it stands.
        status = subprocess.run(command, cwd=folder, env=environment).returncode
        if server.poll() is not None:
            print(f"the server ended with {server.returncode}")
            status = status or 1
        else:
            lists = [listed(url, token_of(clerk, secret_key, user["id"])) for user in users]
            if lists[0] & lists[1]:
                print("both users are shown", *(lists[0] & lists[1]), sep="\n  ")
                status = status or 1
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(DEADLINE)
    told = log.read_text()
    faults = [line for line in told.splitlines() if "panicked" in line or " ERROR " in line]
    if faults:
        print("the server's log:", *faults[:20], sep="\n  ")
        status = status or 1
    return status


main()
