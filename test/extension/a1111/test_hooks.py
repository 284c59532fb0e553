"""The plugin's hooks as a host calls them, with a real Renoir server that scores by the built-in reward."""
import os
import re
import tempfile
import time
import unittest

from run import SERVER, Bag, free_address, generate, job, new_script, renoir, shared

COLOURS = ["black", "red", "white", "blue"]


def args(filter=False, limit=0.0, sort=True, filtered="keep", address=SERVER, enabled=True):
    return [enabled, "", filter, limit, sort, filtered, address]


def scores(texts):
    return [float(re.search(r", Shapes Score: (-?\d+\.\d{4}), Version: f2$", text)[1]) for text in texts]


def seeds(texts):
    return [int(re.search(r"Seed: (\d+)", text)[1]) for text in texts]


class Scoring(unittest.TestCase):
    def setUp(self):
        self.script = new_script()

    def test_each_picture_has_its_own_score_within_the_settings_line(self):
        processed = generate(self.script, job(COLOURS, per_batch=2), *args(sort=False))
        found = scores(processed.infotexts)
        self.assertEqual(len(set(found)), 4)
        self.assertEqual(seeds(processed.infotexts), [100, 101, 102, 103])
        for text in processed.infotexts:
            self.assertEqual(text.count("Score"), 1)
            self.assertEqual(len(text.split("\n")), 2)

    def test_the_prompt_is_the_pictures_own(self):
        prompts = ["a red circle", "two blue squares"]
        processed = generate(self.script, job(["red", "red"], prompts), *args(sort=False))
        alone = [generate(self.script, job(["red"], [prompt]), *args()).infotexts for prompt in prompts]
        self.assertEqual(scores(processed.infotexts), [scores(texts)[0] for texts in alone])
        self.assertNotEqual(*scores(processed.infotexts))

    def test_nothing_stays_for_the_next_batch_the_grid_or_the_next_job(self):
        p = job(COLOURS, per_batch=2)
        processed = generate(self.script, p, *args(sort=False), grid=True)
        self.assertNotIn("Score", p.between)
        self.assertNotIn("Score", processed.infotexts[0])
        self.assertEqual(p.extra_generation_params, {})
        self.assertEqual(len(scores(processed.infotexts[1:])), 4)

    def test_switched_off_it_does_nothing(self):
        p = job(COLOURS)
        processed = generate(self.script, p, *args(enabled=False, filter=True, limit=99))
        self.assertEqual((len(processed.images), "Score" in "".join(processed.infotexts), processed.comments), (4, False, ""))

    def test_too_few_arguments_have_their_defaults(self):
        self.assertEqual(len(generate(self.script, job(["red"]), True, "", True, -99).images), 1)
        self.assertNotIn("Score", generate(self.script, job(["red"])).infotexts[0])

    def test_a_generation_within_another_is_left_alone(self):
        outer = job(["red"])
        self.script.process(outer, *args())
        inner = generate(self.script, job(["blue"]), *args(filter=True, limit=99))
        self.assertEqual((len(inner.images), "Score" in inner.infotexts[0]), (1, False))
        self.assertIs(renoir.job_of(outer).p, outer)

    def test_a_job_that_broke_off_does_not_disturb_the_next(self):
        self.script.process(job(["red"]), *args())
        shared.state.job_timestamp = "2"
        self.assertIn("Score", generate(self.script, job(["blue"]), *args()).infotexts[0])


class Gallery(unittest.TestCase):
    def setUp(self):
        self.script = new_script()
        texts = generate(self.script, job(COLOURS), *args(sort=False)).infotexts
        self.scores = dict(zip(range(100, 104), scores(texts)))
        self.best_first = sorted(self.scores, key=lambda seed: -self.scores[seed])
        middle = sorted(self.scores.values())
        self.limit = (middle[1] + middle[2]) / 2

    def test_sorting_moves_everything_that_goes_by_the_picture(self):
        p = job(COLOURS, ["a red circle"] * 4)
        processed = generate(self.script, p, *args(), grid=True)
        self.assertEqual(processed.all_seeds, self.best_first)
        self.assertEqual(seeds(processed.infotexts[1:]), self.best_first)
        self.assertEqual([i.colour_name for i in processed.images[1:]], [COLOURS[seed - 100] for seed in self.best_first])
        self.assertEqual((processed.index_of_first_image, processed.seed), (1, self.best_first[0]))
        self.assertEqual(p.all_seeds, [100, 101, 102, 103])

    def test_filtering_leaves_out_what_is_below_the_limit(self):
        processed = generate(self.script, job(COLOURS), *args(filter=True, limit=self.limit, sort=False))
        self.assertEqual(processed.all_seeds, sorted(self.best_first[:2]))
        self.assertEqual(processed.comments, f"Renoir: 2 of 4 pictures were filtered out: scored below {self.limit:g}.")

    def test_a_grid_that_shows_filtered_pictures_goes_too(self):
        processed = generate(self.script, job(COLOURS), *args(filter=True, limit=self.limit), grid=True)
        self.assertEqual((len(processed.images), processed.index_of_first_image), (2, 0))
        self.assertEqual(seeds(processed.infotexts), self.best_first[:2])

    def test_a_picture_exactly_at_the_limit_stays(self):
        only = generate(self.script, job(["red"]), *args())
        self.assertEqual(len(generate(self.script, job(["red"]), *args(filter=True, limit=-1e9)).images), 1)
        self.assertEqual(len(only.images), 1)

    def test_masks_stay_behind_the_pictures(self):
        processed = generate(self.script, job(COLOURS), *args(), masks=True)
        names = [getattr(image, "colour_name", "mask") for image in processed.images]
        self.assertEqual(names, [COLOURS[seed - 100] for seed in self.best_first] + ["mask"] * 4)

    def test_all_filtered_by_the_api_is_an_empty_list(self):
        processed = generate(self.script, job(COLOURS), *args(filter=True, limit=99))
        self.assertEqual((processed.images, processed.infotexts), ([], []))
        self.assertEqual(processed.all_prompts[0], "a red circle")
        self.assertEqual(processed.comments, "Renoir: 4 of 4 pictures were filtered out: scored below 99.")

    def test_all_filtered_in_the_page_is_a_picture_that_says_so(self):
        processed = generate(self.script, job(COLOURS, is_api=False), *args(filter=True, limit=99))
        self.assertEqual(len(processed.images), 1)
        self.assertEqual(seeds(processed.infotexts), self.best_first[:1])
        self.assertEqual(processed.all_seeds, self.best_first[:1])
        self.assertNotIn("already_saved_as", vars(processed.images[0]))

    def test_scripts_upscales_and_interrupts_are_scored_only(self):
        for more in ({"script_args": [3]}, {"txt2img_upscale": True}):
            processed = generate(self.script, job(COLOURS, **more), *args(filter=True, limit=99))
            self.assertEqual(processed.all_seeds, [100, 101, 102, 103])
            self.assertEqual(len(scores(processed.infotexts)), 4)
            self.assertIn("scored only", processed.comments)
        shared.state.interrupted = True
        try:
            self.assertEqual(len(generate(self.script, job(COLOURS), *args(filter=True, limit=99)).images), 4)
        finally:
            shared.state.interrupted = False

    def test_what_becomes_of_the_files(self):
        kept = {f"{seed - 100:05}-{COLOURS[seed - 100]}" for seed in self.best_first[:2]}
        away = {f"{i:05}-{colour}" for i, colour in enumerate(COLOURS)} - kept
        for what, left, moved in (("keep", kept | away, set()), ("reject", kept, away), ("discard", kept, set())):
            with tempfile.TemporaryDirectory() as folder:
                generate(self.script, job(COLOURS), *args(True, self.limit, True, what), save=folder)
                self.assertEqual(names_in(folder), both(left), what)
                self.assertEqual(names_in(os.path.join(folder, "rejected")), both(moved), what)


