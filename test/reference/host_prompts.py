"""What A1111's family and ComfyUI make of prompts and schedules, by their own code; writes test/reno/fixtures/hostPrompts.json.

    python host_prompts.py FORGE COMFYUI     checkouts at dfdcbab6 and a125cd84; needs torch, lark, numpy

The modules are run as they stand, but without the hosts around them: what they import of those is left out, and words are
numbered by a toy tokenizer, since only weights and places in chunks are looked at.
"""
import json
import math
import re
import sys
import types
from pathlib import Path

import torch

forge, comfy = (Path(path) for path in sys.argv[1:3])

PROMPTS = [
    "", "a cat", "a (red:1.3) circle, [blue] square, ((green)) star, (very (nested:1.2) thing:0.7)",
    r"a \(real\) picture of \[x\] and c:\\dir (big:1.5), a: b, unbalanced (here", "closed) too early] (b:1.2", "(a:b:1.1) (c: 1.4 ) (d:-1) (e:)",
    "a red house BREAK a (blue:1.2) sky BREAK green", "(in BREAK brackets:1.2) BREAKS BREAK", "a) b (c", "((a) b:2) (x:1e0) (y:.5) (z:1_0)", "(:1.2) ()",
]
LONG = [
    "word " * 60 + ", " + "tail " * 14 + "and ( more:1.3) words, that go on, past the end", "word " * 70 + ", (tail:1.2) word word word word word word word word, end",
    "w " * 160, "(" + "w " * 80 + ":1.2) x y z", "a, " * 75, "w " * 75, "w " * 70 + "(a b c d e f g:1.1) tail", "w " * 70 + "(a b c d e f g h i:1.1) tail",
]
TIMED = [
    "a [cat:dog:0.5] and [red|blue] [late:1] [gone::0.3] [x::1] thing", "a [unbalanced", "a|b [c:d:0.5]", "[a:b:1] ((c:1.2)) [d]", "[[a|b]:c:1]", "[:late:1.0]", "a: b (c [d:e:.5]) [f:2", "[fe|]male [a:b: 1 ]",
    r"\[a:b:0.5\] \(x\)", "[a:b:c:0.5]", "[a:1:2]",
]


def functions(path, *names):
    """These top-level functions of a module, without its imports."""
    source = path.read_text()
    space = {"re": re, "math": math}
    for name in names:
        exec(re.search(rf"^def {name}\(.*?(?=^\S|\Z)", source, re.S | re.M).group(0), space)
    return types.SimpleNamespace(**{name: space[name] for name in names})


def ids(text):
    return [sum(map(ord, word)) for word in re.findall(r"[^\s,]+|,", text)]


parsing = types.ModuleType("parsing")
exec((forge / "backend/text_processing/parsing.py").read_text(), parsing.__dict__)
emphasis = types.ModuleType("emphasis")
exec((forge / "backend/text_processing/emphasis.py").read_text(), emphasis.__dict__)

engine_source = (forge / "backend/text_processing/classic_engine.py").read_text()
line = re.search(r"    def tokenize_line.*?(?=\n    def )", engine_source, re.S).group(0)
chunk = re.search(r"class PromptChunk:.*?(?=\n\n\nclass )", engine_source, re.S).group(0)
engine = {"parsing": parsing}
exec(chunk + "\n\nclass Engine:\n" + line, engine)


def forge_chunks(text):
    self = engine["Engine"]()
    self.emphasis = types.SimpleNamespace(name="Original")
    self.chunk_length, self.id_start, self.id_end, self.comma_token = 75, 1, 2, ids(",")[0]
    self.tokenize = lambda texts: [ids(one) for one in texts]
    self.embeddings = types.SimpleNamespace(find_embedding_at_position=lambda *_: (None, None))
    return [[one.tokens, one.multipliers] for one in self.tokenize_line(text)[0]]


prompt_parser = (forge / "modules/prompt_parser.py").read_text().split("ScheduledPromptConditioning = ")[0]
timed = types.ModuleType("timed")
exec(prompt_parser, timed.__dict__)

weights = functions(comfy / "comfy/sd1_clip.py", "parse_parentheses", "token_weights", "escape_important", "unescape_important", "gen_empty_tokens")
exec_space = weights.__dict__
clip_source = (comfy / "comfy/sd1_clip.py").read_text()
method = re.search(r"    def tokenize_with_weights\(self, text:str, return_word_ids=False, tokenizer_options=.*?(?=\n    def )", clip_source, re.S).group(0)
encoder = re.search(r"^class ClipTokenWeightEncoder:.*?(?=^class )", clip_source, re.S | re.M).group(0)
space = {"re": re, "torch": torch, "logging": None, "model_management": types.SimpleNamespace(intermediate_device=lambda: "cpu"), **exec_space}
exec("class Tokenizer:\n" + method + "\n\n" + encoder, space)


def comfy_chunks(text):
    self = space["Tokenizer"]()
    self.min_length = self.min_padding = None
    self.embedding_identifier, self.embedding_directory, self.embedding_key = "embedding:", None, "clip_l"
    self.tokens_start, self.tokenizer_adds_end_token = 1, True
    self.start_token, self.end_token, self.pad_token = 1, 2, 2
    self.max_length, self.max_word_length, self.pad_to_max_length = 77, 8, True
    self.tokenizer = lambda word: {"input_ids": [1, *ids(word), 2]}
    return [[[t for t, _ in part], [w for _, w in part]] for part in self.tokenize_with_weights(text)]


def states(rows):
    return torch.tensor([[[math.sin(1 + k + 3 * i + 7 * j) + 0.3 for j in range(2)] for i in range(4)] for k in range(rows)])


def emphasized():
    which = emphasis.EmphasisOriginal()
    which.z, which.multipliers = states(2), torch.tensor([[1.0, 1.3, 0.8, 1.0], [1.0, 1.0, 1.5, 1.0]])
    which.after_transformers()
    class Encoder(space["ClipTokenWeightEncoder"]):
        special_tokens = {"start": 1, "end": 2, "pad": 2}
        def encode(self, tokens):
            return states(len(tokens)), None
    pairs = [[(1, 1.0), (5, 1.3), (6, 0.8), (2, 1.0)]]
    return {"original": which.z.tolist(), "comfyui": Encoder().encode_token_weights(pairs)[0].tolist()}


result = {
    "weighted": [{"prompt": p, "forge": parsing.parse_prompt_attention(p, "Original"),
                  "comfyui": [[weights.unescape_important(t), w] for t, w in weights.token_weights(weights.escape_important(p), 1.0)]}
                 for p in PROMPTS],
    "chunks": [{"prompt": p, "forge": forge_chunks(p), "comfyui": comfy_chunks(p)} for p in PROMPTS[:3] + PROMPTS[6:7] + LONG],
    "timed": [{"prompt": p, "texts": [[t for _, t in timed.get_learned_conditioning_prompt_schedules([p], steps)[0]] for steps in (1, 2)]} for p in TIMED],
    "emphasized": emphasized(),
}
out = Path(__file__).parent.parent / "reno/fixtures/hostPrompts.json"
out.parent.mkdir(exist_ok=True)
out.write_text(json.dumps(result, ensure_ascii=True, separators=(",", ":")) + "\n")
print(out, out.stat().st_size, "bytes")
