"""What the nodes ask of Renoir's server: pictures go as PNG bytes, in forms as a browser sends them."""
from __future__ import annotations

import json
import logging
import os
import secrets
import time
from urllib.parse import quote

from renoir_client import ServerAway, ServerSays
from renoir_link import Link
from renoir_manifest import load_install, load_manifest, version_problem

HERE = os.path.dirname(os.path.realpath(__file__))
CLIENT = {"X-Renoir-Client": "comfyui"}
AT_ONCE = 4  # pictures in a request: between two the node can be interrupted and shows how far it is
POLL_SECONDS = 0.4


def make_link():
    manifest = load_manifest(HERE)
    return Link(manifest, load_install(manifest, HERE))


def form(fields, files=()):
    """(body, content type) of multipart/form-data; `files` are PNG bytes, each (field, bytes)."""
    boundary = f"renoir-{secrets.token_hex(16)}"
    parts = [(f'name="{name}"', b"", _bytes(value)) for name, value in fields.items() if value is not None]
    parts += [(f'name="{name}"; filename="{i}.png"', b"Content-Type: image/png\r\n", data) for i, (name, data) in enumerate(files)]
    body = b"".join(
        b"--%b\r\nContent-Disposition: form-data; %b\r\n%b\r\n%b\r\n" % (boundary.encode(), about.encode(), kind, data)
        for about, kind, data in parts
    )
    return body + b"--%b--\r\n" % boundary.encode(), f"multipart/form-data; boundary={boundary}"


def _bytes(value):
    return (value if isinstance(value, str) else json.dumps(value)).encode("utf-8")


class Server:
    def __init__(self, link):
        self.link = link
        self.told = None

    def look(self):
        """Raises where nobody is there, before anything large is sent; says once where the versions do not fit."""
        theirs = self.link.client().health()["version"]
        problem = version_problem(self.link.manifest["version"], theirs)
        if problem and problem != self.told:
            logging.warning("Renoir: %s", problem)
        self.told = problem

    def ask(self, method, path, body=None, kind="application/json"):
        client = self.link.client()
        data = json.dumps(body).encode("utf-8") if isinstance(body, (dict, list)) else body
        return client.answer(*client.send(method, f"/api/v1{path}", data, {"Content-Type": kind, **CLIENT}))

    def score(self, pngs, prompt, rewards=(), pace=lambda done: None):
        """A result for each picture, in order: { scores, total, error? }."""
        results = []
        for at in range(0, len(pngs), AT_ONCE):
            some = pngs[at:at + AT_ONCE]
            fields = {"prompts": [prompt] * len(some), "rewards": list(rewards) or None}
            results += self.ask("POST", "/score", *form(fields, [("images", png) for png in some]))["results"]
            pace(len(results))
        return results

    def info(self, png):
        """What a picture's file says of its making."""
        return self.ask("POST", "/info", png, "image/png")

    def load(self, reward):
        return self.ask("POST", f"/models/{quote(reward, safe='')}/load?kind=reward", b"")

    def rewards(self):
        """The names of those that can be used now."""
        models = self.ask("GET", "/models")["items"]
        return [model["name"] for model in models if model["kind"] == "reward" and model["state"] == "ready"]

    def refine(self, png, settings, step=lambda job, new: None):
        """(job, the refined picture's file). `step` is called for each new look; what it raises cancels the job."""
        files = [] if png is None else [("image", png)]
        id = self.ask("POST", "/refine", *form(settings, files))["id"]
        try:
            job = self._follow(id, step)
        except BaseException:
            self._cancel(id)
            raise
        if job["state"] != "done":
            error = job.get("error") or {"code": "cancelled", "message": "The job was cancelled on the server."}
            raise ServerSays(200, error["code"], error["message"], error.get("hint"))
        return job, self.file(job["result"]["picture"])

    def file(self, path):
        """A picture of a job, by the path that the server gave."""
        client = self.link.client()
        status, headers, data = client.send("GET", path)
        return data if status == 200 else client.answer(status, headers, data)

    def _follow(self, id, step):
        seen = 0
        while True:
            job = self.ask("GET", f"/jobs/{id}")
            step(job, job["steps"][seen:])
            seen = len(job["steps"])
            if job["state"] in ("done", "failed", "cancelled"):
                return job
            time.sleep(POLL_SECONDS)

    def _cancel(self, id):
        try:
            self.ask("DELETE", f"/jobs/{id}")
        except (ServerAway, ServerSays):
            pass  # it has ended, or nobody is there to end it
