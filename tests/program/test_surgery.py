# SPDX-License-Identifier: Apache-2.0
"""lancet surgery from end to end on the planted model, whose circuit is known."""

import json
import signal
import time
import unittest

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
        self.refused(2, "squared_gaps", *self.words("y", "--objective", "squared_gaps"))

    def test_dry_run_writes_nothing(self):
        (summary,) = self.json_of("surgery", "--model", "m", "--pairs", "pairs.jsonl", "--neutral", "neutral.txt", "--held-out",
                                  "held_out.txt", "--output", "dry", "--dry-run")
        self.assertGreater(summary["interventions"], 0)
        self.assertFalse((self.folder / "dry").exists())


if __name__ == "__main__":
    main()
