"""Regenerates test/reno/fixtures/trajectories.json: runs of ReNO's own trainer on a small SD-Turbo and small ImageRewards.

    python reno.py IMAGEREWARD_CLONE RENO_CLONE VOCABULARY [OUTPUT]
"""
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

import upstream
import image_reward
import sd_turbo
import seeded

PROMPT = "a red circle left of a blue square"
ONE = [{"model": "wide", "seed": "", "weight": 1.0}]
TWO = [*ONE, {"model": "wide", "seed": "second/", "weight": 0.5}]
BASE = dict(seed=3, rewards=ONE, iterations=12, optimizer="sgd", learningRate=5.0, nesterov=True, gradientClip=0.1, regularization=0.01)
RUNS = {
    "sgd": BASE | {},
    "sgd, two rewards": BASE | dict(rewards=TWO, seed=4),
    "sgd without Nesterov": BASE | dict(nesterov=False, seed=5, iterations=10),
    "sgd without regulariser": BASE | dict(regularization=0.0, seed=6),
    "adam": BASE | dict(optimizer="adam", learningRate=0.5, seed=7),
    "adam, two rewards": BASE | dict(optimizer="adam", rewards=TWO, learningRate=0.5, seed=8, iterations=10),
    "lbfgs": BASE | dict(optimizer="lbfgs", learningRate=5.0, seed=9, iterations=5),
    "select": BASE | dict(mode="select", rewards=TWO, seed=10, iterations=10),
}


def main(clone, reno, vocabulary, output=None):
    torch.set_num_threads(2)
    module = upstream.open_image_reward(clone, vocabulary)
    loss_class, _ = upstream.open_reno(reno)
    trainer_class, get_optimizer, pipeline_class = upstream.open_trainer(reno)
    parts = sd_turbo.components()
    pipeline = pipeline_class(**parts, safety_checker=None, feature_extractor=None)
    losses = {reward["seed"]: reward_loss(module, loss_class, reward) for reward in TWO}
    runs = {}
    for name, settings in RUNS.items():
        runs[name] = {"settings": settings} | run(settings, pipeline, losses, trainer_class, get_optimizer)
        print(name, "best", runs[name]["best"], [round(step["loss"], 4) for step in runs[name]["steps"]])
    fixture = {
        "versions": upstream.VERSIONS,
        "prompt": PROMPT,
        "config": sd_turbo.CONFIG,
        "shapes": sd_turbo.shapes(parts),
        "runs": runs,
    }
    path = Path(output or Path(__file__).parent.parent / "reno/fixtures/trajectories.json")
    path.write_text(lines(fixture) + "\n")
    print(path, path.stat().st_size, "bytes")


def lines(fixture):
    """JSON with one line for each run and each model's shapes."""
    each = lambda values: ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in values.items())
    parts = [
        f" {json.dumps(key)}: " + (f"{{\n{each(value)}\n }}" if key in ("runs", "shapes", "config") else json.dumps(value))
        for key, value in fixture.items()
    ]
    return "{\n" + ",\n".join(parts) + "\n}"


def reward_loss(module, loss_class, reward):
    with tempfile.TemporaryDirectory() as folder:
        model = upstream.build(module, image_reward.MODELS[reward["model"]], folder)
    upstream.seed(model, reward["seed"])
    sys.modules["rewards.imagereward"].RM.load = lambda *_, **__: model
    return loss_class(reward["weight"], torch.float32, "cpu", "")


