// SPDX-License-Identifier: Apache-2.0
// SentencePiece's BPE, by merges out of tokenizer.json and by scores: ids and texts as tokenizers 0.23.3 gives
// them, the definition by scores, byte fallback, cost, refused parts.
#define BOOST_TEST_MODULE sentencepiece
#include "lancet/io/sentencepiece.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "lancet/io/tokenizer.hpp"
#include "lancet/io/tokenizer_json.hpp"
#include "support/damage.hpp"
#include "support/errors.hpp"

using ids = std::vector<std::int32_t>;
using nlohmann::json;

namespace {

/// <unk> 0, <s> 1, </s> 2, the bytes 3 to 258, then what follows, from id 259.
std::vector<std::string> const& words() {
  static std::vector<std::string> const list = {"▁",  "t",  "h",    "e",  "n", "s",
                                                "▁t", "he", "▁the", "en", "é", "▁▁"};
  return list;
}

json replace(std::string const& from, std::string const& to) {
  return {{"type", "Replace"}, {"pattern", {{"String", from}}}, {"content", to}};
}

/// As Llama 2's: a mark in front and for each space, no words.
json document() {
  json vocabulary = {{"<unk>", 0}, {"<s>", 1}, {"</s>", 2}};
  for (int byte = 0; byte < 256; ++byte) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", static_cast<unsigned>(byte));
    vocabulary[name] = 3 + byte;
  }
  for (auto const& word : words()) vocabulary[word] = vocabulary.size();
  json added = json::array();
  for (char const* const name : {"<unk>", "<s>", "</s>"})
    added.push_back({{"id", vocabulary[name]}, {"content", name}, {"normalized", false}, {"special", true}});
  return {
      {"added_tokens", added},
      {"normalizer",
       {{"type", "Sequence"}, {"normalizers", {{{"type", "Prepend"}, {"prepend", "▁"}}, replace(" ", "▁")}}}},
      {"pre_tokenizer", nullptr},
      {"post_processor", nullptr},
      {"decoder",
       {{"type", "Sequence"},
        {"decoders",
         {replace("▁", " "),
          {{"type", "ByteFallback"}},
          {{"type", "Fuse"}},
          {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}}}}},
      {"model",
       {{"type", "BPE"},
        {"unk_token", "<unk>"},
        {"fuse_unk", true},
        {"byte_fallback", true},
        {"vocab", vocabulary},
        {"merges", {"▁ t", "h e", "▁t he", "e n", "▁ ▁"}}}}};
}

lancet::tokenizer read(json const& d) { return lancet::tokenizer(lancet::parse_tokenizer_json(d, "t.json")); }

/// A vocabulary of plain letters, scored; no normalisation, no bytes.
lancet::tokenizer_parts scored(std::vector<std::pair<std::string, double>> const& tokens) {
  lancet::tokenizer_parts parts;
  parts.kind = lancet::tokenizer_kind::sentencepiece;
  for (auto const& [token, score] : tokens) {
    parts.tokens.push_back(token);
    parts.scores.push_back(score);
  }
  parts.source = "test";
  return parts;
}

/// The definition: join the leftmost of the best pairs until there is none.
std::vector<std::string> by_definition(std::string const& word,
                                       std::vector<std::pair<std::string, double>> const& tokens) {
  std::vector<std::string> symbols;
  for (char const c : word) symbols.emplace_back(1, c);
  while (true) {
    double best = -std::numeric_limits<double>::infinity();
    std::size_t place = symbols.size();
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      for (auto const& [token, score] : tokens) {
        if (token == symbols[i] + symbols[i + 1] && score > best) {
          best = score;
          place = i;
        }
      }
    }
    if (place == symbols.size()) return symbols;
    symbols[place] += symbols[place + 1];
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(place) + 1);
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(merges_as_the_reference) {
  auto const t = read(document());
  BOOST_TEST((t.kind() == lancet::tokenizer_kind::sentencepiece));
  BOOST_TEST(t.encode("the then") == (ids{267, 267, 263}));
  BOOST_TEST(t.encode("  the") == (ids{270, 267}));
  BOOST_TEST(t.encode("the<s>the") == (ids{267, 1, 267}));
  BOOST_TEST(t.encode("é€") == (ids{259, 269, 229, 133, 175}));
  BOOST_TEST(t.encode("").empty());
  BOOST_TEST(t.encode(" ") == (ids{270}));
  BOOST_TEST(t.encode("ten") == (ids{265, 268}));
  BOOST_TEST(t.encode("<s>", {.parse_special = false}) == (ids{259, 3 + '<', 264, 3 + '>'}));
  BOOST_TEST(t.encode("\xff") == (ids{259, 258}));
  BOOST_TEST(t.bytes(267) == " the");
  BOOST_TEST(t.bytes(3 + '<') == "<");
}

