"""The nodes. ComfyUI's own modules, torch, numpy and Pillow are imported where they are used: the rest needs none of them."""
from __future__ import annotations

import logging
import math

from renoir_client import ServerAway, ServerSays, score_key, score_text, split_rewards

from . import renoir_graph, renoir_pictures
from .renoir_png import pixel_digest, record, with_texts
from .renoir_server import Server, make_link

server = Server(make_link())

CATEGORY = "Renoir"
SCORED = "RENOIR_SCORES"
REWARD = "RENOIR_REWARD"
HIDDEN = {"graph": "PROMPT", "node": "UNIQUE_ID"}
BLOCK = "block"
KEEP_BEST = "keep the best one"
BUILT_IN = ["imagereward", "shapes"]


def warn(message):
    logging.warning("Renoir: %s", message)


class Scored(dict):
    """What one picture was judged to be: scores by reward, total (None where it has none), prompt, and why it has none."""

    @property
    def total(self):
        return self["total"]


def unscored(prompt, why):
    return Scored(scores={}, total=None, prompt=prompt, error=why)


def numbers(scored):
    """For nodes that compute with scores: NaN stands for a picture that has none."""
    return [math.nan if one.total is None else one.total for one in scored]


def shown(scored, note=None):
    """What the page shows on the node. JSON knows no NaN."""
    return {"renoir": [{"scores": one["scores"], "total": one.total, "error": one.get("error")} for one in scored], "renoir_note": [note]}


def prompt_behind(graph, node, name="images"):
    """The prompt that the picture at this input was made from, as the server reads graphs; else that of the file it was loaded from."""
    made = renoir_graph.behind(graph, node, name)
    if made is None:
        return None
    said = server.info(renoir_pictures.carrying(made))
    if said["prompt"] is not None:
        return said["prompt"]
    file = renoir_pictures.loaded(renoir_graph.loaded_file(graph, node, name))
    return None if file is None else server.info(file)["prompt"]


NO_PROMPT = "The prompt is not known: no sampler that Renoir knows lies behind these pictures. Write it on the node, or link a text to it."


class LoadReward:
    """Loads a reward model into Renoir's memory. Several can be chained: their weighted sum is the score."""

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "reward": (BUILT_IN, {"tooltip": "A reward model that Renoir knows; `renoir models` lists them."}),
                "weight": ("FLOAT", {"default": 1.0, "min": -100.0, "max": 100.0, "step": 0.05}),
            },
            "optional": {"others": (REWARD, {"tooltip": "More rewards, whose weighted scores are added."})},
        }

    RETURN_TYPES = (REWARD,)
    RETURN_NAMES = ("reward",)
    FUNCTION = "load"
    CATEGORY = CATEGORY
    DESCRIPTION = __doc__

    @classmethod
    def VALIDATE_INPUTS(cls, reward):
        return True if reward else "No reward is chosen."  # the page fills the list with those that the server knows

    def load(self, reward, weight, others=()):
        try:
            server.load(reward)
        except (ServerAway, ServerSays) as error:
            warn(f"{reward} was not loaded. {error}")
        return ([*others, reward if weight == 1 else f"{reward}={weight:g}"],)


