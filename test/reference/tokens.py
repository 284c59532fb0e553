"""Writes test/scoring/fixtures/tokens.json: ids of awkward prompts by transformers' slow BertTokenizer, as BLIP sets it up.

    pip install "transformers==4.57.1"
    python test/reference/tokens.py VOCABULARY      (bert-base-uncased's vocab.txt)
"""

import hashlib
import json
import platform
import sys
from pathlib import Path

import transformers
from transformers import BertTokenizer

OUT = Path(__file__).resolve().parent.parent / "scoring" / "fixtures" / "tokens.json"

PROMPTS = [
    "a red circle left of a blue square",
    "",
    " ",
    "\n\t \r\n",
    "\u00a0\u2003\u3000\u2028\u2029",
    "A painting of an ocean with clouds and birds, day time, low depth field effect",
    "Crème brûlée, naïve façade, Ångström, ĞİÖŞÜ, Łódź, đá",
    "e\u0301 vs \u00e9, n\u0303, \u1e9b\u0323",
    "İstanbul DİYARBAKIR ıI",
    "ΟΔΥΣΣΕΥΣ Σ ΑΣ. σας",
    "STRASSE Straße ẞ ﬁne ﬂow ﬀ",
    "中文字符和 mixed 漢字 text 日本語カタカナひらがな 한국어",
    "\U00020000\U0002a6d6x\U0002f800 rare \U0002b820",
    "кириллица Ёлка український",
    "العربية هندي हिन्दी ไทย עברית שָׁלוֹם",
    "🙂 emoji 👩‍👩‍👧 flags 🇩🇪 ❤️ heart☺",
    "zero\u200bwidth\u200d joiner\u2060 \ufeffbom soft\u00adhyphen",
    "control\x00\x01\x02\x1c\x1f\x7f\x85 characters\x0b\x0c end",
    "private \ue000 use, unassigned \u0378 \uffff, replacement \ufffd",
    "tabs\tand\nnew\rlines\r\nhere",
    ("a", 100),
    ("a", 101),
    ("x", 5000),
    ("é", 100),
    ("é", 101),
    ("🙂", 100),
    "http://example.com/path?query=1&b=2#frag user@host.org",
    "(masterpiece:1.2), [bad|good], {a}, <lora:x:0.8> \\(escaped\\), BREAK AND",
    "[SEP]",
    "one [SEP] two [MASK] three [ENC] four [DEC] five [CLS] six [PAD] seven [UNK]",
    "one[SEP]two[MASK][MASK]three",
    "[sep] [Mask] [ENC",
    "[[SEP]]",
    "[unused0] [unused5] ▁ ##ing ## ing",
    "don't can't it’s “quoted” ‘single’ … — – •",
    "3.14159 1,000,000 2/3 ½ ² ₂ ① Ⅷ",
    "$€£¥ ^`~|<>+= §©®™°",
    "8k uhd, dslr, soft lighting, high quality, film grain, Fujifilm XT3, trending on artstation, octane render, unreal engine 5, "
    "hyperrealistic, intricate, sharp focus, by greg rutkowski and alphonse mucha",
    "supercalifragilisticexpialidocious antidisestablishmentarianism",
    "ﷺ ﷽ ㎏ ㍿ ％ Ａｂｃ",
    ("word ", 10000),
    ("word", 10000),
    ("[SEP]", 3000),
    (", ", 3000),
    "\u0301\u0302 leading marks a\u0301\u0301\u0301",
    "\u200b",
    "nul\x00l",
    "Ⅰ ⅰ Ⓐ ⓐ Ǆ ǅ ǆ ᾈ Ω K Å",
]


def main():
    vocabulary = Path(sys.argv[1])
    tokenizer = BertTokenizer(str(vocabulary), do_lower_case=True)
    tokenizer.add_special_tokens({"bos_token": "[DEC]"})
    tokenizer.add_special_tokens({"additional_special_tokens": ["[ENC]"]})
    cases = []
    for entry in PROMPTS:
        text, times = entry if isinstance(entry, tuple) else (entry, 1)
        prompt = text * times
        for length in (35, 12):
            made = tokenizer(prompt, padding="max_length", truncation=True, max_length=length)
            cases.append({"prompt": text, "times": times, "length": length, "ids": made.input_ids, "mask": made.attention_mask})
    versions = {"python": platform.python_version(), "unicode": unicodedata.unidata_version, "transformers": transformers.__version__}
    record = {
        "made by": "test/reference/tokens.py",
        "versions": versions,
        "vocabulary": {
            "lines": len(vocabulary.read_text("utf-8").splitlines()),
            "sha256": hashlib.sha256(vocabulary.read_bytes()).hexdigest(),
        },
        "size": len(tokenizer),
        "cases": cases,
    }
    OUT.write_text(json.dumps(record, ensure_ascii=True).replace('{"prompt"', '\n{"prompt"') + "\n")
    print(len(cases))


main()
