#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""export: an intervention as files of other programs; merged models score as the hooked one; what has no place is refused."""
import json

import support
from support import ProgramTest, read_safetensors, write_lines


class Export(ProgramTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        self = cls()
        self.run_program("effects", "-m", "m", "--pairs", "pairs.jsonl", "-o", "e.json")
        self.run_program("circuit", "--effects", "e.json", "--top", 3, "-o", "c.json")
        for method in ("breaker", "offset"):
            self.run_program("train", "-m", "m", "--circuit", "c.json", "--pairs", "pairs.jsonl", "--method", method, "--steps", 5,
                             "--learning-rate", 0.1, "-o", method)

    def scores(self, model, *words):
        path = write_lines(self.folder / "texts.jsonl", [{"text": "The nurse said that she left."}, {"text": "A king went home"}])
        return [x for line in self.json_of("score", "-m", model, "--input", path, *words) for x in line["logprobs"][1:]]

    def export(self, intervention, form, output, *words, **how):
        return self.json_of("export", "-m", "m", "--intervention", intervention, "--format", form, "-o", output, *words, **how)[0]

    def test_a_peft_adapter(self):
        summary = self.export("breaker", "peft", "adapter", "--base-model", "some/model")
        self.measured(summary)
        self.assertEqual((summary["format"], summary["output"], summary["kind"]), ("peft", "adapter", "breaker"))
        config = json.loads((self.folder / "adapter" / "adapter_config.json").read_text())
        self.assertEqual((config["peft_type"], config["bias"], config["base_model_name_or_path"]), ("LORA", "none", "some/model"))
        tensors = read_safetensors(self.folder / "adapter" / "adapter_model.safetensors")
        self.assertEqual({name for name in tensors}, {f"base_model.model.{module}.lora_{x}.weight" for module in config["target_modules"]
                                                      for x in "AB"})
        self.export("breaker", "peft", "adapter")  # its own folders are replaced

    def test_merged_folders_score_as_the_hooked_model(self):
        for method in ("breaker", "offset"):
            for strength in ("1", "0.5"):
                wanted = self.scores("m", "--intervention", method, "--strength", strength)
                summary = self.export(method, "safetensors", "merged", "--strength", strength)
                self.assertEqual(summary["added_biases"], method == "offset")
                got = self.scores("merged")
                self.assertLess(max(abs(a - b) for a, b in zip(wanted, got)), 1e-5)
                self.assertGreater(max(abs(a - b) for a, b in zip(wanted, self.scores("m"))), 1e-3)
        self.assertTrue((self.folder / "merged" / "tokenizer.json").exists())

    def test_files_for_llama_cpp(self):
        self.export("breaker", "lora-gguf", "lora.gguf", "--type", "f16")
        raw = (self.folder / "lora.gguf").read_bytes()
        self.assertTrue(raw.startswith(b"GGUF\x03\0\0\0"))
        self.assertIn(b"attn_output.weight.lora_a", raw)

    def test_what_goes_out_can_be_used_in_its_place(self):
        wanted = self.scores("m", "--intervention", "breaker")
        self.export("breaker", "peft", "again")
        self.export("again", "lora-gguf", "again.gguf")  # from one to the other
        for path in ("again", "again.gguf"):
            got = self.scores("m", "--intervention", path)
            self.assertLess(max(abs(a - b) for a, b in zip(wanted, got)), 1e-5, path)

    def test_a_circuit_as_a_graph(self):
        summary = self.export("breaker", "mib", "graph.json")
        graph = json.loads((self.folder / "graph.json").read_text())
        self.assertEqual(summary["units"], 3)
        self.assertEqual(sum(node["in_graph"] for name, node in graph["nodes"].items() if name.startswith("a")), 3)

    def test_what_is_refused(self):
        def refused(status, sentence, intervention, form, *words):
            self.refused(status, sentence, "export", "-m", "m", "--intervention", intervention, "--format", form, "-o", "x", *words)
            self.assertFalse((self.folder / "x").exists())
        refused(2, "a PEFT adapter has no place for an offset", "offset", "peft")
        refused(2, "a LoRA file has no place for an offset", "offset", "lora-gguf")
        refused(2, "a control vector has no place for a low-rank change", "breaker", "control-vector")
        refused(2, "cannot hold what is added to attention's output", "offset", "control-vector")
        refused(2, "a GGUF file needs the metadata and the tokenizer of one", "breaker", "gguf")
        refused(2, "safetensors has no type Q8_0", "breaker", "safetensors", "--type", "q8_0")
        refused(2, "--type: has no use with --format peft", "breaker", "peft", "--type", "f16")
        refused(2, "--base-model: has no use without --format peft", "breaker", "gguf", "--base-model", "b")
        refused(2, "did you mean safetensors?", "breaker", "safetensor")
        refused(2, "did you mean f16?", "breaker", "safetensors", "--type", "fp16")
        refused(3, "no such file", "nowhere", "peft")
        self.refused(2, "--output: got nothing", "export", "-m", "m", "--intervention", "breaker", "--format", "peft")
        self.refused(2, "--intervention: got nothing", "export", "-m", "m", "--format", "peft", "-o", "x")


if __name__ == "__main__":
    support.main()