class Score:
    """Scores each picture of a batch by how well it fits its prompt and how people would like it."""

    failures = {}  # by node: how often it found no server, so that the next run asks again and takes nothing from the cache

    @classmethod
    def INPUT_TYPES(cls):
        prompt = {"default": "", "multiline": True, "placeholder": "Prompt: empty for the one that made the pictures",
                  "tooltip": "What the pictures are judged by. Empty: Renoir follows the graph back to the positive prompt."}
        return {
            "required": {"images": ("IMAGE",), "prompt": ("STRING", prompt)},
            "optional": {"reward": (REWARD, {"tooltip": "Without it: the rewards of the server's settings."})},
            "hidden": HIDDEN,
        }

    RETURN_TYPES = ("IMAGE", "FLOAT", SCORED)
    RETURN_NAMES = ("images", "scores", "scored")
    OUTPUT_IS_LIST = (False, True, False)
    FUNCTION = "score"
    CATEGORY = CATEGORY
    OUTPUT_NODE = True  # the scores stand on the node, whatever follows it
    DESCRIPTION = __doc__

    @classmethod
    def IS_CHANGED(cls, node=None, **_):
        return cls.failures.get(node, 0)

    def score(self, images, prompt, reward=(), graph=None, node=None):
        pngs = [renoir_pictures.png(image) for image in images]
        try:
            server.look()
            wanted = prompt.strip() or prompt_behind(graph, node)
            scored = self.judged(pngs, wanted, reward) if wanted else [unscored(None, NO_PROMPT)] * len(pngs)
        except (ServerAway, ServerSays) as error:
            scored = [unscored(prompt, str(error))] * len(pngs)
        note = next((one["error"] for one in scored if one.total is None), None)
        if note:
            warn(f"{note} The pictures pass unscored.")
            self.failures[node] = self.failures.get(node, 0) + 1
        return {"ui": shown(scored, note), "result": (images, numbers(scored), scored)}

    def judged(self, pngs, prompt, reward):
        results = server.score(pngs, prompt, reward, renoir_pictures.progress(len(pngs)))
        return [
            unscored(prompt, result["error"]["message"])
            if result.get("error")
            else Scored(scores=result["scores"], total=result["total"], prompt=prompt)
            for result in results
        ]


def checked(images, scored):
    if len(images) == len(scored):
        return scored
    raise ValueError(
        f"There are {len(images)} pictures and scores for {len(scored)}. Link images and scored from the same Renoir node."
    )


def selection(images, scored, order):
    """Images, numbers and scored of the pictures with these indexes; a blocked output where there are none."""
    if not order:
        from comfy_execution.graph_utils import ExecutionBlocker

        nothing = ExecutionBlocker(None)
        return nothing, [nothing], nothing
    chosen = [scored[i] for i in order]
    return images[list(order)], numbers(chosen), chosen


def ranking(scored):
    """Indexes, the best first; equal ones as they came, those without a score last."""
    return sorted(range(len(scored)), key=lambda i: (scored[i].total is None, -(scored[i].total or 0)))


class Filter:
    """Lets pictures through that score at least the limit. Pictures without a score pass: a server that is away loses nothing."""

    @classmethod
    def INPUT_TYPES(cls):
        none = "Where no picture passes. block: what follows is not run, so nothing is saved and nothing fails."
        return {
            "required": {
                "images": ("IMAGE",),
                "scored": (SCORED,),
                "limit": ("FLOAT", {"default": 0.0, "min": -100.0, "max": 100.0, "step": 0.01}),
                "if_none_passes": ([BLOCK, KEEP_BEST], {"tooltip": none}),
            }
        }

    RETURN_TYPES = ("IMAGE", "FLOAT", SCORED, "IMAGE", SCORED)
    RETURN_NAMES = ("images", "scores", "scored", "rejected", "rejected_scored")
    OUTPUT_IS_LIST = (False, True, False, False, False)
    FUNCTION = "filter"
    CATEGORY = CATEGORY
    DESCRIPTION = __doc__

    def filter(self, images, scored, limit, if_none_passes):
        checked(images, scored)
        kept = [i for i, one in enumerate(scored) if one.total is None or one.total >= limit]
        unknown = sum(one.total is None for one in scored)
        note = f"{len(kept) - unknown} of {len(scored)} reach {limit:g}" + (f", {unknown} without a score pass" if unknown else "")
        if not kept:
            note += ": the best one is kept" if if_none_passes == KEEP_BEST else ": what follows is not run"
        if not kept and if_none_passes == KEEP_BEST:
            kept = ranking(scored)[:1]
        rejected, _, rejected_scored = selection(images, scored, [i for i in range(len(scored)) if i not in kept])
        return {"ui": shown(scored, note), "result": (*selection(images, scored, kept), rejected, rejected_scored)}


