"""Prompts to try tokenizers with: such as people write, and such as break things."""

USUAL = [
    "a photo of an astronaut riding a horse on mars",
    "masterpiece, best quality, 1girl, solo, long hair, looking at viewer, (smile:1.2), [blurry]",
    "portrait of a woman, 85mm f/1.4, bokeh, ((highly detailed)), trending on artstation, 8k uhd",
    "a red circle left of a blue square",
    "cyberpunk city at night, neon lights, rain-soaked streets, volumetric fog, octane render --ar 16:9",
    "lowres, bad anatomy, bad hands, text, error, missing fingers, extra digit, fewer digits, cropped, worst quality",
    "A bowl of soup that is also a portal to another dimension, digital art",
    "<lora:epi_noiseoffset2:0.7> dark room BREAK a single candle",
    "{cat|dog} in the style of __artist__, 3:4, #1 winner, 50% grey",
    "an oil painting of Kraków's old town, Žižkov tower, São Paulo, Zürich, naïve café",
    "don't you think it's what we've wanted? I'll say they're right; you'd know I'm wrong",
    "DON'T YOU THINK IT'S WHAT WE'VE WANTED? I'LL SAY THEY'RE RIGHT; YOU'D KNOW I'M WRONG",
    "film still, Wes Anderson (2014), 35mm, Kodak Portra 400, ISO 100, 1/250s",
    "https://example.com/a_b-c?d=e&f=g#h",
    "user@example.com, C:\\Users\\me\\cat.png, /home/me/cat.png",
    "2+2=4, x^2 - y^2 = (x-y)(x+y), a*b/c, 100$ 50€ 30£",
]

MARKS = ["!", "!!", "!!!", "wow!", "wow !", "! wow", "!wow!wow!", "a!b", "what?!", "!?", "(!)", "!.", "Hi!!! there!", "¡hola!", "！", "a ! b !"]

SPACES = [
    "",
    " ",
    "   ",
    "\t",
    "\n\n",
    "a\tb\nc\rd\r\ne",
    "  leading and trailing  ",
    "many     spaces    between",
    "non\u00a0breaking\u202fspaces\u2003here\u3000there",
    "zero\u200bwidth\u200cjoiners\u200dand\u2060more\ufeff",
    "line\u2028separator\u2029paragraph",
    "next\x85line and \x1c\x1d\x1e\x1f separators, \x0b\x0c too",
    "soft\u00adhyphen",
]

CONTROLS = ["nul\x00byte", "bell\x07 escape\x1b[31mred\x1b[0m", "del\x7f", "c1\x80\x9f", "private\ue000use", "unassigned\u0378", "replaced\ufffd", "right\u202eto left\u202c", "tag\U000e0041"]

LETTERS = [
    "ÀÉÎÕÜ àéîõü ÇŞĞİI ıi",
    "İstanbul ISTANBUL ıstanbul",
    "STRASSE Straße STRAẞE",
    "ΣΊΣΥΦΟΣ ΟΔΥΣΣΕΎΣ σς ΑΣ. Σ",
    "ﬁne ﬂuﬀy oﬃce ﬆ",
    "ｆｕｌｌ　ｗｉｄｔｈ ＡＢＣ １２３",
    "e\u0301 vs é, A\u030a vs Å, n\u0303",
    "Å (angstrom) K (kelvin) Ω (ohm)",
    "long ſ: 'ſ Congreſs it'ſ",
    "Привет, мир! Ещё ёлка",
    "שלום עולם مرحبا بالعالم",
    "नमस्ते दुनिया สวัสดีชาวโลก",
    "東京タワーの夜景、とても綺麗",
    "北京 天安门 1949年 一只猫",
    "한국어 \u1112\u1161\u11ab\u1100\u1173\u11af 고양이",
    "𠀀𠀁 𪚥 extension B, 㐀 extension A, 豈 compatibility",
    "𝓯𝓪𝓷𝓬𝔂 𝕥𝕖𝕩𝕥 𝐛𝐨𝐥𝐝 ᴄᴀᴘs",
    "Zalgo h̷̡e̸l̴l̵o̶ ṱ̸ȩ̷x̴t̵",
    "ﷺ ﷽",
    "ŉ ǆ Ǆ ǅ ȷ ẖ",
]

NUMBERS = ["12345", "1 2 3", "3.14159", "½ ⅓ ² ³ ₂ Ⅷ ⅷ ① ⑳", "٠١٢٣٤٥٦٧٨٩ ०१२", "1,000,000", "4k8k16k", "x2 2x", "v1.5-pruned-emaonly"]

PUNCTUATION = [
    "“curly” ‘quotes’ and … dots — dashes – minus −",
    "it’s they’re don’t",
    "`backticks` ´accents´ ''double'' \"\"two\"\"",
    "... ,,, ;;; ::: ??? --- ___ *** ~~~",
    "((((deep))))[[[nested]]]{{{braces}}}",
    "(a:1.3), [b:c:0.5], (d\\(e\\):1.1), \\[f\\]",
    "<b>html</b> &amp; &lt;tags&gt; &#39;",
    "â€œmojibakeâ€\u009d Ã© schÃ¶n",
    "#hashtag @mention $dollar %percent ^caret &and *star",
    "'s 't 're 've 'm 'll 'd 'x ' '' 's's",
    "a's1 1's !'s .'t",
    "|pipe|<|pipe|>|",
    "†‡§¶©®™°±×÷",
    "《书名》「引用」【括号】、。！？",
]

EMOJI = ["😀😃😄", "👨‍👩‍👧‍👦 family", "👍🏽 thumbs", "🇩🇪🇯🇵 flags", "❤️ heart ❤", "☃ snowman ☕", "cat🐱dog🐶", "1️⃣2️⃣", "🏳️‍🌈!"]

SPECIAL = [
    "<|endoftext|>",
    "<|startoftext|>",
    "a <|endoftext|> b",
    "a<|startoftext|>b<|endoftext|>c",
    "<|ENDOFTEXT|> upper",
    "!<|EndOfText|>",
    "<|endoftext|",
    "<|endoftext|><|endoftext|>",
    "<start_of_text>",
    "<|endoftext|>!",
]

LONG = [
    "a " * 100,
    "very " * 74 + "long",
    "very " * 75 + "long",
    "very " * 76 + "long",
    "!" * 200,
    "pneumonoultramicroscopicsilicovolcanoconiosis " * 10,
    "a" * 1000,
    "abc" * 300,
    "東" * 100,
    "😀" * 60,
    "1234567890" * 12,
    ", ".join(["masterpiece", "best quality", "ultra detailed", "intricate", "sharp focus"] * 12),
]

WORDS = "castle dragon sunset ocean forest robot knight library mountain river market temple garden train ghost violin".split()
STYLES = ["oil painting", "watercolour", "pixel art", "photo, f/2.8", "studio Ghibli", "ukiyo-e", "art déco", "low-poly", "35mm film", "chalk drawing"]
PLAIN = [f"A {STYLES[i % len(STYLES)]} of a {a} and the {b}{'!' * (i % 4 == 1)}" for i, (a, b) in enumerate((a, b) for a in WORDS for b in WORDS[::3])]

ALL = USUAL + MARKS + SPACES + CONTROLS + LETTERS + NUMBERS + PUNCTUATION + EMOJI + SPECIAL + LONG + PLAIN
