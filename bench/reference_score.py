"""Times upstream's ImageReward.score over a folder of PNGs, in float32 on the CPU. Prints JSON.

    python reference_score.py IMAGEREWARD_CLONE VOCABULARY CHECKPOINT FOLDER [--prompt TEXT | --prompts FILE] [--threads 2]

--prompt: one prompt for all pictures. --prompts: a JSON object of a prompt for each file name. Also wanted in the
environment: what test/reference/README.md installs.
"""
import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "test/reference"))
import torch

import upstream

def main():
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    started = time.perf_counter()
    model = load(arguments)
    loaded = time.perf_counter()
    pictures = sorted(Path(arguments.folder).glob("*.png"))
    prompts = json.loads(Path(arguments.prompts).read_text()) if arguments.prompts else {}
    scores, seconds = {}, []
    with torch.no_grad():
        for picture in pictures:
            begun = time.perf_counter()
            scores[picture.name] = model.score(prompts.get(picture.name, arguments.prompt), str(picture))
            seconds.append(time.perf_counter() - begun)
    print(json.dumps(report(arguments, scores, seconds, loaded - started), indent=1))


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("clone", "vocabulary", "checkpoint", "folder"):
        parser.add_argument(name)
    parser.add_argument("--prompt", default="a painting of an ocean with clouds and birds")
    parser.add_argument("--prompts")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def load(arguments):
    """As upstream's load does: its class, a state dict by torch.load, strict=False; but a key that fits nowhere is an error."""
    module = upstream.open_image_reward(arguments.clone, arguments.vocabulary)
    with tempfile.NamedTemporaryFile("w", suffix=".json") as config:
        json.dump(upstream.BERT_BASE | upstream.BERT_BASE_SIZES, config)
        config.flush()
        state = torch.load(arguments.checkpoint, map_location="cpu")
        model = module.ImageReward(device="cpu", med_config=config.name)
    missing, unexpected = model.load_state_dict(state, strict=False)
    missing = [key for key in missing if not key.endswith(".position_ids")]  # counts from 0 to 511 in any case
    if missing or unexpected:
        sys.exit(f"The checkpoint lacks {missing} and has {unexpected} that upstream does not know.")
    return model.eval()


def report(arguments, scores, seconds, load_seconds):
    # The first picture warms caches up; it is reported apart.
    rest = seconds[1:] or seconds
    return {
        "versions": upstream.VERSIONS,
        "threads": arguments.threads,
        "pictures": len(scores),
        "imagesPerSecond": len(rest) / sum(rest),
        "firstSeconds": seconds[0],
        "loadSeconds": load_seconds,
        "peakBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "prompt": None if arguments.prompts else arguments.prompt,
        "scores": scores,
    }


if __name__ == "__main__":
    main()
