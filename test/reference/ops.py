"""Regenerates test/graph/fixtures/ops.json: PyTorch's value of each op, and its gradients of sum(y * dy).

    python ops.py [OUTPUT]

Inputs and dy come from seeded.py by name ("case/input", "case/dy") and are not stored; attributes have the names that src/graph gives them.
"""
import base64
import json
import sys
from pathlib import Path

import torch
import torch.nn.functional as F

import seeded
from upstream import VERSIONS


def normal(*shape, mean=0.0, scale=1.0):
    return {"kind": "normal", "shape": shape, "mean": mean, "scale": scale}


def uniform(low, high, *shape):
    return {"kind": "uniform", "shape": shape, "low": low, "high": high}


def indices(*values):
    return {"kind": "int64", "shape": (len(values),), "values": values}


POSITIVE = uniform(0.2, 3.0, 2, 5)
WIDE = normal(2, 8, scale=4)

UNARY = {
    "neg": (torch.neg, WIDE),
    "exp": (torch.exp, normal(2, 5)),
    "log": (torch.log, POSITIVE),
    "sqrt": (torch.sqrt, POSITIVE),
    "reciprocal": (torch.reciprocal, POSITIVE),
    "abs": (torch.abs, WIDE),
    "erf": (torch.erf, normal(2, 8, scale=1.5)),
    "tanh": (torch.tanh, normal(2, 8, scale=2)),
    "sigmoid": (torch.sigmoid, WIDE),
    "softplus": (F.softplus, normal(2, 8, scale=8)),
    "logSigmoid": (F.logsigmoid, normal(2, 8, scale=8)),
    "sin": (torch.sin, WIDE),
    "cos": (torch.cos, WIDE),
    "gelu": (F.gelu, normal(2, 8, scale=2)),
    "silu": (F.silu, WIDE),
    "quickGelu": (lambda x: x * torch.sigmoid(1.702 * x), normal(2, 8, scale=2)),
}
BINARY = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
}


def resize(x, size, mode, antialias=False):
    corners = None if mode == "nearest" else False
    return F.interpolate(x, size=size, mode=mode, align_corners=corners, antialias=antialias)


