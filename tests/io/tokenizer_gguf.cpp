// SPDX-License-Identifier: Apache-2.0
// Reading a tokenizer from GGUF metadata: what is understood, what is refused and with which sentence.
#define BOOST_TEST_MODULE tokenizer_gguf
#include "lancet/io/tokenizer_gguf.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "lancet/io/byte_alphabet.hpp"
#include "lancet/io/tokenizer.hpp"
#include "lancet/io/tokenizer_json.hpp"
#include "support/errors.hpp"
#include "support/gguf_bytes.hpp"

using ids = std::vector<std::int32_t>;

namespace {

/// The metadata of a small tokenizer: all bytes, three merged tokens, a control token, a user-defined and an
/// unused one.
struct fields {
  std::optional<std::string> model = "gpt2";
  std::optional<std::string> pre = "gpt-2";
  std::vector<std::string> tokens;
  std::vector<std::int32_t> types;
  std::vector<std::string> merges = {"t h", "th e", "Ġ the"};
  std::int32_t bos = 259;

  fields() {
    for (int byte = 0; byte < 256; ++byte)
      tokens.push_back(lancet::to_byte_alphabet(std::string(1, static_cast<char>(byte))));
    for (auto const* const token : {"th", "the", "Ġthe", "<s>", "<w>", "[PAD]"}) tokens.emplace_back(token);
    types.assign(tokens.size(), 1);
    types[259] = 3;
    types[260] = 4;
    types[261] = 5;
  }

  [[nodiscard]] lancet_test::gguf_bytes file() const {
    lancet_test::gguf_bytes out;
    out.header(0, 5u + (model ? 1u : 0u) + (pre ? 1u : 0u));
    if (model) out.string("tokenizer.ggml.model", *model);
    if (pre) out.string("tokenizer.ggml.pre", *pre);
    out.strings("tokenizer.ggml.tokens", tokens);
    out.array("tokenizer.ggml.token_type", lancet_test::g_i32, types);
    out.strings("tokenizer.ggml.merges", merges);
    out.scalar("tokenizer.ggml.bos_token_id", lancet_test::g_u32, static_cast<std::uint32_t>(bos));
    out.scalar("tokenizer.ggml.eos_token_id", lancet_test::g_u32, std::uint32_t{260});
    return out;
  }
};

lancet::tokenizer read(fields const& f) {
  auto const bytes = f.file();
  return lancet::tokenizer(lancet::read_gguf_tokenizer(lancet::gguf_file::parse(bytes.bytes, "t.gguf")));
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_plain_file) {
  auto const tokenizer = read({});
  BOOST_TEST(tokenizer.encode("the the<s><w>") == (ids{257, 258, 259, 260}));
  BOOST_TEST(tokenizer.encode("<s><w>[PAD]", {.parse_special = false}) ==
             (ids{'<', 's', '>', 260, '[', 'P', 'A', 'D', ']'}));
  BOOST_TEST((tokenizer.bos_id() == 259));
  BOOST_TEST((tokenizer.eos_id() == 260));
  BOOST_TEST(tokenizer.is_special(259));
  BOOST_TEST(!tokenizer.is_special(260));
}

BOOST_AUTO_TEST_CASE(ways_of_cutting_go_by_name) {
  auto const pieces = [](std::string const& pre, std::string const& text) {
    fields f;
    f.pre = pre;
    auto const bytes = f.file();
    auto const parts = lancet::read_gguf_tokenizer(lancet::gguf_file::parse(bytes.bytes, "t.gguf"));
    std::string out;
    for (auto const piece : lancet::split_text(parts.steps, text).list) out += "|" + std::string(piece);
    return out + (!parts.normalize.empty() ? "|nfc" : "") + (parts.ignore_merges ? "|whole" : "");
  };
  std::string const text = "It'S AbC 1234";
  BOOST_TEST(pieces("gpt-2", text) == "|It|'|S| AbC| 1234");
  BOOST_TEST(pieces("smollm", text) == "|It|'|S| AbC| |1|2|3|4");
  BOOST_TEST(pieces("llama-bpe", text) == "|It|'S| AbC| |123|4|whole");
  BOOST_TEST(pieces("qwen2", text) == "|It|'S| AbC| |1|2|3|4|nfc");
  BOOST_TEST(pieces("gpt-4o", text) == "|It'S| Ab|C| |123|4");
  BOOST_TEST(pieces("tekken", text) == "|It|'S| Ab|C| |1|2|3|4|whole");
  BOOST_TEST(pieces("deepseek-v3", text) == "|It|'S| AbC| |123|4");
  BOOST_TEST(pieces("mpt", text) == "|It|'|S| AbC| 1234|nfc");
}

BOOST_AUTO_TEST_CASE(hash_is_that_of_the_same_tokenizer_in_json) {
  fields f;
  f.types[260] = f.types[261] = 1;
  nlohmann::json document = {
      {"model", {{"type", "BPE"}, {"vocab", nlohmann::json::object()}, {"merges", f.merges}}},
      {"added_tokens", {{{"id", 259}, {"content", "<s>"}, {"special", true}}}},
      {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}}},
  };
  for (std::size_t i = 0; i < f.tokens.size(); ++i) document["model"]["vocab"][f.tokens[i]] = i;
  BOOST_TEST(read(f).hash() == lancet::tokenizer(lancet::parse_tokenizer_json(document, "t.json")).hash());
}