BOOST_AUTO_TEST_CASE(texts_as_the_reference) {
  auto const t = read(document());
  BOOST_TEST(t.decode(ids{267, 267, 263}) == "the then");
  BOOST_TEST(t.decode(ids{270, 267}) == "  the");
  BOOST_TEST(t.decode(ids{267, 1, 267}) == "the<s> the");
  BOOST_TEST(t.decode(ids{267, 1, 267}, {.skip_special = true}) == "the the");
  BOOST_TEST(t.decode(ids{1, 267}) == "<s> the");
  BOOST_TEST(t.decode(ids{1, 267}, {.skip_special = true}) == "the");
  // A run of bytes that is no UTF-8 becomes one U+FFFD for each byte, also for those that were well-formed.
  BOOST_TEST(t.decode(ids{267, 229, 133, 260, 229, 133, 175}) == "the\ufffd\ufffdt€");
  BOOST_TEST(t.decode(ids{258, 68}) == "\ufffd\ufffd");
  BOOST_TEST(t.decode_bytes(ids{258, 68}) ==
             "\xff"
             "A");
  BOOST_TEST(t.decode({}) == "");
}

BOOST_AUTO_TEST_CASE(marks_for_spaces_as_the_reference) {
  using lists = std::vector<ids>;
  auto const of = [](json const& metaspace) {
    auto d = document();
    d["normalizer"] = nullptr;
    d["pre_tokenizer"] = d["decoder"] = metaspace;
    auto const t = read(d);
    return lists{t.encode("the the"), t.encode("the<s>the"), t.encode("  t")};
  };
  for (bool const split : {true, false}) {
    json metaspace = {{"type", "Metaspace"}, {"replacement", "▁"}, {"split", split}};
    metaspace["prepend_scheme"] = "first";
    BOOST_TEST((of(metaspace) == lists{{267, 267}, {267, 1, 260, 266}, {259, 265}}));
    metaspace["prepend_scheme"] = "always";
    BOOST_TEST((of(metaspace) == lists{{267, 267}, {267, 1, 267}, {259, 265}}));
    metaspace["prepend_scheme"] = "never";
    BOOST_TEST((of(metaspace) == lists{{260, 266, 267}, {260, 266, 1, 260, 266}, {259, 265}}));
  }
  // The spelling of the first years.
  json old = {{"type", "Metaspace"}, {"replacement", "▁"}, {"add_prefix_space", true}};
  BOOST_TEST((of(old) == lists{{267, 267}, {267, 1, 267}, {259, 265}}));
  old["add_prefix_space"] = false;
  BOOST_TEST((of(old) == lists{{260, 266, 267}, {260, 266, 1, 260, 266}, {259, 265}}));
}

BOOST_AUTO_TEST_CASE(the_metaspace_decoder_as_the_reference) {
  auto d = document();
  d["decoder"] = {{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "always"}};
  BOOST_TEST(read(d).decode(ids{267, 267}) == "the the");
  BOOST_TEST(read(d).decode(ids{259, 270, 267}) == "   the");
  d["decoder"]["prepend_scheme"] = "never";
  BOOST_TEST(read(d).decode(ids{267, 267}) == " the the");
  d["decoder"] = nullptr;  // tokens are joined with spaces then
  BOOST_TEST(read(d).decode(ids{267, 263}) == "▁the n");
}

BOOST_AUTO_TEST_CASE(other_settings_as_the_reference) {
  auto d = document();
  d["model"]["byte_fallback"] = false;
  BOOST_TEST(read(d).encode("txxe") == (ids{265, 0, 262}));
  d["model"]["fuse_unk"] = false;
  BOOST_TEST(read(d).encode("txxe") == (ids{265, 0, 0, 262}));
  lancet_test::check_throws<lancet::usage_error>([&] { (void)read(d).encode("txxe", {.strict = true}); },
                                                 "no token for 'x' in '▁txxe'");
  d = document();
  d["normalizer"] = replace(" ", "▁");
  d["pre_tokenizer"] = {{"type", "Split"},
                        {"pattern", {{"String", "▁"}}},
                        {"behavior", "MergedWithPrevious"},
                        {"invert", false}};
  BOOST_TEST(read(d).encode("t  the") == (ids{260, 259, 259, 260, 266}));
}

