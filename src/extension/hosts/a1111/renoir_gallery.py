"""Which of a job's pictures are kept and in which order: lists in, lists out, nothing of a host."""
from __future__ import annotations

PER_PICTURE = ("all_seeds", "all_subseeds", "all_prompts", "all_negative_prompts")


class Plan:
    """`order`: the kept pictures as they are to stand; `filtered`: those below the limit, in the order made."""

    def __init__(self, order, filtered):
        self.order = order
        self.filtered = filtered

    def changes(self):
        return bool(self.filtered) or self.order != sorted(self.order)


def plan(totals, limit=None, sort=True):
    """Best first; equal ones as they were made. A picture without a score (None) is never filtered and comes last."""
    filtered = [i for i, total in enumerate(totals) if limit is not None and total is not None and total < limit]
    order = [i for i in range(len(totals)) if i not in filtered]
    if sort:
        order.sort(key=lambda i: (totals[i] is None, -(totals[i] or 0)))
    return Plan(order, filtered)


def find_pictures(images, first, scored, texts):
    """Where the pictures of a job lie among what it returns: masks may stand between them, a grid before them.

    None where they can not be told apart for sure: then nothing is to be moved."""
    if texts - first != len(scored):
        return None
    ids = {id(image) for image in scored}
    found = [i for i in range(first, len(images)) if id(images[i]) in ids]
    if len(found) == len(scored):
        return found
    # Another extension may have put new objects in their place; with nothing else there they are still the same ones.
    return list(range(first, len(images))) if len(images) - first == len(scored) else None


def arrange(processed, made, positions):
    """Everything that goes by the picture is put into the same order; what is no picture stays behind them.

    New lists: the host's own alias those of the job."""
    first = processed.index_of_first_image
    count = len(positions)
    images, texts = processed.images, processed.infotexts
    # The host's grid shows what was filtered too.
    keep_first = 0 if made.filtered else first
    others = [images[i] for i in range(first, len(images)) if i not in positions]
    processed.images = images[:keep_first] + [images[positions[i]] for i in made.order] + others
    processed.infotexts = texts[:keep_first] + [texts[first + i] for i in made.order] + texts[first + count:]
    processed.index_of_first_image = keep_first
    if made.order:
        _arrange_values(processed, made.order, count)


def replace_all(processed, made, positions, picture, totals):
    """Everything was filtered: in place of the gallery one picture that says so, or nothing.

    Seeds and prompts stay as they are, since hosts read the first of each; the picture goes with the best one's text,
    from which the host's buttons can still read a seed."""
    best = max(made.filtered, key=lambda i: totals[i])
    text = processed.infotexts[processed.index_of_first_image + best]
    arrange(processed, made, positions)
    processed.images = processed.images if picture is None else [picture, *processed.images]
    if picture is not None:
        processed.infotexts = [text, *processed.infotexts]
        _arrange_values(processed, [best], len(positions))


def _arrange_values(processed, order, count):
    for name in PER_PICTURE:
        values = getattr(processed, name, None)
        if isinstance(values, list) and len(values) == count:
            setattr(processed, name, [values[i] for i in order])
    processed.info = processed.infotexts[0]
    for one, all_of_them in (("seed", "all_seeds"), ("subseed", "all_subseeds")):
        values = getattr(processed, all_of_them, None)
        if values:
            setattr(processed, one, values[0])


def insert_picture(info, index, text):
    """The host's `generation_info` of a gallery after one more picture at `index`: every list keeps its places."""
    info = dict(info)
    info["infotexts"] = _inserted(info.get("infotexts") or [], index, text)
    first = info.get("index_of_first_image") or 0
    source = max(index - 1 - first, 0)
    for name in PER_PICTURE:
        values = info.get(name)
        if values:
            info[name] = _inserted(values, index - first, values[min(source, len(values) - 1)])
    return info


def _inserted(values, index, value):
    index = min(max(index, 0), len(values))
    return values[:index] + [value] + values[index:]


def count_text(filtered, made, limit):
    who = "1 picture was" if made == 1 else f"{filtered} of {made} pictures were"
    return f"Renoir: {who} filtered out: scored below {limit:g}."