namespace {

/// A vocabulary of another kind: tokens with scores and types, settings.
struct vocabulary {
  std::string model;
  std::vector<std::string> tokens = {};
  std::vector<std::int32_t> types = {};
  std::vector<float> scores = {};
  std::vector<std::pair<std::string, bool>> flags = {};
  std::vector<std::pair<std::string, std::uint32_t>> ids = {};
  std::vector<std::uint8_t> charsmap = {};

  void add(std::string const& token, std::int32_t type = 1, float score = 0.0f) {
    tokens.push_back(token);
    types.push_back(type);
    scores.push_back(score);
  }

  [[nodiscard]] lancet_test::gguf_bytes file() const {
    lancet_test::gguf_bytes out;
    out.header(0, 3 + (scores.empty() ? 0u : 1u) + flags.size() + ids.size() + (charsmap.empty() ? 0u : 1u));
    out.string("tokenizer.ggml.model", model);
    out.strings("tokenizer.ggml.tokens", tokens);
    out.array("tokenizer.ggml.token_type", lancet_test::g_i32, types);
    if (!scores.empty()) out.array("tokenizer.ggml.scores", lancet_test::g_f32, scores);
    for (auto const& [name, value] : flags)
      out.scalar("tokenizer.ggml." + name, lancet_test::g_bool, static_cast<std::uint8_t>(value));
    for (auto const& [name, value] : ids) out.scalar("tokenizer.ggml." + name, lancet_test::g_u32, value);
    if (!charsmap.empty()) out.array("tokenizer.ggml.precompiled_charsmap", lancet_test::g_u8, charsmap);
    return out;
  }
};

/// <unk> 0, <s> 1, </s> 2, bytes from 3, then words from 259.
vocabulary llama() {
  vocabulary v{.model = "llama"};
  v.add("<unk>", 2);
  v.add("<s>", 3);
  v.add("</s>", 3);
  for (int byte = 0; byte < 256; ++byte) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", static_cast<unsigned>(byte));
    v.add(name, 6);
  }
  float score = 0;
  for (char const* const word : {"▁t", "he", "▁the", "▁", "t", "h", "e"}) v.add(word, 1, score -= 1.0f);
  v.add("  ", 4);
  v.ids = {{"bos_token_id", 1}, {"eos_token_id", 2}};
  return v;
}

vocabulary t5() {
  vocabulary v{.model = "t5"};
  v.add("<pad>", 3);
  v.add("</s>", 3);
  v.add("<unk>", 2);
  v.add("▁a", 1, -2.0f);
  v.add("▁", 1, -3.0f);
  v.add("a", 1, -4.0f);
  v.add("aa", 1, -4.5f);
  v.add("▁aaa", 5, -0.5f);  // unused
  v.flags = {{"add_space_prefix", true}, {"remove_extra_whitespaces", true}};
  v.ids = {{"eos_token_id", 1}, {"unknown_token_id", 2}};
  return v;
}

vocabulary bert() {
  vocabulary v{.model = "bert"};
  for (char const* const name : {"[PAD]", "[UNK]", "[CLS]", "[SEP]"}) v.add(name, 3);
  for (char const* const word : {"▁un", "aff", "able", "▁the", "▁,"}) v.add(word);
  v.scores.clear();
  v.ids = {{"cls_token_id", 2}, {"seperator_token_id", 3}, {"unknown_token_id", 1}};
  return v;
}