class Away(unittest.TestCase):
    def setUp(self):
        self.script = new_script()

    def test_generation_goes_on_and_says_so_once(self):
        address = free_address()
        began = time.monotonic()
        processed = generate(self.script, job(COLOURS * 3), *args(address=address, filter=True, limit=99))
        self.assertLess(time.monotonic() - began, 2)
        self.assertEqual((len(processed.images), "Score" in "".join(processed.infotexts)), (12, False))
        self.assertEqual(processed.comments.count("\n"), 0)
        self.assertIn(f"No Renoir server answers at {address} (nothing listens there).", processed.comments)

    def test_an_address_that_is_none(self):
        processed = generate(self.script, job(["red"]), *args(address="ftp://renoir"))
        self.assertEqual(len(processed.images), 1)
        self.assertIn('"ftp://renoir" is no address', processed.comments)

    def test_a_reward_that_the_server_does_not_know(self):
        processed = generate(self.script, job(["red"] * 2), True, "nonsense", False, 0, True, "keep", SERVER)
        self.assertEqual(len(processed.images), 2)
        self.assertIn("nonsense", processed.comments)


class Versions(unittest.TestCase):
    def test_a_server_of_another_release_scores_and_is_told_of(self):
        script, own = new_script(), renoir.LINK.manifest["version"]
        renoir.LINK.manifest["version"] = "9.0.0"
        try:
            processed = generate(script, job(["red", "blue"]), *args())
        finally:
            renoir.LINK.manifest["version"] = own
        self.assertEqual(len(scores(processed.infotexts)), 2)
        self.assertEqual(processed.comments.count("The plugin is Renoir 9.0.0 and the server is Renoir"), 1)


class InThePage(unittest.TestCase):
    def test_the_accordion_is_made_from_the_manifest(self):
        script = new_script(is_img2img=True)
        settings = renoir.LINK.manifest["settings"]
        self.assertEqual(len(script.panel.components), len(settings))
        self.assertEqual([c.value for c in script.panel.components[1:]], [s["default"] for s in settings[1:]])
        ids = [c.kwargs["elem_id"] for c in script.panel.components]
        self.assertEqual(ids, [f"script_img2img_renoir_{s['key']}" for s in settings])
        self.assertEqual([name for _, name in script.infotext_fields][:2], ["Renoir enabled", "Renoir rewards"])

    def test_a_kept_picture_is_joined_to_the_gallery_once_all_of_it_is_there(self):
        script = new_script()
        for name in ("txt2img_gallery", "html_info_txt2img", "other", "html_info_txt2img"):
            script.after_component(Bag(), elem_id=name)
            self.assertEqual(script.panel.insert_button.clicks, [])
        script.after_component(Bag(), elem_id="generation_info_txt2img")
        self.assertEqual(len(script.panel.insert_button.clicks), 1)

    def test_where_the_page_is_open_to_others_the_address_is_the_installed_one(self):
        shared.cmd_opts.disable_extension_access = True
        try:
            p = job(["red"])
            new_script().process(p, *args(address="http://192.0.2.1:1"))
            self.assertEqual(renoir.job_of(p).client.address, renoir.LINK.install["address"])
        finally:
            shared.cmd_opts.disable_extension_access = False
            renoir.CURRENT["job"] = None


def names_in(folder):
    return {name for name in os.listdir(folder) if name != "rejected"} if os.path.isdir(folder) else set()


def both(stems):
    return {stem + ending for stem in stems for ending in (".png", ".txt")}


if __name__ == "__main__":
    unittest.main()
