"""What this plugin is and may be set to: Renoir's manifest.json, read and never repeated here."""
from __future__ import annotations

import json
import os
import shutil

HERE = os.path.dirname(os.path.realpath(__file__))


class ManifestError(Exception):
    pass


def load_manifest(folder=HERE):
    """Beside the plugin where the installer has copied it; in a linked checkout, in one of the folders above."""
    for place in _upwards(folder):
        manifest = _read(os.path.join(place, "manifest.json"))
        if manifest.get("id") == "renoir":
            return dict(manifest, folder=place)
    raise ManifestError(
        f"No manifest.json of Renoir lies in {folder} or above it; the plugin does not know its settings without it. "
        "Put the plugin in again with `renoir install`."
    )


def load_install(manifest, folder=HERE):
    """How this copy finds its server: `command`, `address` and perhaps `token`."""
    said = _read(os.path.join(folder, "renoir.json"))
    entry = os.path.join(manifest["folder"], *manifest.get("entry", "bin/renoir.mjs").split("/"))
    # A link leads back into the checkout, which holds the program; a copy is told where it is.
    command = said.get("command") or ([shutil.which("node") or "node", entry] if os.path.isfile(entry) else None)
    return {
        "command": command,
        "address": said.get("address") or manifest["server"]["address"],
        "token": said.get("token"),
    }


def settings_of(manifest, given=()):
    """The settings by key, from positional values as a host passes them: too few, None and texts will do."""
    values = {}
    for index, setting in enumerate(manifest["settings"]):
        value = given[index] if index < len(given) else None
        values[setting["key"]] = _coerced(setting, value)
    return values


def choices_of(setting):
    """Pairs of what is shown and what is meant."""
    pairs = [(c["label"], c["value"]) if isinstance(c, dict) else (c, c) for c in setting.get("choices", ())]
    return [(str(label), value) for label, value in pairs]


def same_release(ours, theirs):
    """Releases that differ in the last number only understand each other."""
    return ours.split(".")[:2] == theirs.split(".")[:2]


def version_problem(ours, theirs):
    if same_release(ours, theirs):
        return None
    older = "plugin" if _numbers(ours) < _numbers(theirs) else "server"
    fix = "run `renoir install` again and restart this UI" if older == "plugin" else "update Renoir and start its server again"
    return f"The plugin is Renoir {ours} and the server is Renoir {theirs}: the {older} is the older one; {fix}."


def _numbers(version):
    parts = version.split("-")[0].split(".")
    return [int(part) if part.isdigit() else 0 for part in parts]


def _coerced(setting, value):
    if value is None:
        return setting["default"]
    kind = setting["type"]
    if kind == "boolean":
        return value.strip().lower() in ("true", "1", "yes", "on") if isinstance(value, str) else bool(value)
    if kind == "number":
        return _number(setting, value)
    if kind == "choice":
        return _choice(setting, value)
    return str(value).strip()


def _number(setting, value):
    try:
        number = float(value)
    except (TypeError, ValueError):
        return setting["default"]
    if number != number:
        return setting["default"]
    low, high = setting.get("minimum"), setting.get("maximum")
    number = number if low is None else max(number, low)
    return number if high is None else min(number, high)


def _choice(setting, value):
    for label, meant in choices_of(setting):
        if value in (label, meant):
            return meant
    return setting["default"]


def _upwards(folder):
    while True:
        yield folder
        above = os.path.dirname(folder)
        if above == folder:
            return
        folder = above


def _read(path):
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ManifestError(f"{path} can not be read: {error}. Put the plugin in again with `renoir install`.") from error
    return found if isinstance(found, dict) else {}