lancet::tokenizer read(vocabulary const& v) {
  auto const bytes = v.file();
  return lancet::tokenizer(lancet::read_gguf_tokenizer(lancet::gguf_file::parse(bytes.bytes, "t.gguf")));
}

}  // namespace

BOOST_AUTO_TEST_CASE(sentencepiece_with_and_without_a_space_in_front) {
  auto v = llama();
  auto const t = read(v);
  BOOST_TEST(t.encode("the the") == (ids{261, 261}));
  BOOST_TEST(t.encode("the<s>t\xff") == (ids{261, 1, 259, 258}));
  BOOST_TEST(t.encode("the  the", {.add_special = true}) == (ids{1, 261, 266, 261}));
  BOOST_TEST(t.decode(ids{261, 261, 3 + 0xc3, 3 + 0xa9}) == "the theé");
  BOOST_TEST((t.bos_id() == 1));
  v.flags = {{"add_space_prefix", false}, {"add_bos_token", false}, {"add_eos_token", true}};
  auto const bare = read(v);
  BOOST_TEST(bare.encode("the the") == (ids{263, 260, 261}));
  BOOST_TEST(bare.encode("e", {.add_special = true}) == (ids{265, 2}));
  BOOST_TEST(bare.decode(ids{261, 261}) == " the the");
  auto const pair = bare.encode_pair("e", "he", {.add_special = true});
  BOOST_TEST(pair.ids == (ids{265, 2, 260, 2}));
}

BOOST_AUTO_TEST_CASE(unigram_with_its_white_space) {
  auto v = t5();
  auto const t = read(v);
  BOOST_TEST(t.encode("  a   aa ", {.add_special = true}) == (ids{3, 3, 5, 1}));
  BOOST_TEST(t.encode("aaa") == (ids{3, 6}));  // not the unused token
  BOOST_TEST(t.encode("xy") == (ids{4, 2}));
  BOOST_TEST(t.decode(ids{3, 4, 6}) == "a aa");
  // One unit of which nothing follows: no replacements.
  v.charsmap = {4, 0, 0, 0, 0, 0, 0, 0};
  BOOST_TEST(read(v).encode("aaa") == (ids{3, 6}));
  v.charsmap = {8, 0, 0, 0, 0, 0, 0, 0};
  lancet_test::check_throws<lancet::file_error>(
      [&] { (void)read(v); }, "t.gguf: tokenizer.ggml.precompiled_charsmap: got a charsmap");
}

BOOST_AUTO_TEST_CASE(wordpiece_is_written_as_in_json) {
  auto v = bert();
  auto const t = read(v);
  BOOST_TEST(t.piece(4) == "un");
  BOOST_TEST(t.piece(5) == "##aff");
  BOOST_TEST(t.encode("Unaffable, THÉ", {.add_special = true}) == (ids{2, 4, 5, 6, 8, 7, 3}));
  BOOST_TEST(t.decode(ids{4, 5, 6, 8, 7}) == "unaffable, the");
  auto const pair = t.encode_pair("the", "un", {.add_special = true});
  BOOST_TEST(pair.ids == (ids{2, 7, 3, 4, 3}));
  BOOST_TEST(pair.type_ids == (ids{0, 0, 0, 1, 1}));
  v.add("▁Éa");  // a capital letter: the vocabulary of a cased model
  v.scores.clear();
  BOOST_TEST(read(v).encode("Éa THE") == (ids{9, 1}));
}

BOOST_AUTO_TEST_CASE(bad_vocabularies_of_other_kinds_are_refused) {
  auto const refuse = [](vocabulary v, auto change, std::string const& sentence) {
    change(v);
    lancet_test::check_throws<lancet::file_error>([&] { (void)read(v); }, sentence);
  };
  using voc = vocabulary;
  refuse(
      llama(), [](voc& v) { v.scores.pop_back(); }, "scores: got 266, expected one for each of 267 tokens");
  refuse(
      llama(), [](voc& v) { v.scores.clear(); }, "has no metadata 'tokenizer.ggml.scores'");
  refuse(
      llama(), [](voc& v) { v.scores[260] = std::nanf(""); }, "the score of token 260 is not finite");
  refuse(
      llama(), [](voc& v) { v.tokens[7] = "x"; }, "no token '<0x04>', which byte fallback needs");
  refuse(
      llama(), [](voc& v) { v.ids[0].second = 999; }, "the start token is id 999");
  refuse(
      t5(), [](voc& v) { v.ids[1].second = 8; }, "the unknown token is id 8, expected 0 to 7");
  refuse(
      bert(), [](voc& v) { v.tokens[4] = "##x", v.tokens[5] = "▁####x"; }, "token '####x' comes twice");
  refuse(
      bert(), [](voc& v) { v.ids[0].second = 9; }, "the start token is id 9, expected 0 to 8");
}

