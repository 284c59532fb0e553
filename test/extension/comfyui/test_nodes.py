"""The nodes without ComfyUI: what they promise it, how they choose, and what they say to a real server."""
import inspect
import json
import math
import os
import sys
import types
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "src/extension/hosts"))
os.environ["RENOIR_ADDRESS"] = os.environ["RENOIR_TEST_SERVER"]

import comfyui  # noqa: E402
from comfyui import renoir_graph, renoir_nodes as nodes  # noqa: E402
from comfyui.renoir_png import with_texts  # noqa: E402
from renoir_client import ServerSays  # noqa: E402


class Blocker:
    """ComfyUI's own, as far as the nodes use it."""

    def __init__(self, message):
        self.message = message


sys.modules["comfy_execution"] = types.ModuleType("comfy_execution")
sys.modules["comfy_execution.graph_utils"] = types.SimpleNamespace(ExecutionBlocker=Blocker)


class Batch(list):
    """A tensor, as far as choosing goes: indexed by a list of numbers."""

    def __getitem__(self, index):
        return Batch(list.__getitem__(self, i) for i in index) if isinstance(index, list) else list.__getitem__(self, index)


def scored(*totals):
    return [nodes.Scored(scores={} if t is None else {"Shapes": t}, total=t, prompt="a") for t in totals]


class Promises(unittest.TestCase):
    def test_every_input_is_an_argument_and_every_output_has_a_name(self):
        for name, node in comfyui.NODE_CLASS_MAPPINGS.items():
            with self.subTest(name):
                inputs = [key for kind in node.INPUT_TYPES().values() for key in kind]
                inspect.signature(getattr(node(), node.FUNCTION)).bind(**dict.fromkeys(inputs))
                outputs = getattr(node, "RETURN_NAMES", ())
                self.assertEqual(len(outputs), len(node.RETURN_TYPES))
                self.assertIn(len(getattr(node, "OUTPUT_IS_LIST", node.RETURN_TYPES)), [len(outputs)])
                self.assertTrue(node.DESCRIPTION and comfyui.NODE_DISPLAY_NAME_MAPPINGS[name])

    def test_what_the_page_is_told_is_json(self):
        text = json.dumps(nodes.shown(scored(0.5, None)), allow_nan=False)
        self.assertEqual([one["total"] for one in json.loads(text)["renoir"]], [0.5, None])


class Choosing(unittest.TestCase):
    def test_best_first_equal_ones_as_they_came_unscored_last(self):
        self.assertEqual(nodes.ranking(scored(None, 0.1, 2.0, 0.1, -3.0)), [2, 1, 3, 4, 0])

    def test_top_k(self):
        top = nodes.TopK()
        images, numbers, kept = top.sort(Batch("abcd"), scored(0.1, None, 0.3, 0.2), 2, "best first")
        self.assertEqual((images, numbers), (["c", "d"], [0.3, 0.2]))
        images, numbers, kept = top.sort(Batch("abcd"), scored(0.1, None, 0.3, 0.2), 0, "worst first")
        self.assertEqual(images, ["a", "d", "c", "b"])
        self.assertTrue(math.isnan(numbers[-1]))
        self.assertIsNone(kept[-1].total)

    def test_a_filter_passes_the_limit_itself_and_what_has_no_score(self):
        found = nodes.Filter().filter(Batch("abc"), scored(1.0, 0.99, None), 1.0, nodes.BLOCK)
        images, numbers, kept, rejected, rejected_scored = found["result"]
        self.assertEqual((images, rejected), (["a", "c"], ["b"]))
        self.assertEqual([one.total for one in rejected_scored], [0.99])
        self.assertEqual(found["ui"]["renoir_note"], ["1 of 3 reach 1, 1 without a score pass"])

    def test_nothing_passes(self):
        blocked = nodes.Filter().filter(Batch("ab"), scored(1.0, 2.0), 3.0, nodes.BLOCK)["result"]
        self.assertIsInstance(blocked[0], Blocker)
        self.assertIsNone(blocked[0].message)
        self.assertIsInstance(blocked[1][0], Blocker)
        self.assertEqual(blocked[3], ["a", "b"])
        kept = nodes.Filter().filter(Batch("ab"), scored(1.0, 2.0), 3.0, nodes.KEEP_BEST)["result"]
        self.assertEqual((kept[0], kept[3]), (["b"], ["a"]))

    def test_everything_passes(self):
        found = nodes.Filter().filter(Batch("ab"), scored(1.0, 2.0), 0.0, nodes.BLOCK)["result"]
        self.assertIsInstance(found[3], Blocker)

    def test_scores_of_other_pictures(self):
        with self.assertRaisesRegex(ValueError, "There are 2 pictures and scores for 1"):
            nodes.TopK().sort(Batch("ab"), scored(1.0), 1, "best first")


def node(kind, **inputs):
    return {"class_type": kind, "inputs": inputs}


