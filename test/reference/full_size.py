"""Makes a published-like ImageReward.pt (upstream's own class at full size, seeded weights, torch.save) and 8 pictures.

    python full_size.py IMAGEREWARD_CLONE VOCABULARY FOLDER

Writes FOLDER/ImageReward.pt (1.8 GB), FOLDER/pictures/*.png and FOLDER/prompts.json. Upstream's scores of them:
python bench/reference_score.py IMAGEREWARD_CLONE VOCABULARY FOLDER/ImageReward.pt FOLDER/pictures --prompts FOLDER/prompts.json
"""
import json
import sys
from pathlib import Path

import torch
from PIL import Image

import seeded
import upstream
from image_reward import PROMPTS

SIZES = [(512, 512), (512, 768), (768, 512), (224, 224), (640, 480), (1024, 1024), (333, 517), (200, 150)]


def main(clone, vocabulary, folder):
    folder = Path(folder)
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    prompts = {}
    for i, size in enumerate(SIZES):
        name = f"{i}.png"
        Image.fromarray(seeded.picture(f"full/{i}", *size)).save(folder / "pictures" / name)
        prompts[name] = PROMPTS[i % len(PROMPTS)]
    (folder / "prompts.json").write_text(json.dumps(prompts, indent=1, ensure_ascii=False) + "\n")

    module = upstream.open_image_reward(clone, vocabulary)
    config = folder / "med_config.json"
    config.write_text(json.dumps(upstream.BERT_BASE | upstream.BERT_BASE_SIZES))
    model = upstream.seed(module.ImageReward(med_config=str(config)))
    torch.save(model.state_dict(), folder / "ImageReward.pt")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