class TopK:
    """Sorts pictures by score and keeps the first ones."""

    @classmethod
    def INPUT_TYPES(cls):
        count = {"default": 1, "min": 0, "max": 4096, "tooltip": "How many stay; 0: all of them."}
        return {
            "required": {"images": ("IMAGE",), "scored": (SCORED,), "count": ("INT", count), "order": (["best first", "worst first"],)}
        }

    RETURN_TYPES = ("IMAGE", "FLOAT", SCORED)
    RETURN_NAMES = ("images", "scores", "scored")
    OUTPUT_IS_LIST = (False, True, False)
    FUNCTION = "sort"
    CATEGORY = CATEGORY
    DESCRIPTION = __doc__

    def sort(self, images, scored, count, order):
        checked(images, scored)
        ranked = ranking(scored)
        if order == "worst first":
            known = [i for i in ranked if scored[i].total is not None]
            ranked = known[::-1] + ranked[len(known):]
        return selection(images, scored, ranked[: count or None])


class Refine:
    """Draws each picture again and improves the noise it began from by the reward (ReNO). The picture must be a one-step model's."""

    @classmethod
    def INPUT_TYPES(cls):
        text = lambda tip, **more: ("STRING", {"default": "", "tooltip": tip, **more})  # noqa: E731
        number = lambda value, low, high, step, tip: ("FLOAT", {"default": value, "min": low, "max": high, "step": step, "tooltip": tip})  # noqa: E731
        return {
            "required": {
                "images": ("IMAGE",),
                "iterations": ("INT", {"default": 50, "min": 1, "max": 10000, "tooltip": "Looks at the picture, the untouched one included."}),
                "mode": (["refine", "select"], {"tooltip": "refine: by gradients; select: the best of so many noises."}),
                "prompt": text("Empty: the prompt that made the picture.", multiline=True, placeholder="Prompt: empty for the one that made the picture"),
                "model": text("A model of Renoir's or a path. Empty: the one that made the picture, where it is found beside this ComfyUI."),
                "learning_rate": number(5.0, 0.0001, 1000.0, 0.1, "How far a step goes."),
                "regularization": number(0.01, 0.0, 100.0, 0.001, "How strongly the noise is kept like noise."),
                "from_seed": ("INT", {"default": -1, "min": -1, "max": 2**53 - 1, "tooltip": "Below 0: the noise that made the picture."}),
            },
            "optional": {"reward": (REWARD, {"tooltip": "Without it: the rewards of the server's settings."})},
            "hidden": HIDDEN,
        }

    RETURN_TYPES = ("IMAGE", "STRING")
    RETURN_NAMES = ("images", "report")
    FUNCTION = "refine"
    CATEGORY = CATEGORY
    DESCRIPTION = __doc__

    def refine(self, images, graph=None, node=None, reward=(), **settings):
        try:
            server.look()
            told = renoir_pictures.Looks(len(images), settings["iterations"], server.file)
            made = [self.one(image, {**settings, "reward": reward}, graph, node, told) for image in images]
        except (ServerAway, ServerSays) as error:
            raise RuntimeError(f"Refine is done by Renoir's server. {error}") from error
        report = "\n".join(said for _, said in made)
        batch = renoir_pictures.batch([file for file, _ in made])
        return {"ui": {"renoir": [], "renoir_note": [report]}, "result": (batch, report)}

    def one(self, image, settings, graph, node, told):
        prompt, seed = settings["prompt"].strip(), settings["from_seed"]
        source, said = self.source(image, graph, node)
        asked = {
            "prompt": prompt or None,
            "seed": None if seed < 0 else str(seed),
            "model": settings["model"].strip() or None,
            "rewards": list(settings["reward"]) or None,
            "mode": settings["mode"],
            **{ours: settings[name] for ours, name in
               (("iterations", "iterations"), ("learningRate", "learning_rate"), ("regularization", "regularization"))},
        }
        if said["prompt"] is None and not prompt:
            raise ServerSays(200, "request", NO_PROMPT)
        if said["seed"] is None:  # nothing tells how it was made: another picture of the prompt is
            height, width = image.shape[:2]
            source, asked = None, {**asked, "width": int(width), "height": int(height)}
        job, file = server.refine(source, asked, told)
        told.next()
        scores = job["result"]["scores"]
        return file, ", ".join(f"{name} {scores['before'][name]:.4f} → {after:.4f}" for name, after in scores["after"].items())

    def source(self, image, graph, node):
        """(a file that tells how the picture was made, what it says): from the graph, else the file that was loaded."""
        made = renoir_graph.behind(graph, node)
        carried = renoir_pictures.carrying(made or {}, image)
        said = server.info(carried)
        if said["seed"] is not None:
            return carried, said
        file = renoir_pictures.loaded(renoir_graph.loaded_file(graph, node))
        if file is None:
            return carried, said
        own = server.info(file)
        same = (own.get("width"), own.get("height")) == (image.shape[1], image.shape[0])
        return (file, own) if same and own["seed"] is not None else (carried, own)


