# SPDX-License-Identifier: Apache-2.0
"""A small model with its data, made by other means than lancet's, and ways to run the program."""
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

PROGRAM = os.environ.get("LANCET_PROGRAM", "")

WORDS = ["The", " nurse", " doctor", " teacher", " builder", " king", " queen", " said", " that", " and", " then", " she",
         " he", " left", " home", ".", " a", " man", " woman", " went", " was", " here", "A", " very"]
# A byte-level vocabulary has all printable ASCII characters and the line feed.
WORDS += [letter for letter in map(chr, (10, *range(32, 127))) if letter not in WORDS]
PEOPLE = [(" nurse", " builder"), (" teacher", " doctor"), (" nurse", " doctor"), (" teacher", " builder")]


def write_safetensors(path, tensors):
    """tensors: {name: (shape, floats)}"""
    header, data = {}, b""
    for name, (shape, values) in tensors.items():
        raw = struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    Path(path).write_bytes(struct.pack("<Q", len(text)) + text + data)


def read_safetensors(path):
    """{name: (type, shape, bytes)}"""
    raw = Path(path).read_bytes()
    size = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:8 + size])
    header.pop("__metadata__", None)
    return {name: (info["dtype"], info["shape"], raw[8 + size:][slice(*info["data_offsets"])]) for name, info in header.items()}


def make_model(folder, seed=1, tokenizer=True):
    """A random Llama with a vocabulary of words."""
    folder = Path(folder)
    folder.mkdir(parents=True)
    rng = random.Random(seed)
    layers, width, heads, kv, dim, mlp, vocabulary = 2, 16, 4, 2, 4, 20, len(WORDS)
    (folder / "config.json").write_text(json.dumps({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": vocabulary, "hidden_size": width,
        "intermediate_size": mlp, "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": kv,
        "head_dim": dim, "hidden_act": "silu", "max_position_embeddings": 32, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
        "attention_bias": False, "mlp_bias": False, "tie_word_embeddings": True, "torch_dtype": "float32"}))

    def matrix(rows, cols):
        return [rows, cols], [rng.gauss(0, 1.2 / cols ** 0.5) for _ in range(rows * cols)]

    tensors = {"model.embed_tokens.weight": matrix(vocabulary, width)}
    for layer in range(layers):
        at = f"model.layers.{layer}."
        for name in ("input_layernorm", "post_attention_layernorm"):
            tensors[at + name + ".weight"] = [width], [1.0] * width
        for name, rows, cols in (("self_attn.q_proj", heads * dim, width), ("self_attn.k_proj", kv * dim, width),
                                 ("self_attn.v_proj", kv * dim, width), ("self_attn.o_proj", width, heads * dim),
                                 ("mlp.gate_proj", mlp, width), ("mlp.up_proj", mlp, width), ("mlp.down_proj", width, mlp)):
            tensors[at + name + ".weight"] = matrix(rows, cols)
    tensors["model.norm.weight"] = [width], [1.0] * width
    write_safetensors(folder / "model.safetensors", tensors)
    if tokenizer:
        byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
        (folder / "tokenizer.json").write_text(json.dumps({
            "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
            "pre_tokenizer": byte_level, "post_processor": None, "decoder": byte_level,
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                      "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": True,
                      "vocab": {word.replace(" ", "Ġ").replace("\n", "Ċ"): i for i, word in enumerate(WORDS)}, "merges": []}}))


def make_encoder(folder, labels=0, seed=1):
    """A random BERT: a masked language model, or a classifier with so many labels."""
    folder = Path(folder)
    folder.mkdir(parents=True)
    rng = random.Random(seed)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "nurse", "doctor", "said", "that", "she", "he"]
    width, mlp = 16, 20
    classes = {"num_labels": labels, "id2label": {str(i): f"LABEL_{i}" for i in range(labels)}} if labels else {}
    (folder / "config.json").write_text(json.dumps({
        "architectures": ["BertForSequenceClassification" if labels else "BertForMaskedLM"], "model_type": "bert",
        "vocab_size": len(words), "hidden_size": width, "intermediate_size": mlp, "num_hidden_layers": 2,
        "num_attention_heads": 4, "hidden_act": "gelu", "max_position_embeddings": 32, "type_vocab_size": 2,
        "layer_norm_eps": 1e-12, **classes}))
    tensors = {}

    def matrix(name, rows, cols):
        tensors[name + ".weight"] = [rows, cols], [rng.gauss(0, 1.2 / cols ** 0.5) for _ in range(rows * cols)]

    def linear(name, rows, cols):
        matrix(name, rows, cols)
        tensors[name + ".bias"] = [rows], [rng.gauss(0, 0.1) for _ in range(rows)]

    def norm(name):
        tensors[name + ".weight"] = [width], [1.0] * width
        tensors[name + ".bias"] = [width], [0.1] * width

    for name, rows in (("word", len(words)), ("position", 32), ("token_type", 2)):
        matrix(f"bert.embeddings.{name}_embeddings", rows, width)
    norm("bert.embeddings.LayerNorm")
    for layer in range(2):
        at = f"bert.encoder.layer.{layer}."
        for name in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            linear(at + name, width, width)
        linear(at + "intermediate.dense", mlp, width)
        linear(at + "output.dense", width, mlp)
        norm(at + "attention.output.LayerNorm")
        norm(at + "output.LayerNorm")
    if labels:
        linear("bert.pooler.dense", width, width)
        linear("classifier", labels, width)
    else:
        linear("cls.predictions.transform.dense", width, width)
        norm("cls.predictions.transform.LayerNorm")
        tensors["cls.predictions.bias"] = [len(words)], [0.0] * len(words)
    write_safetensors(folder / "model.safetensors", tensors)
    special = [{"id": i, "content": word, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
                "special": True} for i, word in enumerate(words[:5])]
    around = [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
              {"SpecialToken": {"id": "[SEP]", "type_id": 0}}]
    second = [{"Sequence": {"id": "B", "type_id": 1}}, {"SpecialToken": {"id": "[SEP]", "type_id": 1}}]
    (folder / "tokenizer.json").write_text(json.dumps({
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": special,
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None,
                       "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "TemplateProcessing", "single": around, "pair": [*around, *second], "special_tokens": {
            word: {"id": word, "ids": [words.index(word)], "tokens": [word]} for word in ("[CLS]", "[SEP]")}},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
                  "vocab": {word: i for i, word in enumerate(words)}}}))


