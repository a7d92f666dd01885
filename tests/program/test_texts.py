#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""info, tokens, score, generate; options, variables and bad input that all verbs share."""
import json
import math
import shutil

import support
from support import ProgramTest, write_lines


class Usage(ProgramTest):
    def test_help_and_version(self):
        out, _ = self.run_program("--help")
        for verb in ("info", "tokens", "score", "generate", "effects", "circuit", "train", "validate", "atlas", "surgery"):
            self.assertIn(verb, out)
            inner, _ = self.run_program(verb, "--help")
            self.assertIn("--json", inner if verb != "atlas" else self.run_program("atlas", "list", "--help")[0])
        self.assertRegex(self.run_program("--version")[0], r"^lancet \d+\.\d+\.\d+\n$")

    def refused_as_typed(self, sentence, *words):
        _, err = self.run_program(*words, status=2)
        self.assertIn(sentence, err)

    def test_unknown_words_get_the_nearest_match(self):
        self.refused_as_typed("unknown verb 'efects'; did you mean effects?", "efects")
        self.refused_as_typed("unknown option '--pears'; did you mean --pairs?", "effects", "-m", "m", "--pears", "pairs.jsonl")
        self.refused_as_typed("unknown option '--thraeds'; did you mean --threads?", "info", "-m", "m", "--thraeds=2")
        self.refused_as_typed("--unit: got 'haed', expected head, neuron, attn, mlp or resid; did you mean head?",
                              "effects", "-m", "m", "--pairs", "pairs.jsonl", "--unit", "haed")
        self.refused_as_typed("--metric: got 'loss'", "effects", "-m", "m", "--pairs", "pairs.jsonl", "--metric", "loss")
        self.refused_as_typed("--pairs is required", "effects", "-m", "m")
        self.refused_as_typed("subcommand", )
        self.refused_as_typed("--threads", "info", "-m", "m", "--threads", "none")
        self.refused_as_typed("unexpected argument 'more'", "info", "-m", "m", "more")

    def test_variables(self):
        self.measured(self.json_of("info", env={"LANCET_MODEL": "m"})[0])
        self.assertEqual(self.json_of("info", env={"LANCET_MODEL": "m", "LANCET_THREADS": "2"})[0]["threads"], 2)
        self.assertEqual(self.json_of("info", "--threads", 1, env={"LANCET_MODEL": "m", "LANCET_THREADS": "2"})[0]["threads"], 1)
        self.refused(2, "LANCET_THREADS: got 'many', expected an integer from 1", "info", "-m", "m", env={"LANCET_THREADS": "many"})
        self.refused(2, "--model: got nothing", "score", "The")
        self.assertEqual(self.run_program("score", "-m", "m", "The", env={"LANCET_QUIET": "1"})[1], "")
        self.assertNotEqual(self.run_program("score", "-m", "m", "The")[1], "")

    def test_bad_models(self):
        self.refused(3, "nowhere", "info", "-m", "nowhere")
        shutil.copytree(self.folder / "m", self.folder / "broken")
        weights = self.folder / "broken" / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-7])
        self.refused(3, "model.safetensors", "info", "-m", "broken")
        (self.folder / "broken" / "config.json").write_text("{\n  \"model_type\": }")
        self.refused(3, "config.json:2", "info", "-m", "broken")

    def test_a_full_disk(self):
        with open("/dev/full", "w", encoding="utf-8") as full, self.start("tokens", "-m", "m", "The", "-q", stdout=full) as process:
            _, err = process.communicate(timeout=600)
        self.assertEqual(process.returncode, 4, err)


class Info(ProgramTest):
    def test_numbers(self):
        info, = self.json_of("info", "-m", "m")
        self.measured(info)
        self.assertEqual([info[key] for key in ("name", "family", "layers", "width", "heads", "kv_heads", "vocabulary", "context")],
                         ["m", "llama", 2, 16, 4, 2, len(support.WORDS), 32])
        stored = sum(math.prod(shape) for _, shape, _ in support.read_safetensors(self.folder / "m" / "model.safetensors").values())
        self.assertEqual(info["parameters"], stored)
        self.assertEqual(info["tokenizer"]["tokens"], len(support.WORDS))
        shapes = {site["site"]: site["shape"] for site in info["sites"]}
        self.assertEqual(shapes["z"], ["rows", 16])
        self.assertEqual(shapes["mlp_post"], ["rows", 20])
        self.assertEqual(shapes["logits"], ["rows read", len(support.WORDS)])
        self.assertEqual(len(info["sha256"]), 64)