def conv(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    return F.conv2d(x, w, b, stride, padding, dilation, groups)


def conv_transpose(x, w, b=None, stride=1, padding=0, outputPadding=0, dilation=1, groups=1):
    return F.conv_transpose2d(x, w, b, stride, padding, outputPadding, groups, dilation)


def attention(q, k, v, mask=None):
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def slice_axis(x, axis, start, end):
    return x.narrow(axis, start, end - start)


def pad(x, before, after):
    widths = [n for pair in zip(reversed(before), reversed(after)) for n in pair]
    return F.pad(x, widths)


def cases():
    """name, function of inputs and attributes, inputs, attributes."""
    for name, (function, x) in UNARY.items():
        yield name, function, {"x": x}, {}
    for name, function in BINARY.items():
        yield name, function, {"a": normal(2, 3, 4), "b": uniform(0.5, 2, 3, 1)}, {}
        yield f"{name}/scalar", function, {"a": normal(3), "b": uniform(0.5, 2)}, {}
    yield "mul/sameShape", torch.mul, {"a": normal(2, 3), "b": normal(2, 3)}, {}
    for exponent in (2, 3, -0.5, 2.5):
        yield f"pow/{exponent}", lambda x, exponent: x**exponent, {"x": POSITIVE}, {"exponent": exponent}
    yield "clip", lambda x, low, high: x.clamp(low, high), {"x": normal(4, 6)}, {"low": -0.5, "high": 0.75}
    yield from linear_algebra()
    yield from normalisation()
    yield from convolutions()
    yield from movement()
    yield from reductions()
    yield from resizing()


def linear_algebra():
    yield "matmul", torch.matmul, {"a": normal(3, 5), "b": normal(5, 4)}, {}
    yield "matmul/batched", torch.matmul, {"a": normal(2, 3, 4, 5), "b": normal(3, 5, 2)}, {}
    yield "matmul/leftBroadcast", torch.matmul, {"a": normal(4, 5), "b": normal(2, 5, 3)}, {}
    yield "linear", F.linear, {"x": normal(2, 3, 6), "w": normal(4, 6), "b": normal(4)}, {}
    yield "linear/noBias", F.linear, {"x": normal(5, 6), "w": normal(4, 6)}, {}
    heads = {"q": normal(2, 2, 5, 4), "k": normal(2, 2, 3, 4), "v": normal(2, 2, 3, 4)}
    yield "attention", attention, heads, {}
    yield "attention/masked", attention, heads | {"mask": normal(2, 1, 1, 3, scale=3)}, {}


def normalisation():
    yield "softmax", torch.softmax, {"x": normal(2, 3, 4, scale=3)}, {"dim": -1}
    yield "logSoftmax", torch.log_softmax, {"x": normal(3, 6, scale=3)}, {"dim": -1}
    for eps in (1e-5, 1e-12):
        yield f"layerNorm/{eps}", lambda x, w, b, eps: F.layer_norm(x, w.shape, w, b, eps), {
            "x": normal(2, 3, 8, mean=1, scale=2),
            "w": normal(8, mean=1),
            "b": normal(8),
        }, {"eps": eps}
    for groups in (1, 2, 6):
        yield f"groupNorm/{groups}", lambda x, w, b, groups, eps: F.group_norm(x, groups, w, b, eps), {
            "x": normal(2, 6, 3, 4, mean=1, scale=2),
            "w": normal(6, mean=1),
            "b": normal(6),
        }, {"groups": groups, "eps": 1e-6}


def convolutions():
    bias = {"b": normal(4)}
    square = {"x": normal(2, 3, 6, 5), "w": normal(4, 3, 3, 3)}
    grouped = {"x": normal(1, 6, 5, 5), "w": normal(4, 3, 3, 3)} | bias
    depthwise = {"x": normal(1, 4, 5, 5), "w": normal(4, 1, 3, 3)} | bias
    mixed = {"x": normal(1, 4, 9, 8), "w": normal(4, 2, 3, 2)} | bias
    patches = {"w": normal(4, 3, 4, 4)} | bias
    large = {"x": normal(1, 2, 17, 18, scale=0.5), "w": normal(2, 2, 3, 3)}
    yield "conv", conv, square | bias, {}
    yield "conv/padded", conv, square | bias, {"padding": 1}
    yield "conv/noBias", conv, square, {"padding": 1}
    yield "conv/large", conv, large, {"padding": 1}
    yield "conv/stride", conv, square | bias, {"stride": 2, "padding": 1}
    yield "conv/dilation", conv, square | bias, {"dilation": 2, "padding": 2}
    yield "conv/pointwise", conv, {"x": normal(1, 3, 4, 4), "w": normal(4, 3, 1, 1)} | bias, {}
    yield "conv/patches", conv, {"x": normal(1, 3, 8, 8)} | patches, {"stride": 4}
    yield "conv/patchesWithRest", conv, {"x": normal(1, 3, 9, 10)} | patches, {"stride": 4}
    yield "conv/groups", conv, grouped, {"groups": 2, "padding": 1}
    yield "conv/depthwise", conv, depthwise, {"groups": 4, "padding": 1, "stride": 2}
    yield "conv/all", conv, mixed, {"groups": 2, "padding": 2, "stride": 3, "dilation": 2}
    up = {"x": normal(1, 3, 4, 3), "w": normal(3, 4, 3, 3)}
    yield "convTranspose", conv_transpose, up | bias, {}
    yield "convTranspose/noBias", conv_transpose, up, {}
    yield "convTranspose/stride", conv_transpose, up | bias, {"stride": 2, "padding": 1}
    yield "convTranspose/outputPadding", conv_transpose, up | bias, {"stride": 2, "padding": 1, "outputPadding": 1}
    yield "convTranspose/groups", conv_transpose, {"x": normal(1, 4, 3, 3), "w": normal(4, 2, 3, 3)} | bias, {
        "stride": 2,
        "dilation": 2,
        "groups": 2,
    }


def movement():
    yield "gather", lambda w, i: w[i], {"w": normal(6, 4), "i": indices(3, 0, 3, 5, 3)}, {}
    yield "slice", slice_axis, {"x": normal(2, 5, 4)}, {"axis": 1, "start": 1, "end": 4}
    yield "concat", lambda a, b, axis: torch.cat((a, b), axis), {"a": normal(2, 1, 3), "b": normal(2, 4, 3)}, {"axis": 1}
    yield "pad", pad, {"x": normal(2, 3, 4)}, {"before": (0, 1, 2), "after": (0, 0, 3)}
    yield "transpose", lambda x, perm: x.permute(perm), {"x": normal(2, 3, 4)}, {"perm": (2, 0, 1)}
    yield "reshape", lambda x, shape: x.reshape(shape), {"x": normal(2, 3, 4)}, {"shape": (4, 6)}
    yield "expand", lambda x, shape: x.expand(shape), {"x": normal(3, 1)}, {"shape": (2, 3, 4)}


def reductions():
    reducers = {"sum": torch.sum, "mean": torch.mean, "max": torch.amax}
    for name, reduce in reducers.items():
        for label, axes in (("last", [-1]), ("two", [0, 2]), ("all", [0, 1, 2])):
            for keep in (True, False):
                yield f"{name}/{label}{'Kept' if keep else ''}", reduce_with(reduce), {"x": normal(2, 3, 4)}, {
                    "axes": axes,
                    "keepDims": keep,
                }


def reduce_with(reduce):
    return lambda x, axes, keepDims: reduce(x, dim=axes, keepdim=keepDims)


def resizing():
    for label, size in (("double", (6, 8)), ("triple", (9, 12))):
        yield f"nearest/{label}", resize, {"x": normal(1, 2, 3, 4)}, {"size": size, "mode": "nearest"}
    shapes = {
        "down": ((9, 12), (4, 5)),
        "up": ((4, 5), (9, 7)),
        "mixed": ((11, 4), (5, 6)),
        "same": ((5, 5), (5, 5)),
        "strong": ((15, 13), (3, 2)),
    }
    for label, (old, new) in shapes.items():
        yield f"bicubic/{label}", resize, {"x": normal(1, 2, *old)}, {"size": new, "mode": "bicubic", "antialias": True}


def tensor(name, spec):
    shape = spec["shape"]
    if spec["kind"] == "int64":
        return torch.tensor(spec["values"])
    if spec["kind"] == "normal":
        numbers = seeded.normal(name, shape, spec["mean"], spec["scale"])
    else:
        numbers = seeded.uniform(name, shape, spec["low"], spec["high"])
    return torch.from_numpy(numbers).requires_grad_()


def run(name, function, specs, attributes):
    inputs = {key: tensor(f"{name}/{key}", spec) for key, spec in specs.items()}
    y = function(*inputs.values(), **attributes)
    dy = torch.from_numpy(seeded.normal(f"{name}/dy", tuple(y.shape)))
    (y * dy).sum().backward()
    gradients = {key: stored(x.grad) for key, x in inputs.items() if x.is_floating_point()}
    return {"inputs": specs, "attributes": attributes, "y": {"shape": list(y.shape)} | stored(y), "gradients": gradients}


def stored(x):
    return {"float32": base64.b64encode(x.detach().contiguous().numpy().tobytes()).decode()}


def main(output=None):
    measured = {name: run(name, *case) for name, *case in cases()}
    path = Path(output or Path(__file__).parent.parent / "graph/fixtures/ops.json")
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(case)}" for name, case in measured.items())
    path.write_text(f'{{"versions": {json.dumps({"torch": VERSIONS["torch"]})},\n"cases": {{\n{lines}\n}}}}\n')
    print(path, len(measured), "cases", path.stat().st_size, "bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
