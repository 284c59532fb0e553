"""Regenerates test/weights/fixtures/singleFiles.json.gz: the names of single-file checkpoints beside diffusers' names.

    python single_files.py [OUTPUT]

The names are written down here, and proved by diffusers' own readers of single files (loaders/single_file_utils.py): from a
file of these names they must give back the very model. Full-size models are made without data.
"""
import gzip
import json
import sys
from pathlib import Path

import torch
import upstream  # first: beside a CPU torch it makes torchvision importable

from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders import single_file_utils
from transformers import CLIPTextConfig, CLIPTextModel

import diffusion_models as small

SD1 = dict(
    unet=dict(cross_attention_dim=768, attention_head_dim=8),
    vae=dict(block_out_channels=[128, 256, 512, 512], layers_per_block=2),
    text=dict(hidden_size=768, num_hidden_layers=12, num_attention_heads=12),
)
SD2 = dict(
    unet=dict(cross_attention_dim=1024, attention_head_dim=[5, 10, 20, 20], use_linear_projection=True),
    vae=SD1["vae"],
    text=dict(hidden_size=1024, num_hidden_layers=23, num_attention_heads=16, hidden_act="gelu"),
)

UNET_AROUND = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
UNET_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
OPEN_CLIP = {
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "embeddings.position_embedding.weight": "positional_embedding",
    "final_layer_norm": "ln_final",
    "encoder.layers": "transformer.resblocks",
    "layer_norm": "ln_",
    "self_attn": "attn",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}


def main(output=None):
    with torch.device("meta"):
        files = {
            "sd1": single_file(*full_size(SD1), add_sd1_text),
            "sd2": single_file(*full_size(SD2), add_sd2_text),
        }
    files["tinySd1"] = single_file(*tiny("sd1", "clipL"), add_sd1_text)
    files["tinySd2"] = single_file(*tiny("sd2", "openClipH"), add_sd2_text)
    path = Path(output or Path(__file__).parent.parent / "weights/fixtures/singleFiles.json.gz")
    path.write_bytes(gzip.compress(json.dumps(files, separators=(",", ":")).encode(), mtime=0))
    print(path, path.stat().st_size, "bytes", {name: len(file) for name, file in files.items()})


def full_size(configs):
    text = CLIPTextModel(CLIPTextConfig(intermediate_size=4 * configs["text"]["hidden_size"], **configs["text"]))
    return UNet2DConditionModel(**configs["unet"]), small.vae(configs["vae"]), text


def tiny(unet, text):
    """The models whose outputs diffusion_models.py records."""
    return (
        small.seed(UNet2DConditionModel(**small.UNETS[unet])),
        small.seed(small.vae(small.VAES["sd"])),
        small.seed(small.text_model(small.TEXTS[text])),
    )


def single_file(unet, vae, text, add_text):
    """{their name: [their shape, our name or names, or null where diffusers reads nothing]}"""
    file = {}
    for name, tensor in unet.state_dict().items():
        file["model.diffusion_model." + unet_name(name, unet.config)] = (tensor, "unet." + name)
    for name, tensor in vae.state_dict().items():
        is_matrix = ".attentions." in name and tensor.dim() == 2
        stored = tensor[:, :, None, None] if is_matrix else tensor
        file["first_stage_model." + vae_name(name, len(vae.config.block_out_channels))] = (stored, "vae." + name)
    add_text(file, text)
    prove(file, unet, vae, text, add_text)
    return {theirs: [list(tensor.shape), ours] for theirs, (tensor, ours) in file.items()}


def unet_name(name, config):
    layer, _, kind = name.rpartition(".")
    if layer in UNET_AROUND:
        return f"{UNET_AROUND[layer]}.{kind}"
    part, *rest = name.split(".")
    blocks, levels = config["layers_per_block"], len(config["block_out_channels"])
    if part == "mid_block":
        number = {"resnets": 2 * int(rest[1]), "attentions": 1}[rest[0]]
        return f"middle_block.{number}.{inner(rest[0], rest[2:])}"
    level, what, j, *within = int(rest[0]), rest[1], int(rest[2]), *rest[3:]
    if part == "down_blocks":
        first = 1 + level * (blocks + 1)
        if what == "downsamplers":
            return f"input_blocks.{first + blocks}.0.op.{within[-1]}"
        return f"input_blocks.{first + j}.{0 if what == 'resnets' else 1}.{inner(what, within)}"
    first = level * (blocks + 1)
    if what == "upsamplers":
        attends = config["up_block_types"][level].startswith("CrossAttn")
        return f"output_blocks.{first + blocks}.{2 if attends else 1}.conv.{within[-1]}"
    return f"output_blocks.{first + j}.{0 if what == 'resnets' else 1}.{inner(what, within)}"


