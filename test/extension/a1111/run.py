"""One generation as a host runs it: hooks in their order, each picture's infotext right after its last hook."""
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PLUGIN = os.path.join(HERE, "..", "..", "..", "src", "extension", "hosts", "a1111")
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(HERE, "host"), PLUGIN, os.path.join(PLUGIN, "scripts")]

import renoir  # noqa: E402
from modules import script_callbacks, shared  # noqa: E402
from PIL import Image  # noqa: E402

SERVER = os.environ.get("RENOIR_TEST_SERVER", "")
COLOURS = {"red": (220, 30, 30), "blue": (30, 30, 220), "black": (0, 0, 0), "white": (255, 255, 255)}


class Bag:
    def __init__(self, **values):
        self.__dict__.update(values)


def job(colours, prompts=None, per_batch=1, **more):
    n = len(colours)
    p = Bag(extra_generation_params={}, batch_size=per_batch, batch_index=0, iteration=0, is_api=True, script_args=[0])
    p.__dict__.update(more)
    p.colours, p.all_prompts = colours, prompts or ["a red circle"] * n
    p.all_negative_prompts, p.all_seeds, p.all_subseeds = [""] * n, list(range(100, 100 + n)), list(range(n))
    return p


def infotext(p, i):
    said = "".join(f", {key}: {value}" for key, value in p.extra_generation_params.items())
    return f"{p.all_prompts[i]}\nSteps: 1, Seed: {p.all_seeds[i]}, Size: 64x64{said}, Version: f2"


def generate(script, p, *args, grid=False, save=None, masks=False):
    """What the host has after a job: `processed`, and in p.files what was written."""
    script.process(p, *args)
    images, texts, p.files = [], [], {}
    hook = script.postprocess_image if os.environ.get("HOST_WITHOUT_COMPOSITE") else script.postprocess_image_after_composite
    for i, colour in enumerate(p.colours):
        p.iteration, p.batch_index = divmod(i, p.batch_size)
        if p.batch_index == 0:
            script.before_process_batch(p, *args, batch_number=p.iteration)
            p.between = infotext(p, i)  # hires intermediates and params.txt
        p.prompts = p.all_prompts[p.iteration * p.batch_size:(p.iteration + 1) * p.batch_size]
        pp = Bag(image=Image.new("RGBA", (64, 64), COLOURS[colour]))
        if not os.environ.get("HOST_WITHOUT_COMPOSITE"):
            pp.index = i
        hook(p, pp, *args)
        pp.image.colour_name = colour
        if save:
            pp.image.already_saved_as = os.path.join(save, f"{i:05}-{colour}.png")
            for name, text in ((pp.image.already_saved_as, "picture"), (pp.image.already_saved_as[:-4] + ".txt", infotext(p, i))):
                with open(name, "w", encoding="utf-8") as file:
                    file.write(text)
        images.append(pp.image)
        texts.append(infotext(p, i))
        if masks:
            images.append(Image.new("RGB", (64, 64)))
    if grid:
        script_callbacks.called["image_grid"](Bag(imgs=images))
        images.insert(0, Image.new("RGB", (128, 64)))
        texts.insert(0, infotext(p, 0))
    processed = Bag(images=images, infotexts=texts, index_of_first_image=int(grid), comments="", info=texts[0], seed=p.all_seeds[0])
    for name in ("all_prompts", "all_negative_prompts", "all_seeds", "all_subseeds"):
        setattr(processed, name, getattr(p, name))
    script.postprocess(p, processed, *args)
    json.dumps([processed.infotexts, processed.all_seeds, p.extra_generation_params])  # as every host does in its answer
    return processed


def new_script(is_img2img=False):
    script = renoir.RenoirScript()
    script.is_img2img = is_img2img
    script.ui(is_img2img)
    return script


def free_address():
    """Where nobody listens."""
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{one.getsockname()[1]}"


__all__ = ["Bag", "SERVER", "free_address", "generate", "infotext", "job", "new_script", "renoir", "shared"]
