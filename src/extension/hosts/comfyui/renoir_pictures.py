"""Pictures between ComfyUI's tensors, PNG bytes and its folders. torch, numpy and Pillow are ComfyUI's own."""
from __future__ import annotations

import io
import json
import os
import re

from .renoir_png import with_texts


def png(image):
    """The very bytes that Save Image would show, RGB, packed lightly: on one machine packing takes longer than sending."""
    import numpy as np
    from PIL import Image

    values = np.clip(255.0 * image.cpu().numpy(), 0, 255).astype(np.uint8)
    picture = Image.fromarray(values[..., 0] if values.shape[-1] == 1 else values).convert("RGB")
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def carrying(graph, image=None):
    """A PNG that says that it was made by this graph: the picture, or a single pixel where only the text counts."""
    from PIL import Image

    if image is None:
        buffer = io.BytesIO()
        Image.new("RGB", (1, 1)).save(buffer, "PNG")
        data = buffer.getvalue()
    else:
        data = png(image)
    return with_texts(data, [("prompt", json.dumps(graph))]) if graph else data


def batch(files):
    """One batch of picture files' bytes."""
    import numpy as np
    import torch
    from PIL import Image

    pictures = [np.asarray(Image.open(io.BytesIO(file)).convert("RGB"), dtype=np.float32) / 255.0 for file in files]
    return torch.from_numpy(np.stack(pictures))


def loaded(name):
    """The bytes of a file that Load Image has read; None where it is not there."""
    if name is None:
        return None
    import folder_paths

    if not folder_paths.exists_annotated_filepath(name):
        return None
    with open(folder_paths.get_annotated_filepath(name), "rb") as file:
        return file.read()


def progress(total):
    """A bar on the node that is running; also where ComfyUI ends a run that was interrupted."""
    from comfy.utils import ProgressBar

    bar = ProgressBar(total)
    return bar.update_absolute


class Looks:
    """Shows a refine on its node: how far it is and the best picture so far. Ends the run where it was interrupted."""

    def __init__(self, pictures, iterations, fetch):
        from comfy.utils import ProgressBar

        self.iterations, self.fetch = iterations, fetch
        self.bar = ProgressBar(pictures * iterations)
        self.before = 0

    def __call__(self, job, new):
        from comfy.model_management import throw_exception_if_processing_interrupted

        throw_exception_if_processing_interrupted()
        if new:
            best = [step for step in new if step.get("best") and step.get("preview")]
            shown = self.preview(best[-1]["preview"]) if best else None
            self.bar.update_absolute(self.before + len(job["steps"]), preview=shown)

    def next(self):
        self.before += self.iterations
        self.bar.update_absolute(self.before)

    def preview(self, path):
        from PIL import Image

        return ("JPEG", Image.open(io.BytesIO(self.fetch(path))).convert("RGB"), None)


def host_saves(images, prefix, prompt, extra_pnginfo):
    """ComfyUI's own Save Image, so that names, chunks and options are what its version makes of them."""
    import nodes

    return nodes.SaveImage().save_images(images, prefix, prompt, extra_pnginfo)["ui"]


def writes_metadata():
    from comfy.cli_args import args

    return not args.disable_metadata


def paths(saved):
    import folder_paths

    root = folder_paths.get_output_directory()
    return [os.path.join(root, one["subfolder"], one["filename"]) for one in saved["images"]]


def rewrite(path, change):
    """Whole or not at all: who looks at the folder never sees half a file."""
    with open(path, "rb") as file:
        data = change(file.read())
    part = f"{path}.part"
    with open(part, "wb") as file:
        file.write(data)
    os.replace(part, path)


def save_file(data, prefix):
    """A file into the output folder under ComfyUI's next free name."""
    import folder_paths

    folder, name, counter, subfolder, _ = folder_paths.get_save_image_path(prefix, folder_paths.get_output_directory())
    file = f"{name}_{counter:05}_.png"
    with open(os.path.join(folder, file), "xb") as target:
        target.write(data)
    return {"images": [{"filename": file, "subfolder": subfolder, "type": "output"}]}


def safe_id(job):
    if re.fullmatch(r"[\w-]{1,64}", job):
        return job
    raise RuntimeError(f"{job!r} is no job of Renoir's.")
