"""Renoir in ComfyUI: nodes that score, filter, sort, refine and save pictures. Needs no package that ComfyUI does not bring."""
import os
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
# What all hosts' plugins have in common: beside us where the installer copied it, else where the checkout has it.
COPIED = os.path.join(HERE, "shared")
SHARED = COPIED if os.path.isdir(COPIED) else os.path.join(os.path.dirname(HERE), "a1111")
if SHARED not in sys.path:
    sys.path.append(SHARED)

from .renoir_nodes import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS  # noqa: E402
from .renoir_web import register  # noqa: E402

WEB_DIRECTORY = "web"
__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS", "WEB_DIRECTORY"]

register(SHARED)
