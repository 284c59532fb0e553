"""The parts that know no host: the client against a real server, lists, files, settings, and what the routes let through."""
import json
import os
import socket
import tempfile
import threading
import time
import unittest

from run import SERVER, Bag, free_address  # first: it says where the plugin is

import renoir_files
import renoir_gallery
import renoir_manifest
import renoir_routes
from PIL import Image
from renoir_client import Client, ServerAway, ServerSays, score_text, split_rewards
from renoir_job import png_of
from renoir_link import CanNotStart, Link

RED = png_of(Image.new("RGB", (64, 64), (220, 30, 30)))


class Asking(unittest.TestCase):
    def test_a_score_and_its_total(self):
        scores, total = Client(SERVER).score(RED, "a red circle", ["shapes=2"])
        self.assertEqual(list(scores), ["Shapes"])
        self.assertAlmostEqual(total, 2 * scores["Shapes"], places=5)

    def test_the_servers_own_words_when_it_can_not(self):
        with self.assertRaisesRegex(ServerSays, "is not a picture that can be scored"):
            Client(SERVER).score(b"no picture", "a red circle")
        with self.assertRaisesRegex(ServerSays, "There is no reward"):
            Client(SERVER).score(RED, "a red circle", ["nonsense"])

    def test_after_a_failure_nothing_is_asked_for_half_a_minute(self):
        now = [100.0]
        client = Client(free_address(), clock=lambda: now[0])
        told = []
        for at in (100, 129, 131):
            now[0] = at
            with self.assertRaises(ServerAway) as caught:
                client.score(RED, "x")
            told.append(caught.exception.told)
        self.assertEqual(told, [True, False, True])

    def test_one_that_accepts_and_never_answers_is_left_after_the_read_time(self):
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            deaf.listen()
            began = time.monotonic()
            with self.assertRaisesRegex(ServerAway, "did not answer within 0.2 s"):
                Client(f"http://127.0.0.1:{deaf.getsockname()[1]}").send("GET", "/", seconds=0.2)
            self.assertLess(time.monotonic() - began, 1)

    def test_what_is_no_renoir_is_said_so(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            threading.Thread(target=answer_once, args=(other, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n<html"), daemon=True).start()
            with self.assertRaisesRegex(ServerAway, "is not Renoir"):
                Client(f"http://127.0.0.1:{other.getsockname()[1]}").health()

    def test_scores_are_written_as_javascript_writes_them(self):
        # (x).toFixed(4) of Node: halves away from zero, of the double's exact value
        for score, text in ((0.03125, "0.0313"), (-0.03125, "-0.0313"), (0.58125, "0.5813"), (1.00005, "1.0001"), (-0.00004, "0.0000"), (-2, "-2.0000")):
            self.assertEqual(score_text(score), text)

    def test_rewards_of_a_text(self):
        self.assertEqual(split_rewards(" imagereward, shapes=0.5 ,"), ["imagereward", "shapes=0.5"])
        self.assertEqual(split_rewards(""), [])

    def test_addresses(self):
        found = [(c.scheme, c.host, c.port, c.prefix) for c in map(Client, ("127.0.0.1:7861", "https://[::1]/renoir/", "http://pc:99999", "file:///x"))]
        self.assertEqual(found[:2], [("http", "127.0.0.1", 7861, ""), ("https", "::1", 443, "/renoir")])
        self.assertEqual([host for _, host, _, _ in found[2:]], [None, None])


class Lists(unittest.TestCase):
    def test_best_first_equal_ones_as_made_and_unscored_ones_last(self):
        plan = renoir_gallery.plan([0.1, None, 0.5, 0.1, -3.0], limit=0.0)
        self.assertEqual((plan.order, plan.filtered), ([2, 0, 3, 1], [4]))

    def test_the_limit_itself_stays(self):
        self.assertEqual(renoir_gallery.plan([0.5, 0.4999], limit=0.5).order, [0])

    def test_no_limit_and_no_sorting_changes_nothing(self):
        self.assertFalse(renoir_gallery.plan([0.1, 0.9], sort=False).changes())

    def test_pictures_are_found_between_masks_or_not_at_all(self):
        a, b, mask = object(), object(), object()
        self.assertEqual(renoir_gallery.find_pictures(["grid", a, mask, b, mask], 1, [a, b], 3), [1, 3])
        self.assertEqual(renoir_gallery.find_pictures([object(), object()], 0, [a, b], 2), [0, 1])
        self.assertIsNone(renoir_gallery.find_pictures([object(), mask, object()], 0, [a, b], 2))
        self.assertIsNone(renoir_gallery.find_pictures([a, b], 0, [a, b], 3))

    def test_a_picture_more_keeps_every_list_in_its_places(self):
        info = {"infotexts": ["grid", "a", "b"], "index_of_first_image": 1, "all_seeds": [5, 6], "all_prompts": ["p", "q"], "other": 1}
        after = renoir_gallery.insert_picture(info, 2, "refined")
        self.assertEqual(after["infotexts"], ["grid", "a", "refined", "b"])
        self.assertEqual((after["all_seeds"], after["all_prompts"], after["other"]), ([5, 5, 6], ["p", "p", "q"], 1))
        self.assertEqual(info["infotexts"], ["grid", "a", "b"])
        self.assertEqual(renoir_gallery.insert_picture({}, 5, "x")["infotexts"], ["x"])


class Files(unittest.TestCase):
    def test_nothing_is_overwritten(self):
        with tempfile.TemporaryDirectory() as folder:
            for text in "ab":
                write(os.path.join(folder, "1.png"), text)
                renoir_files.move_to_rejected(os.path.join(folder, "1.png"), 0)
            saved = [renoir_files.save_beside(folder, "1", data) for data in (b"x", b"y")]
            self.assertEqual([os.path.basename(path) for path in saved], ["1.png", "1-1.png"])
            self.assertEqual(sorted(os.listdir(os.path.join(folder, "rejected"))), ["1-1.png", "1.png"])
            with open(os.path.join(folder, "rejected", "1.png"), encoding="utf-8") as file:
                self.assertEqual(file.read(), "a")

    def test_what_lay_there_before_the_job_is_not_the_jobs(self):
        with tempfile.TemporaryDirectory() as folder:
            write(os.path.join(folder, "1.png"), "a")
            write(os.path.join(folder, "1.txt"), "old")
            os.utime(os.path.join(folder, "1.txt"), (1e9, 1e9))
            renoir_files.remove(os.path.join(folder, "1.png"), time.time())
            self.assertEqual(os.listdir(folder), ["1.txt"])

    def test_links_do_not_lead_out_of_the_folders(self):
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as other:
            os.symlink(other, os.path.join(folder, "out"))
            self.assertTrue(renoir_files.within(os.path.join(folder, "a", "1.png"), ["", folder]))
            self.assertFalse(renoir_files.within(os.path.join(folder, "out", "1.png"), [folder]))
            self.assertFalse(renoir_files.within(folder + "-more/1.png", [folder]))


class Settings(unittest.TestCase):
    manifest = renoir_manifest.load_manifest()

    def test_texts_and_labels_will_do(self):
        said = renoir_manifest.settings_of(self.manifest, ["true", None, 1, "0.25", "off", "move to rejected/", " http://x "])
        wanted = {"enabled": True, "rewards": "", "filter": True, "limit": 0.25, "sort": False, "filtered": "reject", "address": "http://x"}
        self.assertEqual(said, wanted)

    def test_what_is_wrong_has_its_default(self):
        said = renoir_manifest.settings_of(self.manifest, [True, "", False, "much", True, "burn"])
        self.assertEqual((said["limit"], said["filtered"]), (0, "keep"))
        self.assertEqual(renoir_manifest.settings_of(self.manifest, [True, "", False, 1e9])["limit"], 100)

    def test_versions(self):
        self.assertIsNone(renoir_manifest.version_problem("1.2.3", "1.2.9"))
        self.assertIn("the plugin is the older one; run `renoir install`", renoir_manifest.version_problem("1.2.3", "1.10.0"))
        self.assertIn("the server is the older one; update Renoir", renoir_manifest.version_problem("2.0.0", "1.10.0-beta"))

    def test_a_copy_is_told_where_its_server_is(self):
        with tempfile.TemporaryDirectory() as folder:
            write(os.path.join(folder, "manifest.json"), json.dumps(self.manifest))
            with self.assertRaises(CanNotStart):
                Link(renoir_manifest.load_manifest(folder), renoir_manifest.load_install({**self.manifest, "folder": folder}, folder), {}).start()
            write(os.path.join(folder, "renoir.json"), json.dumps({"command": ["/node", "/r.mjs"], "address": "http://h:1", "token": "t"}))
            link = Link(renoir_manifest.load_manifest(folder), renoir_manifest.load_install(renoir_manifest.load_manifest(folder), folder), {})
            self.assertEqual((link.client().address, link.client().token, link.at("http://other:2").token), ("http://h:1", "t", None))

    def test_a_linked_copy_finds_the_checkout(self):
        install = renoir_manifest.load_install(self.manifest)
        self.assertTrue(install["command"][1].endswith(os.path.join("bin", "renoir.mjs")) and os.path.isfile(install["command"][1]))


class InTheHost(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.link = Link(environment={"RENOIR_ADDRESS": SERVER})
        self.routes = renoir_routes.Routes(self.link, lambda: [self.folder.name], lambda: True)

    def test_only_what_the_page_needs_is_passed_on(self):
        allowed = ["GET /api/v1/health", "POST /api/v1/score", "DELETE /api/v1/jobs/a-1", "GET /api/v1/jobs/a/pictures/result.png", "GET /socket.io/"]
        refused = ["POST /api/v1/health", "GET /api/v1/library", "PATCH /api/v1/settings", "GET /api/v1/jobs/../library", "POST /api/v1/models/x/pull", "GET /metrics"]
        self.assertEqual([renoir_routes.is_allowed(*text.split()) for text in allowed + refused], [True] * 5 + [False] * 6)

    def test_a_request_goes_through_and_its_answer_comes_back(self):
        status, body, headers = self.routes.forward("GET", "/api/v1/health", "", b"", {})
        self.assertEqual((status, json.loads(body)["status"]), (200, "ok"))
        self.assertIn("application/json", headers["content-type"])
        self.assertEqual(self.routes.state()[1]["state"], "running")

    def test_a_server_that_is_away_is_told_with_a_reason(self):
        self.routes.state(json.dumps({"address": free_address()}))
        self.assertEqual(self.routes.forward("GET", "/api/v1/health", "", b"", {})[0], 502)
        status, state = self.routes.state()
        self.assertEqual((status, state["state"], state["canStart"]), (200, "away", True))
        closed = renoir_routes.Routes(self.link, lambda: [], lambda: False)
        self.assertEqual((closed.state()[1]["canStart"], closed.start()[0]), (False, 403))
        before = self.link.address
        closed.state(json.dumps({"address": "http://192.0.2.1:1"}))
        self.assertEqual(self.link.address, before)

    def test_other_sites_and_strangers_are_refused(self):
        def asked(method, headers=(), cookies=(), app=Bag()):
            found = renoir_routes.refusal(Bag(method=method, headers=dict(headers), cookies=dict(cookies)), app)
            return found and found[0]

        guarded = Bag(auth={"me": "secret"}, tokens={"t1": "me"})
        self.assertIsNone(asked("GET"))
        self.assertEqual(asked("POST"), 403)
        self.assertIsNone(asked("POST", {"x-renoir": "plugin"}))
        self.assertEqual(asked("GET", app=guarded), 401)
        self.assertEqual(asked("GET", cookies={"access-token": "t2"}, app=guarded), 401)
        self.assertIsNone(asked("GET", cookies={"access-token-unsecure-x": "t1"}, app=guarded))
        self.assertEqual(asked("POST", {"x-renoir": "1", "content-length": str(2**30)}), 413)

    def test_no_job_no_file(self):
        self.assertEqual(self.routes.keep(json.dumps({"job": "../x"}))[0], 400)
        status, reply = self.routes.keep(json.dumps({"job": "nosuchjob"}))
        self.assertEqual((status, os.listdir(self.folder.name)), (502, []))


def answer_once(listening, data):
    one, _ = listening.accept()
    one.recv(4096)
    one.sendall(data)
    one.close()


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    unittest.main()
