# SPDX-License-Identifier: Apache-2.0
"""lancet surgery from end to end on the planted model, whose circuit is known."""

import json
import signal
import time
import unittest

import support
from support import ProgramTest, main

FILES = ("atlas.json", "circuit.json", "effects.json", "report.html", "report.json", "settings.json",
         "intervention/intervention.json", "intervention/manifest.json", "intervention/weights.safetensors")
PLANTED = {(2, 1), (3, 2)}


class Surgery(ProgramTest):
    def words(self, name, *more):
        return ("surgery", "--model", "planted", "--output", name, *more)

    def findings(self, name):
        """The report without what differs from run to run: times, memory, the command."""
        report = json.loads((self.folder / name / "report.json").read_text())
        for key in ("provenance", "cost"):
            del report[key]
        return report

    def whole(self):
        if not (self.folder / "whole").exists():
            self.run_program(*self.words("whole"))
        return self.findings("whole")

    def test_the_planted_circuit_is_found_and_cut(self):
        report = self.whole()
        for name in FILES:
            self.assertTrue((self.folder / "whole" / name).stat().st_size > 0, name)
        strongest = sorted(report["effects"]["units"], key=lambda u: -abs(u["effect"]))[:2]
        self.assertEqual({(u["layer"], u["head"]) for u in strongest}, PLANTED)
        cut = {(u["layer"], u["head"]) for u in report["circuit"]["units"]}
        self.assertTrue(cut and cut <= PLANTED, cut)
        self.assertGreater(report["harm"]["reduction"], 0.8)
        for key in ("harm_halved", "significant", "collateral_within_5_percent", "keeps_answers"):
            self.assertTrue(report["verdict"][key], key)
        self.assertEqual([c["name"] for c in report["controls"]], ["random circuit 1", "random circuit 2", "random circuit 3", "sham"])
        self.assertEqual(report["controls"][-1]["reduction"], 0)
        sizes = [s["units"] for s in report["sizes"]]
        self.assertEqual(sizes, list(range(1, len(sizes) + 1)))
        for size in report["sizes"]:
            self.assertEqual(len(size["random"]["draws"]), 3)
        at = {dose["alpha"]: dose for dose in report["dose"]}  # on the same text as controls
        self.assertEqual(at[1]["perplexity_change"], report["control_text"]["change"])
        self.assertLessEqual(report["control_text"]["windows"], report["control_text"]["of"])
        self.assertEqual(at[0]["perplexity_change"], report["controls"][-1]["change"])
        self.assertEqual(report["notes"], [])

    def test_a_target_out_of_reach_is_said(self):
        words = self.words("far", "--sizes", 2, "--draws", 1, "--target", 1, "--steps", 20)
        text, said = self.run_program(*words)
        self.assertIn("no size reaches the target of 100 %", said)
        report = self.findings("far")
        self.assertEqual({(u["layer"], u["head"]) for u in report["circuit"]["units"]}, PLANTED)
        self.assertIn("No circuit size", report["notes"][0])
        # Asked again, it tells the same.
        again, said = self.run_program(*words)
        self.assertIn("already complete", said)
        self.assertEqual(again, text)
        self.assertIn("report: ", text)

    def test_what_a_reader_needs_to_repeat_it(self):
        report = self.whole()
        options = report["training"]["options"]
        self.assertEqual((options["rank"], options["alpha"], options["optimizer"], options["clip"]), (4, 8, "adamw", 1))
        kept = json.loads((self.folder / "whole" / "intervention" / "intervention.json").read_text())["settings"]
        for key, value in options.items():
            self.assertEqual(kept[key], value if isinstance(value, str) else json.dumps(value), key)
        self.assertEqual(report["model"]["parameters"], self.json_of("info", "-m", "whole/planted")[0]["parameters"])
        self.assertAlmostEqual(report["intervention"]["trainable_share"], report["intervention"]["trainable"] / report["model"]["parameters"])
        provenance = json.loads((self.folder / "whole" / "report.json").read_text())["provenance"]
        self.assertTrue(provenance["compiler"])
        self.assertIn("nlohmann/json", provenance["libraries"])
        (entry,) = json.loads((self.folder / "whole" / "atlas.json").read_text())["entries"]
        self.assertEqual(entry["validation"]["report"], "report.html")

    def data_words(self, name, *more, pairs="pairs.jsonl", text="held_out.txt"):
        return ("surgery", "--model", "m", "--pairs", pairs, "--neutral", "neutral.txt", "--held-out", text, "--output", name, *more)

    def test_without_pairs_to_keep_nothing_is_said_of_them(self):
        # Longer than the model's context, too: windows are cut to it.
        (self.folder / "long.txt").write_text(" ".join(20 * ["The queen said that a man left."]))
        self.run_program(*self.data_words("bare", "--sizes", 1, "--draws", 1, "--exact-examples", 2, "--steps", 2, text="long.txt"))
        report = self.findings("bare")
        self.assertIsNone(report["verdict"]["keeps_answers"])
        self.assertIsInstance(report["verdict"]["collateral_within_5_percent"], bool)
        self.assertEqual(len(report["notes"]), 2)
        self.assertIn("is not measured", report["notes"][0])
        self.assertIn("No circuit size", report["notes"][1])  # two steps of training reach nothing
        (size,) = report["sizes"]
        self.assertIsNone(size["found"]["collateral"])
        self.assertIsNone(size["random_collateral"])
        self.assertEqual({dose["keep_accuracy"] for dose in report["dose"]}, {None})
        self.assertEqual([k["name"] for k in report["keep"]], ["perplexity"])
        self.assertIn("not measured", (self.folder / "bare" / "report.html").read_text())

    def test_bad_pairs_are_named_with_their_line(self):
        good = support.pair_lines()

        def refused(sentence, keep=False, **change):
            path = support.write_lines(self.folder / "bad.jsonl", [good[0], {k: v for k, v in {**good[1], **change}.items() if v is not None}, *good[2:]])
            words = self.data_words("x", "--keep-pairs", path) if keep else self.data_words("x", pairs=path)
            self.refused(3, sentence, *words)
            self.assertFalse((self.folder / "x").exists())

        refused("bad.jsonl:2: has no 'contrast'", contrast=None)
        refused("bad.jsonl:2: has no 'contrast'", keep=True, contrast=None)
        refused("bad.jsonl:2: has no 'corrupted'", corrupted=None)
        refused("bad.jsonl:2: prompt and answer have", **{key: good[1][key] + 20 * " said that" for key in ("clean", "corrupted")})
        path = support.write_lines(self.folder / "bad.jsonl", [line for line in good if line["split"] != "test"])
        self.refused(3, "bad.jsonl: has no pairs in split test", *self.data_words("x", pairs=path))

    def test_a_finished_folder_is_left_alone(self):
        self.whole()
        path = self.folder / "whole" / "report.json"
        before = path.read_bytes()
        (summary,) = self.json_of(*self.words("whole"))
        self.assertTrue(summary["complete"])
        self.assertEqual(path.read_bytes(), before)
        self.refused(2, "rank", *self.words("whole", "--rank", 3))

    def test_a_killed_surgery_keeps_its_trained_circuits(self):
        trials = self.folder / "killed" / "trials"
        with self.start(*self.words("killed", "--quiet")) as process:
            while not (trials / "size-1-random-0").exists() and process.poll() is None:
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=600)
        self.assertFalse((self.folder / "killed" / "report.json").exists(), "it ended before it could be stopped")
        kept = trials / "size-1" / "weights.safetensors"
        trained_at = kept.stat().st_mtime_ns
        self.run_program(*self.words("killed"))
        self.assertEqual(kept.stat().st_mtime_ns, trained_at)
        self.assertEqual(self.findings("killed"), self.whole())

    def test_what_is_missing_is_named(self):
        self.refused(2, "--output is required", "surgery", "--model", "planted")
        self.refused(2, "--pairs is required", "surgery", "--model", "m", "--output", "x")
        self.refused(2, "--sizes: got 1 after 2, expected ascending numbers", *self.words("z", "--sizes", "2,1"))
        self.refused(2, "--sizes: got 2 after 2", *self.words("z", "--sizes", "2,2"))
        self.assertFalse((self.folder / "z").exists())
        self.refused(2, "squared_gaps", *self.words("y", "--objective", "squared_gaps"))

    def test_dry_run_writes_nothing(self):
        (summary,) = self.json_of("surgery", "--model", "m", "--pairs", "pairs.jsonl", "--neutral", "neutral.txt", "--held-out",
                                  "held_out.txt", "--output", "dry", "--dry-run")
        self.assertGreater(summary["interventions"], 0)
        self.assertFalse((self.folder / "dry").exists())
        (summary,) = self.json_of(*self.words("dry", "--dry-run", "--sizes", "1,2", "--draws", 2))
        self.assertEqual(summary["trainings"], 6)
        self.assertEqual(summary["validations"], 10)
        self.assertAlmostEqual(summary["estimated_seconds"], sum(summary["estimated"].values()), places=9)
        self.assertTrue(all(seconds > 0 for seconds in summary["estimated"].values()), summary)
        self.assertFalse((self.folder / "dry").exists())


if __name__ == "__main__":
    main()
