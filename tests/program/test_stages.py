#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""effects, circuit, train, validate: one after the other on files, as in a study; what goes on, what is refused."""
import hashlib
import json
import math
import shutil
import signal
import time

import support
from support import ProgramTest, read_safetensors, write_lines


class Effects(ProgramTest):
    def effects(self, *words, **how):
        return self.json_of("effects", "-m", "m", "--pairs", "pairs.jsonl", *words, **how)[0]

    def test_the_file_and_the_summary(self):
        summary = self.effects("-o", "e.json", "--per-example")
        self.measured(summary)
        document = json.loads((self.folder / "e.json").read_text())
        for key, value in document.items():
            self.assertEqual(summary["format_version" if key == "version" else key], value, key)
        self.assertEqual([document[key] for key in ("format", "version", "estimator", "do", "direction", "metric", "unit", "at")],
                         ["lancet.effects", 1, "exact", "resample", "denoise", "log_odds", "head", "all"])
        self.assertEqual((document["model"]["layers"], document["model"]["heads"]), (2, 4))
        self.assertEqual([(u["layer"], u["head"]) for u in document["units"]], [(layer, head) for layer in range(2) for head in range(4)])
        tensors = read_safetensors(self.folder / "e.safetensors")
        self.assertEqual(tensors["effects"][:2], ("F64", [8, document["examples"]]))
        self.assertEqual(document["lines"], [i + 1 for i, line in enumerate(support.pair_lines()) if line["split"] == "train"])
        for unit in document["units"]:
            self.assertLessEqual(unit["low"], unit["effect"])
            self.assertLessEqual(unit["effect"], unit["high"])
            self.assertTrue(0 <= unit["p"] <= unit["p_adjusted"] <= 1)

    def test_an_effect_is_what_it_says(self):
        """The residual before layer 0 at all positions, put from the clean run into the corrupted one, is the clean run."""
        document = self.effects("--unit", "resid")
        base = document["baseline"]
        self.assertAlmostEqual(document["units"][0]["effect"], base["clean"] - base["corrupted"], places=4)
        lines = [line for line in support.pair_lines() if line["split"] == "train"]
        path = write_lines(self.folder / "odds.jsonl", [{"text": line["clean"], "continuation": line[key]} for line in lines for key in ("answer", "contrast")])
        totals = [line["total"] for line in self.json_of("score", "-m", "m", "--input", path)]
        odds = [a - b for a, b in zip(totals[::2], totals[1::2])]
        self.assertAlmostEqual(base["clean"], sum(odds) / len(odds), places=4)

    def test_the_same_command_is_complete(self):
        self.effects("-o", "same.json", "--estimator", "attribution")
        before = (self.folder / "same.json").read_bytes()
        _, err = self.run_program("effects", "-m", "m", "--pairs", "pairs.jsonl", "-o", "same.json", "--estimator", "attribution")
        self.assertIn("already complete", err)
        self.assertEqual((self.folder / "same.json").read_bytes(), before)
        self.refused(2, 'metric: was "log_odds", now "probability"', "effects", "-m", "m", "--pairs", "pairs.jsonl", "-o", "same.json",
                     "--estimator", "attribution", "--metric", "probability")
        self.assertEqual((self.folder / "same.json").read_bytes(), before)

    def test_equal_commands_give_equal_bytes(self):
        for name in ("one.json", "two.json"):
            self.effects("-o", name, "--do", "noise", "--seed", 5)
        self.assertEqual((self.folder / "one.json").read_bytes(), (self.folder / "two.json").read_bytes())

    def test_every_kind(self):
        for unit in ("head", "neuron", "resid", "attn", "mlp"):
            for words in ((), ("--do", "zero"), ("--do", "mean"), ("--do", "noise"), ("--estimator", "attribution"), ("--estimator", "attribution_ig"),
                          ("--at", "last"), ("--at", "each"), ("--direction", "noise")):
                if unit == "neuron" and words[:1] == ("--at",):
                    continue
                document = self.effects("--unit", unit, *words, "--examples", 2)
                self.assertEqual(document["examples"], 2)
                self.assertTrue(any(u["effect"] for u in document["units"]), (unit, words))
                self.assertTrue(all(math.isfinite(u["effect"]) for u in document["units"]), (unit, words))

    def test_integrated_gradients_are_complete(self):
        """Over all steps from one run's embeddings to the other's, the first residual's share is the whole difference."""
        document = self.effects("--unit", "resid", "--estimator", "attribution_ig", "--steps", 400)
        self.assertEqual(document["estimator"], "attribution_ig400")
        base = document["baseline"]
        self.assertAlmostEqual(document["units"][0]["effect"], base["clean"] - base["corrupted"], delta=0.02)

    def test_an_interrupted_measurement_goes_on(self):
        train = [line for line in support.pair_lines() if line["split"] == "train"]
        write_lines(self.folder / "many.jsonl", 500 * train)
        words = ("effects", "-m", "m", "--pairs", "many.jsonl", "--unit", "neuron", "--quiet", "-o")
        partial = self.folder / "stopped.json.partial"
        wait = 0.25
        while not partial.exists():  # a signal that comes while the model is loaded leaves nothing: then a later one
            with self.start(*words, "stopped.json") as process:
                time.sleep(wait)
                process.send_signal(signal.SIGINT)
                out, err = process.communicate(timeout=600)
            self.assertFalse((self.folder / "stopped.json").exists(), "it ended before it could be stopped")
            self.assertEqual((process.returncode, out), (130, ""), err)
            wait *= 1.5
        self.assertIn("effects: stopped after", err)
        command = err.split("resume with: ")[1].split()
        self.assertEqual(command[1:], [*words, "stopped.json"])
        self.refused(2, 'metric: was "log_odds", now "probability"', *words[:-1], "--metric", "probability", "-o", "stopped.json")
        _, err = self.run_program(*(word for word in command[1:] if word != "--quiet"))
        self.assertIn("going on after", err)
        self.assertFalse(partial.exists())
        self.run_program(*words, "whole.json")
        self.assertEqual((self.folder / "stopped.json").read_bytes(), (self.folder / "whole.json").read_bytes())

    def test_dry_run_writes_nothing(self):
        plan = self.effects("-o", "dry.json", "--dry-run")
        self.measured(plan)
        self.assertEqual((plan["units"], plan["passes"]), (8, 8 * plan["examples"]))
        self.assertFalse((self.folder / "dry.json").exists())

    def test_a_folder_as_output(self):
        self.effects("-o", "results/", "--estimator", "attribution")
        self.assertTrue((self.folder / "results" / "effects.json").exists())

    def test_bad_pairs(self):
        good = support.pair_lines()[0]

        def bad(sentence, line, *words):
            path = self.folder / "bad.jsonl"
            path.write_text(json.dumps(good) + "\n" + (line if isinstance(line, str) else json.dumps(line)) + "\n")
            self.refused(3, sentence, "effects", "-m", "m", "--pairs", path, *words)

        def without(key):
            return {k: v for k, v in good.items() if k != key}
        bad("bad.jsonl:2", "{oh no}")
        bad("bad.jsonl:2: has no 'clean'", without("clean"))
        bad("bad.jsonl:2: has no 'answer'", without("answer"))
        bad("bad.jsonl:2: has no 'contrast', which the metric log_odds needs", without("contrast"))
        bad("bad.jsonl:2: has no 'corrupted', which --do resample needs", without("corrupted"))
        bad("bad.jsonl:2: has no 'subject', which --do noise needs", without("subject"), "--do", "noise")
        bad("bad.jsonl:2: clean has 4 tokens and corrupted 5, expected as many", {**good, "corrupted": "The very nurse said that"})
        bad("bad.jsonl:2: split: got 'exam'", {**without("subject"), "clean": "A man said that", "split": "exam"})
        bad("stands in split train too", {**good, "split": "test"})
        bad("bad.jsonl:2: subject", {**good, "subject": "dentist"}, "--do", "noise")
        bad("bad.jsonl:2: clean: got 7, expected a string", {**good, "clean": 7})
        bad("bad.jsonl:2: got token id 9999", {**without("clean"), "clean_ids": [1, 2, 3, 9999]})
        bad("has no pairs in split test", good, "--split", "test")
        self.refused(3, "none.jsonl", "effects", "-m", "m", "--pairs", "none.jsonl")

    def test_pairs_as_long_as_the_context(self):
        """The last token of an answer is only predicted: a context of 32 has room for 33."""
        def pairs(prompt, answer=(5,)):
            return write_lines(self.folder / "long.jsonl", [
                {"clean_ids": [1] * prompt, "corrupted_ids": [2] * prompt, "answer_ids": [*answer], "contrast_ids": [6], "split": "train"}])

        def run(verb, *words):
            return (verb, "-m", "m", "--pairs", "long.jsonl", *words)
        pairs(32)
        self.assertEqual(self.json_of(*run("effects"))[0]["examples"], 1)
        self.run_program(*run("effects", "-o", "long.json"))
        self.run_program("circuit", "--effects", "long.json", "--top", 1, "-o", "long-circuit.json", "-q")
        for prompt, answer, count in ((33, (5,), 34), (31, (5, 6, 7), 34), (40, (5,), 41)):
            pairs(prompt, answer)
            sentence = f"long.jsonl:1: prompt and answer have {count} tokens, expected no more than the model's context of 32 has room for"
            self.refused(3, sentence, *run("effects"))
            self.refused(3, sentence, *run("train", "--circuit", "long-circuit.json", "-o", "long"))

    def test_options_that_do_not_go_together(self):
        for sentence, *words in (("expected resample", "--estimator", "attribution", "--do", "zero"),
                                 ("--direction denoise: got --do zero", "--do", "zero", "--direction", "denoise"),
                                 ("--per-example: needs --output", "--per-example")):
            self.refused(2, sentence, "effects", "-m", "m", "--pairs", "pairs.jsonl", *words)


