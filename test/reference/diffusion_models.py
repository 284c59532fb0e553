"""Regenerates test/models/fixtures/diffusion.json from diffusers' and transformers' own models at small widths.

    python diffusion_models.py [OUTPUT]

Weights and inputs are seeded by name (seeded.py), so only configurations, shapes and what came out are stored.
"""
import base64
import json
import sys
from pathlib import Path

import torch
import upstream  # first: beside a CPU torch it makes torchvision importable

import diffusers
import transformers
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

import seeded

CROSS, PLAIN = "CrossAttn{}Block2D", "{}Block2D"


def unet_config(crosses, **rest):
    """A configuration whose levels have attention or not."""
    types = [CROSS if cross else PLAIN for cross in crosses]
    down = [kind.format("Down") for kind in types]
    up = [kind.format("Up") for kind in reversed(types)]
    return {"sample_size": 8, "in_channels": 4, "out_channels": 4, "down_block_types": down, "up_block_types": up} | rest


UNETS = {
    # As SD1: eight heads at every level, convolutions around the transformers, no attention at the last level.
    "sd1": unet_config(
        [True, True, False],
        block_out_channels=[32, 64, 64],
        layers_per_block=2,
        attention_head_dim=8,
        cross_attention_dim=64,
    ),
    # As SD2: 64 channels a head, linear layers around the transformers.
    "sd2": unet_config(
        [True, False],
        block_out_channels=[64, 128],
        layers_per_block=1,
        attention_head_dim=[1, 2],
        cross_attention_dim=64,
        use_linear_projection=True,
    ),
    # As SDXL's blocks: transformers of different depths, none at the first level; and what else a list or a number can say.
    "deep": unet_config(
        [False, True, True],
        block_out_channels=[16, 32, 32],
        layers_per_block=[1, 2, 1],
        transformer_layers_per_block=[1, 1, 2],
        attention_head_dim=[2, 4, 2],
        cross_attention_dim=24,
        use_linear_projection=True,
        norm_num_groups=4,
        norm_eps=1e-6,
        flip_sin_to_cos=False,
        freq_shift=1,
    ),
}
UNET_CASES = [  # model, batch, height, width, timestep, tokens, whether with the gradient
    ("sd1", 1, 8, 8, 999, 77, False),
    ("sd1", 2, 5, 7, 500, 9, True),  # halves to 3x4 and 2x2: each doubling is cut to the size there was
    ("sd2", 1, 8, 12, 999, 77, True),
    ("sd2", 1, 3, 9, 1, 5, False),
    ("deep", 2, 9, 6, 731, 11, True),
    ("deep", 1, 1, 1, 999, 77, False),  # a picture of 8x8 pixels; norms of so few numbers make its gradient rounding alone
]

VAES = {
    "sd": dict(block_out_channels=[32, 64], layers_per_block=2, latent_channels=4, sample_size=16),
    "other": dict(
        block_out_channels=[16, 16, 24],
        layers_per_block=1,
        latent_channels=3,
        norm_num_groups=8,
        use_quant_conv=False,
        use_post_quant_conv=False,
        mid_block_add_attention=False,
    ),
}
DECODE_CASES = [("sd", 1, 8, 8), ("sd", 2, 3, 5), ("sd", 1, 1, 1), ("other", 1, 4, 6)]
ENCODE_CASES = [("sd", 1, 16, 16), ("sd", 1, 9, 7), ("other", 2, 8, 12)]

TEXTS = {
    "clipL": dict(hidden_size=64, num_hidden_layers=3, num_attention_heads=1, hidden_act="quick_gelu"),
    "openClipH": dict(hidden_size=128, num_hidden_layers=2, num_attention_heads=2, hidden_act="gelu"),
}
VOCABULARY = 512
IDS = [[510, 320, 7, 99, 451, 320, 12, 511, 511, 511, 0, 0], [510, 511, 511, 511, 511, 511, 511, 511, 511, 511, 511, 511]]


