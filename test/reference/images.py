"""Writes test/scoring/fixtures/images/* and what Pillow makes of them: images.json.

    pip install "pillow==13.0.0" numpy "transformers==4.57.1"
    python test/reference/images.py

Pillow is the reference: the mode and the samples of Image.open, and ImageReward's transform
(ImageReward/ImageReward.py, _transform, at c1392c6) said again through Pillow's own calls, since torchvision's Resize and
CenterCrop only compute sizes and then call Pillow:
Resize(n, BICUBIC), CenterCrop(n), convert("RGB").
"""

import base64
import hashlib
import io
import json
import platform
import struct
import zlib
from pathlib import Path

import numpy as np
import PIL
from PIL import Image, ImageCms, features

HERE = Path(__file__).resolve().parent.parent / "scoring" / "fixtures"
OUT = HERE / "images"
rng = np.random.default_rng(20260101)


def picture(width, height, channels, depth=8):
    """A gradient, hard edges and noise, so that kernels, chroma and rounding all show."""
    y, x = np.mgrid[0:height, 0:width]
    planes = []
    for c in range(channels):
        wave = 0.5 + 0.5 * np.sin(x * (0.31 + 0.17 * c) + y * (0.23 + 0.11 * c) + c)
        edges = ((x // 3 + y // 4 + c) % 2) * 0.5
        planes.append(np.clip(0.6 * wave + edges * 0.6 + rng.normal(0, 0.08, x.shape), 0, 1))
    top = (1 << depth) - 1
    return np.round(np.stack(planes, -1) * top).astype(np.uint16 if depth > 8 else np.uint8)


def with_alpha(pixels, top=255):
    """Alpha from clear to solid, with hidden colours under clear places."""
    height, width = pixels.shape[:2]
    y, x = np.mgrid[0:height, 0:width]
    alpha = np.clip((x - 2) * top // max(1, width - 5) + (y % 3) * (top // 20), 0, top)
    alpha[:, :2] = 0
    pixels[..., -1] = alpha
    return pixels


# -- PNG, by hand, so that every depth and chunk can be had ------------------------------------------------------------

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def pack_rows(samples, depth):
    rows = b""
    for row in samples:
        flat = row.reshape(-1)
        if depth == 16:
            packed = flat.astype(">u2").tobytes()
        elif depth == 8:
            packed = flat.astype(np.uint8).tobytes()
        else:
            bits = ((flat[:, None] >> np.arange(depth - 1, -1, -1)) & 1).astype(np.uint8)
            packed = np.packbits(bits.reshape(-1)).tobytes()
        rows += b"\0" + packed
    return rows


def png(samples, color, depth, before=b"", after_ihdr=b"", interlace=False, tail=b"", idat=True):
    if samples.ndim == 2:
        samples = samples[..., None]
    height, width = samples.shape[:2]
    if interlace:
        raw = b"".join(
            pack_rows(samples[y0::dy, x0::dx], depth)
            for x0, y0, dx, dy in ADAM7
            if samples[y0::dy, x0::dx].size
        )
    else:
        raw = pack_rows(samples, depth)
    ihdr = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, int(interlace))
    body = chunk(b"IDAT", zlib.compress(raw, 9)) if idat else b""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", ihdr) + after_ihdr + before + body + tail + chunk(b"IEND", b"")


def fctl(sequence, width, height, x=0, y=0, dispose=0, blend=0):
    return chunk(b"fcTL", struct.pack(">IIIIIHHBB", sequence, width, height, x, y, 1, 10, dispose, blend))


def png_files():
    rgb, l8 = picture(17, 12, 3), picture(17, 12, 1)
    rgba = with_alpha(picture(17, 12, 4))
    palette = bytes(rng.integers(0, 256, 48, dtype=np.uint8))
    index = picture(17, 12, 1)[..., 0] % 16
    plte, trns = chunk(b"PLTE", palette), chunk(b"tRNS", bytes([0, 255, 40, 200, 0, 90]))
    anim = chunk(b"acTL", struct.pack(">II", 2, 0))
    other = zlib.compress(pack_rows(255 - rgb, 8))
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    yield "rgb.png", png(rgb, 2, 8)
    yield "rgba.png", png(rgba, 6, 8)
    yield "l.png", png(l8, 0, 8)
    yield "la.png", png(with_alpha(picture(17, 12, 2)), 4, 8)
    yield "bit1.png", png(picture(17, 12, 1) >> 7, 0, 1)
    yield "bit2.png", png(picture(17, 12, 1) >> 6, 0, 2)
    yield "bit4.png", png(picture(17, 12, 1) >> 4, 0, 4)
    yield "i16.png", png(picture(17, 12, 1, 16) // 150, 0, 16)  # about half of it below 256
    yield "la16.png", png(with_alpha(picture(17, 12, 2, 16), 65535), 4, 16)
    yield "rgb16.png", png(picture(17, 12, 3, 16), 2, 16)
    yield "rgba16.png", png(with_alpha(picture(17, 12, 4, 16), 65535), 6, 16)
    yield "p8.png", png(index, 3, 8, plte)
    yield "p4.png", png(index, 3, 4, plte)
    yield "p2.png", png(index % 4, 3, 2, chunk(b"PLTE", palette[:12]))
    yield "p1.png", png(index % 2, 3, 1, chunk(b"PLTE", palette[:6]))
    yield "p8-short-palette.png", png(index, 3, 8, chunk(b"PLTE", palette[:24]))
    yield "p8-trns.png", png(index, 3, 8, plte + trns)
    yield "p8-one-clear.png", png(index, 3, 8, plte + chunk(b"tRNS", b"\xff\xff\0"))
    yield "p8-gray.png", png(index, 3, 8, chunk(b"PLTE", bytes(v * 17 for v in range(16) for _ in "rgb")))
    yield "rgb-trns.png", png(rgb, 2, 8, chunk(b"tRNS", struct.pack(">HHH", *map(int, rgb[3, 4]))))
    yield "l-trns.png", png(l8, 0, 8, chunk(b"tRNS", struct.pack(">H", int(l8[3, 4, 0]))))
    yield "bit1-trns.png", png(l8 >> 7, 0, 1, chunk(b"tRNS", struct.pack(">H", 1)))
    yield "i16-trns.png", png(picture(17, 12, 1, 16) // 150, 0, 16, chunk(b"tRNS", struct.pack(">H", 9)))
    yield "rgb-interlaced.png", png(rgb, 2, 8, interlace=True)
    yield "p8-interlaced.png", png(index, 3, 8, plte, interlace=True)
    yield "bit1-interlaced.png", png(l8 >> 7, 0, 1, interlace=True)
    yield "rgb-gamma.png", png(rgb, 2, 8, after_ihdr=chunk(b"gAMA", struct.pack(">I", 100000)))
    yield "l-gamma.png", png(l8, 0, 8, after_ihdr=chunk(b"gAMA", struct.pack(">I", 100000)))
    yield "rgb-icc.png", png(rgb, 2, 8, after_ihdr=chunk(b"iCCP", b"x\0\0" + zlib.compress(swapped_profile())))
    yield "rgb-lab-icc.png", png(rgb, 2, 8, after_ihdr=chunk(b"iCCP", b"x\0\0" + zlib.compress(icc)))
    yield "rgb-exif6.png", png(rgb, 2, 8, tail=chunk(b"eXIf", orientation(6)))
    yield "apng.png", png(rgb, 2, 8, anim + fctl(0, 17, 12), tail=fctl(1, 17, 12) + chunk(b"fdAT", struct.pack(">I", 2) + other))
    yield "apng-hidden-default.png", png(
        rgb, 2, 8, anim, tail=fctl(0, 17, 12) + chunk(b"fdAT", struct.pack(">I", 1) + other)
    )
    yield "strip-1x40.png", png(picture(1, 40, 3), 2, 8)
    yield "strip-40x1.png", png(picture(40, 1, 3), 2, 8)
    yield "tall-20x2100.png", png(picture(20, 2100, 1) // 64 * 85, 0, 8)
    yield "one.png", png(picture(1, 1, 4), 6, 8)
    yield "side-exact-8.png", png(with_alpha(picture(8, 8, 4)), 6, 8)
    yield "rgba-wide.png", png(with_alpha(picture(51, 9, 4)), 6, 8)
    yield "bad-crc-text.png", png(rgb, 2, 8, tail=chunk(b"tEXt", b"a\0b")[:-1] + b"\0")
    yield "bad-crc-idat.png", bad_idat(png(rgb, 2, 8))


def bad_idat(data):
    at = data.index(b"IEND") - 5
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


def orientation(value):
    return b"Exif\0\0"[6:] + b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + bytes([value]) + b"\0\0\0\0\0\0\0"


def swapped_profile():
    """An sRGB profile whose red and blue primaries have changed places: any colour management is seen."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"tmpZ", 1).replace(b"bXYZ", b"rXYZ", 1).replace(b"tmpZ", b"bXYZ", 1)


# -- the other formats, by Pillow and by changes to its bytes ----------------------------------------------------------


def saved(image, kind, **options):
    to = io.BytesIO()
    image.save(to, kind, **options)
    return to.getvalue()


def rgb_image(width=35, height=27):
    return Image.fromarray(picture(width, height, 3))


def jpeg_files():
    rgb = rgb_image()
    cmyk = Image.frombytes("CMYK", (35, 27), picture(35, 27, 4).tobytes())
    adobe = saved(cmyk, "JPEG", quality=90)
    at = adobe.index(b"Adobe")
    assert adobe[at - 4 : at - 2] == b"\xff\xee"
    for name, sampling in {"444": 0, "422": 1, "420": 2}.items():
        yield f"rgb-{name}.jpg", saved(rgb, "JPEG", quality=88, subsampling=sampling)
    yield "rgb-440.jpg", resampled(saved(rgb, "JPEG", quality=88, subsampling=1), 0x12)
    yield "rgb-411.jpg", saved(rgb, "JPEG", quality=88, subsampling="4:1:1")
    yield "rgb-420-low.jpg", saved(rgb, "JPEG", quality=15, subsampling=2)
    yield "rgb-420-even.jpg", saved(rgb_image(32, 32), "JPEG", quality=75)
    yield "rgb-progressive.jpg", saved(rgb, "JPEG", quality=88, progressive=True)
    yield "rgb-progressive-low.jpg", saved(rgb, "JPEG", quality=12, progressive=True)
    yield "rgb-restart.jpg", saved(rgb, "JPEG", quality=88, restart_marker_blocks=2)
    yield "rgb-kept.jpg", saved(rgb, "JPEG", quality=88, keep_rgb=True)
    yield "rgb-exif6.jpg", saved(rgb, "JPEG", quality=88, exif=b"Exif\0\0" + orientation(6))
    yield "rgb-icc.jpg", saved(rgb, "JPEG", quality=88, icc_profile=swapped_profile())
    yield "l.jpg", saved(Image.fromarray(picture(35, 27, 1)[..., 0]), "JPEG", quality=88)
    yield "cmyk-adobe.jpg", adobe
    yield "cmyk-plain.jpg", adobe[: at - 4] + adobe[at + 12 :]
    yield "ycck.jpg", adobe[: at + 11] + b"\x02" + adobe[at + 12 :]
    yield "junk-after.jpg", saved(rgb, "JPEG", quality=88) + b"\0junk"


def resampled(jpeg, factors):
    """4:2:2 turned into 4:4:0 with the two sizes exchanged: the same blocks in another order."""
    at = jpeg.index(b"\xff\xc0")
    height, width = struct.unpack(">HH", jpeg[at + 5 : at + 9])
    data = bytearray(jpeg)
    data[at + 5 : at + 9] = struct.pack(">HH", width, height)
    data[at + 11] = factors
    return bytes(data)


def webp_files():
    rgb = rgb_image()
    rgba = Image.fromarray(with_alpha(picture(35, 27, 4)))
    frames = [Image.fromarray(with_alpha(picture(20, 16, 4))) for _ in range(2)]
    yield "lossy.webp", saved(rgb, "WEBP", quality=80)
    yield "lossless.webp", saved(rgb, "WEBP", lossless=True)
    yield "lossy-alpha.webp", saved(rgba, "WEBP", quality=80)
    yield "lossless-alpha.webp", saved(rgba, "WEBP", lossless=True, exact=True)
    yield "exif6.webp", saved(rgb, "WEBP", quality=80, exif=b"Exif\0\0" + orientation(6))
    yield "icc.webp", saved(rgb, "WEBP", lossless=True, icc_profile=swapped_profile())
    yield "animated.webp", saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True, exact=True)
    solid = [f.convert("RGB") for f in frames]
    yield "animated-solid.webp", saved(solid[0], "WEBP", save_all=True, append_images=solid[1:], quality=80)
    small = saved(frames[0].crop((0, 0, 8, 6)), "WEBP", lossless=True, exact=True)
    yield "animated-offset.webp", offset_webp(small, 20, 16, 4, 6)


def offset_webp(small, width, height, x, y):
    """One frame that covers a part of a larger canvas with a background colour of its own."""
    u24 = lambda v: struct.pack("<I", v)[:3]
    riff = lambda kind, data: kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
    w, h = Image.open(io.BytesIO(small)).size
    pixels = small[12:]
    if pixels[:4] == b"VP8X":
        pixels = pixels[18:]
    head = u24(x // 2) + u24(y // 2) + u24(w - 1) + u24(h - 1) + u24(100) + b"\0"
    body = riff(b"VP8X", b"\x12\0\0\0" + u24(width - 1) + u24(height - 1))
    body += riff(b"ANIM", bytes([10, 200, 30, 255]) + b"\0\0") + riff(b"ANMF", head + pixels)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def gif_frame(index, bits, x=0, y=0, palette=b"", interlace=False):
    """Codes never grow: a clear code comes before the table would."""
    height, width = index.shape
    if interlace:
        index = np.concatenate([index[0::8], index[4::8], index[2::4], index[1::2]])
    size, clear = bits + 1, 1 << bits
    codes, run = [], 0
    for value in index.reshape(-1):
        if run % (clear - 2) == 0:
            codes.append(clear)
        codes.append(int(value))
        run += 1
    codes.append(clear + 1)
    number = sum(code << (size * i) for i, code in enumerate(codes))
    data = number.to_bytes((size * len(codes) + 7) // 8, "little")
    blocks = b"".join(bytes([len(data[i : i + 255])]) + data[i : i + 255] for i in range(0, len(data), 255))
    local = 0x80 | (len(palette).bit_length() - 1 - 2) if palette else 0
    if palette:
        local = 0x80 | ((len(palette) // 3).bit_length() - 2)
    return struct.pack("<BHHHHB", 0x2C, x, y, width, height, local | (0x40 if interlace else 0)) + palette + bytes([bits]) + blocks + b"\0"


def gif(width, height, frames, palette=b"", background=0):
    flags = 0x80 | ((len(palette) // 3).bit_length() - 2) if palette else 0
    return b"GIF89a" + struct.pack("<HHBBB", width, height, flags, background, 0) + palette + frames + b";"


def control(transparent=None, disposal=0):
    return bytes([0x21, 0xF9, 4, (disposal << 2) | (transparent is not None), 5, 0, transparent or 0, 0])


def gif_files():
    palette = bytes(rng.integers(0, 256, 48, dtype=np.uint8))
    ramp = bytes(v for v in range(16) for _ in "rgb")
    index = picture(17, 12, 1)[..., 0] % 16
    small = index[:6, :8]
    photo = rgb_image().quantize(200)
    yield "p.gif", gif(17, 12, gif_frame(index, 4), palette)
    yield "lzw.gif", saved(photo, "GIF")
    yield "transparent.gif", gif(17, 12, control(3) + gif_frame(index, 4), palette)
    yield "gray-ramp.gif", gif(17, 12, gif_frame(index, 4), ramp)
    yield "no-palette.gif", gif(17, 12, gif_frame(index, 4))
    yield "local-palette.gif", gif(17, 12, gif_frame(index, 4, palette=palette), ramp)
    yield "local-ramp.gif", gif(17, 12, gif_frame(index, 4, palette=ramp), palette)
    yield "interlaced.gif", gif(17, 12, gif_frame(index, 4, interlace=True), palette)
    yield "offset.gif", gif(17, 12, gif_frame(small, 4, 5, 3), palette, background=7)
    yield "offset-transparent.gif", gif(17, 12, control(3) + gif_frame(small, 4, 5, 3), palette, background=7)
    yield "beyond.gif", gif(10, 7, gif_frame(index, 4), palette)
    yield "animated.gif", gif(17, 12, control(None, 2) + gif_frame(index, 4) + control(3) + gif_frame(15 - index, 4), palette)
    yield "short-palette.gif", gif(17, 12, gif_frame(index, 4), palette[:24])


def tiff(samples, bits, tags, big=False):
    """An uncompressed one-strip TIFF with any tags."""
    order = ">" if big else "<"
    height, width = samples.shape[:2]
    data = samples.astype(samples.dtype.newbyteorder(order)).tobytes()
    channels = samples.shape[2] if samples.ndim == 3 else 1
    entries = {256: width, 257: height, 258: [bits] * channels, 259: 1, 273: 8, 277: channels, 278: height, 279: len(data), **tags}
    ifd = 8 + len(data) + len(data) % 2
    extra_at = ifd + 2 + 12 * len(entries) + 4
    table, extra = b"", b""
    for tag, value in sorted(entries.items()):
        values = value if isinstance(value, list) else [value]
        long = max(values) > 65535 or tag in (273, 279)
        packed = struct.pack(order + ("I" if long else "H") * len(values), *values)
        if len(packed) > 4:
            field = struct.pack(order + "I", extra_at + len(extra))
            extra += packed
        else:
            field = packed.ljust(4, b"\0")
        table += struct.pack(order + "HHI", tag, 4 if long else 3, len(values)) + field
    head = (b"MM\0*" if big else b"II*\0") + struct.pack(order + "I", ifd)
    return head + data + b"\0" * (len(data) % 2) + struct.pack(order + "H", len(entries)) + table + b"\0\0\0\0" + extra


def tiff_files():
    rgb = Image.fromarray(picture(17, 12, 3))
    rgba = Image.fromarray(with_alpha(picture(17, 12, 4)))
    yield "rgb-lzw.tif", saved(rgb, "TIFF", compression="tiff_lzw")
    yield "rgba.tif", saved(rgba, "TIFF")
    yield "rgba-premultiplied.tif", tiff(np.asarray(rgba.convert("RGBa")), 8, {262: 2, 338: 1})
    yield "rgbx.tif", tiff(np.asarray(rgba), 8, {262: 2, 338: 0})
    yield "rgba-unsaid.tif", tiff(np.asarray(rgba), 8, {262: 2})
    yield "l.tif", saved(rgb.convert("L"), "TIFF")
    yield "la.tif", saved(rgba.convert("LA"), "TIFF")
    yield "bit1.tif", saved(rgb.convert("1"), "TIFF")
    yield "bit1-g4.tif", saved(rgb.convert("1"), "TIFF", compression="group4")
    yield "white-is-zero.tif", tiff(picture(17, 12, 1)[..., 0], 8, {262: 0})
    yield "p.tif", saved(rgb.quantize(16), "TIFF")
    yield "i16.tif", tiff(picture(17, 12, 1, 16)[..., 0] // 150, 16, {262: 1})
    yield "i16-big.tif", tiff(picture(17, 12, 1, 16)[..., 0] // 150, 16, {262: 1}, big=True)
    yield "rgb16.tif", tiff(picture(17, 12, 3, 16), 16, {262: 2})
    yield "float.tif", tiff((picture(17, 12, 1)[..., 0] * np.float32(1.3) - 20).astype(np.float32), 32, {262: 1, 339: 3})
    yield "int32.tif", tiff((picture(17, 12, 1)[..., 0] * 1.3 - 20).astype(np.int32), 32, {262: 1, 339: 2})
    yield "cmyk.tif", saved(Image.frombytes("CMYK", (17, 12), picture(17, 12, 4).tobytes()), "TIFF")
    yield "orientation6.tif", tiff(picture(17, 12, 3), 8, {262: 2, 274: 6})
    yield "orientation2.tif", tiff(picture(17, 12, 3), 8, {262: 2, 274: 2})
    yield "pages.tif", saved(rgb, "TIFF", save_all=True, append_images=[rgb_image(9, 9)])
    yield "jpeg.tif", saved(rgb_image(), "TIFF", compression="jpeg", quality=88)
    yield "deflate-predictor.tif", saved(rgb, "TIFF", compression="tiff_adobe_deflate", tiffinfo={317: 2})


def avif_files():
    rgb = rgb_image(36, 28)
    rgba = Image.fromarray(with_alpha(picture(36, 28, 4)))
    yield "444.avif", saved(rgb, "AVIF", quality=80, subsampling="4:4:4")
    yield "420.avif", saved(rgb, "AVIF", quality=80, subsampling="4:2:0")
    yield "alpha.avif", saved(rgba, "AVIF", quality=80, subsampling="4:4:4")
    for turn in (5, 6, 7):  # mirrored and turned, turned, mirrored and turned the other way
        yield f"exif{turn}.avif", saved(rgb, "AVIF", quality=80, subsampling="4:4:4", exif=orientation(turn))


def damaged_files():
    """Pillow shows some of these all the same; whatever it does is recorded."""
    rgb = rgb_image()
    jpeg, progressive = saved(rgb, "JPEG", quality=88), saved(rgb, "JPEG", quality=88, progressive=True)
    plain, webp = png(picture(35, 27, 3), 2, 8), saved(rgb, "WEBP", quality=80)
    palette = bytes(rng.integers(0, 256, 48, dtype=np.uint8))
    drawing = gif(17, 12, gif_frame(picture(17, 12, 1)[..., 0] % 16, 4), palette)
    sheet, avif = saved(rgb, "TIFF"), saved(rgb, "AVIF", quality=80)
    packed = saved(rgb, "TIFF", compression="tiff_lzw")
    yield "no-end.jpg", jpeg[:-2]
    yield "cut.jpg", jpeg[: len(jpeg) * 2 // 3]
    yield "cut-progressive.jpg", progressive[: len(progressive) * 2 // 3]
    yield "cut-header.jpg", jpeg[:30]
    yield "no-end.png", plain[:-12]
    yield "no-last-crc.png", plain[:-16]
    yield "cut.png", plain[: len(plain) * 2 // 3]
    yield "cut-header.png", plain[:20]
    yield "cut.webp", webp[: len(webp) * 2 // 3]
    yield "no-end.gif", drawing[:-1]
    yield "cut.gif", drawing[: len(drawing) * 2 // 3]
    yield "cut-header.gif", drawing[:30]
    yield "ends-early.gif", gif(17, 14, gif_frame(picture(17, 12, 1)[..., 0] % 16, 4), palette).replace(
        struct.pack("<HH", 17, 12), struct.pack("<HH", 17, 14)
    )
    yield "cut.tif", tiff(picture(17, 12, 3), 8, {262: 2}).replace(struct.pack("<I", 612), struct.pack("<I", 99999), 1)
    yield "cut-lzw.tif", packed[: len(packed) * 2 // 3]
    yield "cut.avif", avif[: len(avif) * 2 // 3]


# -- what Pillow makes of them ------------------------------------------------------------------------------------------


def samples(image):
    """What the image holds; a palette is looked up, which commutes with the nearest neighbour it is resized by."""
    if image.mode == "P":
        return image.convert("RGB").tobytes()
    if image.mode == "1":
        return image.convert("L").tobytes()
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype("<u2").tobytes()
    return image.tobytes()


def upstream(image, side):
    width, height = image.size
    short, long = min(width, height), max(width, height)
    if short != side:
        longer = int(side * long / short)
        image = image.resize((side, longer) if width <= height else (longer, side), Image.BICUBIC)
    width, height = image.size
    left, top = int(round((width - side) / 2.0)), int(round((height - side) / 2.0))
    return image.crop((left, top, left + side, top + side)).convert("RGB").tobytes()


MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)

BANDS = {"1": 1, "L": 1, "LA": 2, "P": 3, "RGB": 3, "RGBA": 4, "CMYK": 4, "I;16": 1, "I": 1, "F": 1}
SIZES = [
    (1024, 1024, 224), (832, 1216, 224), (1216, 832, 224), (224, 224, 224), (224, 300, 224), (225, 224, 224), (100, 80, 224),
    (64, 64, 224), (1, 300, 224), (300, 1, 224), (1000, 2100, 224), (300, 900, 224), (513, 1027, 64), (640, 481, 16), (7, 5, 3),
]  # fmt: skip


def hashed(width, height, mode):
    """A picture that the tests can make for themselves: byte i is the top byte of 2654435761 i."""
    bands = BANDS[mode]
    noise = ((np.arange(width * height * bands, dtype=np.uint64) * 2654435761) >> 24 & 255).astype(np.uint8)
    if mode == "P":
        return None  # more colours than a palette holds
    if mode == "1":
        return Image.frombytes("L", (width, height), noise.tobytes()).point(lambda v: 255 * (v > 127), "1")
    wide = {"I;16": "<u2", "I": "<i4", "F": "<f4"}.get(mode)
    values = (noise.astype(wide) * 3).astype(wide) if wide else noise
    return Image.frombytes(mode, (width, height), values.tobytes())


def resize_cases():
    for mode in BANDS:
        for width, height, side in SIZES if mode in ("RGB", "RGBA") else SIZES[5:]:
            image = hashed(width, height, mode)
            if image is None:
                continue
            pixels = upstream(image, side)
            floats = (np.frombuffer(pixels, np.uint8).astype(np.float32) / np.float32(255)).reshape(side, side, 3)
            planes = np.ascontiguousarray(((floats - MEAN) / STD).transpose(2, 0, 1))
            digest = {"pixels": hashlib.sha256(pixels).hexdigest(), "floats": hashlib.sha256(planes.tobytes()).hexdigest()}
            yield {"mode": mode, "width": width, "height": height, "side": side, **digest}


def text(data):
    return base64.b64encode(data).decode()


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for stale in OUT.iterdir():
        stale.unlink()
    cases = {}
    for files in (png_files, jpeg_files, webp_files, gif_files, tiff_files, avif_files, damaged_files):
        for name, data in files():
            (OUT / name).write_bytes(data)
            case = {}
            try:
                image = Image.open(OUT / name)
                image.load()
                case = {"mode": image.mode, "width": image.width, "height": image.height}
                held = samples(image)
                case["samples"] = text(zlib.compress(held, 9))
                case["sides"] = {}
                for side in (5, 8, 14):
                    if max(image.size) < 200 or side == 8:
                        case["sides"][side] = text(upstream(Image.open(OUT / name), side))
            except Exception as error:
                message = str(error).replace(str(OUT), "images")
                case = {"error": f"{type(error).__name__}: {message}"}
            cases[name] = case
    versions = {"python": platform.python_version(), "pillow": PIL.__version__, "numpy": np.__version__}
    for library in ("jpg", "zlib", "libtiff"):
        versions[library] = features.version_codec(library)
    for library in ("webp", "avif", "libjpeg_turbo"):
        versions[library] = features.version(library)
    record = {"made by": "test/reference/images.py", "versions": versions, "cases": cases}
    (HERE / "images.json").write_text(json.dumps(record, indent=1) + "\n")
    lines = ",\n".join(json.dumps(case) for case in resize_cases())
    (HERE / "resize.json").write_text(f'{{"made by": "test/reference/images.py", "versions": {json.dumps(versions)}, "cases": [\n{lines}\n]}}\n')
    for name, case in cases.items():
        print(name, case.get("mode"), case.get("width"), case.get("height"), case.get("error", ""))


main()
