"""/renoir/* of the host: what its page may ask of Renoir. A page can not ask another server itself (CORS, https, remote hosts)."""
import json
import os
import re

from renoir_client import ServerAway, ServerSays
from renoir_files import save_beside, within
from renoir_link import CanNotStart

ID = r"[\w-]{1,64}"
ALLOWED = [
    ("GET", r"/api/v1/health"),
    ("POST", r"/api/v1/(score|info|refine)"),
    ("GET", rf"/api/v1/jobs/{ID}"),
    ("DELETE", rf"/api/v1/jobs/{ID}"),
    ("GET", rf"/api/v1/jobs/{ID}/steps/\d+/preview"),
    ("GET", rf"/api/v1/jobs/{ID}/pictures/[\w-]+\.png"),
    ("POST", rf"/api/v1/jobs/{ID}/discard"),
    ("POST", r"/api/v1/models/[\w.-]+/unload"),
    ("GET", r"/socket\.io/(socket\.io\.min\.js)?"),
    ("POST", r"/socket\.io/"),
]
PASSED_ON = ("content-type", "cache-control", "etag", "retry-after")
LONG_POLL_SECONDS = 60  # the server itself answers a poll after 25 s
BODY_LIMIT = 128 * 2**20


def is_allowed(method, path):
    return any(method == wanted and re.fullmatch(pattern, path) for wanted, pattern in ALLOWED)


def refusal(request, app):
    """Who may not: a stranger where the host asks for a password, and another site's page (it can not send our header)."""
    if getattr(app, "auth", None) is not None or getattr(app, "auth_dependency", None) is not None:
        tokens = getattr(app, "tokens", {})
        if not any(name.startswith("access-token") and value in tokens for name, value in request.cookies.items()):
            return 401, "Log in to this UI first."
    if request.method not in ("GET", "HEAD") and request.headers.get("x-renoir") is None:
        return 403, "The header X-Renoir is missing: only this UI's own page may ask."
    if int(request.headers.get("content-length") or 0) > BODY_LIMIT:
        return 413, f"The request has more than {BODY_LIMIT >> 20} MB."
    return None


def error_body(message, code="host"):
    return {"error": {"code": code, "message": message}}


class Routes:
    """`folders()`: the host's output folders, the first one for pictures that have none of their own."""

    def __init__(self, link, folders, may_start):
        self.link, self.folders, self.may_start = link, folders, may_start
        self.kept = {}  # by job: where its picture was saved and what it says

    def forward(self, method, path, query, body, headers):
        if not is_allowed(method, path):
            return 404, error_body(f"{method} {path} is nothing that this plugin passes on.")
        wanted = {name: headers[name] for name in ("content-type", "accept") if name in headers}
        target = f"{path}?{query}" if query else path
        try:
            status, found, data = self.link.client().send(method, target, body or None, wanted, seconds=LONG_POLL_SECONDS)
        except ServerAway as error:
            return 502, error_body(str(error), "away")
        return status, data, {name: found[name] for name in PASSED_ON if found[name]}

    def state(self, body=b""):
        """The page says what its field for the address holds."""
        if body and self.may_start():
            self.link.use(str(json.loads(body).get("address", "")).strip())
        state = self.link.state()
        return 200, {**state, "canStart": state["canStart"] and self.may_start()}

    def start(self):
        if not self.may_start():
            return 403, error_body("This UI is open to others, who may not start programs. Run `renoir start` in a terminal.")
        try:
            self.link.start()
        except (CanNotStart, ServerAway) as error:
            return 409, error_body(str(error))
        return self.state()

    def unload(self):
        try:
            return 200, {"unloaded": self.link.client().unload()}
        except (ServerAway, ServerSays) as error:
            return 502, error_body(str(error))

    def keep(self, body):
        """Saves a job's picture as Renoir wrote it, beside its original where that is an output of this host."""
        asked = json.loads(body)
        job, original = str(asked["job"]), asked.get("file") or ""
        if not re.fullmatch(ID, job):
            return 400, error_body(f"{job!r} is no job.")
        client = self.link.client()
        try:
            status, headers, data = client.send("GET", f"/api/v1/jobs/{job}/pictures/result.png")
            if status != 200:
                client.answer(status, headers, data)
            said = client.answer(*client.send("POST", "/api/v1/info", data, {"Content-Type": "image/png"}))
        except (ServerAway, ServerSays) as error:
            return 502, error_body(str(error))
        folder, stem = self._place(original, job)
        path = save_beside(folder, stem, data)
        self.kept[job] = {"path": path, "infotext": said.get("infotext") or ""}
        return 200, {"job": job, "path": path, "infotext": self.kept[job]["infotext"], "scores": said.get("scores", {})}

    def _place(self, original, job):
        folders = self.folders()
        if original and os.path.isfile(original) and within(original, folders):
            return os.path.dirname(original), f"{os.path.splitext(os.path.basename(original))[0]}-refined"
        return folders[0], f"renoir-{job}-refined"


def register(app, routes):
    """Starlette's own way to add routes: the same in the FastAPI of every gradio."""
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import JSONResponse, Response

    def answered(reply):
        status, body, *headers = reply
        if isinstance(body, bytes):
            return Response(body, status, headers[0])
        return JSONResponse(body, status)

    def endpoint(work):
        async def handle(request):
            refused = refusal(request, app)
            if refused:
                return answered((refused[0], error_body(refused[1])))
            body = await request.body()
            try:
                # Waiting for Renoir must not hold up the host's own page.
                return answered(await run_in_threadpool(work, request, body))
            except Exception as error:  # a host's page shows nothing of a 500
                return answered((500, error_body(f"{type(error).__name__}: {error}")))

        return handle

    def forward(request, body):
        path = "/" + request.path_params["path"]
        return routes.forward(request.method, path, request.url.query, body, request.headers)

    app.add_route("/renoir/state", endpoint(lambda _, body: routes.state(body)), methods=["GET", "POST"])
    app.add_route("/renoir/start", endpoint(lambda *_: routes.start()), methods=["POST"])
    app.add_route("/renoir/unload", endpoint(lambda *_: routes.unload()), methods=["POST"])
    app.add_route("/renoir/keep", endpoint(lambda _, body: routes.keep(body)), methods=["POST"])
    app.add_route("/renoir/{path:path}", endpoint(forward), methods=["GET", "POST", "DELETE"])