def main(output=None):
    torch.set_num_threads(2)
    versions = {"torch": torch.__version__, "diffusers": diffusers.__version__, "transformers": transformers.__version__}
    fixture = {"versions": versions, "unets": unets(), "vaes": vaes(), "texts": texts()}
    path = Path(output or Path(__file__).parent.parent / "models/fixtures/diffusion.json")
    path.write_text(json.dumps(fixture) + "\n")
    print(path, path.stat().st_size, "bytes")


@torch.no_grad()
def seed(model):
    """The model with a value for each of its weights by name."""
    for name, parameter in model.named_parameters():
        parameter.copy_(torch.from_numpy(seeded.weight(name, tuple(parameter.shape))))
    return model.eval()


def shapes(model):
    return {name: list(parameter.shape) for name, parameter in model.named_parameters()}


def normal(name, *shape):
    return torch.from_numpy(seeded.normal(name, shape))


def whole(tensor):
    return base64.b64encode(tensor.detach().contiguous().numpy().astype("<f4").tobytes()).decode()


def outcome(output, wrt):
    """What came out, and the gradient of its sum of squares where it is asked for."""
    came = {"shape": list(output.shape), "output": whole(output)}
    if wrt is None:
        return came
    (gradient,) = torch.autograd.grad(output.square().sum(), wrt)
    print(f"  output {output.std():.3f} gradient {gradient.std():.3g}", tuple(output.shape))
    return came | {"gradient": whole(gradient)}


def unets():
    models = {name: seed(UNet2DConditionModel(**config)) for name, config in UNETS.items()}
    cases = []
    for name, batch, height, width, timestep, tokens, with_gradient in UNET_CASES:
        model = models[name]
        sample = normal("sample", batch, 4, height, width).requires_grad_()
        text = normal("text", batch, tokens, model.config.cross_attention_dim)
        output = model(sample, torch.tensor([float(timestep)]), encoder_hidden_states=text).sample
        given = dict(model=name, sample=list(sample.shape), text=list(text.shape), timestep=timestep)
        cases.append(given | outcome(output, sample if with_gradient else None))
    return {"models": described(models), "cases": cases}


def described(models):
    """config.json as its own library writes it, and the weights' shapes."""
    return {name: {"config": config_json(model), "shapes": shapes(model)} for name, model in models.items()}


def config_json(model):
    return json.loads(model.to_json_string() if hasattr(model, "to_json_string") else model.config.to_json_string())


def vaes():
    models = {name: seed(vae(config)) for name, config in VAES.items()}
    decoded, encoded = [], []
    for name, batch, height, width in DECODE_CASES:
        latents = normal("latents", batch, models[name].config.latent_channels, height, width).requires_grad_()
        image = models[name].decode(latents).sample
        decoded.append(dict(model=name, latents=list(latents.shape)) | outcome(image, latents))
    for name, batch, height, width in ENCODE_CASES:
        image = normal("image", batch, 3, height, width).requires_grad_()
        posterior = models[name].encode(image).latent_dist
        means = outcome(posterior.mean, image)
        encoded.append(dict(model=name, image=list(image.shape), logVariance=whole(posterior.logvar)) | means)
    return {"models": described(models), "decoded": decoded, "encoded": encoded}


def vae(config):
    levels = len(config["block_out_channels"])
    down, up = ["DownEncoderBlock2D"] * levels, ["UpDecoderBlock2D"] * levels
    return AutoencoderKL(down_block_types=down, up_block_types=up, **config)


def texts():
    models = {name: seed(text_model(config)) for name, config in TEXTS.items()}
    ids = torch.tensor(IDS)
    cases = []
    for name, model in models.items():
        states = model(ids, output_hidden_states=True)
        final = model.text_model.final_layer_norm
        cases += [
            {"model": name, "output": whole(states.last_hidden_state)},
            {"model": name, "skipLayers": 1, "output": whole(final(states.hidden_states[-2]))},
            {"model": name, "skipLayers": 1, "finalNorm": False, "output": whole(states.hidden_states[-2])},
        ]
    return {"models": described(models), "ids": IDS, "cases": cases}


def text_model(config):
    sizes = dict(vocab_size=VOCABULARY, intermediate_size=4 * config["hidden_size"], max_position_embeddings=16)
    return CLIPTextModel(CLIPTextConfig(**sizes, **config))


if __name__ == "__main__":
    main(*sys.argv[1:])
