#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""--backend: every verb runs on every backend that was compiled in, and finds the same."""
import json

from support import ProgramTest, main


class Backends(ProgramTest):
    def backends(self):
        """Those that were compiled in and have something to run on here."""
        devices = self.json_of("info")[0]["devices"]
        return [backend for backend in devices if devices[backend]]

    def test_info_without_a_model(self):
        info, = self.json_of("info", "--threads", 2)
        self.measured(info)
        self.assertIn("eigen", info["backends"])
        self.assertEqual(sorted(info["devices"]), info["backends"])
        self.assertEqual(info["devices"]["eigen"], ["this processor"])
        self.assertEqual(info["threads"], 2)
        self.assertIn(info["instruction_set"], ("avx512", "avx2", "baseline"))
        self.assertIn("backend eigen      this processor", self.run_program("info")[0])

    def test_the_option_may_stand_anywhere(self):
        for backend in self.backends():
            for words in (("--backend", backend, "info", "-m", "m"), ("info", "-m", "m", f"--backend={backend}")):
                self.assertEqual(self.json_of(*words)[0]["backend"], backend)
            self.assertEqual(self.json_of("info", "-m", "m", env={"LANCET_BACKEND": backend})[0]["backend"], backend)

    def test_unknown_ones(self):
        names = self.json_of("info")[0]["backends"]
        expected = " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
        for missing in {"reference", "eigen", "xtensor", "cuda"} - set(names):
            self.refused(2, f"--backend: this program was built without {missing}, expected {expected}", "info", "-m", "m", "--backend", missing)
        self.refused(2, "did you mean eigen?", "info", "-m", "m", "--backend", "eigne")
        self.refused(2, "did you mean eigen?", "--backend", "eigne", "info", "-m", "m")

    def test_without_a_device(self):
        names = self.json_of("info")[0]["backends"]
        for backend in set(names) - set(self.backends()):
            self.refused(2, f"--backend: {backend} was compiled in, but this machine has no device for it", "info", "-m", "m", "--backend", backend)

    def study(self, backend):
        """A small study on one backend: numbers that must not depend on it."""
        on, folder = ("--backend", backend), self.folder / backend
        folder.mkdir(exist_ok=True)
        scored = self.json_of("score", "-m", "m", "The nurse said that", *on)[0]
        written = self.json_of("generate", "-m", "m", "The nurse said that", "-n", 8, "--ignore-end", *on)[0]
        pairs = ("-m", "m", "--pairs", "pairs.jsonl", *on)
        effects = self.json_of("effects", *pairs, "-o", folder / "e.json")[0]
        gradients = self.json_of("effects", *pairs, "--estimator", "attribution", "--unit", "neuron")[0]
        circuit = self.json_of("circuit", *pairs, "--effects", folder / "e.json", "--top", 2, "-o", folder / "c.json")[0]
        self.run_program("train", *pairs, "--circuit", folder / "c.json", "--neutral", "neutral.txt", "--text-weight", 0.1, "--steps", 5, "-o", folder / "cut")
        report = self.json_of("validate", *pairs, "--intervention", folder / "cut", "--held-out", "held_out.txt")[0]
        return {
            "logprobs": scored["logprobs"][1:],
            "ids": written["continuation_ids"],
            "effects": [u["effect"] for u in effects["units"]],
            "gradients": [u["effect"] for u in sorted(gradients["units"], key=lambda u: (u["layer"], u["neuron"]))],
            "circuit": sorted(u["layer"] * 100 + u["head"] for u in circuit["units"]),
            "harm": [report["harm"][key] for key in ("before", "after")],
        }

    def test_a_study_gives_the_same_on_each(self):
        expected = self.study("eigen")
        for backend in self.backends():
            for name, values in self.study(backend).items():
                self.assertEqual(len(values), len(expected[name]), (backend, name))
                for got, wanted in zip(values, expected[name]):
                    self.assertAlmostEqual(got, wanted, delta=1e-3, msg=f"{backend}: {name}")

    def test_a_run_goes_on_with_its_own_backend_alone(self):
        others = [backend for backend in self.backends() if backend != "eigen"]
        self.json_of("effects", "-m", "m", "--pairs", "pairs.jsonl", "-o", "once.json")
        for backend in others:
            self.refused(2, "was made with other settings", "effects", "-m", "m", "--pairs", "pairs.jsonl", "-o", "once.json",
                         "--backend", backend)

    def test_surgery(self):
        reports = {}
        for backend in self.backends():
            folder = self.folder / f"surgery-{backend}"
            self.run_program("--backend", backend, "surgery", "--model", "planted", "--output", folder)
            report = reports[backend] = json.loads((folder / "report.json").read_text())
            self.assertEqual(report["provenance"]["backend"], backend)
            self.assertGreater(report["harm"]["reduction"], 0.8, backend)

        def units(report):
            return [(unit["kind"], unit["layer"], unit["head"]) for unit in report["circuit"]["units"]]

        def figures(report):
            measures = [report["harm"], *report["keep"]]
            return {"reduction": report["harm"]["reduction"], **{(m["name"], key): m[key] for m in measures for key in ("before", "after")}}
        expected = reports["eigen"]
        for backend, report in reports.items():
            self.assertEqual(units(report), units(expected), backend)
            self.assertEqual(figures(report).keys(), figures(expected).keys(), backend)
            for name, value in figures(expected).items():
                self.assertAlmostEqual(figures(report)[name], value, delta=1e-3 * max(1, abs(value)), msg=f"{backend}: {name}")


if __name__ == "__main__":
    main()
