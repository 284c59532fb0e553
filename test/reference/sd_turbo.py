"""A small SD-Turbo of diffusers' own classes with seeded weights, as test/support/sdTurbo.ts writes it to disk."""
import json
import tempfile
from pathlib import Path

import torch
import transformers
from diffusers import AutoencoderKL, EulerDiscreteScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer
from transformers.models.clip.tokenization_clip import bytes_to_unicode

import seeded

UNET = dict(
    sample_size=16,
    in_channels=4,
    out_channels=4,
    down_block_types=["CrossAttnDownBlock2D", "DownBlock2D"],
    up_block_types=["UpBlock2D", "CrossAttnUpBlock2D"],
    block_out_channels=[32, 64],
    layers_per_block=1,
    cross_attention_dim=32,
    attention_head_dim=[2, 4],
    use_linear_projection=True,
    norm_num_groups=8,
)
VAE = dict(
    in_channels=3,
    out_channels=3,
    down_block_types=["DownEncoderBlock2D"] * 3,
    up_block_types=["UpDecoderBlock2D"] * 3,
    block_out_channels=[16, 32, 32],
    layers_per_block=1,
    latent_channels=4,
    norm_num_groups=8,
    sample_size=64,
    scaling_factor=0.18215,
)
# 256 bytes, the same ending a word, begin and end
TEXT = dict(
    vocab_size=514,
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=2,
    max_position_embeddings=77,
    hidden_act="gelu",
    projection_dim=32,
    bos_token_id=512,
    eos_token_id=513,
    pad_token_id=0,
)
# stabilityai/sd-turbo, scheduler/scheduler_config.json
SCHEDULER = dict(
    beta_end=0.012,
    beta_schedule="scaled_linear",
    beta_start=0.00085,
    interpolation_type="linear",
    num_train_timesteps=1000,
    prediction_type="epsilon",
    sample_max_value=1.0,
    set_alpha_to_one=False,
    skip_prk_steps=True,
    steps_offset=1,
    timestep_spacing="trailing",
    use_karras_sigmas=False,
)
CONFIG = dict(unet=UNET, vae=VAE, text_encoder=TEXT, scheduler=SCHEDULER)


def tokenizer():
    """Bytes alone, no merges; pads with "!" as SD2 does."""
    characters = list(bytes_to_unicode().values())
    names = characters + [each + "</w>" for each in characters] + ["<|startoftext|>", "<|endoftext|>"]
    folder = Path(tempfile.mkdtemp())
    (folder / "vocab.json").write_text(json.dumps({name: i for i, name in enumerate(names)}, ensure_ascii=False))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), pad_token="!", model_max_length=77)


@torch.no_grad()
def seed(model, part):
    for name, parameter in model.named_parameters():
        parameter.copy_(torch.from_numpy(seeded.weight(name, tuple(parameter.shape), f"{part}/")))
    return model.eval()


def components():
    return dict(
        vae=seed(AutoencoderKL(**VAE), "vae"),
        text_encoder=seed(CLIPTextModel(CLIPTextConfig(**TEXT)), "text_encoder"),
        tokenizer=tokenizer(),
        unet=seed(UNet2DConditionModel(**UNET), "unet"),
        scheduler=EulerDiscreteScheduler.from_config(SCHEDULER),
    )


def shapes(parts):
    """Every tensor of each part, by its name."""
    return {
        part: {name: list(parameter.shape) for name, parameter in parts[part].named_parameters()}
        for part in ("unet", "vae", "text_encoder")
    }
