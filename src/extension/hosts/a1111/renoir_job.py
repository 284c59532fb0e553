"""One generation, from its first picture to its gallery. Holds what was found out; touches the host through `p` alone."""
from __future__ import annotations

import io
import time

import renoir_files
import renoir_gallery
from renoir_client import ServerAway, ServerSays, score_key, score_text, split_rewards
from renoir_manifest import version_problem

# Each costs half a second at most: together they stay below two.
FAILURES = 3


class Job:
    def __init__(self, p, settings, client, timestamp, version):
        self.p, self.settings, self.client, self.timestamp, self.version = p, settings, client, timestamp, version
        self.started = time.time()
        self.rewards = split_rewards(settings["rewards"])
        self.images, self.totals = [], []
        self.keys, self.notes = set(), []
        self.failures = 0
        self.ended = False

    def score(self, image, prompt):
        """Puts the scores where the host makes the picture's infotext from. A failure is told, and nothing more."""
        self.clear()
        self.images.append(image)
        self.totals.append(None)
        if self.failures >= FAILURES:
            return
        try:
            scores, self.totals[-1] = self.client.score(png_of(image), prompt, self.rewards)
            self.check_version()
        except (ServerAway, ServerSays) as error:
            self.fail(error)
            return
        for reward, score in scores.items():
            self.keys.add(score_key(reward))
            # A text: other kinds of values break some hosts' answers, and SD.Next deletes numbers below -1.
            self.p.extra_generation_params[score_key(reward)] = score_text(score)

    def check_version(self):
        if self.client.version is None:
            self.client.health()
        problem = version_problem(self.version, self.client.version)
        if problem:
            self.note(f"Renoir: {problem}")

    def clear(self):
        """What is left there would go on into the next picture, the grid, and pictures in between."""
        for key in self.keys:
            self.p.extra_generation_params.pop(key, None)

    def fail(self, error):
        self.failures += 1
        told = getattr(error, "told", True)
        hint = "" if isinstance(error, ServerSays) else " Start it in the Renoir accordion, or run `renoir start`."
        line = f"Renoir: {error}{hint} Pictures go on without a score."
        self.note(line, told)

    def note(self, line, told=True):
        if line not in self.notes:
            self.notes.append(line)
            if told:
                print(line)

    def finish(self, processed, may_rearrange, notice):
        """Sorts and filters what the host is about to show. `notice(text)` makes the picture for an empty gallery, or None."""
        self.ended = True
        self.clear()
        if self.totals and self.wants_order():
            self.rearrange(processed, may_rearrange, notice)
        if self.notes:
            before = getattr(processed, "comments", "") or ""
            processed.comments = "\n".join([*filter(None, [before.rstrip("\n")]), *self.notes])

    def wants_order(self):
        return self.settings["sort"] or self.settings["filter"]

    def rearrange(self, processed, may_rearrange, notice):
        limit = self.settings["limit"] if self.settings["filter"] else None
        made = renoir_gallery.plan(self.totals, limit, self.settings["sort"])
        if not made.changes():
            return
        first = processed.index_of_first_image
        positions = renoir_gallery.find_pictures(processed.images, first, self.images, len(processed.infotexts))
        if not may_rearrange or positions is None:
            if made.filtered:
                self.notes.append("Renoir: scored only. The pictures of scripts, upscales and interrupted jobs are not filtered.")
            return
        away = [processed.images[positions[i]] for i in made.filtered]
        if made.filtered:
            self.notes.append(renoir_gallery.count_text(len(made.filtered), len(self.totals), limit))
        if made.order:
            renoir_gallery.arrange(processed, made, positions)
        else:
            best = max(total for total in self.totals if total is not None)
            picture = notice(f"{self.notes[-1]}\nThe best one scored {score_text(best)}.")
            renoir_gallery.replace_all(processed, made, positions, picture, self.totals)
        for image in away:
            self.put_away(getattr(image, "already_saved_as", None))

    def put_away(self, path):
        """What becomes of a filtered picture's file. The host has saved it already: no host lets a save be refused."""
        what = self.settings["filtered"]
        if not path or what == "keep":
            return
        try:
            if what == "reject":
                renoir_files.move_to_rejected(path, self.started)
            else:
                renoir_files.remove(path, self.started)
        except OSError as error:
            self.note(f"Renoir: {path} is filtered out but stays where it is: {error}.")


def png_of(image):
    """Every pixel as it is saved: a reward looks at the whole picture in its own size."""
    data = io.BytesIO()
    # Uncompressed: at 1024x1024 compressing takes 0.2 s of the host's time, and sending the difference on one machine none.
    image.convert("RGB").save(data, "PNG", compress_level=0)
    return data.getvalue()


def prompt_of(p, index, in_batch):
    """The one that the picture's own infotext will have, so that scoring the file later gives the same."""
    for prompts, at in ((getattr(p, "all_prompts", None), index), (getattr(p, "prompts", None), in_batch)):
        if prompts and at < len(prompts):
            return prompts[at]
    return p.prompt if isinstance(p.prompt, str) else p.prompt[0]
