"""Numbers from a name, the same as test/support/seededWeights.ts makes.

Integer arithmetic, one product and one sum in float64, one rounding to float32: exact in both languages, so that
neither weights nor pictures need be stored.
"""
import numpy as np

SPREAD = 37837  # standard deviation of a sum of four uniform 16-bit numbers
MIDDLE = 131070  # and its mean


def fmix(x):
    """MurmurHash3's 32-bit finaliser."""
    x = x ^ (x >> np.uint32(16))
    x = x * np.uint32(0x85EBCA6B)
    x = x ^ (x >> np.uint32(13))
    x = x * np.uint32(0xC2B2AE35)
    return x ^ (x >> np.uint32(16))


def name_hash(name):
    """FNV-1a over the name's UTF-8 bytes."""
    h = 0x811C9DC5
    for byte in name.encode():
        h = (h ^ byte) * 0x01000193 & 0xFFFFFFFF
    return h


def words(name, count, start=0):
    """32-bit words number start, start + 1, ... of the stream called name."""
    counter = np.arange(start, start + count, dtype=np.uint32)
    return fmix(fmix(counter) + np.uint32(name_hash(name)))


def normal(name, shape, mean=0.0, scale=1.0):
    """Close to normal: four 16-bit halves of two words, summed."""
    size = int(np.prod(shape))
    out = np.empty(size, np.float32)
    step = 1 << 20
    factor = scale / SPREAD
    for start in range(0, size, step):
        n = min(step, size - start)
        w = words(name, 2 * n, 2 * start)
        halves = (w & np.uint32(0xFFFF)).astype(np.int64) + (w >> np.uint32(16)).astype(np.int64)
        out[start : start + n] = mean + (halves[0::2] + halves[1::2] - MIDDLE).astype(np.float64) * factor
    return out.reshape(shape)


def uniform(name, shape, low=0.0, high=1.0):
    size = int(np.prod(shape))
    bits = (words(name, size) >> np.uint32(8)).astype(np.float64)
    return (low + bits * ((high - low) / 2**24)).astype(np.float32).reshape(shape)


def picture(name, width, height, cells=5):
    """8-bit RGB, [height, width, 3]: cells x cells blocks of colour under a quarter of fine noise."""
    coarse = (words(name + "/coarse", cells * cells * 3) >> np.uint32(24)).reshape(cells, cells, 3)
    fine = (words(name + "/fine", width * height * 3) >> np.uint32(24)).reshape(height, width, 3)
    rows = np.arange(height) * cells // height
    columns = np.arange(width) * cells // width
    return ((coarse[rows][:, columns] * np.uint32(3) + fine) >> np.uint32(2)).astype(np.uint8)


def weight_scale(name, shape):
    """(mean, scale) of a checkpoint's tensor by its key: large enough that scores differ by about 1."""
    if len(shape) == 1:
        is_gain = name.endswith("weight")
        return (1.0, 0.2) if is_gain else (0.0, 0.2)
    if "embeddings." in name:
        return (0.0, 0.02)  # small before their layer norm, as trained ones are: a wrong epsilon shows
    if name.endswith(("pos_embed", "cls_token")):
        return (0.0, 0.5)
    fan_in = int(np.prod(shape[1:]))
    return (0.0, gain(name) / float(np.sqrt(float(fan_in))))


def gain(name):
    """Attention that picks, and a head (the transformers' own mlp is elsewhere) that spreads."""
    if any(part in name for part in (".qkv.", ".query.", ".key.", ".value.")):
        return 2.0
    return 1.25 if name.startswith("mlp.layers.") else 1.0


def weight(name, shape, seed=""):
    mean, scale = weight_scale(name, shape)
    return normal(seed + name, shape, mean, scale)