BOOST_AUTO_TEST_CASE(scores_follow_the_definition) {
  for (unsigned const seed : {1u, 2u, 3u, 4u, 5u}) {
    std::mt19937 random(seed);
    std::vector<std::pair<std::string, double>> tokens = {{"a", 0.0}, {"b", 0.0}, {"c", 0.0}};
    while (tokens.size() < 40) {
      std::string token;
      for (auto n = 2 + random() % 6; n > 0; --n) token.push_back("abc"[random() % 3]);
      auto const same = [&](auto const& other) { return other.first == token; };
      // Few different scores, so that ties are common.
      if (std::none_of(tokens.begin(), tokens.end(), same))
        tokens.emplace_back(token, -static_cast<double>(random() % 8));
    }
    lancet::tokenizer const t(scored(tokens));
    for (int i = 0; i < 500; ++i) {
      std::string word;
      for (auto n = random() % 60; n > 0; --n) word.push_back("abc"[random() % 3]);
      std::vector<std::string> got;
      for (auto const id : t.encode(word)) got.emplace_back(t.piece(id));
      BOOST_TEST(got == by_definition(word, tokens), "seed " << seed << ", '" << word << "'");
    }
  }
}

BOOST_AUTO_TEST_CASE(scored_tokens_that_words_never_become) {
  auto parts = scored({{"a", 0.0}, {"b", 0.0}, {"ab", -1.0}, {"aab", 5.0}, {"?", 0.0}});
  BOOST_TEST(lancet::tokenizer(parts).encode("aab") == (ids{3}));
  BOOST_TEST(lancet::tokenizer(parts).encode("aaab") == (ids{0, 3}));
  parts.scores[2] = -std::numeric_limits<double>::infinity();
  parts.unknown = 4;
  parts.fuse_unknown = true;
  BOOST_TEST(lancet::tokenizer(parts).encode("abxy") == (ids{0, 1, 4}));
  parts.added.push_back({.id = 1, .special = true});
  BOOST_TEST(lancet::tokenizer(parts).encode("ab", {.parse_special = false}) == (ids{0, 4}));
}

BOOST_AUTO_TEST_CASE(long_words_take_no_quadratic_time) {
  std::vector<std::pair<std::string, double>> tokens = {{"a", 0.0}, {"b", 0.0}};
  for (std::string word = "aa"; word.size() <= 1024; word += word)
    tokens.emplace_back(word, -static_cast<double>(word.size()));
  lancet::tokenizer const t(scored(tokens));
  auto d = document();
  auto const merged = read(d);
  auto const n = std::size_t{1} << 19;
  auto const start = std::chrono::steady_clock::now();
  for (auto const& word : {std::string(n, 'a'), std::string(n, 'b'), std::string(n, 'x')}) {
    BOOST_TEST(t.encode(word).size() <= n);
    BOOST_TEST((merged.decode_bytes(merged.encode(word)) == word));
  }
  auto const spent = std::chrono::steady_clock::now() - start;
  BOOST_TEST(std::chrono::duration<double>(spent).count() < 20.0);
}

BOOST_AUTO_TEST_CASE(bad_parts_are_refused) {
  auto const refuse = [](auto change, std::string const& sentence) {
    auto parts = lancet::parse_tokenizer_json(document(), "t.json");
    change(parts);
    lancet_test::check_throws<lancet::file_error>([&] { lancet::tokenizer const t(parts); }, sentence);
  };
  using parts_t = lancet::tokenizer_parts;
  refuse([](parts_t& p) { p.tokens[3 + 'q'] = "q"; }, "t.json: no token '<0x71>', which byte fallback needs");
  refuse([](parts_t& p) { p.merges.push_back({"▁", "s"}); }, "merge 5, '▁' + 's': '▁s' is not a token");
  refuse([](parts_t& p) { p.scores = {1.0}; }, "got 1 scores for 271 tokens");
  refuse([](parts_t& p) { p.scores.assign(271, std::nan("")); }, "the score of token 0 is not finite");
  refuse([](parts_t& p) { p.tokens.push_back(std::string(1025, 'x')); },
         "has 1025 bytes, expected at most 1024");
  refuse([](parts_t& p) { p.around.single = {}; }, "the template for one text has it not once");
  refuse([](parts_t& p) { p.around.single.push_back({5000, 0}); }, "a token of the template is id 5000");
  refuse([](parts_t& p) { p.around.pair.pop_back(); }, "the template for a pair has not each text once");
}

BOOST_AUTO_TEST_CASE(damaged_documents_are_read_or_refused) {
  auto const whole = document().dump();
  std::mt19937 random(1);
  std::size_t read_well = 0;
  for (int i = 0; i < 2000; ++i) {
    try {
      auto const t = read(lancet::parse_json(lancet_test::damaged(whole, random), "t.json"));
      (void)t.decode(t.encode("the <s> 12é", {.add_special = true}));
      ++read_well;
    } catch (lancet::error const&) {
    }
  }
  BOOST_TEST(read_well > 0u);
}