def inner(what, within):
    return ".".join([UNET_RESNET[within[0]], *within[1:]] if what == "resnets" else within)


def vae_name(name, levels):
    parts = name.split(".")
    if parts[1] == "mid_block":
        if parts[2] == "resnets":
            tail = [f"block_{int(parts[3]) + 1}", *parts[4:]]
        else:
            tail = ["attn_1", VAE_ATTENTION[".".join(parts[4:-1])], parts[-1]]
        return ".".join([parts[0], "mid", *tail])
    if parts[1] in ("down_blocks", "up_blocks"):
        way, level = parts[1].removesuffix("_blocks"), int(parts[2])
        level = levels - 1 - level if way == "up" else level
        tail = ["block", parts[4], *parts[5:]] if parts[3] == "resnets" else [f"{way}sample", "conv", parts[-1]]
        tail = ["nin_shortcut" if part == "conv_shortcut" else part for part in tail]
        return ".".join([parts[0], way, str(level), *tail])
    return name.replace("conv_norm_out", "norm_out")


def add_sd1_text(file, text):
    prefix = "cond_stage_model.transformer."
    for name, tensor in text.state_dict().items():
        file[prefix + name] = (tensor, "text_encoder." + name)
    positions = torch.arange(text.config.max_position_embeddings, device="cpu")
    file[prefix + "text_model.embeddings.position_ids"] = (positions[None], None)


def add_sd2_text(file, text):
    """OpenCLIP's names, q, k and v in one tensor, and what diffusers leaves out: the last layer and the projection."""
    prefix, state = "cond_stage_model.model.", text.state_dict()
    for name, tensor in state.items():
        if ".q_proj." in name:
            parts = [name.replace(".q_proj.", f".{part}_proj.") for part in "qkv"]
            stored = torch.cat([state[part] for part in parts])
            theirs = name.replace(".q_proj.", ".in_proj_")
            file[prefix + open_clip_name(theirs)] = (stored, ["text_encoder." + part for part in parts])
        elif ".k_proj." not in name and ".v_proj." not in name:
            file[prefix + open_clip_name(name)] = (tensor, "text_encoder." + name)
    layers, width = text.config.num_hidden_layers, text.config.hidden_size
    for name in [name for name in file if f".resblocks.{layers - 1}." in name]:
        file[name.replace(f".resblocks.{layers - 1}.", f".resblocks.{layers}.")] = (file[name][0], None)
    file[prefix + "text_projection"] = (torch.zeros(width, width), None)
    file[prefix + "logit_scale"] = (torch.zeros([]), None)


def open_clip_name(name):
    name = name.removeprefix("text_model.")
    for ours, theirs in OPEN_CLIP.items():
        name = name.replace(ours, theirs)
    return name


def prove(file, unet, vae, text, add_text):
    """diffusers reads the very models from a file of these names."""
    state = {name: tensor for name, (tensor, _) in file.items()}
    equal(single_file_utils.convert_ldm_unet_checkpoint(dict(state), dict(unet.config)), unet.state_dict())
    equal(single_file_utils.convert_ldm_vae_checkpoint(dict(state), dict(vae.config)), vae.state_dict())
    if add_text is add_sd1_text:
        read = single_file_utils.convert_ldm_clip_checkpoint(state)
        read.pop("text_model.embeddings.position_ids")
    else:
        read = single_file_utils.convert_open_clip_checkpoint(text, state)
        read.pop("text_projection.weight", None)
        last = f"text_model.encoder.layers.{text.config.num_hidden_layers}."  # diffusers drops the 24th by its full name alone
        read = {name: tensor for name, tensor in read.items() if not name.startswith(last)}
    equal(read, text.state_dict())


def equal(read, wanted):
    assert sorted(read) == sorted(wanted), set(read) ^ set(wanted)
    for name, tensor in wanted.items():
        assert read[name].shape == tensor.shape, name
        assert tensor.is_meta or torch.equal(read[name], tensor), name


if __name__ == "__main__":
    main(*sys.argv[1:])
