"""PNG files as they lie on the disk: text beside the host's own, and the digest by which Renoir knows a picture again.

The format is the PNG specification's; what goes into it is what Renoir's own writer puts there (src/metadata/scorePlan.ts)."""
from __future__ import annotations

import hashlib
import json
import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"comf")  # no part of the picture


def chunks(data):
    """(type, the whole chunk) of each, up to IEND."""
    at = len(SIGNATURE)
    if data[:at] != SIGNATURE:
        raise ValueError("This is no PNG file.")
    while at < len(data):
        (length,) = struct.unpack(">I", data[at:at + 4])
        whole = data[at:at + length + 12]
        if len(whole) < length + 12:
            raise ValueError("The PNG file ends in the middle of a chunk.")
        yield whole[4:8], whole
        at += len(whole)
        if whole[4:8] == b"IEND":
            return


def with_texts(data, texts):
    """The file with texts before its picture; every other byte stays."""
    added = b"".join(_text_chunk(key, text) for key, text in texts)
    at = len(SIGNATURE)
    for kind, whole in chunks(data):
        if kind == b"IDAT":
            return data[:at] + added + data[at:]
        at += len(whole)
    raise ValueError("The PNG file has no picture in it.")


def pixel_digest(data):
    """Of all that makes the picture, so that texts may come and go: the same number as in Renoir."""
    parts = [whole for kind, whole in chunks(data) if kind not in TEXT_CHUNKS]
    end = len(SIGNATURE) + sum(len(whole) for _, whole in chunks(data))
    digest = hashlib.sha256(b"png")
    for part in [*parts, data[end:]]:
        digest.update(f":{len(part)}:".encode())
        digest.update(part)
    return digest.hexdigest()


def record(texts, pixels):
    """Renoir's own record of scores: they count as long as the picture is the same."""
    scores = {name: _number(text) for name, text in sorted(texts.items())}
    return json.dumps({"v": 1, "scores": scores, "prompt": None, "pixels": pixels}, separators=(",", ":"))


def _number(text):
    value = float(text)
    return int(value) if value.is_integer() else value


def _text_chunk(key, text):
    try:
        return _chunk(b"tEXt", key.encode("latin-1") + b"\0" + text.encode("latin-1"))
    except UnicodeEncodeError:  # Pillow's rule, and so ComfyUI's
        return _chunk(b"iTXt", key.encode("latin-1") + b"\0\0\0\0\0" + text.encode("utf-8"))


def _chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
