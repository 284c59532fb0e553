"""What is seen in the host: the accordion made from the manifest's settings, and pictures for its gallery."""
from __future__ import annotations

import html
import os

import gradio as gr
from PIL import Image, ImageDraw
from renoir_manifest import choices_of


class Accordion:
    """`components`: one for each setting, in the manifest's order, which is the order of the API's arguments."""

    def __init__(self, manifest, elem_id):
        first, *rest = manifest["settings"]
        with _accordion(first, elem_id) as switch:
            if switch is None:
                switch = _component(first, elem_id)
            with gr.Row():
                self.state = gr.HTML("", elem_id=elem_id("state"), elem_classes=["renoir-state"])
                gr.Button("Start the server", elem_id=elem_id("start"), elem_classes=["renoir-start"], size="sm", visible=True)
                gr.Button("Unload model", elem_id=elem_id("unload"), elem_classes=["renoir-unload"], size="sm")
            made = [_component(setting, elem_id) for setting in rest]
            self.insert_text = gr.Textbox(visible=False, elem_id=elem_id("insert_text"))
            self.insert_button = gr.Button(visible=False, elem_id=elem_id("insert_button"))
        self.components = [switch, *made]
        self.insert_text.do_not_save_to_config = True


class _accordion:
    """With the switch in its heading where the host has such a one; else a plain one, and the switch stands in it."""

    def __init__(self, setting, elem_id):
        try:
            from modules.ui_components import InputAccordion

            self.inner = InputAccordion(setting["default"], label="Renoir", elem_id=elem_id(setting["key"]))
            self.switch = self.inner
        except ImportError:
            self.inner = gr.Accordion("Renoir", open=False, elem_id=elem_id("accordion"))
            self.switch = None

    def __enter__(self):
        self.inner.__enter__()
        return self.switch

    def __exit__(self, *given):
        return self.inner.__exit__(*given)


def _component(setting, elem_id):
    value = setting["default"]
    common = {"label": setting["label"], "value": value, "elem_id": elem_id(setting["key"])}
    info = {"info": setting["help"]} if setting.get("help") else {}
    kind = setting["type"]
    if kind == "boolean":
        return gr.Checkbox(**common, **info)
    if kind == "number":
        limits = {key: setting[key] for key in ("minimum", "maximum", "step") if setting.get(key) is not None}
        return gr.Number(**common, **info, **limits)
    if kind == "choice":
        return gr.Radio(choices=[label for label, _ in choices_of(setting)], **{**common, "value": _label(setting, value)}, **info)
    return gr.Textbox(**common, **info)


def _label(setting, value):
    return next((label for label, meant in choices_of(setting) if meant == value), value)


def notice(text):
    """A small picture for a gallery that would be empty, in the font that every Pillow has."""
    lines = [line[at:at + 60] for line in text.split("\n") for at in range(0, len(line), 60)]
    picture = Image.new("RGB", (384, 20 * len(lines) + 40), (38, 38, 46))
    draw = ImageDraw.Draw(picture)
    for number, line in enumerate(lines):
        draw.text((12, 20 + 20 * number), line, fill=(235, 235, 240))
    return picture.resize((picture.width * 2, picture.height * 2), Image.LANCZOS)


def as_saved(image):
    """A picture of the gallery as the host hands it back to itself: by the file that it is already saved as."""
    if isinstance(image, dict):  # gradio 3: a description of the file
        stand_in = Image.new("RGB", (1, 1))
        stand_in.already_saved_as = image["name"].rsplit("?", 1)[0]
        return stand_in
    picture = image[0] if isinstance(image, (tuple, list)) else image
    if getattr(picture, "filename", ""):
        picture.already_saved_as = picture.filename.rsplit("?", 1)[0]
    return picture


def open_saved(path):
    picture = Image.open(path)
    picture.load()
    picture.already_saved_as = os.path.abspath(path)
    return picture


def as_html(text):
    try:
        from modules.ui_common import plaintext_to_html

        return plaintext_to_html(text)
    except ImportError:
        return "<p>" + html.escape(text).replace("\n", "<br>") + "</p>"
