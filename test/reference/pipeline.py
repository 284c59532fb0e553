"""Regenerates test/reno/fixtures/pipeline.json and tokens.json from diffusers' pipelines and schedulers and transformers' tokenizers.

    python pipeline.py CLIP_TOKENIZER_FOLDER

Weights are seeded by name (seeded.py), so only configurations, shapes, prompts and what came out are stored.
"""
import json
import sys
from pathlib import Path

import numpy as np
import torch
import upstream  # first: beside a CPU torch it makes torchvision importable

import diffusers
import transformers
from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, CLIPTokenizerFast

import prompts
import seeded

FIXTURES = Path(__file__).parent.parent / "reno/fixtures"
CROSS, PLAIN = "CrossAttn{}Block2D", "{}Block2D"
BETAS = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000)
# stabilityai/sd-turbo and runwayml/stable-diffusion-v1-5, scheduler/scheduler_config.json
TURBO = BETAS | dict(prediction_type="epsilon", timestep_spacing="trailing", steps_offset=1, set_alpha_to_one=False)
SD1 = BETAS | dict(prediction_type="epsilon", steps_offset=1, set_alpha_to_one=False, skip_prk_steps=True)

# Sizes that a single file tells by its shapes: SD2's heads are 64 wide, SD1's eight at every level, norms have 32 groups.
MODELS = {
    "turbo": dict(
        unet=dict(block_out_channels=[64, 128], layers_per_block=1, attention_head_dim=[1, 2], use_linear_projection=True),
        vae=dict(block_out_channels=[32, 32, 64], layers_per_block=1),
        text_encoder=dict(hidden_size=64, num_hidden_layers=3, num_attention_heads=1, hidden_act="gelu"),
        scheduler=dict(_class_name="EulerDiscreteScheduler") | TURBO,
        pad="!",
    ),
    "sd1": dict(
        unet=dict(block_out_channels=[64, 64], layers_per_block=2, attention_head_dim=8),
        vae=dict(block_out_channels=[32, 64, 64], layers_per_block=1),
        text_encoder=dict(hidden_size=64, num_hidden_layers=2, num_attention_heads=1, hidden_act="quick_gelu"),
        scheduler=dict(_class_name="PNDMScheduler") | SD1,
        pad="<|endoftext|>",
    ),
}

LONG = ", ".join(["masterpiece", "best quality", "ultra detailed", "intricate!", "sharp focus"] * 12)
CASES = {
    "turbo": [
        dict(prompt="a photo of a cat wearing a hat", seed=0),
        dict(prompt="wow! a red fox, “snow” and ice!!", seed=42),
        dict(prompt="", seed=2**32 + 7),
        dict(prompt=LONG, seed=1234567890, width=48, height=16),
        dict(prompt="a castle", seed=3, guidance=4.5, negativePrompt="blurry, dark!"),
        dict(prompt="a castle", seed=3, guidance=0.0),
        dict(prompt="東京 at night", seed=5, width=64, height=64),
    ],
    "sd1": [
        dict(prompt="a photo of a cat wearing a hat!", seed=1),
        dict(prompt="a castle on a hill", seed=2, guidance=7.5, negativePrompt="ugly", width=24, height=40),
        dict(prompt="a castle on a hill", seed=2, guidance=7.5),
        dict(prompt="a castle on a hill", seed=2, skipLayers=1, scheduler=TURBO | dict(_class_name="EulerDiscreteScheduler")),
        dict(prompt="v", seed=8, scheduler=TURBO | dict(_class_name="EulerDiscreteScheduler", prediction_type="v_prediction")),
    ],
}

