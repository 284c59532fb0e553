"""Files of pictures: what was filtered goes aside or away, and a refined one comes beside its original."""
from __future__ import annotations

import os


def companions(path, since):
    """What the host has saved with a picture: its text file, a smaller JPEG. Not what lay there before the job."""
    stem = os.path.splitext(path)[0]
    for ending in (".txt", ".jpg"):
        other = stem + ending
        if other != path and os.path.isfile(other) and os.path.getmtime(other) >= since - 2:
            yield other


def move_to_rejected(path, since):
    """Into rejected/ beside it, with its companions; nothing there is ever overwritten. Where it went."""
    folder = os.path.join(os.path.dirname(path), "rejected")
    os.makedirs(folder, exist_ok=True)
    target = None
    for file in [path, *list(companions(path, since))]:
        moved = _move_into(folder, file)
        target = target or moved
    return target


def remove(path, since):
    for file in [path, *list(companions(path, since))]:
        os.remove(file)


def save_beside(folder, stem, data, ending=".png"):
    """Written whole under a name that is free. Where it is."""
    os.makedirs(folder, exist_ok=True)
    path = _reserve(folder, stem, ending)
    part = path + ".part"
    try:
        with open(part, "wb") as file:
            file.write(data)
        os.replace(part, path)
    except OSError:
        for left in (part, path):
            if os.path.exists(left):
                os.remove(left)
        raise
    return path


def within(path, folders):
    """Whether a file lies in one of the folders, with all links followed."""
    real = os.path.realpath(path)
    for folder in folders:
        try:
            if folder and os.path.commonpath([real, os.path.realpath(folder)]) == os.path.realpath(folder):
                return True
        except ValueError:  # another drive
            continue
    return False


def _move_into(folder, file):
    stem, ending = os.path.splitext(os.path.basename(file))
    target = _reserve(folder, stem, ending)
    os.replace(file, target)
    return target


def _reserve(folder, stem, ending):
    """An empty file of a name that nobody has: making it fails where there is one, so two can not take the same."""
    number = 0
    while True:
        path = os.path.join(folder, f"{stem}{f'-{number}' if number else ''}{ending}")
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            return path
        except FileExistsError:
            number += 1