class Encoders(ProgramTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        support.make_encoder(cls.folder / "masked")
        support.make_encoder(cls.folder / "classifier", labels=3)

    def test_masked_tokens(self):
        one, other, summary = self.json_of("score", "-m", "masked", "--summary", "The nurse said that she", "the doctor")
        self.assertEqual(one["ids"], [2, 5, 6, 8, 9, 10, 3])
        self.assertEqual([x is None for x in one["logprobs"]], [True] + 5 * [False] + [True])
        self.assertTrue(all(x < 0 for x in one["logprobs"][1:-1]))
        self.assertAlmostEqual(one["total"], sum(one["logprobs"][1:-1]), places=9)
        self.assertEqual(summary["tokens"], 7)
        self.assertAlmostEqual(summary["pseudo_perplexity"], math.exp(-(one["total"] + other["total"]) / 7), places=6)
        masked, = self.json_of("score", "-m", "masked", stdin=json.dumps({"ids": [2, 5, 6, 4, 9, 10, 3]}) + "\n", *["--input", "-"])
        self.assertEqual(masked["logprobs"][3], None)  # the mask is no token to score
        self.assertNotAlmostEqual(masked["logprobs"][2], one["logprobs"][2], places=3)

    def test_labels(self):
        lines = self.json_of("score", "-m", "classifier", "The nurse said", "the doctor")
        for line in lines:
            self.assertEqual(len(line["logprobs"]), 3)
            self.assertAlmostEqual(sum(map(math.exp, line["logprobs"])), 1, places=5)
            self.assertEqual(line["label"], max(range(3), key=line["logprobs"].__getitem__))
        self.assertIn("label", self.run_program("score", "-m", "classifier", "the nurse", "-q")[0])

    def test_what_encoders_cannot(self):
        self.refused(2, "generate: got bert, whose tokens see those after them", "generate", "-m", "masked", "-n", 4, "the nurse")
        self.refused(2, "generate: got bert, a classifier", "generate", "-m", "classifier", "-n", 4, "the nurse")
        self.refused(2, "--bos", "score", "-m", "masked", "--bos", "the nurse")
        write_lines(self.folder / "continued.jsonl", [{"text": "the nurse", "continuation": " said"}])
        self.refused(3, "got a continuation, which a bert that reads whole texts has no place for", "score", "-m", "masked", "-i", "continued.jsonl")


class Tokens(ProgramTest):
    def test_texts_and_back(self):
        line, = self.json_of("tokens", "-m", "m", "The nurse said that")
        self.assertEqual(line, {"text": "The nurse said that", "ids": [0, 1, 7, 8], "pieces": ["The", "Ġnurse", "Ġsaid", "Ġthat"]})
        back, = self.json_of("tokens", "-m", "m", "--decode", 0, 1, 7, 8)
        self.assertEqual(back["text"], "The nurse said that")
        self.refused(2, "id 999", "tokens", "-m", "m", "--decode", 999)
        self.refused(2, "expected texts, --decode or --input", "tokens", "-m", "m")

    def test_files_and_standard_input(self):
        lines = [{"text": "The nurse"}, {"ids": [5, 6]}]
        path = write_lines(self.folder / "texts.jsonl", lines)
        from_file = self.json_of("tokens", "-m", "m", "--input", path)
        self.assertEqual([line["ids"] for line in from_file], [[0, 1], [5, 6]])
        self.assertEqual(from_file[1]["text"], " king queen")
        self.assertEqual(self.json_of("tokens", "-m", "m", "-i", "-", stdin="".join(json.dumps(x) + "\n" for x in lines)), from_file)
        out, _ = self.run_program("tokens", "-m", "m", "-i", "-", stdin="The nurse\n")
        self.assertIn("Ġnurse", out)


class Score(ProgramTest):
    def test_shapes_and_sums(self):
        path = write_lines(self.folder / "s.jsonl", [
            {"text": "The nurse said that", "continuation": " she"}, {"text": "The nurse said that she"}, {"ids": [0, 1, 7, 8, 11]},
            {"text": "The"}, {"ids": [0, 1, 7], "continuation_ids": [8, 11]}])
        *lines, summary = self.json_of("score", "-m", "m", "--input", path, "--summary")
        self.measured(summary)
        self.assertEqual(len(lines), 5)
        for line in lines:
            self.assertEqual(len(line["logprobs"]), len(line["ids"]))
            self.assertIsNone(line["logprobs"][0])
            self.assertTrue(all(x < 0 for x in line["logprobs"][1:]))
        self.assertEqual(lines[0]["ids"], lines[1]["ids"])
        self.assertEqual(lines[0]["logprobs"], lines[1]["logprobs"])
        self.assertAlmostEqual(lines[0]["total"], lines[0]["logprobs"][-1], places=12)
        self.assertAlmostEqual(lines[1]["total"], sum(lines[1]["logprobs"][1:]), places=9)
        self.assertEqual(lines[2]["logprobs"], lines[1]["logprobs"])
        self.assertAlmostEqual(lines[4]["total"], sum(lines[1]["logprobs"][3:]), places=9)
        self.assertEqual(lines[3]["total"], 0)
        scored = [x for line in lines for x in line["logprobs"][1:]]
        self.assertEqual(summary["tokens"], len(scored))
        self.assertAlmostEqual(summary["perplexity"], math.exp(-sum(scored) / len(scored)), places=9)

    def test_probabilities_add_up(self):
        path = write_lines(self.folder / "all.jsonl", [{"ids": [0, 1], "continuation_ids": [i]} for i in range(len(support.WORDS))])
        lines = self.json_of("score", "-m", "m", "--input", path)
        self.assertAlmostEqual(sum(math.exp(line["total"]) for line in lines), 1, places=5)

    def test_any_number_of_threads_gives_the_same_bits(self):
        path = write_lines(self.folder / "t.jsonl", [{"text": "The nurse said that she left home and then went here."}] * 9)
        one, two = (self.json_of("score", "-m", "m", "--input", path, "--threads", n) for n in (1, 2))
        self.assertEqual(one, two)

    def test_bad_lines(self):
        def bad(sentence, line):
            path = self.folder / "bad.jsonl"
            path.write_text('{"text": "The"}\n' + line + "\n")
            self.refused(3, sentence, "score", "-m", "m", "--input", path)
        bad("bad.jsonl:2", "{not json}")
        bad("bad.jsonl:2: has neither 'text' nor 'ids'", "{}")
        bad("bad.jsonl:2: text: got 5, expected a string", '{"text": 5}')
        bad(f"bad.jsonl:2: got token id 999, expected 0 to {len(support.WORDS) - 1}", '{"ids": [999]}')
        bad("bad.jsonl:2: ids[0]: got -1.5", '{"ids": [-1.5]}')
        bad("bad.jsonl:2: got 40 tokens, expected at most the model's context of 32", '{"ids": [' + "1," * 39 + "1]}")
        bad("bad.jsonl:2: got a text without tokens", '{"ids": []}')
        bad("bad.jsonl:2", '{"text": "The", "text": "A"}')
        self.refused(3, "none.jsonl", "score", "-m", "m", "--input", "none.jsonl")
        (self.folder / "empty.jsonl").write_text("\n")
        self.refused(3, "holds no texts", "score", "-m", "m", "--input", "empty.jsonl")

    def test_a_model_without_a_tokenizer(self):
        support.make_model(self.folder / "plain", tokenizer=False)
        path = write_lines(self.folder / "ids.jsonl", [{"ids": [0, 1, 2]}])
        self.assertEqual(self.json_of("score", "-m", "plain", "--input", path)[0]["ids"], [0, 1, 2])
        self.refused(3, "the model has no tokenizer", "score", "-m", "plain", "The nurse")


class Generate(ProgramTest):
    def test_greedy_is_the_most_likely(self):
        made, = self.json_of("generate", "-m", "m", "The nurse", "-n", 6)
        self.assertEqual(len(made["continuation_ids"]), 6)
        self.assertEqual(made["text"], "The nurse")
        self.assertFalse(made["stopped"])
        path = write_lines(self.folder / "next.jsonl", [{"ids": made["ids"], "continuation_ids": [i]} for i in range(len(support.WORDS))])
        totals = [line["total"] for line in self.json_of("score", "-m", "m", "--input", path)]
        self.assertEqual(totals.index(max(totals)), made["continuation_ids"][0])
        self.assertAlmostEqual(max(totals), made["logprobs"][0], places=4)

    def test_seeds_and_stops(self):
        def ids(*words):
            return [line["continuation_ids"] for line in self.json_of("generate", "-m", "m", "The", "A", "-n", 8, *words)]
        one = ids("--temperature", 1, "--seed", 3)
        self.assertEqual(one, ids("--temperature", 1, "--seed", 3))
        self.assertNotEqual(one, ids("--temperature", 1, "--seed", 4))
        greedy = ids()
        self.assertEqual(ids("--temperature", 1, "--top-k", 1), greedy)
        stop, = self.json_of("generate", "-m", "m", "The", "-n", 8, "--stop", greedy[0][0])
        self.assertEqual((stop["continuation_ids"], stop["stopped"]), (greedy[0][:1], True))
        self.refused(2, "top_p", "generate", "-m", "m", "The", "--top-p", 1.5)
        self.refused(3, "expected no more than the model's context of 32 has room for", "generate", "-m", "m", "The", "-n", 40)


if __name__ == "__main__":
    support.main()