def sampled(name, text):
    return {
        f"{name}-text": node("CLIPTextEncode", text=text, clip=["model", 1]),
        f"{name}-empty": node("EmptyLatentImage", width=64, height=64, batch_size=1),
        name: node("KSampler", seed=2**63 + 5, steps=1, cfg=1.0, sampler_name="euler", scheduler="normal", denoise=1.0, model=["model", 0],
                   positive=[f"{name}-text", 0], negative=[f"{name}-text", 0], latent_image=[f"{name}-empty", 0]),
        f"{name}-picture": node("VAEDecode", samples=[name, 0], vae=["model", 2]),
    }


class Graphs(unittest.TestCase):
    graph = {
        "model": node("CheckpointLoaderSimple", ckpt_name="a.safetensors"),
        **sampled("first", "a red circle"),
        **sampled("second", "a blue square"),
        "12:3": node("RenoirTopK", images=["second-picture", 0], scored=["other", 2], count=1, order="best first"),
        "loaded": node("LoadImage", image="cat.png"),
        "scaled": node("ImageScale", image=["loaded", 0], width=64, height=64),
        "a": node("RenoirScore", images=["first-picture", 0], prompt=""),
        "b": node("RenoirScore", images=["12:3", 0], prompt=""),
        "c": node("RenoirScore", images=["scaled", 0], prompt=""),
        "loop": node("RenoirScore", images=["loop", 0]),
        "save": node("SaveImage", images=["first-picture", 0]),
    }

    def prompt_of(self, name):
        png = (ROOT / os.environ["RENOIR_TEST_PLAIN_PNG"]).read_bytes()
        carried = with_texts(png, [("prompt", json.dumps(renoir_graph.behind(self.graph, name)))])
        return nodes.server.info(carried)

    def test_the_server_reads_the_prompt_of_the_sampler_behind_this_very_node(self):
        self.assertEqual(self.prompt_of("a")["prompt"], "a red circle")
        said = self.prompt_of("b")
        self.assertEqual((said["prompt"], said["seed"], said["warnings"]), ("a blue square", str(2**63 + 5), []))
        self.assertIsNone(self.prompt_of("c")["prompt"])

    def test_only_what_lies_behind_is_sent(self):
        self.assertEqual(set(renoir_graph.behind(self.graph, "c")), {"scaled", "loaded", "renoir"})
        self.assertEqual(set(renoir_graph.behind(self.graph, "loop")), {"loop", "renoir"})
        self.assertIsNone(renoir_graph.behind(self.graph, "nowhere"))
        self.assertIsNone(renoir_graph.behind(None, "a"))

    def test_a_loaded_file(self):
        self.assertEqual(renoir_graph.loaded_file(self.graph, "c"), "cat.png")
        self.assertIsNone(renoir_graph.loaded_file(self.graph, "a"))


class Asking(unittest.TestCase):
    """A picture of the demo world, whose file says how it was made."""

    picture = next((ROOT / "assets/pictures").glob("2-*.png")).read_bytes()
    prompt = "a red circle left of a blue square"

    def test_many_pictures_are_scored_in_order_a_few_at_a_time(self):
        told = []
        pictures = [self.picture, b"no picture", *[self.picture] * 4]
        results = nodes.server.score(pictures, "Größe \"é\"\r\n🙂, a red circle", ["shapes=2"], told.append)
        self.assertEqual(told, [4, 6])
        self.assertEqual([bool(result.get("error")) for result in results], [False, True, False, False, False, False])
        self.assertEqual(results[0]["total"], 2 * results[0]["scores"]["Shapes"])
        self.assertEqual(results[0]["prompt"], "Größe \"é\"\r\n🙂, a red circle")

    def test_a_reward_that_is_not_there(self):
        with self.assertRaisesRegex(ServerSays, "nonesuch"):
            nodes.server.load("nonesuch")
        self.assertIn("shapes", nodes.server.rewards())

    def test_refine_and_its_end(self):
        seen = []
        settings = {"iterations": 3, "rewards": ["shapes"], "mode": "refine", "prompt": None}
        job, file = nodes.server.refine(self.picture, settings, lambda job, new: seen.extend(step["step"] for step in new))
        self.assertEqual(seen, [0, 1, 2])
        self.assertEqual(nodes.server.info(file)["prompt"], self.prompt)
        self.assertGreaterEqual(job["result"]["scores"]["after"]["Shapes"], job["result"]["scores"]["before"]["Shapes"])

    def test_what_stops_the_node_stops_the_job(self):
        ids = []

        def stop(job, new):
            ids.append(job["id"])
            raise KeyboardInterrupt

        with self.assertRaises(KeyboardInterrupt):
            nodes.server.refine(self.picture, {"iterations": 9999, "rewards": ["shapes"]}, stop)
        state = nodes.server.ask("GET", f"/jobs/{ids[0]}")["state"]
        self.assertNotIn(state, ("queued", "done"))
