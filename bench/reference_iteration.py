"""Times ReNO's iteration as upstream runs it: diffusers' U-Net and VAE, ImageReward, float32 on the CPU. Prints JSON.

    python reference_iteration.py IMAGEREWARD_CLONE VOCABULARY CHECKPOINT SD_TURBO_FOLDER --size 256 [--threads 2] [--iterations 2]

The steps are those of ReNO's trainer (training/trainer.py) and RewardStableDiffusion at bd6f6ac: the prompt encoded anew, one
Euler step from sigma 14.6146, the picture clamped, resized and cropped, the loss 2 - reward, backward, clip, SGD with Nesterov.
"""
import argparse
import json
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "test/reference"))
import torch

import reference_score
import upstream
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Normalize, Resize
from transformers import CLIPTextModel, CLIPTokenizer

SIGMA = 14.614641229333639
TRANSFORM = Compose([
    Resize(224, interpolation=InterpolationMode.BICUBIC),
    CenterCrop(224),
    Normalize((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
])


def main():
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    begun = time.perf_counter()
    reward = reference_score.load(arguments).requires_grad_(False)
    folder = Path(arguments.folder)
    unet = UNet2DConditionModel.from_pretrained(folder / "unet").eval().requires_grad_(False)
    vae = AutoencoderKL.from_pretrained(folder / "vae").eval().requires_grad_(False)
    text = CLIPTextModel.from_pretrained(folder / "text_encoder").eval().requires_grad_(False)
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    loaded = time.perf_counter()
    side = arguments.size // 8
    latents = torch.randn((1, 4, side, side), generator=torch.Generator().manual_seed(0)).requires_grad_()
    optimizer = torch.optim.SGD([latents], lr=5, momentum=0.9, nesterov=True)
    words = reward.blip.tokenizer(
        arguments.prompt, padding="max_length", truncation=True, max_length=35, return_tensors="pt"
    )
    seconds, losses, norms = [], [], []
    for _ in range(arguments.iterations):
        started = time.perf_counter()
        optimizer.zero_grad()
        ids = tokenizer(arguments.prompt, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids
        states = text(ids)[0]
        sample = latents * SIGMA
        output = unet(sample / (SIGMA**2 + 1) ** 0.5, 999, encoder_hidden_states=states).sample
        image = vae.decode((sample - SIGMA * output) / 0.18215).sample
        image = TRANSFORM((image / 2 + 0.5).clamp(0, 1))
        loss = 2 - reward.score_gard(words.input_ids, words.attention_mask, image).squeeze()
        norm = torch.linalg.vector_norm(latents)
        regularizer = 0.01 * (0.5 * norm**2 - (latents.numel() - 1) * torch.log(norm))
        (loss + regularizer).backward()
        norms.append(torch.nn.utils.clip_grad_norm_(latents, 0.1).item())
        losses.append(loss.item())
        optimizer.step()
        seconds.append(time.perf_counter() - started)
    print(json.dumps({
        "versions": upstream.VERSIONS,
        "seconds": min(seconds[1:] or seconds),
        "loadSeconds": loaded - begun,
        "peakBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "losses": losses,
        "gradientNorms": norms,
    }))


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("clone", "vocabulary", "checkpoint", "folder"):
        parser.add_argument(name)
    parser.add_argument("--prompt", default="a cat")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--iterations", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
