"""A server whose users sign in with Clerk, and its tests against the dev Clerk:
python -m unittest test_clerk     with dev-clerk in the PATH, or where DEV_CLERK says
"""

import os
import subprocess
import tempfile
import unittest

import httpx
from clerk_backend_api import AuthenticateRequestOptions, Clerk
from clerk_backend_api.security.types import TokenVerificationErrorReason


class TestClerk(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        program = os.environ.get("DEV_CLERK", "dev-clerk")
        options = ["--port", "0", "--file", f"{folder.name}/users.json"]
        dev_clerk = subprocess.Popen([program, *options], stdout=subprocess.PIPE, text=True)
        cls.addClassCleanup(dev_clerk.wait)
        cls.addClassCleanup(dev_clerk.terminate)
        # Its standard output ends when it is ready.
        with dev_clerk.stdout as lines:
            clerk = dict(line.removeprefix("export ").rstrip().split("=", 1) for line in lines)
        url = clerk["CLERK_API_URL"]
        cls.clerk = Clerk(bearer_auth=clerk["CLERK_SECRET_KEY"], server_url=f"{url}/v1")
        # Without this key, authenticate_request would fetch it from api.clerk.com.
        cls.jwt_key = httpx.get(f"{url}/dev/jwt-key.pem").text

    def who_asks(self, token):
        """Authenticates a request as the server under test does."""
        request = httpx.Request("GET", "/", headers={"Authorization": f"Bearer {token}"})
        options = AuthenticateRequestOptions(jwt_key=self.jwt_key)
        return self.clerk.authenticate_request(request, options)

    def sign_in(self, user):
        session = self.clerk.sessions.create(request={"user_id": user.id})
        return self.clerk.sessions.create_token(session_id=session.id).jwt

    def test_a_user_who_is_signed_in_is_known_and_nobody_else(self):
        user = self.clerk.users.create(email_address=["ada@example.com"], first_name="Ada")
        token, other = (self.sign_in(user) for _ in range(2))
        state = self.who_asks(token)
        self.assertTrue(state.is_signed_in)
        self.assertEqual(state.payload["sub"], user.id)

        # The claims of one token with the signature of another.
        refused = self.who_asks(token.rpartition(".")[0] + "." + other.rpartition(".")[2])
        self.assertFalse(refused.is_signed_in)
        self.assertIs(refused.reason, TokenVerificationErrorReason.TOKEN_INVALID_SIGNATURE)

    def test_users_are_created_listed_changed_and_deleted(self):
        users = self.clerk.users
        for name in ["bob", "eve"]:
            users.create(email_address=[f"{name}@example.com"], public_metadata={"plan": "pro"})
        (bob,) = users.list(request={"email_address": ["bob@example.com"]})
        self.assertEqual(bob.email_addresses[0].email_address, "bob@example.com")
        self.assertEqual(users.update(user_id=bob.id, last_name="Builder").last_name, "Builder")
        self.assertTrue(users.delete(user_id=bob.id).deleted)
        self.assertEqual(users.list(request={"email_address": ["bob@example.com"]}), [])


if __name__ == "__main__":
    unittest.main()
