"""Regenerates test/reno/noise/fixtures/noise.json: the noise of torch, Forge, ComfyUI and diffusers for many requests.

    python noise.py FORGE COMFYUI [OUTPUT]

FORGE and COMFYUI are clones; the functions that draw are run from their own files, and nothing else of them is imported:

    git clone https://github.com/lllyasviel/stable-diffusion-webui-forge && git -C stable-diffusion-webui-forge checkout dfdcbab6
    git clone https://github.com/Comfy-Org/ComfyUI && git -C ComfyUI checkout a125cd84

Requests are those of the library. There is no GPU here: what CUDA draws is Forge's rng_philox.py, and for tensors larger than
the GPU's threads the same Philox blocks laid out as torch's kernel does (native/cuda/DistributionTemplates.h).
"""
import ast
import base64
import hashlib
import json
import sys
import types
from pathlib import Path

import diffusers
import numpy as np
import torch
from diffusers.utils.torch_utils import randn_tensor

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
WHOLE = 64  # tensors up to this many numbers are stored whole
SAMPLES = 24  # of larger ones, this many numbers, evenly spread

# torch.randn on a CPU without AVX2 differs in the last bits.
assert torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512"), torch.backends.cpu.get_cpu_capability()


# ---- the originals, opened


def functions_of(file, names, namespace):
    """Runs only these definitions of a source file, so that nothing that it imports is needed."""
    tree = ast.parse(Path(file).read_text())
    tree.body = [node for node in tree.body if getattr(node, "name", None) in names]
    exec(compile(tree, str(file), "exec"), namespace)
    return namespace


class Forge:
    """modules/rng.py as a whole, beside the two modules that it asks for a device and an option."""

    def __init__(self, clone):
        self.opts = types.SimpleNamespace(randn_source="CPU", forge_try_reproduce="None", eta_noise_seed_delta=0)
        package = types.ModuleType("modules")
        package.__path__ = [str(Path(clone) / "modules")]
        package.devices = types.ModuleType("modules.devices")
        package.devices.device = package.devices.cpu = torch.device("cpu")
        package.shared = types.ModuleType("modules.shared")
        package.shared.opts = self.opts
        package.shared.device = torch.device("cpu")
        for name in ("devices", "shared"):
            sys.modules[f"modules.{name}"] = getattr(package, name)
        sys.modules["modules"] = package
        from modules import rng, rng_philox

        self.rng, self.philox = rng, rng_philox
        self.seeding = self.seeding_of(Path(clone) / "modules" / "processing.py")

    @staticmethod
    def seeding_of(file):
        """The two lines of process_images_inner that count seeds and subseeds up."""
        lines = [line.strip() for line in file.read_text().splitlines()]
        wanted = [line for line in lines if line.startswith(("p.all_seeds = [int(seed)", "p.all_subseeds = [int(subseed)"))]
        assert len(wanted) == 2, wanted
        return "\n".join(wanted)

    def noise(self, request):
        self.opts.randn_source = {"cpu": "CPU", "cuda": "NV"}[request["rng"]]
        strength = request.get("subseedStrength", 0)
        first, (count, *shape) = request.get("index", 0), request["shape"]
        p = types.SimpleNamespace(subseed_strength=strength, all_prompts=[""] * (first + count))
        exec(self.seeding, {"p": p, "seed": request["seed"], "subseed": request.get("subseed", 0)})
        size = request.get("resizeFrom", {"width": -1, "height": -1})
        images = self.rng.ImageRNG(
            shape,
            p.all_seeds[first:],
            subseeds=p.all_subseeds[first:],
            subseed_strength=strength,
            seed_resize_from_h=size["height"],
            seed_resize_from_w=size["width"],
        )
        return images.next()


forge = comfy = None


def open_clones(forge_clone, comfy_clone):
    global forge, comfy
    forge = Forge(forge_clone)
    file = Path(comfy_clone) / "comfy" / "sample.py"
    comfy = functions_of(file, ["prepare_noise"], {"torch": torch, "np": np})["prepare_noise"]


# ---- what each request draws


