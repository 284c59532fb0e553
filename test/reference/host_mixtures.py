"""How much of each prompt's prediction Forge and ComfyUI put into a picture, by their own code; writes test/reno/fixtures/hostMixtures.json.

    python host_mixtures.py FORGE COMFYUI     checkouts at dfdcbab6 and a125cd84; in an environment that ComfyUI runs in

Prompts are single letters, each with a state of its own: 1 at its place, 0 elsewhere. The model that is asked predicts the mean of
the states it is given, so what the hosts make of the predictions are the prompts' parts in it.
"""
import json
import math
import re
import sys
import types
from pathlib import Path

import torch

forge, comfy = (Path(path).resolve() for path in sys.argv[1:3])
LETTERS = "abcdefgh"


def state(letter):
    return torch.eye(len(LETTERS))[LETTERS.index(letter)].reshape(1, 1, -1)


class Model:
    """Its prediction has a channel for each letter."""

    def memory_required(self, *_, **__):
        return 0

    def apply_model(self, x, t, c_crossattn=None, **_):
        return c_crossattn.mean(1).reshape(x.shape[0], -1, 1, 1)


def parts(prediction):
    return [round(value, 6) for value in prediction.flatten().tolist()]


# ---- Forge: prompt_parser.py splits the prompts, backend/sampling mixes the predictions

parser = {"re": re, "SdConditioning": list}
source = (forge / "modules/prompt_parser.py").read_text()
exec(re.search(r"^re_AND = .*?(?=^class ComposableScheduled)", source, re.S | re.M).group(0).replace(": SdConditioning | list[str]", ""), parser)

condition = {}
exec((forge / "backend/sampling/condition.py").read_text(), condition)
sampling = {"torch": torch, "math": math, "collections": __import__("collections"), "args": types.SimpleNamespace(disable_gpu_warning=True)}
sampling["memory_management"] = types.SimpleNamespace(signal_empty_cache=False, get_free_memory=lambda _: 1e12)
source = (forge / "backend/sampling/sampling_function.py").read_text()
exec(re.search(r"^def get_area_and_mult.*?(?=^def sampling_function\()", source, re.S | re.M).group(0), sampling)


def forge_parts(prompt, negative, cfg):
    [indexes], texts, _ = parser["get_multicond_prompt_list"]([prompt])
    cond = condition["compile_weighted_conditions"](torch.cat([state(text.strip()) for text in list(texts)]), [indexes])
    uncond = None if cfg == 1 else condition["compile_conditions"](state(negative))
    x = torch.zeros(1, len(LETTERS), 1, 1)
    return parts(sampling["sampling_function_inner"](Model(), x, torch.tensor([14.0]), uncond, cond, cfg))


FORGE = [("a", "h", 7), ("a AND b", "h", 7), ("a :1.2 AND b:0.7 AND c", "h", 4), ("a AND b :0.5", "h", 1), ("a :1.5", "h", 1), ("a AND b :-0.5", "h", 7), ("a:0.5 AND b :0.5", "h", 1), ("a :0.2", "h", 5)]
out = {"forge": [dict(prompt=p, negative=n, guidance=g, parts=forge_parts(p, n, g)) for p, n, g in FORGE]}

# ---- ComfyUI: its own nodes and guiders

sys.path.insert(0, str(comfy))
sys.argv = ["main.py", "--cpu"]
import comfy.options

comfy.options.enable_args_parsing()
import comfy.conds
import comfy.model_sampling
import comfy.sampler_helpers
import comfy.samplers
import nodes
from comfy_extras.nodes_custom_sampler import Guider_DualCFG


class Sampling(comfy.model_sampling.ModelSamplingDiscrete, comfy.model_sampling.EPS):
    pass


class ComfyModel(Model):
    model_sampling = Sampling()
    current_patcher = types.SimpleNamespace(prepare_state=lambda _: None, apply_hooks=lambda hooks: {})


def node(kind, **inputs):
    return {"class_type": kind, "inputs": inputs}


def graph(cfg=4.0, scheduler="normal", **more):
    made = {
        "1": node("CheckpointLoaderSimple", ckpt_name="x.safetensors"),
        "2": node("CLIPTextEncode", text="a", clip=["1", 1]), "3": node("CLIPTextEncode", text="h", clip=["1", 1]),
        "4": node("EmptyLatentImage", width=64, height=64, batch_size=1),
        "5": node("KSampler", seed=1, steps=1, cfg=cfg, sampler_name="euler", scheduler=scheduler, denoise=1.0, model=["1", 0], positive=["2", 0], negative=["3", 0], latent_image=["4", 0]),
        "6": node("VAEDecode", samples=["5", 0], vae=["1", 2]), "7": node("SaveImage", images=["6", 0]),
    }
    for name, value in more.items():
        if isinstance(value, list):
            made["5"]["inputs"][name] = value
        else:
            made[name.lstrip("n")] = value
    return made


