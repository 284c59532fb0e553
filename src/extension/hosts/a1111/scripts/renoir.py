"""Renoir in WebUIs of the A1111 family: scores every picture, sorts and filters the gallery, offers to refine a picture."""
from __future__ import annotations

import json
import os
import sys

import gradio as gr
from modules import script_callbacks, scripts, shared

FOLDER = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
if FOLDER not in sys.path:
    sys.path.append(FOLDER)

import renoir_gallery  # noqa: E402
import renoir_ui  # noqa: E402
from renoir_job import Job, prompt_of  # noqa: E402
from renoir_link import Link  # noqa: E402
from renoir_manifest import settings_of  # noqa: E402
from renoir_routes import Routes, register  # noqa: E402

try:  # SD.Next's Control tab skips scripts that it does not know by name
    from installer import control_extensions

    control_extensions.append("Renoir")
except Exception:
    pass

LINK = Link()
# The hook after inpainting's composite has the picture as it is saved; hosts without it have only the one before.
HAS_COMPOSITE_HOOK = hasattr(scripts.Script, "postprocess_image_after_composite")
# The grid's callback is not told whose grid it is.
CURRENT = {"job": None}


def may_choose_server():
    """As with installing extensions: not for everyone in the network or the world."""
    return not getattr(shared.cmd_opts, "disable_extension_access", False)


def output_folders():
    names = ("outdir_samples", "outdir_txt2img_samples", "outdir_img2img_samples", "outdir_extras_samples", "outdir_save")
    folders = [getattr(shared.opts, name, "") for name in names]
    return [os.path.abspath(folder) for folder in folders if folder] or [os.path.abspath("outputs")]


ROUTES = Routes(LINK, output_folders, may_choose_server)


class RenoirScript(scripts.Script):
    def title(self):
        return "Renoir"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

    def ui(self, is_img2img):
        self.tab = "img2img" if is_img2img else "txt2img"
        self.found = {}
        self.panel = renoir_ui.Accordion(LINK.manifest, self.elem_id)
        # Renoir's settings are no part of how a picture is made: pasting a picture's text leaves them as they are.
        self.infotext_fields = [
            (component, f"Renoir {setting['key']}")
            for setting, component in zip(LINK.manifest["settings"], self.panel.components)
        ]
        self.paste_field_names = []
        return self.panel.components

    def after_component(self, component, **kwargs):
        """The host's gallery comes after this script's own part: what belongs together is joined when all of it is there."""
        found = getattr(self, "found", None)
        wanted = {f"{self.tab}_gallery", f"html_info_{self.tab}", f"generation_info_{self.tab}"} if found is not None else ()
        name = kwargs.get("elem_id")
        if name not in wanted or name in found:
            return
        found[name] = component
        if len(found) == len(wanted):
            outputs = [found[f"{self.tab}_gallery"], found[f"generation_info_{self.tab}"], found[f"html_info_{self.tab}"]]
            self.panel.insert_button.click(
                fn=insert_kept, inputs=[self.panel.insert_text, *outputs], outputs=outputs, show_progress=False
            )

    def process(self, p, *args):
        p.renoir_job = None
        settings = settings_of(LINK.manifest, args)
        timestamp = getattr(shared.state, "job_timestamp", None)
        outer = CURRENT["job"]
        # Some extensions run a generation within another, for a face: what it makes becomes part of the outer picture.
        inner = outer is not None and not outer.ended and outer.p is not p and outer.timestamp == timestamp
        if not settings["enabled"] or inner:
            return
        client = LINK.at(settings["address"] if may_choose_server() else None)
        p.renoir_job = CURRENT["job"] = Job(p, settings, client, timestamp, LINK.manifest["version"])

    def before_process_batch(self, p, *args, **kwargs):
        job = job_of(p)
        if job:
            job.clear()

    def postprocess_image(self, p, pp, *args):
        if not HAS_COMPOSITE_HOOK:
            score(p, pp)

    def postprocess_image_after_composite(self, p, pp, *args):
        score(p, pp)

    def postprocess(self, p, processed, *args):
        job = job_of(p)
        if not job:
            return
        in_ui = not getattr(p, "is_api", False)
        try:
            job.finish(processed, may_rearrange(p), renoir_ui.notice if in_ui else lambda text: None)
        finally:
            CURRENT["job"] = None


def job_of(p):
    job = getattr(p, "renoir_job", None)
    return job if job is not None and job.p is p else None  # scripts copy `p` with all that hangs on it


def score(p, pp):
    job = job_of(p)
    if not job:
        return
    in_batch = getattr(p, "batch_index", 0)
    index = getattr(pp, "index", None)
    if index is None:
        index = in_batch + getattr(p, "iteration", 0) * p.batch_size
    job.score(pp.image, prompt_of(p, index, in_batch))


def may_rearrange(p):
    """Not where others count on the pictures as they come: scripts such as X/Y/Z plot, the upscale button, an interrupt."""
    args = getattr(p, "script_args", None) or [0]
    interrupted = getattr(shared.state, "interrupted", False) or getattr(shared.state, "stopping_generation", False)
    return not args[0] and not getattr(p, "txt2img_upscale", False) and not interrupted


def insert_kept(text, gallery, info, html):
    """Puts a refined picture that was kept into the gallery, behind the one that it was made from."""
    asked = json.loads(text)
    kept = ROUTES.kept.get(asked.get("job"))
    images = [renoir_ui.as_saved(image) for image in gallery or []]
    if kept is None:
        return images, info, html
    index = min(max(int(asked.get("index", 0)) + 1, 0), len(images))
    images.insert(index, renoir_ui.open_saved(kept["path"]))
    info = json.dumps(renoir_gallery.insert_picture(json.loads(info), index, kept["infotext"])) if info else info
    return images, info, renoir_ui.as_html(kept["infotext"])


def clear_before_grid(params):
    if CURRENT["job"]:
        CURRENT["job"].clear()


script_callbacks.on_image_grid(clear_before_grid)
script_callbacks.on_app_started(lambda demo, app: register(app, ROUTES))