class CudaGenerator:
    """Forge's, and where there are more numbers than threads, the other numbers of its Philox blocks in torch's order."""

    def __init__(self, seed, threads=None):
        self.generator = forge.philox.Generator(seed % 2**64)
        self.threads = threads

    def randn(self, shape, dtype):
        count = int(np.prod(shape))
        if self.threads is None or count <= self.threads:
            return torch.from_numpy(self.generator.randn(shape)).to(dtype)
        turns = -(-count // (4 * self.threads))
        numbers = [self.turn() for _ in range(turns)]
        return torch.from_numpy(np.concatenate(numbers)[:count].reshape(shape)).to(dtype)

    def turn(self):
        g, t = self.generator, self.threads
        counter = np.zeros((4, t), np.uint32)
        counter[0] = g.offset
        counter[2] = np.arange(t)
        g.offset += 1
        x = forge.philox.philox4_32(counter, forge.philox.uint32(np.full(t, g.seed, np.uint64)))
        lanes = []
        for u, v in ((x[0], x[1]), (x[2], x[3])):
            sine = forge.philox.box_muller(u, v)
            radius = np.sqrt(-2 * np.log(u * np.float64(forge.philox.two_pow32_inv[0]) + np.float64(forge.philox.two_pow32_inv[0] / 2)))
            angle = v * np.float64(forge.philox.two_pow32_inv_2pi[0]) + np.float64(forge.philox.two_pow32_inv_2pi[0] / 2)
            lanes += [sine, (radius * np.cos(angle)).astype(np.float32)]
        return np.concatenate(lanes)


class CpuGenerator:
    def __init__(self, seed, threads=None):
        self.generator = torch.Generator().manual_seed(seed)

    def randn(self, shape, dtype):
        return torch.randn(shape, generator=self.generator, dtype=dtype)


GENERATORS = {"cpu": CpuGenerator, "cuda": CudaGenerator}


def generator_of(request, seed=None, rng="cpu"):
    return GENERATORS[request.get("rng", rng)](request["seed"] if seed is None else seed, request.get("threads"))


def expect_torch(request):
    return generator_of(request).randn(request["shape"], DTYPES[request.get("dtype", "float32")])


def expect_comfyui(request):
    latents = torch.zeros(request["shape"], dtype=DTYPES[request.get("dtype", "float32")])
    index = request.get("index")
    return comfy(latents, request["seed"], [index] if isinstance(index, int) else index)


def expect_diffusers(request):
    dtype = DTYPES[request.get("dtype", "float32")]
    seed = request["seed"]
    generator = [torch.Generator().manual_seed(s) for s in seed] if isinstance(seed, list) else torch.Generator().manual_seed(seed)
    return randn_tensor(tuple(request["shape"]), generator=generator, dtype=dtype)


def expect_reno(request):
    """seed_everything(seed), then one torch.randn(shape, device=device, dtype=dtype) for each prompt."""
    generator = generator_of(request, rng="cuda")
    for _ in range(request.get("skip", 0) + 1):
        drawn = generator.randn(request["shape"], DTYPES[request.get("dtype", "float16")])
    return drawn


HOSTS = {
    None: expect_torch,
    "a1111": lambda request: forge.noise(request),
    "comfyui": expect_comfyui,
    "diffusers": expect_diffusers,
    "reno": expect_reno,
}


def expected(request):
    return HOSTS[request.get("host")](request).to(torch.float32).numpy().ravel()


# ---- the cases

SEEDS = [0, 5, 42, 2**32 + 5, 2**53 + 1, 2**63, 2**64 - 1, -1, -(2**63)]
SHAPES = [[1], [3], [15], [16], [17], [31], [33], [1, 4, 3, 5], [1, 4, 9, 7], [2, 4, 8, 8], [1, 4, 64, 64], [1, 16, 19, 33]]


def torch_requests():
    for i, shape in enumerate(SHAPES):
        for rng in ("cpu", "cuda"):
            for dtype in DTYPES:
                yield {"seed": SEEDS[(i + len(dtype)) % len(SEEDS)], "shape": shape, "rng": rng, "dtype": dtype}
    for seed in SEEDS:
        for rng in ("cpu", "cuda"):
            yield {"seed": seed, "shape": [1, 4, 8, 8], "rng": rng}
    for threads, shape in ((256, [1, 4, 8, 16]), (256, [1, 4, 23, 29]), (512, [1, 4, 64, 64]), (43008, [1, 4, 104, 104])):
        yield {"seed": 7, "shape": shape, "rng": "cuda", "threads": threads}


def a1111_requests():
    shapes = [[1, 4, 64, 64], [1, 4, 8, 8], [1, 4, 9, 7], [1, 4, 3, 5], [1, 16, 24, 16], [2, 4, 8, 8]]
    sizes = [(64, 64), (48, 96), (56, 40), (32, 32), (136, 72), (70, 61), (128, 24), (-1, -1), (24, 0)]
    variations = [(9, 0.3), (9, 1), (3, 0.5), (2**64 - 8, 0.05), (9, 0)]
    for rng in ("cpu", "cuda"):
        for index in (0, 3):
            for shape in shapes:
                yield {"seed": 2**40 + 12, "shape": shape, "rng": rng, "index": index}
        for i, (subseed, strength) in enumerate(variations):
            for shape in shapes:
                yield {"seed": 3, "shape": shape, "rng": rng, "index": i % 3, "subseed": subseed, "subseedStrength": strength}
        for i, (width, height) in enumerate(sizes):
            resize = {"seed": 11, "shape": shapes[1 + i % 2], "rng": rng, "resizeFrom": {"width": width, "height": height}}
            yield resize
            yield {**resize, "index": 2, "subseed": 77, "subseedStrength": 0.4}


def comfy_requests():
    for i, shape in enumerate([[1, 4, 64, 64], [3, 4, 8, 8], [3, 4, 3, 5], [4, 3, 2, 2], [2, 16, 5, 9], [1, 16, 1, 7, 5]]):
        yield {"seed": SEEDS[i], "shape": shape}
        yield {"seed": SEEDS[-1 - i] % 2**64, "shape": shape, "dtype": "float16"}
    for shape in ([1, 4, 8, 8], [1, 4, 3, 5], [1, 3, 2, 2]):
        for index in (0, 1, 4):
            yield {"seed": 13, "shape": shape, "index": index}
    for index in ([0, 1, 2], [5, 2, 2], [7, 0, 3]):
        for size in ([4, 8, 8], [4, 3, 5], [3, 2, 2]):
            yield {"seed": 2**64 - 3, "shape": [3, *size], "index": index}
    yield {"seed": 2**33, "shape": [2, 4, 9, 7], "index": [3, 1], "dtype": "bfloat16"}


def diffusers_requests():
    for size in ([4, 8, 8], [4, 3, 5], [3, 2, 2]):
        for dtype in DTYPES:
            for seed in (8, [8], [8, 2**64 - 1, 8]):
                count = len(seed) if isinstance(seed, list) else 3
                yield {"seed": seed, "shape": [count, *size], "dtype": dtype}


def reno_requests():
    for rng in ("cpu", "cuda"):
        for skip in (0, 2):
            for size in ([4, 8, 8], [4, 3, 5], [3, 2, 2]):
                yield {"seed": 0, "shape": [1, *size], "rng": rng, "skip": skip}
                yield {"seed": 0, "shape": [1, *size], "rng": rng, "skip": skip, "dtype": "float32"}
    yield {"seed": 3, "shape": [1, 4, 64, 64], "skip": 1}


def requests():
    yield from torch_requests()
    for host, of_host in (
        ("a1111", a1111_requests),
        ("comfyui", comfy_requests),
        ("diffusers", diffusers_requests),
        ("reno", reno_requests),
    ):
        for request in of_host():
            yield {"host": host, **request}


STREAM = [(3, "float32"), (20, "float32"), (2, "float16"), (16, "float16"), (1, "float32"), (33, "bfloat16"), (5, "float32"), (0, "float32"), (40, "float32")]


def streams():
    for rng, threads in (("cpu", None), ("cuda", None)):
        generator = GENERATORS[rng](17, threads)
        draws = [whole(generator.randn([n], DTYPES[dtype]).to(torch.float32).numpy()) for n, dtype in STREAM if n]
        yield {"rng": rng, "seed": 17, "draws": [{"size": n, "dtype": dtype} for n, dtype in STREAM if n], "numbers": draws}


# ---- the file


def whole(numbers):
    return base64.b64encode(numbers.astype("<f4").tobytes()).decode()


def stored(request):
    numbers = expected(request)
    out = {"request": text_seeds(request), "sum": float(numbers.sum(dtype=np.float64)), "squares": float((numbers.astype(np.float64) ** 2).sum())}
    if request.get("rng", "cpu") == "cpu" and request.get("host") is None and numbers.size >= 16:
        out["sha256"] = hashlib.sha256(numbers.astype("<f4").tobytes()).hexdigest()
    if numbers.size <= WHOLE:
        return {**out, "numbers": whole(numbers)}
    places = np.linspace(0, numbers.size - 1, SAMPLES).astype(int)
    return {**out, "places": places.tolist(), "numbers": whole(numbers[places])}


def text_seeds(request):
    """JSON's numbers lose the digits of large seeds."""
    seed = request["seed"]
    texts = {"seed": [str(s) for s in seed] if isinstance(seed, list) else str(seed)}
    return {**request, **texts, **({"subseed": str(request["subseed"])} if "subseed" in request else {})}


def main(forge_clone, comfy_clone, output=Path(__file__).parents[1] / "reno/noise/fixtures/noise.json"):
    open_clones(forge_clone, comfy_clone)
    versions = {"torch": torch.__version__, "numpy": np.__version__, "diffusers": diffusers.__version__, "Forge": "dfdcbab6", "ComfyUI": "a125cd84"}
    cases = [stored(request) for request in requests()]
    lines = ",\n".join(json.dumps(case) for case in cases)
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    head = f'"versions": {json.dumps(versions)},\n"streams": {json.dumps(list(streams()))}'
    Path(output).write_text(f'{{{head},\n"cases": [\n{lines}\n]}}\n')
    print(f"{len(cases)} cases")


if __name__ == "__main__":
    main(*sys.argv[1:])
