"""/renoir/* of ComfyUI: what its page may ask of Renoir. A page can not ask another server itself (CORS, https, remote hosts)."""
from __future__ import annotations

import asyncio
import os

from renoir_client import ServerAway, ServerSays
from renoir_link import LOCAL, CanNotStart
from renoir_routes import LONG_POLL_SECONDS, PASSED_ON, error_body, is_allowed

from .renoir_nodes import BUILT_IN, server


def register(shared):
    """Adds the routes to ComfyUI's own; nothing where there is no ComfyUI around."""
    try:
        from server import PromptServer
    except ImportError:
        return
    from aiohttp import ClientError, ClientSession, ClientTimeout, web
    from yarl import URL

    routes = PromptServer.instance.routes
    files = {"panel.js": os.path.join(shared, "javascript", "renoir_panel.js"), "style.css": os.path.join(shared, "style.css")}

    @routes.get("/renoir/{file:panel\\.js|style\\.css}")
    async def file(request):
        return web.FileResponse(files[request.match_info["file"]], headers={"Cache-Control": "no-cache"})

    @routes.get("/renoir/rewards")
    async def rewards(_request):
        try:
            return web.json_response(await asyncio.to_thread(server.rewards) or BUILT_IN)
        except (ServerAway, ServerSays):
            return web.json_response(BUILT_IN)

    @routes.get("/renoir/state")
    async def state(_request):
        return web.json_response(await asyncio.to_thread(server.link.state))

    @routes.post("/renoir/start")
    async def start(request):
        refused = refusal(request) or closed(request)
        if refused:
            return refused
        try:
            await asyncio.to_thread(server.link.start)
        except (CanNotStart, ServerAway) as error:
            return web.json_response(error_body(str(error)), status=409)
        return web.json_response(await asyncio.to_thread(server.link.state))

    @routes.post("/renoir/unload")
    async def unload(request):
        try:
            return refusal(request) or web.json_response({"unloaded": await asyncio.to_thread(server.link.client().unload)})
        except (ServerAway, ServerSays) as error:
            return web.json_response(error_body(str(error), "away"), status=502)

    def refusal(request):
        """Another site's page can send a request, but not with a header of its own."""
        if request.method == "GET" or "X-Renoir" in request.headers:
            return None
        return web.json_response(error_body("The header X-Renoir is missing: only this UI's own page may ask."), status=403)

    def closed(request):
        """A ComfyUI that others can reach does not let them start programs."""
        if request.transport.get_extra_info("peername")[0] in LOCAL and request.url.host in LOCAL:
            return None
        said = "This ComfyUI is open to others, who may not start programs. Run `renoir start` in a terminal."
        return web.json_response(error_body(said), status=403)

    async def forward(request):
        """As it came, without holding up the host: long polls wait here for most of a minute."""
        path = "/" + request.match_info["path"]
        if not is_allowed(request.method, path):
            return web.json_response(error_body(f"{request.method} {path} is nothing that this plugin passes on."), status=404)
        refused = refusal(request)
        if refused:
            return refused
        client = server.link.client()
        kept = {name: request.headers[name] for name in ("Content-Type", "Accept") if name in request.headers}
        if client.token:
            kept["Authorization"] = f"Bearer {client.token}"
        target = f"{client.address}{path}" + (f"?{request.query_string}" if request.query_string else "")
        timeout = ClientTimeout(total=None, sock_connect=2, sock_read=LONG_POLL_SECONDS)
        try:
            async with ClientSession(timeout=timeout) as session:
                body = await request.read() if request.can_read_body else None
                async with session.request(request.method, URL(target, encoded=True), data=body, headers=kept, allow_redirects=False) as answer:
                    headers = {name: answer.headers[name] for name in PASSED_ON if name in answer.headers}
                    return web.Response(status=answer.status, body=await answer.read(), headers=headers)
        except (ClientError, asyncio.TimeoutError, OSError):
            return web.json_response(error_body(f"No Renoir server answers at {client.address}.", "away"), status=502)

    for method in (routes.get, routes.post, routes.delete):
        method("/renoir/{path:(?:api|socket\\.io)/.*}")(forward)