def run(settings, pipeline, losses, trainer_class, get_optimizer):
    """The trainer's own run, with what it computes on the way noted down."""
    rewards = []
    for i, reward in enumerate(settings["rewards"]):
        loss = losses[reward["seed"]]
        loss.name, loss.weighting = f"ImageReward {i + 1}" if i else "ImageReward", reward["weight"]
        rewards.append(loss)
    notes = Notes(rewards, pipeline)
    trainer = dict(
        reward_losses=notes.rewards,
        model=notes,
        n_inference_steps=1,
        seed=settings["seed"],
        regularize=settings["regularization"] > 0,
        regularization_weight=settings["regularization"],
        grad_clip=settings["gradientClip"],
        log_metrics=False,
        imageselect=settings.get("mode") == "select",
        device="cpu",
    )
    torch.manual_seed(settings["seed"])
    latents = torch.nn.Parameter(torch.randn(1, 4, sd_turbo.UNET["sample_size"], sd_turbo.UNET["sample_size"]))
    optimizer = get_optimizer(settings["optimizer"], latents, settings["learningRate"], settings["nesterov"])
    if settings["optimizer"] == "lbfgs":
        optimizer = WithClosure(optimizer, latents, notes, lambda: trainer_class(n_iters=2, **trainer))
    with notes.taken():
        _, _, first, best = trainer_class(n_iters=settings["iterations"], **trainer).train(latents, PROMPT, optimizer)
    steps = notes.steps
    chosen = next(i for i, step in enumerate(steps) if step["loss"] == best["total"])
    assert steps[0]["loss"] == first["total"]
    return {"best": chosen, "steps": steps}


class Notes:
    """Stands between the trainer and what it calls, and writes down what it sees."""

    def __init__(self, rewards, pipeline):
        self.pipeline = pipeline
        self.rewards = [Listening(reward, self) for reward in rewards]
        self.steps = []
        self.quiet = False

    def apply(self, latents, prompt, **options):
        image = self.pipeline.apply(latents, prompt, **options)
        if not self.quiet:
            self.latents = latents.detach().clone()
            norm = torch.linalg.vector_norm(self.latents).item()
            self.steps.append({"rewards": {}, "loss": 0.0, "regularizer": None, "gradientNorm": None, "latentsNorm": norm})
            self.steps[-1] |= fingerprint(image.detach().numpy())
        return image

    def taken(self):
        return Taken(self)


def fingerprint(image):
    """A few places of the picture."""
    flat = image.ravel()
    places = seeded.words("picture/places", 8) % np.uint32(flat.size)
    return {"pixels": [float(value) for value in flat[places]]}


class Listening:
    def __init__(self, reward, notes):
        self.reward, self.notes = reward, notes
        self.name, self.weighting = reward.name, reward.weighting

    def __call__(self, image, prompt):
        loss = self.reward(image, prompt)
        if not self.notes.quiet:
            step = self.notes.steps[-1]
            step["rewards"][self.name] = 2 - loss.item()
            step["loss"] = float(np.float32(step["loss"]) + np.float32(loss.item() * self.weighting))
        return loss


class Taken:
    """While the trainer runs: the whole loss when it is differentiated, and the gradient's norm when it is clipped."""

    def __init__(self, notes):
        self.notes = notes

    def __enter__(self):
        self.backward, self.clip = torch.Tensor.backward, torch.nn.utils.clip_grad_norm_

        def backward(loss, *rest, **options):
            if not self.notes.quiet:
                self.notes.steps[-1]["regularizer"] = loss.item() - self.notes.steps[-1]["loss"]
            self.notes.value = loss.detach().clone()
            self.backward(loss, *rest, **options)

        def clip(parameters, longest):
            norm = self.clip(parameters, longest)
            if not self.notes.quiet:
                self.notes.steps[-1]["gradientNorm"] = norm.item()
            return norm

        torch.Tensor.backward, torch.nn.utils.clip_grad_norm_ = backward, clip

    def __exit__(self, *_):
        torch.Tensor.backward, torch.nn.utils.clip_grad_norm_ = self.backward, self.clip


class Looked(Exception):
    pass


class WithClosure:
    """Gives torch's L-BFGS the closure that the trainer does not: the trainer's own iteration up to its step()."""

    def __init__(self, optimizer, latents, notes, trainer):
        self.optimizer, self.latents, self.notes, self.trainer = optimizer, latents, notes, trainer

    def zero_grad(self):
        self.optimizer.zero_grad()

    def step(self):
        self.notes.quiet = True
        self.optimizer.step(self.look)
        self.notes.quiet = False

    def look(self):
        stopping = type("Stopping", (), {"zero_grad": lambda _: self.optimizer.zero_grad(), "step": self.stop})()
        try:
            self.trainer().train(self.latents, PROMPT, stopping)
        except Looked:
            return self.notes.value

    def stop(self, *_):
        raise Looked


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
