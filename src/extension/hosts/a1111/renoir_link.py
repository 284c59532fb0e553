"""The server as this host sees it: where it is, whether it runs, and starting it."""
from __future__ import annotations

import os
import subprocess
import tempfile

from renoir_client import Client, ServerAway, ServerSays
from renoir_manifest import load_install, load_manifest, version_problem

LOCAL = ("127.0.0.1", "localhost", "::1")


class CanNotStart(Exception):
    pass


class Link:
    """One for the host: what was found out about a server is known to both tabs and to the page's requests."""

    def __init__(self, manifest=None, install=None, environment=os.environ):
        self.manifest = manifest or load_manifest()
        self.install = dict(install or load_install(self.manifest))
        # For Docker and rented machines, where nobody edits a file of the plugin.
        self.install["address"] = environment.get("RENOIR_ADDRESS") or self.install["address"]
        self.install["token"] = environment.get("RENOIR_TOKEN") or self.install.get("token")
        self.address = self.install["address"]
        self.clients = {}
        self.process = None
        self.log = None

    def client(self, address=None):
        """For an address, by default the page's. The token goes to the server it is for and to no other."""
        address = (address or "").strip().rstrip("/") or self.address
        if address not in self.clients:
            own = address == self.install["address"].rstrip("/")
            self.clients[address] = Client(address, self.install["token"] if own else None)
        return self.clients[address]

    def at(self, address):
        """As a setting says it: empty means where it was installed from."""
        return self.client(address or self.install["address"])

    def use(self, address):
        """What the page shows and asks from now on."""
        self.address = self.at(address).address

    def state(self):
        """For the accordion: a word, a sentence, and what there is to press."""
        state = {"address": self.address, "version": self.manifest["version"], "log": self.log, "models": []}
        try:
            client = self.client()
            health = client.health()
        except (ServerAway, ServerSays) as error:
            return {**state, **self._while_away(error)}
        client.silent_until = None
        problem = version_problem(self.manifest["version"], health["version"])
        models = health["models"]
        loaded = f"{', '.join(models)} loaded" if models else "no model loaded yet"
        said = problem or f"Renoir {health['version']} runs at {self.address}: {loaded}."
        return {**state, "state": "old" if problem else "running", "message": said, "models": models, "canStart": False}

    def start(self):
        """Starts the server as a process of its own, which outlives this host."""
        client = self.client()
        if not self.install["command"]:
            raise CanNotStart("This copy of the plugin does not know where Renoir is. Run `renoir start` in a terminal.")
        if client.host not in LOCAL:
            raise CanNotStart(f"{self.address} is another machine: start Renoir there with `renoir start`.")
        if self.process is not None and self.process.poll() is None:
            return
        command = [*self.install["command"], "start", "--port", str(client.port)]
        handle, self.log = tempfile.mkstemp(prefix="renoir-server-", suffix=".log")
        try:
            self.process = _detached(command, handle, client.token)
        except OSError as error:
            raise CanNotStart(f"{command[0]} could not be started: {error}. Renoir needs Node.js 20.19 or later.") from error
        finally:
            os.close(handle)
        print(f"Renoir: the server is starting at {self.address}; its log is {self.log}")

    def _while_away(self, error):
        if self.process is None:
            can = bool(self.install["command"]) and self._is_local()
            return {"state": "away", "message": str(error), "canStart": can}
        code = self.process.poll()
        if code is None:
            return {"state": "starting", "message": f"The server is starting. {last_line(self.log)}", "canStart": False}
        said = f"The server ended with code {code}. {last_line(self.log)} Its log is {self.log}."
        return {"state": "away", "message": said, "canStart": True}

    def _is_local(self):
        try:
            return self.client().host in LOCAL
        except ServerAway:
            return False


def last_line(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = [line.strip() for line in file.read()[-4000:].replace("\r", "\n").split("\n") if line.strip()]
    except OSError:
        return ""
    return lines[-1][:300] if lines else ""


def _detached(command, log, token):
    environment = {key: value for key, value in os.environ.items() if key not in ("LD_PRELOAD", "PYTHONPATH")}
    if token:
        environment["RENOIR_TOKEN"] = token  # a command line can be read by every user of the machine
    own = {"creationflags": 0x00000008 | 0x00000200} if os.name == "nt" else {"start_new_session": True}
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, close_fds=True, **own)
