"""Opens clones of ImageReward and ReNO with today's libraries, changing none of their files.

What keeps the old code running: three functions moved inside transformers, the tokenizer reads a vocabulary file instead of
the hub, and packages that only other rewards need are never imported.
"""
import json
import sys
import types
from pathlib import Path

import torch

if torch.version.cuda is None:
    # The registry's torchvision is linked against CUDA; beside a CPU torch its compiled ops do not load, and two that
    # it goes on to describe were never declared. Declared without a kernel they do no harm: transforms need none.
    _ops = torch.library.Library("torchvision", "DEF")
    for _name in ("nms", "qnms"):
        _ops.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

import torchvision
import transformers
from transformers import modeling_utils, pytorch_utils

import seeded

MOVED = ("apply_chunking_to_forward", "find_pruneable_heads_and_indices", "prune_linear_layer")

VERSIONS = {
    "torch": torch.__version__,
    "torchvision": torchvision.__version__,
    "transformers": transformers.__version__,
    "ImageReward": "c1392c6",
    "ReNO": "bd6f6ac",
}


def open_image_reward(clone, vocabulary):
    """Upstream's module ImageReward.ImageReward, read from the clone."""
    for name in MOVED:
        setattr(modeling_utils, name, getattr(pytorch_utils, name))
    transformers.BertTokenizer.from_pretrained = classmethod(lambda cls, _: cls(str(vocabulary)))
    root = Path(clone) / "ImageReward"
    bare_package("ImageReward", root)
    bare_package("ImageReward.models", root / "models")
    import ImageReward.ImageReward as module

    return module


def bare_package(name, folder):
    """A package whose __init__ is not run: it would import every other reward too."""
    package = types.ModuleType(name)
    package.__path__ = [str(folder)]
    sys.modules[name] = package


def open_reno(clone):
    """ReNO's ImageRewardLoss and clip_img_transform, read from the clone."""
    sys.path.insert(0, str(clone))
    for name, loss in (("aesthetic", "AestheticLoss"), ("clip", "CLIPLoss"), ("hps", "HPSLoss"), ("pickscore", "PickScoreLoss")):
        stand_in = types.ModuleType(f"rewards.{name}")
        setattr(stand_in, loss, None)
        sys.modules[f"rewards.{name}"] = stand_in
    sys.modules["ImageReward"].load = None  # the caller says what is loaded
    from rewards.imagereward import ImageRewardLoss
    from rewards.utils import clip_img_transform

    return ImageRewardLoss, clip_img_transform


def open_trainer(clone):
    """ReNO's trainer, optimisers and one-step pipeline, after open_reno. Its CUDA generator becomes the CPU's."""
    bare_package("models", Path(clone) / "models")  # its __init__ imports FLUX and PixArt
    from models.RewardStableDiffusion import RewardStableDiffusion
    from training import trainer
    from training.optim import get_optimizer

    trainer.torch = OnCpu()
    return trainer.LatentNoiseTrainer, get_optimizer, RewardStableDiffusion


class OnCpu:
    """torch, with generators on the CPU whatever device they are asked for."""

    Generator = staticmethod(lambda device: torch.Generator())

    def __getattr__(self, name):
        return getattr(torch, name)


BERT_BASE = {
    "architectures": ["BertModel"],
    "attention_probs_dropout_prob": 0.1,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "initializer_range": 0.02,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 512,
    "model_type": "bert",
    "pad_token_id": 0,
    "type_vocab_size": 2,
    "vocab_size": 30524,
    "add_cross_attention": True,
}
BERT_BASE_SIZES = {"hidden_size": 768, "num_attention_heads": 12, "num_hidden_layers": 12, "intermediate_size": 3072}


def build(module, config, folder):
    """Upstream's ImageReward at another size: its own classes, put together as its constructor does."""
    med_config = Path(folder) / "med_config.json"
    width = config["textWidth"]
    bert = {"hidden_size": width, "num_attention_heads": width // 64, "intermediate_size": 4 * width}
    med_config.write_text(json.dumps(BERT_BASE | bert | {"num_hidden_layers": config["textLayers"]}))
    blip = sys.modules["ImageReward.models.BLIP.blip_pretrain"]
    blip.create_vit = lambda vit, image_size, *_: (vision(config), config["visionWidth"])

    model = module.ImageReward.__new__(module.ImageReward)
    torch.nn.Module.__init__(model)
    model.device = "cpu"
    model.blip = module.BLIP_Pretrain(image_size=config["imageSize"], vit="large", med_config=str(med_config))
    model.preprocess = module._transform(config["imageSize"])
    model.mlp = module.MLP(width)
    model.mean, model.std = 0.16717362830052426, 1.0333394966054072
    return seed(model).eval()


def vision(config):
    """The vision transformer that create_vit builds, with this config's sizes."""
    transformer = sys.modules["ImageReward.models.BLIP.vit"].VisionTransformer
    width = config["visionWidth"]
    return transformer(
        img_size=config["imageSize"],
        patch_size=config["patch"],
        embed_dim=width,
        depth=config["visionLayers"],
        num_heads=width // 64,
        drop_path_rate=0.1,
    )


@torch.no_grad()
def seed(model, prefix=""):
    for name, parameter in model.named_parameters():
        parameter.copy_(torch.from_numpy(seeded.weight(name, tuple(parameter.shape), prefix)))
    return model