def pair_lines():
    """Pairs of all splits; the same prompt never in two."""
    lines = []
    for split, start in (("train", "The"), ("validation", "A"), ("test", "The")):
        for i, (one, other) in enumerate(PEOPLE):
            end = " said that" if split != "test" else " went home and then"
            lines.append({"clean": start + one + end, "corrupted": start + other + end, "answer": " she", "contrast": " he",
                          "subject": one.strip(), "group": "g", "split": split, "number": i})
    unique, seen = [], set()
    for line in lines:  # PEOPLE repeats subjects
        if (line["clean"], line["corrupted"]) not in seen:
            seen.add((line["clean"], line["corrupted"]))
            unique.append(line)
    return unique


def keep_lines():
    return [{"clean": f"{start} {person} said that", "answer": answer, "contrast": other, "split": split}
            for split, start in (("train", "The"), ("validation", "A very"), ("test", "A"))
            for person, answer, other in (("king", " he", " she"), ("queen", " she", " he"))]


SCHEMAS = Path(__file__).resolve().parents[2] / "docs" / "schemas"


def schema_errors(document):
    """Where a document does not fit its schema of docs/schemas. Raises SkipTest without the package jsonschema."""
    try:
        import jsonschema
    except ImportError:
        raise unittest.SkipTest("the Python package jsonschema is not installed") from None
    schemas = {path.name.split(".")[0]: json.loads(path.read_text()) for path in SCHEMAS.glob("*.schema.json")}
    schema = schemas[document["format"].split(".")[1]]
    parts = [key for key, part in schema["properties"].items() if not part.get("$ref", "#").startswith("#")]
    for key in parts:  # another document: checked by its own schema
        schema["properties"][key] = {"type": "object"}
    errors = [f"{error.json_path}: {error.message[:200]}" for error in jsonschema.Draft202012Validator(schema).iter_errors(document)]
    return errors + [f"{key}: {error}" for key in parts for error in schema_errors(document[key])]


def write_lines(path, items):
    Path(path).write_text("".join(json.dumps(item) + "\n" for item in items))
    return str(path)


class ProgramTest(unittest.TestCase):
    """A folder with a model `m`, pairs.jsonl, keep.jsonl, neutral.txt and held_out.txt."""

    @classmethod
    def setUpClass(cls):
        if not PROGRAM:
            raise unittest.SkipTest("LANCET_PROGRAM is not set")
        cls._folder = tempfile.TemporaryDirectory()
        cls.folder = Path(cls._folder.name)
        make_model(cls.folder / "m")
        write_lines(cls.folder / "pairs.jsonl", pair_lines())
        write_lines(cls.folder / "keep.jsonl", keep_lines())
        (cls.folder / "neutral.txt").write_text("The man went home.\n\nA woman was here and then left.\n")
        (cls.folder / "held_out.txt").write_text("The queen said that a man left.\n\nThe builder was very here.\n")

    @classmethod
    def tearDownClass(cls):
        cls._folder.cleanup()

    def start(self, *words, env=None, **how):
        clean = {key: value for key, value in os.environ.items() if not key.startswith("LANCET_")}
        return subprocess.Popen([PROGRAM, *map(str, words)], cwd=self.folder, env={**clean, "LANCET_THREADS": "1", **(env or {})},
                                stdin=subprocess.PIPE, stdout=how.pop("stdout", subprocess.PIPE), stderr=subprocess.PIPE, text=True, **how)

    def run_program(self, *words, status=0, stdin="", env=None):
        """Runs it; returns (stdout, stderr) after checking the exit status."""
        with self.start(*words, env=env) as process:
            out, err = process.communicate(stdin, timeout=600)
        self.assertEqual(process.returncode, status, f"lancet {' '.join(map(str, words))}\n{out}\n{err}")
        self.assertNotIn("\x1b", out + err)  # nothing is coloured where there is no terminal
        return out, err

    def json_of(self, *words, **how):
        """Runs it with --json, which must be the only thing on stdout; one value a line."""
        out, _ = self.run_program(*words, "--json", **how)
        return [json.loads(line) for line in out.splitlines()]

    def refused(self, status, sentence, *words, **how):
        """The sentence on stderr is one line, and says what was got or missing."""
        out, err = self.run_program(*words, "--quiet", status=status, **how)
        self.assertIn(sentence, err)
        self.assertEqual(len(err.strip().splitlines()), 1, err)
        self.assertEqual(out, "")

    def measured(self, summary):
        for key in ("seconds", "load_seconds", "peak_bytes", "threads", "backend", "version"):
            self.assertIn(key, summary)
        self.assertGreater(summary["peak_bytes"], 0)
        self.assertGreaterEqual(summary["seconds"], 0)


def main():
    if not PROGRAM:
        print("SKIPPED: LANCET_PROGRAM does not name the program")
        sys.exit(0)
    unittest.main(verbosity=2)
