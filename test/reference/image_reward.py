"""Regenerates test/models/fixtures/imageReward.json from upstream's ImageReward and ReNO at small sizes.

    python image_reward.py IMAGEREWARD_CLONE RENO_CLONE VOCABULARY [OUTPUT]
"""
import base64
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import seeded
import upstream

MODELS = {
    "wide": dict(imageSize=224, patch=16, visionWidth=128, visionLayers=2, textWidth=64, textLayers=2),
    "small": dict(imageSize=64, patch=8, visionWidth=64, visionLayers=2, textWidth=128, textLayers=2),
}
SIZES = {
    "wide": [(224, 224), (224, 224), (224, 224), (320, 240), (200, 300), (151, 97)],
    "small": [(64, 64), (64, 64), (64, 64), (96, 64), (75, 151), (40, 33)],
}
GRADIENT_SIZES = {
    "wide": [(224, 224), (256, 256), (320, 240), (151, 97), (225, 301), (513, 385)],
    "small": [(64, 64), (40, 33)],
}
PROMPTS = [
    "a painting of an ocean with clouds and birds, day time, low depth field effect",
    "a red circle left of a blue square",
    "",
    "Café naïve — 東京 at night, 8k!! (trending on artstation:1.2), don't",
    "an astronaut riding a horse on the moon, highly detailed digital art by a renowned master of light, "
    "golden hour, volumetric fog, cinematic composition, sharp focus, extremely intricate unbelievably ornate patterns",
    "the word [MASK] and [SEP] in a prompt",
]


def main(image_reward, reno, vocabulary, output=None):
    torch.manual_seed(0)
    torch.set_num_threads(2)
    module = upstream.open_image_reward(image_reward, vocabulary)
    losses = upstream.open_reno(reno)
    models = {}
    for name, config in MODELS.items():
        with tempfile.TemporaryDirectory() as folder:
            model = upstream.build(module, config, folder)
        models[name] = {"config": config} | measure(name, model, losses)
    fixture = {"versions": upstream.VERSIONS, "prompts": PROMPTS, "seeded": generator_sample(), "models": models}
    path = Path(output or Path(__file__).parent.parent / "models/fixtures/imageReward.json")
    path.write_text(json.dumps(fixture, indent=1, ensure_ascii=False) + "\n")
    print(path, path.stat().st_size, "bytes")
    for name, model in models.items():
        scores = np.array(model["scores"])
        print(name, "spread over pictures", scores.std(1).mean(), "over prompts", scores.std(0).mean())


def measure(name, model, losses):
    pictures = [Image.fromarray(seeded.picture(f"{name}/{i}", *size)) for i, size in enumerate(SIZES[name])]
    with torch.no_grad():
        ranked = [model.inference_rank(prompt, pictures) for prompt in PROMPTS]
        tokens = model.blip.tokenizer(PROMPTS, padding="max_length", truncation=True, max_length=35)
        alone = model.inference_rank(PROMPTS[0], pictures[:1])
        return {
            "tokens": tokens["input_ids"],
            "mask": tokens["attention_mask"],
            "pictures": [{"name": f"{name}/{i}", "size": size} for i, size in enumerate(SIZES[name])],
            "scores": [[model.score(prompt, picture) for picture in pictures] for prompt in PROMPTS],
            "ranks": [ranks for ranks, _ in ranked],
            "rankedScores": [scores for _, scores in ranked],
            "rankOfOne": alone[0],
            "activations": activations(model, pictures[0], PROMPTS[0]),
            "gradients": gradients(name, model, losses),
        }


def activations(model, picture, prompt):
    """A few numbers from along the way, to see where two implementations part."""
    pixels = model.preprocess(picture).unsqueeze(0)
    text = model.blip.tokenizer(prompt, padding="max_length", truncation=True, max_length=35, return_tensors="pt")
    image = model.blip.visual_encoder(pixels)
    hidden = model.blip.text_encoder(
        text.input_ids,
        attention_mask=text.attention_mask,
        encoder_hidden_states=image,
        encoder_attention_mask=torch.ones(image.shape[:-1], dtype=torch.long),
        output_hidden_states=True,
        return_dict=True,
    ).hidden_states
    return {
        "pixels": pixels[0, :, 3, :4].flatten().tolist(),
        "patches": model.blip.visual_encoder.patch_embed(pixels)[0, 1, :8].tolist(),
        "image": {str(token): image[0, token, :8].tolist() for token in (0, 1, image.shape[1] - 1)},
        "imageNorm": image.norm().item(),
        "text": [layer[0, 0, :8].tolist() for layer in hidden],
        "classToken": hidden[-1][0, 0].tolist(),
        "head": model.mlp(hidden[-1][0, 0]).item(),
    }


@torch.enable_grad()
def gradients(name, model, losses):
    """Reward and its gradient to the float picture through ReNO's own preprocessing and loss."""
    loss_class, transform = losses
    sys.modules["rewards.imagereward"].RM.load = lambda *_, **__: model
    loss = loss_class(1.0, torch.float32, "cpu", "")
    resize = transform(model.blip.visual_encoder.patch_embed.img_size[0])
    cases = []
    for i, (width, height) in enumerate(GRADIENT_SIZES[name]):
        picture = f"{name}/gradient/{i}"
        prompt = PROMPTS[i % len(PROMPTS)]
        pixels = torch.from_numpy(seeded.picture(picture, width, height)).float().permute(2, 0, 1)[None] / 255
        pixels.requires_grad_()
        reward = 2 - loss(resize(pixels), prompt)
        reward.backward()
        cases.append({"picture": picture, "size": (width, height), "prompt": i % len(PROMPTS), "reward": reward.item()})
        cases[-1] |= fingerprint(picture, pixels.grad[0].numpy())
    return cases


def fingerprint(picture, gradient):
    """Enough of a gradient [3, height, width] to recognise it: norm, 64 entries, 4 dot products, all of it if small."""
    flat = gradient.ravel().astype(np.float64)
    places = (seeded.words(picture + "/places", 64) % np.uint32(flat.size)).tolist()
    directions = [seeded.normal(f"{picture}/direction/{k}", flat.shape) for k in range(4)]
    whole = {"whole": base64.b64encode(gradient.tobytes()).decode()} if flat.size < 5000 else {}
    return {
        "norm": float(np.linalg.norm(flat)),
        "places": places,
        "entries": flat[places].tolist(),
        "dots": [float(flat @ direction) for direction in directions],
    } | whole


def generator_sample():
    """What the generator itself gives, so that a port of it can be checked alone."""
    return {
        "words": seeded.words("renoir", 4).tolist(),
        "normal": seeded.normal("renoir", (6,), 0.5, 2.0).tolist(),
        "uniform": seeded.uniform("renoir", (4,), -1, 1).tolist(),
        "picture": seeded.picture("renoir", 3, 2).ravel().tolist(),
        "weight": seeded.weight("blip.visual_encoder.blocks.0.attn.qkv.weight", (192, 64))[100, 3:7].tolist(),
    }


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