BOOST_AUTO_TEST_CASE(damaged_vocabularies_are_read_or_refused) {
  for (auto const& v : {llama(), t5(), bert()}) {
    auto const whole = v.file().bytes;
    std::mt19937 random(1);
    for (int i = 0; i < 1000; ++i) {
      auto bytes = whole;
      for (auto n = 1 + random() % 4; n > 0; --n)
        bytes[random() % bytes.size()] = static_cast<std::byte>(random() % 256);
      try {
        lancet::tokenizer const t(lancet::read_gguf_tokenizer(lancet::gguf_file::parse(bytes, "t.gguf")));
        (void)t.decode(t.encode("the Unaffable é", {.add_special = true}));
      } catch (lancet::error const&) {
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(bad_metadata_is_refused_by_name) {
  auto const refuse = [](auto change, std::string const& sentence) {
    fields f;
    change(f);
    lancet_test::check_throws<lancet::file_error>([&] { (void)read(f); }, sentence);
  };
  refuse([](fields& f) { f.model = "rwkv"; }, "t.gguf: tokenizer.ggml.model: got 'rwkv', expected 'gpt2'");
  refuse([](fields& f) { f.model.reset(); }, "has no metadata 'tokenizer.ggml.model'");
  refuse([](fields& f) { f.pre = "default"; },
         "t.gguf: tokenizer.ggml.pre: got 'default', expected one of gpt-2, ");
  refuse([](fields& f) { f.pre.reset(); }, "has no metadata 'tokenizer.ggml.pre'");
  refuse([](fields& f) { f.types.pop_back(); },
         "token_type: got 261 types, expected one for each of 262 tokens");
  refuse([](fields& f) { f.types[3] = 0; }, "tokenizer.ggml.token_type[3]: got 0, expected 1 to 6");
  refuse([](fields& f) { f.types[3] = 7; }, "tokenizer.ggml.token_type[3]: got 7");
  refuse([](fields& f) { f.merges[1] = "the"; }, "tokenizer.ggml.merges[1]: got 'the', expected two tokens");
  refuse([](fields& f) { f.merges[1] = "t h e"; }, "tokenizer.ggml.merges[1]: got 't h e'");
  refuse([](fields& f) { f.merges[1] = "t x"; }, "t.gguf: merge 1, 't' + 'x': 'tx' is not a token");
  refuse([](fields& f) { f.merges[1] = f.merges[0]; }, "t.gguf: merge 1, 't' + 'h', comes twice");
  refuse([](fields& f) { f.tokens[261] = "the"; }, "t.gguf: token 'the' comes twice, as ids 257 and 261");
  refuse([](fields& f) { f.tokens[261] = "\xc3"; }, "t.gguf: token 261, '\\xc3', is not valid UTF-8");
  refuse([](fields& f) { f.tokens['e'] = "[e]"; }, "t.gguf: no token for byte 101");
  refuse([](fields& f) { f.bos = 262; }, "t.gguf: the start token is id 262, expected 0 to 261");
}

BOOST_AUTO_TEST_CASE(damaged_files_are_read_or_refused) {
  auto const whole = fields().file().bytes;
  std::size_t refused = 0;
  for (unsigned const seed : {1u, 2u, 3u}) {
    std::mt19937 random(seed);
    for (int i = 0; i < 1000; ++i) {
      auto bytes = whole;
      for (auto n = 1 + random() % 4; n > 0; --n)
        bytes[random() % bytes.size()] = static_cast<std::byte>(random() % 256);
      if (random() % 8 == 0) bytes.resize(random() % bytes.size());
      try {
        lancet::tokenizer const tokenizer(
            lancet::read_gguf_tokenizer(lancet::gguf_file::parse(bytes, "t.gguf")));
        (void)tokenizer.decode(tokenizer.encode("the <s> 12"));
      } catch (lancet::error const&) {
        ++refused;
      }
    }
  }
  BOOST_TEST(refused > 0u);
  BOOST_TEST(refused < 3000u);
}
