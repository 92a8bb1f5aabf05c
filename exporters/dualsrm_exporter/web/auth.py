"""Who may read: basic auth against bcrypt hashes, and the names in a client's certificate."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import bcrypt

_KNOWN_LIMIT: Final = 64


class Users:
    """The users of one configuration. What was right once is not computed again: bcrypt is slow by design."""

    def __init__(self, users: Mapping[str, bytes]) -> None:
        self._users = dict(users)
        self._key = secrets.token_bytes(32)
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def needed(self) -> bool:
        """Whether anybody is asked."""
        return bool(self._users)

    def known(self, authorization: str) -> bool:
        """Whether these credentials were right before. Fast."""
        with self._lock:
            return self._digest(authorization) in self._known

    def check(self, authorization: str) -> bool:
        """Whether the header's credentials are right. A wrong user takes as long as a wrong password."""
        user, password = _credentials(authorization)
        if not user or not self._users:
            return False
        hashed = self._users.get(user)
        try:
            # For a user there is not another's: how long the answer takes must not say who exists.
            right = bcrypt.checkpw(password.encode(), hashed or next(iter(self._users.values())))
        except ValueError:  # longer than bcrypt takes, or with a NUL in it
            return False
        if not right or hashed is None:
            return False
        with self._lock:
            self._known[self._digest(authorization)] = None
            if len(self._known) > _KNOWN_LIMIT:
                self._known.popitem(last=False)
        return True

    def _digest(self, authorization: str) -> bytes:
        """What is kept instead of a password."""
        return hmac.digest(self._key, authorization.encode("utf-8", "replace"), hashlib.sha256)


def _credentials(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.strip().partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return "", ""
    user, colon, password = text.partition(":")
    return (user, password) if colon else ("", "")


def names_in(certificate: Mapping[str, Any] | None) -> Sequence[str]:
    """The subject alternative names of a certificate `ssl` has verified."""
    found = (certificate or {}).get("subjectAltName", ())
    return [str(name) for kind, name in found if kind in ("DNS", "IP Address", "URI", "email")]
