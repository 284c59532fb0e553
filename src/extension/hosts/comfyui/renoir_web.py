"""/renoir/* of ComfyUI: what its page may ask of Renoir. A page can not ask another server itself (CORS, https, remote hosts)."""
from __future__ import annotations

import asyncio
import os

from renoir_client import ServerAway, ServerSays
from renoir_link import LOCAL, CanNotStart
from renoir_routes import LONG_POLL_SECONDS, PASSED_ON, error_body, is_allowed

from . import renoir_nodes

try:
    from aiohttp import ClientError, ClientSession, ClientTimeout, web
    from server import PromptServer
    from yarl import URL
except ImportError:
    PromptServer = None  # no ComfyUI is around


def link():
    return renoir_nodes.server.link


def said(message, status, code="host"):
    return web.json_response(error_body(message, code), status=status)


# ---- who may ask


def refusal(request):
    """Another site's page can send a request, but not with a header of its own."""
    if request.method == "GET" or "X-Renoir" in request.headers:
        return None
    return said("The header X-Renoir is missing: only this UI's own page may ask.", 403)


def closed(request):
    """A ComfyUI that others can reach does not let them start programs."""
    if request.transport.get_extra_info("peername")[0] in LOCAL and request.url.host in LOCAL:
        return None
    return said("This ComfyUI is open to others, who may not start programs. Run `renoir start` in a terminal.", 403)


# ---- the server


async def rewards(_request):
    try:
        found = await asyncio.to_thread(renoir_nodes.server.rewards)
    except (ServerAway, ServerSays):
        found = None
    return web.json_response(found or renoir_nodes.BUILT_IN)


async def state(_request):
    return web.json_response(await asyncio.to_thread(link().state))


async def start(request):
    refused = refusal(request) or closed(request)
    if refused:
        return refused
    try:
        await asyncio.to_thread(link().start)
    except (CanNotStart, ServerAway) as error:
        return said(str(error), 409)
    return await state(request)


async def unload(request):
    refused = refusal(request)
    if refused:
        return refused
    try:
        return web.json_response({"unloaded": await asyncio.to_thread(link().client().unload)})
    except (ServerAway, ServerSays) as error:
        return said(str(error), 502, "away")


# ---- what is passed on


async def forward(request):
    path = "/" + request.match_info["path"]
    if not is_allowed(request.method, path):
        return said(f"{request.method} {path} is nothing that this plugin passes on.", 404)
    refused = refusal(request)
    if refused:
        return refused
    try:
        return await passed_on(request, path)
    except (ClientError, asyncio.TimeoutError, OSError):
        return said(f"No Renoir server answers at {link().client().address}.", 502, "away")


async def passed_on(request, path):
    """As it came, without holding up the host: long polls wait here for most of a minute."""
    client = link().client()
    headers = {name: request.headers[name] for name in ("Content-Type", "Accept") if name in request.headers}
    if client.token:
        headers["Authorization"] = f"Bearer {client.token}"
    query = f"?{request.query_string}" if request.query_string else ""
    asked = {
        "url": URL(f"{client.address}{path}{query}", encoded=True),
        "data": await request.read() if request.can_read_body else None,
        "headers": headers,
        "allow_redirects": False,
    }
    timeout = ClientTimeout(total=None, sock_connect=2, sock_read=LONG_POLL_SECONDS)
    async with ClientSession(timeout=timeout) as session, session.request(request.method, **asked) as answer:
        kept = {name: answer.headers[name] for name in PASSED_ON if name in answer.headers}
        return web.Response(status=answer.status, body=await answer.read(), headers=kept)


# ---- all of it


def register(shared):
    """Adds the routes to ComfyUI's own; nothing where there is no ComfyUI around."""
    if PromptServer is None:
        return
    files = {"panel.js": os.path.join(shared, "javascript", "renoir_panel.js"), "style.css": os.path.join(shared, "style.css")}

    async def file(request):
        return web.FileResponse(files[request.match_info["file"]], headers={"Cache-Control": "no-cache"})

    routes = PromptServer.instance.routes
    routes.get("/renoir/{file:panel\\.js|style\\.css}")(file)
    routes.get("/renoir/rewards")(rewards)
    routes.get("/renoir/state")(state)
    routes.post("/renoir/start")(start)
    routes.post("/renoir/unload")(unload)
    for method in (routes.get, routes.post, routes.delete):
        method("/renoir/{path:(?:api|socket\\.io)/.*}")(forward)