# Everything that a scheduler's one step depends on.
STEPS = [
    ("EulerDiscreteScheduler", dict(timestep_spacing="trailing")),
    ("EulerDiscreteScheduler", dict(timestep_spacing="leading", steps_offset=1)),
    ("EulerDiscreteScheduler", dict(timestep_spacing="linspace")),
    ("EulerDiscreteScheduler", dict(timestep_spacing="trailing", prediction_type="v_prediction")),
    ("EulerDiscreteScheduler", dict(timestep_spacing="trailing", final_sigmas_type="sigma_min")),
    ("EulerDiscreteScheduler", dict(timestep_spacing="trailing", use_karras_sigmas=True)),
    ("EulerDiscreteScheduler", dict(timestep_spacing="trailing", prediction_type="v_prediction", rescale_betas_zero_snr=True)),
    ("EulerDiscreteScheduler", dict(timestep_spacing="trailing", beta_schedule="linear")),
    ("EulerDiscreteScheduler", dict(timestep_spacing="trailing", beta_schedule="squaredcos_cap_v2", num_train_timesteps=500)),
    ("EulerDiscreteScheduler", dict(timestep_spacing="trailing", num_train_timesteps=10, trained_betas=[0.01 * (i + 1) for i in range(10)])),
    ("EulerAncestralDiscreteScheduler", dict(timestep_spacing="trailing")),
    ("EulerAncestralDiscreteScheduler", dict(timestep_spacing="leading", steps_offset=1)),
    ("EulerAncestralDiscreteScheduler", dict(timestep_spacing="trailing", prediction_type="v_prediction")),
    ("DDIMScheduler", dict(clip_sample=False, set_alpha_to_one=False, steps_offset=1)),
    ("DDIMScheduler", dict(clip_sample=False, timestep_spacing="trailing")),
    ("DDIMScheduler", dict(clip_sample=False, timestep_spacing="trailing", set_alpha_to_one=False, prediction_type="v_prediction")),
    ("DDIMScheduler", dict(clip_sample=False, timestep_spacing="trailing", prediction_type="sample")),
    ("DDIMScheduler", dict(clip_sample=False, timestep_spacing="linspace")),
    ("PNDMScheduler", dict(skip_prk_steps=True, steps_offset=1)),
    ("PNDMScheduler", dict(skip_prk_steps=True, timestep_spacing="trailing", prediction_type="v_prediction")),
    ("PNDMScheduler", dict(skip_prk_steps=True, timestep_spacing="trailing", set_alpha_to_one=True)),
    ("LCMScheduler", dict()),
    ("LCMScheduler", dict(timestep=800)),
    ("LCMScheduler", dict(original_inference_steps=20, timestep_scaling=3.0, prediction_type="v_prediction")),
    ("DPMSolverMultistepScheduler", dict()),
    ("DPMSolverMultistepScheduler", dict(timestep_spacing="leading", steps_offset=1)),
    ("DPMSolverMultistepScheduler", dict(timestep_spacing="trailing", algorithm_type="sde-dpmsolver++", prediction_type="v_prediction")),
    ("DPMSolverMultistepScheduler", dict(timestep_spacing="trailing", final_sigmas_type="sigma_min", prediction_type="sample")),
]


def main(vocabulary):
    torch.set_num_threads(2)
    FIXTURES.mkdir(exist_ok=True)
    versions = {"torch": torch.__version__, "diffusers": diffusers.__version__, "transformers": transformers.__version__}
    models = {name: measure(name, vocabulary) for name in MODELS}
    write("pipeline.json", {"versions": versions, "models": models, "steps": [step(*each) for each in STEPS]})
    write("tokens.json", {"versions": versions, "prompts": tokens(vocabulary)})


def write(name, fixture):
    path = FIXTURES / name
    path.write_text(json.dumps(fixture, ensure_ascii=False) + "\n")
    print(path, path.stat().st_size, "bytes")


def configs(name):
    """config.json of each part."""
    given = MODELS[name]
    levels, vae = len(given["unet"]["block_out_channels"]), len(given["vae"]["block_out_channels"])
    types = [CROSS] * (levels - 1) + [PLAIN]
    text = given["text_encoder"]
    return dict(
        unet=dict(
            sample_size=8,
            in_channels=4,
            out_channels=4,
            cross_attention_dim=text["hidden_size"],
            down_block_types=[kind.format("Down") for kind in types],
            up_block_types=[kind.format("Up") for kind in reversed(types)],
        )
        | given["unet"],
        vae=dict(
            down_block_types=["DownEncoderBlock2D"] * vae,
            up_block_types=["UpDecoderBlock2D"] * vae,
            latent_channels=4,
            sample_size=8 * 2 ** (vae - 1),
            scaling_factor=0.18215,
        )
        | given["vae"],
        text_encoder=dict(vocab_size=49408, intermediate_size=4 * text["hidden_size"], max_position_embeddings=77) | text,
        scheduler=given["scheduler"],
    )