class Save:
    """Saves pictures as ComfyUI does, with prompt and workflow, and writes each one's own score beside them."""

    @classmethod
    def INPUT_TYPES(cls):
        prefix = {"default": "ComfyUI", "tooltip": "As in Save Image: %date:yyyy-MM-dd% and the like are filled in."}
        return {
            "required": {"images": ("IMAGE",), "filename_prefix": ("STRING", prefix)},
            # An input, so that it is there on a run that takes the scores from the cache too.
            "optional": {"scored": (SCORED,)},
            "hidden": {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"},
        }

    RETURN_TYPES = ()
    FUNCTION = "save"
    CATEGORY = CATEGORY
    OUTPUT_NODE = True
    DESCRIPTION = __doc__

    def save(self, images, filename_prefix, scored=None, prompt=None, extra_pnginfo=None):
        if scored is not None:
            checked(images, scored)
        saved = renoir_pictures.host_saves(images, filename_prefix, prompt, extra_pnginfo)
        for path, one in zip(renoir_pictures.paths(saved), scored or ()):
            if one["scores"] and renoir_pictures.writes_metadata():
                renoir_pictures.rewrite(path, lambda data: with_scores(data, one["scores"]))
        return {"ui": {**saved, **(shown(scored) if scored else {})}}


def with_scores(data, scores):
    """A PNG with a text for each score and Renoir's record of them, as Renoir's own writer has it."""
    texts = {name: score_text(score) for name, score in scores.items()}
    own = [(score_key(name), text) for name, text in texts.items()]
    return with_texts(data, [*own, ("renoir", record(texts, pixel_digest(data)))])


class Result:
    """Puts the picture of a refine job into the output folder and the history, as Renoir wrote it: with its noise and its scores."""

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"job": ("STRING", {"default": ""}), "filename_prefix": ("STRING", {"default": "refined"})},
        }

    RETURN_TYPES = ("IMAGE",)
    RETURN_NAMES = ("images",)
    FUNCTION = "keep"
    CATEGORY = CATEGORY
    OUTPUT_NODE = True
    DESCRIPTION = __doc__

    def keep(self, job, filename_prefix):
        try:
            done = server.ask("GET", f"/jobs/{renoir_pictures.safe_id(job)}")
            if not done.get("result") or not done["result"].get("picture"):
                raise RuntimeError(f"The job {job} has no picture to keep; it is {done['state']}.")
            file = server.file(done["result"]["picture"])
        except (ServerAway, ServerSays) as error:
            raise RuntimeError(f"The refined picture can not be fetched. {error}") from error
        scores = (done["result"].get("scores") or {}).get("after", {})
        saved = renoir_pictures.save_file(file, filename_prefix)
        return {"ui": {**saved, **shown([Scored(scores=scores, total=sum(scores.values()), prompt=None)])}, "result": (renoir_pictures.batch([file]),)}


NODES = {
    "RenoirLoadReward": (LoadReward, "Renoir Load Reward"),
    "RenoirScore": (Score, "Renoir Score"),
    "RenoirFilter": (Filter, "Renoir Filter by Score"),
    "RenoirTopK": (TopK, "Renoir Sort / Top K"),
    "RenoirRefine": (Refine, "Renoir Refine (ReNO)"),
    "RenoirSave": (Save, "Renoir Save with Score"),
    "RenoirResult": (Result, "Renoir Refined Picture"),
}
NODE_CLASS_MAPPINGS = {name: node for name, (node, _) in NODES.items()}
NODE_DISPLAY_NAME_MAPPINGS = {name: title for name, (_, title) in NODES.items()}