def conditioning(made, link):
    kind, inputs = made[link[0]]["class_type"], made[link[0]]["inputs"]
    if kind == "CLIPTextEncode":
        return [[state(inputs["text"]), {}]]
    given = {name: conditioning(made, value) if isinstance(value, list) else value for name, value in inputs.items()}
    instance = nodes.NODE_CLASS_MAPPINGS[kind]()
    return getattr(instance, instance.FUNCTION)(**given)[0]


def comfy_parts(made):
    model, sampler = ComfyModel(), made["5"]["inputs"]
    told = {**sampler, **(made[sampler["guider"][0]]["inputs"] if "guider" in sampler else {})}
    scheduler = made[sampler["sigmas"][0]]["inputs"]["scheduler"] if "sigmas" in sampler else sampler["scheduler"]
    sigma = comfy.samplers.calculate_sigmas(model.model_sampling, scheduler, 1)[:1]

    def ready(name):
        conds = comfy.sampler_helpers.convert_cond(conditioning(made, told[name]))
        comfy.samplers.calculate_start_end_timesteps(types.SimpleNamespace(model_sampling=model.model_sampling), conds)
        return [{**one, "model_conds": {"c_crossattn": comfy.conds.CONDCrossAttn(one["cross_attn"])}} for one in conds]

    x = torch.zeros(1, len(LETTERS), 1, 1)
    if "cond1" not in told:
        return parts(comfy.samplers.sampling_function(model, x, sigma, ready("negative"), ready("positive"), told["cfg"]))
    guider = types.SimpleNamespace(cfg1=told["cfg_conds"], cfg2=told["cfg_cond2_negative"], nested=told["style"] == "nested", inner_model=model)
    guider.conds = {"positive": ready("cond1"), "middle": ready("cond2"), "negative": ready("negative")}
    return parts(Guider_DualCFG.predict_noise(guider, x, sigma))


def encode(text):
    return node("CLIPTextEncode", text=text, clip=["1", 1])


def combine(first, second):
    return node("ConditioningCombine", conditioning_1=[first, 0], conditioning_2=[second, 0])


def within(what, start, end):
    return node("ConditioningSetTimestepRange", conditioning=[what, 0], start=start, end=end)


def dual(style, first, second):
    guider = node("DualCFGGuider", model=["1", 0], cond1=["2", 0], cond2=["9", 0], negative=["3", 0], cfg_conds=first, cfg_cond2_negative=second, style=style)
    made = graph(n9=encode("b"), n10=node("BasicScheduler", model=["1", 0], scheduler="simple", steps=1, denoise=1.0), n11=guider, n12=node("KSamplerSelect", sampler_name="euler"), n13=node("RandomNoise", noise_seed=5))
    made["5"] = node("SamplerCustomAdvanced", noise=["13", 0], guider=["11", 0], sampler=["12", 0], sigmas=["10", 0], latent_image=["4", 0])
    return made


halves = dict(n9=encode("b"), n11=within("2", 0.0, 0.5), n12=within("9", 0.5, 1.0), n10=combine("11", "12"), positive=["10", 0])
COMFY = {
    "plain": graph(), "combine": graph(n9=encode("b"), n10=combine("2", "9"), positive=["10", 0]),
    "combine of three": graph(n9=encode("b"), n11=encode("c"), n10=combine("2", "9"), n12=combine("10", "11"), positive=["12", 0]),
    "combine, negative": graph(n9=encode("g"), n10=combine("3", "9"), negative=["10", 0]),
    "combine, cfg 1": graph(cfg=1.0, n9=encode("b"), n10=combine("2", "9"), positive=["10", 0]),
    "strength": graph(n9=encode("b"), n11=node("ConditioningSetAreaStrength", conditioning=["9", 0], strength=0.3), n10=combine("2", "11"), positive=["10", 0]),
    "ranges, at the top": graph(**halves), "ranges, at the end": graph(scheduler="ddim_uniform", **halves),
    "concat of combine": graph(n9=encode("b"), n11=encode("c"), n10=combine("2", "9"), n12=node("ConditioningConcat", conditioning_to=["10", 0], conditioning_from=["11", 0]), positive=["12", 0]),
    "concat with combine": graph(n9=encode("b"), n11=encode("c"), n10=combine("2", "9"), n12=node("ConditioningConcat", conditioning_to=["11", 0], conditioning_from=["10", 0]), positive=["12", 0]),
    "average of combine": graph(n9=encode("b"), n11=encode("c"), n10=combine("2", "9"), n12=node("ConditioningAverage", conditioning_to=["10", 0], conditioning_from=["11", 0], conditioning_to_strength=0.6), positive=["12", 0]),
    "zero of combine": graph(n9=encode("b"), n10=combine("2", "9"), n12=node("ConditioningZeroOut", conditioning=["10", 0]), positive=["12", 0]),
    "dual guidance": dual("regular", 4.0, 3.0), "dual guidance, nested": dual("nested", 4.0, 3.0), "dual guidance of 1": dual("regular", 4.0, 1.0),
}
out["comfyui"] = [dict(name=name, graph=json.dumps(made), parts=comfy_parts(made)) for name, made in COMFY.items()]
target = Path(__file__).parents[1] / "reno/fixtures/hostMixtures.json"
target.write_text(json.dumps(out, separators=(",", ":")) + "\n")