def measure(name, vocabulary):
    config = configs(name)
    parts = dict(
        unet=upstream.seed(UNet2DConditionModel(**config["unet"]), f"{name}/unet/").eval(),
        vae=upstream.seed(AutoencoderKL(**config["vae"]), f"{name}/vae/").eval(),
        text_encoder=upstream.seed(CLIPTextModel(CLIPTextConfig(**config["text_encoder"])), f"{name}/text_encoder/").eval(),
    )
    shapes = {part: {key: list(value.shape) for key, value in model.named_parameters()} for part, model in parts.items()}
    pipe = StableDiffusionPipeline(
        **parts,
        tokenizer=tokenizer(CLIPTokenizer, vocabulary, MODELS[name]["pad"]),
        scheduler=scheduler(config["scheduler"]),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    cases = [draw(pipe, name, i, **case) for i, case in enumerate(CASES[name])]
    return {"config": config, "pad": MODELS[name]["pad"], "shapes": shapes, "cases": cases}


def tokenizer(kind, folder, pad):
    files = Path(folder)
    return kind(str(files / "vocab.json"), str(files / "merges.txt"), pad_token=pad, model_max_length=77)


def scheduler(config):
    return getattr(diffusers, config["_class_name"]).from_config(config)


@torch.no_grad()
def draw(pipe, name, i, prompt, seed, **case):
    own = pipe.scheduler
    if "scheduler" in case:
        pipe.scheduler = scheduler(case["scheduler"])
    picture = pipe(
        prompt,
        negative_prompt=case.get("negativePrompt"),
        guidance_scale=case.get("guidance", 1.0),
        width=case.get("width"),
        height=case.get("height"),
        clip_skip=case.get("skipLayers"),
        num_inference_steps=1,
        generator=torch.Generator().manual_seed(seed),
        output_type="pt",
    ).images[0].numpy()
    pipe.scheduler = own
    clamped = float(((picture <= 0) | (picture >= 1)).mean())
    print(f"{name} {i}: {picture.shape} mean {picture.mean():.3f} deviation {picture.std():.3f} clamped {clamped:.2f}")
    places = (seeded.words(f"{name}/{i}", 256) % np.uint32(picture.size)).tolist()
    values = picture.ravel()[places].astype(float).round(7).tolist()
    return dict(prompt=prompt, seed=str(seed), **case) | dict(shape=list(picture.shape), mean=float(picture.mean()), places=places, values=values)


def step(kind, config):
    """What the scheduler makes of a sample of 1 and an output of 0, and the other way round."""
    own = dict(config)
    given = [own.pop("timestep")] if "timestep" in own else None
    whole = {"_class_name": kind} | BETAS | own

    def run(sample, output):
        each = scheduler(whole)
        each.set_timesteps(1) if given is None else each.set_timesteps(timesteps=given)
        t = each.timesteps[0]
        sample = torch.full((1, 1, 1, 1), sample)
        scaled = each.scale_model_input(sample, t)
        previous = each.step(torch.full((1, 1, 1, 1), output), t, sample).prev_sample
        return float(each.init_noise_sigma), float(t), scaled.item(), previous.item()

    scale, timestep, inputScale, skip = run(1.0, 0.0)
    alphas = scheduler(whole).alphas_cumprod
    return dict(
        config=whole,
        timestep=given and given[0],
        step=dict(scale=scale, inputScale=inputScale, timestep=timestep, skip=skip, out=run(0.0, 1.0)[3]),
        alphas=[float(alphas[i]) for i in (0, len(alphas) // 3, -2, -1)],
    )


def tokens(folder):
    """Each prompt's ids: by CLIPTokenizer with ftfy and without, by CLIPTokenizerFast, and where "!" is the padding."""
    end = "<|endoftext|>"
    kinds = {"ftfy": tokenizer(CLIPTokenizer, folder, end), "fast": tokenizer(CLIPTokenizerFast, folder, end)}
    padding = tokenizer(CLIPTokenizer, folder, "!")
    sys.modules["ftfy"] = None  # as if it were not installed
    kinds["basic"] = tokenizer(CLIPTokenizer, folder, end)
    assert kinds["ftfy"].fix_text and not kinds["basic"].fix_text
    cases = []
    for prompt in prompts.ALL:
        ids = {kind: each(prompt, add_special_tokens=False).input_ids for kind, each in kinds.items()}
        same = {kind: each for kind, each in ids.items() if kind == "ftfy" or each != ids["ftfy"]}
        padded = padding(prompt, padding="max_length", max_length=77, truncation=True).input_ids
        cases.append({"prompt": prompt} | same | {"padded": padded[: 1 + max((i for i, id in enumerate(padded) if id), default=0)]})
    return cases


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