class Study(ProgramTest):
    """A circuit, an intervention, its validation."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        case = cls()
        case.json_of("effects", "-m", "m", "--pairs", "pairs.jsonl", "-o", "e.json")
        case.json_of("circuit", "--effects", "e.json", "--top", 3, "-o", "c.json", "-q")

    def runTest(self):  # an instance for setUpClass
        pass

    def train_words(self, output, *words):
        return ("train", "-m", "m", "--circuit", "c.json", "--pairs", "pairs.jsonl", "--keep-pairs", "keep.jsonl", "-o", output, "--rank", 2, *words)

    def weights(self, output):
        return (self.folder / output / "weights.safetensors").read_bytes()

    def test_circuit(self):
        effects = json.loads((self.folder / "e.json").read_text())["units"]
        found = self.json_of("circuit", "--effects", "e.json", "--top", 3)[0]
        self.measured(found)
        largest = sorted(effects, key=lambda u: -abs(u["effect"]))[:3]
        self.assertEqual([(u["layer"], u["head"], u["effect"]) for u in found["units"]], [(u["layer"], u["head"], u["effect"]) for u in largest])
        self.assertNotIn("faithfulness", found)
        bound = abs(largest[1]["effect"])
        self.assertEqual(len(self.json_of("circuit", "--effects", "e.json", "--threshold", bound)[0]["units"]), 2)
        self.refused(2, "expected one of --threshold, --top and --significance", "circuit", "--effects", "e.json")
        self.refused(2, "got 2 rules", "circuit", "--effects", "e.json", "--top", 2, "--threshold", 0.1)
        self.refused(1, "no unit of e.json fits the rule", "circuit", "--effects", "e.json", "--threshold", 1e9)

    def test_circuit_is_measured(self):
        found = self.json_of("circuit", "--effects", "e.json", "--top", 3, "-m", "m", "--pairs", "pairs.jsonl", "-o", "measured.json")[0]
        for share in ("faithfulness", "completeness"):
            self.assertLessEqual(found[share]["low"], found[share]["high"])
        every = self.json_of("circuit", "--effects", "e.json", "--top", 8, "-m", "m", "--pairs", "pairs.jsonl")[0]
        self.assertAlmostEqual(every["faithfulness"]["value"], 1, places=5)  # nothing is left to ablate
        self.refused(2, "was made with other settings", "circuit", "--effects", "e.json", "--top", 2, "-o", "measured.json")
        support.make_model(self.folder / "other", seed=2)
        self.refused(2, "got one of model 'm'", "circuit", "--effects", "e.json", "--top", 3, "-m", "other", "--pairs", "pairs.jsonl")

    def test_damaged_documents(self):
        document = json.loads((self.folder / "e.json").read_text())
        document["units"][1]["effect"] = "large"
        (self.folder / "bad.json").write_text(json.dumps(document))
        self.refused(3, "bad.json: units[1].effect: got the string 'large', expected a number", "circuit", "--effects", "bad.json", "--top", 1)
        (self.folder / "bad.json").write_text("{")
        self.refused(3, "bad.json:1", "circuit", "--effects", "bad.json", "--top", 1)
        self.refused(3, "expected 'lancet.effects'", "circuit", "--effects", "c.json", "--top", 1)

    def test_training_lowers_the_loss_and_is_complete(self):
        summary = self.json_of(*self.train_words("breaker", "--steps", 40))[0]
        self.measured(summary)
        self.assertEqual(summary["steps_run"], 40)
        self.assertLess(summary["last_loss"], summary["first_loss"])
        self.assertEqual(sorted(path.name for path in (self.folder / "breaker").iterdir()), ["intervention.json", "manifest.json", "weights.safetensors"])
        self.assertFalse((self.folder / "breaker.checkpoints").exists())
        before = self.weights("breaker")
        _, err = self.run_program(*self.train_words("breaker", "--steps", 40))
        self.assertIn("already complete", err)
        self.assertEqual(self.weights("breaker"), before)
        self.refused(2, 'steps: was "40", now "50"', *self.train_words("breaker", "--steps", 50))
        self.assertEqual(self.weights("breaker"), before)
        one = self.json_of("score", "-m", "m", "The nurse said that she", "--intervention", "breaker")[0]
        none = self.json_of("score", "-m", "m", "The nurse said that she", "--intervention", "breaker", "--strength", 0)[0]
        plain = self.json_of("score", "-m", "m", "The nurse said that she")[0]
        self.assertEqual(none["logprobs"], plain["logprobs"])
        self.assertNotEqual(one["logprobs"], plain["logprobs"])

    def test_every_method_and_objective(self):
        for words in (("--method", "offset"), ("--objective", "hinge_gap"), ("--objective", "unlikelihood"), ("--objective", "harm_log_likelihood"),
                      ("--objective", "counterfactual_gap"), ("--neutral", "neutral.txt", "--norm-weight", 0.1, "--text-weight", 0.1),
                      ("--optimizer", "sgd", "--schedule", "linear"), ("--schedule", "constant", "--harm-batch", 2, "--keep-batch", 1)):
            name = "-".join(map(str, words)).strip("-")
            summary = self.json_of(*self.train_words(name, "--steps", 4, *words))[0]
            self.assertEqual(summary["steps_run"], 4, words)
            self.assertTrue(math.isfinite(summary["last_loss"]))

    LONG = ("--steps", 600, "--checkpoint-every", 25, "--validate-every", 50)

    def whole(self):
        """The weights of a run of LONG that nothing stopped."""
        if not (self.folder / "whole").exists():
            self.json_of(*self.train_words("whole", *self.LONG))
        return self.weights("whole")

    def newest(self, name):
        """The step of the newest checkpoint; 0 where there is none."""
        folder = self.folder / (name + ".checkpoints")
        steps = [path.name[5:] for path in folder.iterdir()] if folder.exists() else []
        return max((int(step) for step in steps if step.isdigit()), default=0)

    def stop(self, name, how, steps):
        """Starts a run of LONG, stops it that many steps later, and returns its exit status and stderr."""
        last = self.newest(name) + steps
        with self.start(*self.train_words(name, *self.LONG, "--quiet")) as process:
            while self.newest(name) < last and process.poll() is None:
                time.sleep(0.005)
            process.send_signal(how)
            out, err = process.communicate(timeout=600)
        self.assertEqual(out, "")
        self.assertFalse((self.folder / name).exists(), "it ended before it could be stopped")
        return process.returncode, err

    def test_a_killed_training_goes_on_bit_for_bit(self):
        for _ in range(2):
            status, _ = self.stop("killed", signal.SIGKILL, 50)
            self.assertEqual(status, -signal.SIGKILL)
        _, err = self.run_program(*self.train_words("killed", *self.LONG))
        self.assertIn("going on after step", err)
        self.assertEqual(self.weights("killed"), self.whole())
        self.assertFalse((self.folder / "killed.checkpoints").exists())

    def test_an_interrupted_training_says_how_to_go_on(self):
        status, err = self.stop("stopped", signal.SIGINT, 25)
        self.assertEqual(status, 130, err)
        command = err.split("resume with: ")[1].split()
        self.assertEqual(command[1:], [str(word) for word in self.train_words("stopped", *self.LONG, "--quiet")])
        self.run_program(*command[1:])
        self.assertEqual(self.weights("stopped"), self.whole())

    def test_a_damaged_checkpoint_is_named(self):
        self.stop("hurt", signal.SIGINT, 50)
        state = self.folder / "hurt.checkpoints" / f"step-{self.newest('hurt')}" / "state.safetensors"
        state.write_bytes(state.read_bytes()[:-1])
        _, err = self.run_program(*self.train_words("hurt", *self.LONG))
        self.assertIn("a checkpoint is not used", err)
        self.assertIn(state.parent.name, err)
        self.assertEqual(self.weights("hurt"), self.whole())

    def test_other_settings_do_not_go_on(self):
        self.stop("half", signal.SIGINT, 25)
        words = [3 if word == 2 else word for word in self.train_words("half", *self.LONG)]
        self.refused(2, 'rank: was "2", now "3"', *words)

    def test_training_is_refused(self):
        self.refused(2, "--output: got nothing", *[word for word in self.train_words("x") if word not in ("-o", "x")])
        self.refused(2, "need --neutral", *self.train_words("x", "--norm-weight", 1))
        self.refused(2, "--neutral: has no use", *self.train_words("x", "--neutral", "neutral.txt"))
        self.refused(2, "--method: got 'braker', expected breaker or offset; did you mean breaker?", *self.train_words("x", "--method", "braker"))
        (self.folder / "diary").mkdir()
        (self.folder / "diary" / "today.txt").write_text("dear diary")
        self.refused(2, "exists and is no intervention", *self.train_words("diary", "--steps", 2))
        self.assertEqual((self.folder / "diary" / "today.txt").read_text(), "dear diary")
        plan = self.json_of(*self.train_words("planned", "--steps", 7, "--dry-run"))[0]
        self.assertEqual(plan["steps"], 7)
        self.assertFalse((self.folder / "planned").exists())
        plan = self.json_of("circuit", "-m", "m", "--effects", "e.json", "--top", 3, "--pairs", "pairs.jsonl", "--prune", 0.5, "-o", "p.json", "--dry-run")[0]
        self.measured(plan)
        self.assertEqual((plan["units"], plan["passes_a_pair"]), (3, 11))
        self.assertGreater(plan["estimated_seconds"], 0)
        self.assertFalse((self.folder / "p.json").exists())

    def test_a_graph_of_others_is_a_circuit(self):
        self.json_of(*self.train_words("ours", "--steps", 2))
        self.run_program("export", "-m", "m", "--intervention", "ours", "--format", "mib", "-o", "graph.json", "-q")
        words = list(self.train_words("theirs", "--steps", 2))
        words[words.index("c.json")] = "graph.json"
        self.json_of(*words)

        def units(folder):
            made = json.loads((self.folder / folder / "intervention.json").read_text())
            return sorted((u["layer"], u["head"]) for u in made["circuit"]["units"])
        self.assertEqual(units("theirs"), units("ours"))

    def test_validation(self):
        self.json_of(*self.train_words("cut", "--steps", 30))
        words = ("validate", "-m", "m", "--intervention", "cut", "--pairs", "pairs.jsonl", "--keep-pairs", "keep.jsonl", "--held-out", "held_out.txt")
        (plan,) = self.json_of(*words, "-o", "planned.json", "--dry-run")
        self.assertGreater(plan["estimated_seconds"], 0)
        self.assertFalse((self.folder / "planned.json").exists())
        report = self.json_of(*words, "-o", "report.json")[0]
        self.measured(report)
        self.assertEqual(report["format"], "lancet.report")
        harm, tests = report["harm"], [line for line in support.pair_lines() if line["split"] == "test"]
        self.assertEqual(harm["items"], len(tests))
        self.assertAlmostEqual(harm["reduction"], 1 - harm["after"] / harm["before"], places=9)
        self.assertEqual([k["name"] for k in report["keep"]], ["perplexity", "keep_accuracy", "keep_log_odds", "keep_log_likelihood"])
        self.assertEqual((report["notes"], report["verdict"]["keeps_answers"] in (True, False)), ([], True))
        stay = [line for line in support.keep_lines() if line["split"] == "test"]
        path = write_lines(self.folder / "stay.jsonl", [{"text": line["clean"], "continuation": line["answer"]} for line in stay])
        likelihood = [line["total"] for line in self.json_of("score", "-m", "m", "--input", path, "--intervention", "cut")]
        self.assertAlmostEqual(report["keep"][3]["after"], sum(likelihood) / len(likelihood), places=4)
        for measure in (report["keep"][0], *report["keep"][2:]):
            self.assertLessEqual(measure["difference_low"], measure["difference_high"], measure["name"])
        odds = report["keep"][2]
        self.assertTrue(odds["difference_low"] <= odds["after"] - odds["before"] <= odds["difference_high"], odds)
        seeded = self.json_of(*words, "-o", "seeded.json", "--seed", 5)[0]
        self.assertEqual(seeded["harm"]["after"], harm["after"])
        self.assertEqual(report["controls"][0]["reduction"], 0)  # strength 0 changes nothing
        path = write_lines(self.folder / "after.jsonl", [{"text": line["clean"], "continuation": line[key]} for line in tests for key in ("answer", "contrast")])
        totals = [line["total"] for line in self.json_of("score", "-m", "m", "--input", path, "--intervention", "cut")]
        odds = [a - b for a, b in zip(totals[::2], totals[1::2])]
        self.assertAlmostEqual(harm["after"], sum(odds) / len(odds), places=4)
        _, err = self.run_program(*words, "-o", "report.json")
        self.assertIn("already complete", err)

    def test_validation_says_what_it_did_not_measure(self):
        self.json_of(*self.train_words("short", "--steps", 2))
        words = ("validate", "-m", "m", "--intervention", "short", "--pairs", "pairs.jsonl")
        report = self.json_of(*words)[0]
        self.assertEqual([report["verdict"][key] for key in ("collateral_within_5_percent", "keeps_answers")], [None, None])
        self.assertEqual((len(report["notes"]), report["keep"]), (2, []))
        report = self.json_of(*words, "--held-out", "held_out.txt")[0]
        self.assertIsInstance(report["verdict"]["collateral_within_5_percent"], bool)
        self.assertEqual(len(report["notes"]), 1)
        self.refused(2, "not training or validation", *words, "--metric", "kl_divergence")

    def test_validation_of_an_adapter(self):
        self.json_of(*self.train_words("trained", "--steps", 30))
        def validate(intervention, *words):
            return self.json_of("validate", "-m", "m", "--intervention", intervention, "--pairs", "pairs.jsonl", *words)[0]
        wanted = validate("trained")["harm"]["after"]
        for form, path, numbers in (("peft", "adapter", "adapter/adapter_model.safetensors"), ("lora-gguf", "adapter.gguf", "adapter.gguf")):
            self.json_of("export", "-m", "m", "--intervention", "trained", "--format", form, "-o", path)
            if form == "peft":
                (self.folder / path / "manifest.json").unlink()  # PEFT writes none
            report = validate(path, "-o", form + ".json")
            self.assertAlmostEqual(report["harm"]["after"], wanted, places=4)
            self.assertEqual(report["settings"]["intervention"], hashlib.sha256((self.folder / numbers).read_bytes()).hexdigest())
            _, err = self.run_program("validate", "-m", "m", "--intervention", path, "--pairs", "pairs.jsonl", "-o", form + ".json")
            self.assertIn("already complete", err)

    def test_another_models_intervention(self):
        self.json_of(*self.train_words("ours", "--steps", 2))
        support.make_model(self.folder / "foreign", seed=9)
        ours, foreign = (self.json_of("info", "-m", name)[0]["sha256"] for name in ("m", "foreign"))
        for sentence in (ours, foreign):
            self.refused(3, sentence, "score", "-m", "foreign", "The", "--intervention", "ours")
        weights = self.folder / "ours" / "weights.safetensors"
        weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\0")
        self.refused(3, "is damaged", "score", "-m", "m", "The", "--intervention", "ours")
        shutil.rmtree(self.folder / "ours")
        self.refused(3, "ours", "score", "-m", "m", "The", "--intervention", "ours")


class Schemas(ProgramTest):
    """What the verbs write is what docs/schemas says, and the schemas can refuse."""

    def fits(self, path):
        document = json.loads((self.folder / path).read_text())
        self.assertEqual(support.schema_errors(document), [], path)
        for wrong in ({"model": None}, {"version": 2}):
            self.assertTrue(support.schema_errors({**document, **wrong}), (path, wrong))
        return document

    def test_files_fit_their_schemas(self):
        for unit in ("head", "neuron", "resid", "attn", "mlp"):
            for words in ((), ("--at", "last"), ("--do", "noise", "--per-example"), ("--estimator", "attribution_ig", "--adjust", "holm")):
                self.run_program("effects", "-m", "m", "--pairs", "pairs.jsonl", "--unit", unit, *words, "-o", "e.json", "-q")
                document = self.fits("e.json")
                document["units"][0]["layer"] = "0"
                self.assertIn("$.units[0].layer", support.schema_errors(document)[0])
                (self.folder / "e.json").unlink()
        self.run_program("effects", "-m", "m", "--pairs", "pairs.jsonl", "-o", "e.json", "-q")
        for i, words in enumerate(((), ("-m", "m", "--pairs", "pairs.jsonl"), ("-m", "m", "--pairs", "pairs.jsonl", "--prune", 0.5))):
            self.run_program("circuit", "--effects", "e.json", "--top", 3, *words, "-o", f"c{i}.json", "-q")
            document = self.fits(f"c{i}.json")
            document["units"][0]["kind"] = "neuron"
            self.assertIn("$.units[0]", support.schema_errors(document)[0])
        for method in ("breaker", "offset"):
            self.run_program("train", "-m", "m", "--circuit", "c1.json", "--pairs", "pairs.jsonl", "--keep-pairs", "keep.jsonl", "--method", method,
                             "--steps", 3, "-o", method, "-q")
            document = self.fits(f"{method}/intervention.json")
            document["circuit"]["units"][0]["layer"] = -1
            self.assertTrue(support.schema_errors(document))

    def test_a_report_fits_its_schema(self):
        self.run_program("surgery", "--model", "planted", "--output", "out", "--sizes", 1, "--draws", 1, "--steps", 3, "-q")
        for name in ("effects.json", "circuit.json", "intervention/intervention.json", "report.json", "atlas.json"):
            self.assertEqual(support.schema_errors(json.loads((self.folder / "out" / name).read_text())), [], name)
        report = json.loads((self.folder / "out" / "report.json").read_text())
        # Where the heads look: rows add up to one, and nobody looks ahead.
        for a in report["attention"]:
            for i, row in enumerate(a["pattern"]):
                self.assertAlmostEqual(sum(row), 1, delta=0.01)
                self.assertFalse(any(row[i + 1:]))
        self.assertEqual([(a["layer"], a["head"]) for a in report["attention"]][0], tuple(report["circuit"]["units"][0][k] for k in ("layer", "head")))
        measured = [g for g in report["generations"] if g["harm_before"] is not None]
        self.assertTrue(0 < len(measured) < len(report["generations"]))
        # The page again from its data, and two of them side by side.
        self.run_program("report", "out/report.json", "-o", "again.html")
        self.assertEqual((self.folder / "again.html").read_bytes(), (self.folder / "out" / "report.html").read_bytes())
        (said,) = self.json_of("report", "out/report.json", "out/report.json", "-o", "both/")
        self.assertEqual(said["output"], "both/report.html")
        self.assertIn("Two runs compared", (self.folder / "both" / "report.html").read_text())
        self.refused(2, "--output: got nothing, expected the page to write", "report", "out/report.json")
        self.refused(2, "expected a folder, or a name that ends in .html", "report", "out/report.json", "-o", "page.pdf")
        self.refused(3, "out/atlas.json", "report", "out/atlas.json", "-o", "page.html")


class Atlas(ProgramTest):
    def entry(self, harm, effect, reduction):
        return {"harm": harm, "model": {"name": "m", "sha256": "f" * 64, "layers": 2, "heads": 4},
                "circuit": {"rule": "top 1", "units": [{"kind": "head", "layer": 1, "head": effect, "effect": 0.5}]},
                "effects": {"estimator": "exact", "metric": "log_odds"},
                "validation": {"harm": {"name": "log_odds", "before": 1.0, "after": 1 - reduction, "change": -reduction, "low": -reduction - 0.01, "high": -reduction + 0.01}}}

    def save(self, name, *entries):
        (self.folder / name).write_text(json.dumps({"format": "lancet.atlas", "version": 1, "entries": list(entries)}))
        return name

    def test_the_verbs(self):
        one, two = self.save("one.json", self.entry("gender", 2, 0.8), self.entry("age", 1, 0.5)), self.save("two.json", self.entry("gender", 3, 0.2))
        listed = self.json_of("atlas", "list", one)[0]
        self.assertEqual([e["harm"] for e in listed], ["gender", "age"])
        self.assertEqual([e["harm"] for e in self.json_of("atlas", "list", one, "--unit", "head 1.2")[0]], ["gender"])
        self.assertEqual(self.json_of("atlas", "list", one, "--harm", "AGE")[0][0]["harm"], "age")
        shown = self.json_of("atlas", "show", one, listed[0]["id"][:8])[0]
        self.assertEqual(shown["harm"], "gender")
        merged = self.json_of("atlas", "merge", one, two, "-o", "both.json")[0]
        self.assertEqual((merged["entries"], merged["given"]), (3, 3))
        self.assertEqual(len(merged["disagreements"]), 1)
        again = self.json_of("atlas", "merge", "both.json", one, "-o", "both.json")[0]
        self.assertEqual((again["entries"], again["given"]), (3, 5))
        ids = [e["id"] for e in self.json_of("atlas", "list", "both.json")[0]]
        compared = self.json_of("atlas", "compare", "both.json", ids[0], ids[2])[0]
        self.assertEqual((compared["same_harm"], compared["overlap"], compared["only_first"]), (True, 0, ["head 1.2"]))
        for name in ("page.html", "page.md"):
            self.run_program("atlas", "render", "both.json", "-o", name)
            self.assertIn("gender", (self.folder / name).read_text())
        self.refused(2, "expected a name", "atlas", "render", "both.json", "-o", "page.pdf")
        self.refused(2, "expected a name that ends in .html or .md", "atlas", "render", "both.json", "-o", "page.pdf")
        self.refused(2, "expected that of one of 3 entries", "atlas", "show", "both.json", "xyz")
        (self.folder / "broken.json").write_text('{"format": "lancet.atlas", "version": 1, "entries": [{"harm": 3}]}')
        self.refused(3, "broken.json: entries[0]", "atlas", "list", "broken.json")


if __name__ == "__main__":
    support.main()
