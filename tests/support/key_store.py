"""What tests of keys share: a pepper, scopes, and a secret that has the right form and fits no key."""

from __future__ import annotations

from mxgateway_server.access.peppers import Pepper

PEPPER = Pepper(b"p" * 32)
READ = ["invoke:read"]
SECRET = "s" * 43
