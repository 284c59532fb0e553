"""Renoir's REST API, with the standard library alone: no host and no package is needed to use or test it."""
from __future__ import annotations

import base64
import http.client
import json
import socket
import threading
import time
from decimal import ROUND_HALF_UP, Decimal
from urllib.parse import urlsplit

CONNECT_SECONDS = 0.5  # on one machine a server that is there answers at once
READ_SECONDS = 60  # the first picture waits while the model is read from the disk
SILENCE_SECONDS = 30  # after a failure nothing is asked for so long


class ServerAway(Exception):
    """Nobody answers there, or not in time. `told` is False where it was said a moment ago."""

    def __init__(self, message, told=True):
        super().__init__(message)
        self.told = told


class ServerSays(Exception):
    """The server answered that it can not: its own words."""

    def __init__(self, status, code, message, hint=None):
        super().__init__(f"{message} {hint}" if hint else message)
        self.status = status
        self.code = code


def score_key(reward):
    """As Renoir writes it into files: a pair of the settings line, never a line of its own."""
    return f"{reward} Score"


def score_text(score):
    """Four decimals, halves away from zero as JavaScript's toFixed: both write the same text for a score."""
    text = str(Decimal(score).quantize(Decimal("0.0001"), ROUND_HALF_UP))
    return "0.0000" if text == "-0.0000" else text


def split_rewards(text):
    """`imagereward, shapes=0.5` to a list; nothing: the server's own choice."""
    return [name for name in (part.strip() for part in text.replace("\n", ",").split(",")) if name]


class Client:
    def __init__(self, address, token=None, clock=time.monotonic):
        self.address = address.rstrip("/")
        self.scheme, self.host, self.port, self.prefix = _parts(self.address)
        self.token = token
        self.clock = clock
        self.lock = threading.Lock()
        self.silent_until = None
        self.problem = ""
        self.version = None  # the server's, once it has said it

    def score(self, png, prompt, rewards=()):
        """(scores by reward, total) of one picture; None where its words leave nothing to score."""
        body = {"images": [base64.b64encode(png).decode("ascii")], "prompts": [prompt]}
        if rewards:
            body["rewards"] = list(rewards)
        result = self.ask("POST", "/api/v1/score", body)["results"][0]
        error = result.get("error")
        if error:
            raise ServerSays(200, error["code"], error["message"], error.get("hint"))
        return result["scores"], result["total"]

    def health(self, seconds=2):
        """Without the silence: whoever looks wants to know how it is now."""
        health = self.answer(*self.send("GET", "/api/v1/health", seconds=seconds))
        self.version = health["version"]
        return health

    def unload(self):
        """Lets every loaded model go; their names."""
        names = self.health()["models"]
        for name in names:
            self.answer(*self.send("POST", f"/api/v1/models/{name}/unload", b""))
        return names

    def ask(self, method, path, body=None):
        """A request that is kept quiet for a while after one to which nobody answered."""
        with self.lock:
            if self.silent_until is not None and self.clock() < self.silent_until:
                raise ServerAway(self.problem, told=False)
        try:
            data = None if body is None else json.dumps(body).encode("utf-8")
            answer = self.answer(*self.send(method, path, data, {"Content-Type": "application/json"}))
        except ServerAway as error:
            with self.lock:
                self.silent_until, self.problem = self.clock() + SILENCE_SECONDS, str(error)
                self.version = None  # who answers next may be another
            raise
        with self.lock:
            self.silent_until = None
        return answer

    def send(self, method, path, body=None, headers=None, seconds=READ_SECONDS):
        """(status, headers, bytes), whatever the status."""
        headers = {**(headers or {}), "Connection": "close", "X-Renoir-Client": "a1111"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        connection = self.connect()
        try:
            connection.sock.settimeout(seconds)
            connection.request(method, self.prefix + path, body=body, headers=headers)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        except socket.timeout as error:
            raise ServerAway(f"Renoir at {self.address} did not answer within {seconds} s.") from error
        except (OSError, http.client.HTTPException) as error:
            raise ServerAway(f"Renoir at {self.address} broke off: {error or type(error).__name__}.") from error
        finally:
            connection.close()

    def connect(self):
        if not self.host:
            raise ServerAway(f"\"{self.address}\" is no address; wanted is one such as http://127.0.0.1:7861.")
        kind = http.client.HTTPSConnection if self.scheme == "https" else http.client.HTTPConnection
        connection = kind(self.host, self.port, timeout=CONNECT_SECONDS)
        try:
            connection.connect()
        except OSError as error:
            reason = "nothing listens there" if isinstance(error, ConnectionRefusedError) else error
            raise ServerAway(f"No Renoir server answers at {self.address} ({reason}).") from error
        return connection

    def answer(self, status, headers, data):
        try:
            found = json.loads(data)
        except ValueError as error:
            raise ServerAway(f"What answers at {self.address} is not Renoir: status {status}, {data[:60]!r}.") from error
        if status < 400:
            return found
        error = found.get("error", {}) if isinstance(found, dict) else {}
        if not isinstance(error, dict):
            error = {}
        raise ServerSays(status, error.get("code", "unknown"), error.get("message", f"Status {status}."), error.get("hint"))


def _parts(address):
    """Scheme, host, port and path; no host where it is no address: that is said when it is used, not while a person types."""
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return "http", None, None, ""
    return parts.scheme, parts.hostname if parts.scheme in ("http", "https") else None, port, parts.path.rstrip("/")
