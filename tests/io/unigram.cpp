// SPDX-License-Identifier: Apache-2.0
// The unigram model: ids as tokenizers 0.23.3 gives them, the definition, SentencePiece's charsmap, cost, refused
// documents.
#define BOOST_TEST_MODULE unigram
#include "lancet/io/unigram.hpp"

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "lancet/io/charsmap.hpp"
#include "lancet/io/detail/base64.hpp"
#include "lancet/io/grapheme_cluster.hpp"
#include "lancet/io/tokenizer.hpp"
#include "lancet/io/tokenizer_json.hpp"
#include "support/damage.hpp"
#include "support/errors.hpp"

using ids = std::vector<std::int32_t>;
using nlohmann::json;

namespace {

json document() {
  json const metaspace = {{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "always"}};
  json vocabulary = json::array();
  for (auto const& [token, score] : std::vector<std::pair<std::string, double>>{{"<unk>", 0.0},
                                                                                {"</s>", 0.0},
                                                                                {"▁", -2.0},
                                                                                {"a", -3.0},
                                                                                {"b", -3.5},
                                                                                {"ab", -5.0},
                                                                                {"▁a", -4.0},
                                                                                {"ba", -6.5},
                                                                                {"aa", -6.0}})
    vocabulary.push_back(json::array({token, score}));
  return {{"added_tokens", json::array()},
          {"normalizer", nullptr},
          {"pre_tokenizer", metaspace},
          {"post_processor", nullptr},
          {"decoder", metaspace},
          {"model", {{"type", "Unigram"}, {"unk_id", 0}, {"vocab", vocabulary}}}};
}

lancet::tokenizer read(json const& d) { return lancet::tokenizer(lancet::parse_tokenizer_json(d, "t.json")); }

/// The units of a trie in which each byte of each key has a place of its own.
class trie_builder {
 public:
  trie_builder() : units_(1) {}

  void add(std::string const& key, std::uint32_t value) { keys_[key] = value; }

  /// With the trie's size in front and `texts` behind.
  std::string bytes(std::string const& texts) {
    place("", 0);
    std::string out;
    auto const put = [&](std::uint32_t word) {
      for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(word >> shift & 255));
    };
    put(static_cast<std::uint32_t>(units_.size() * 4));
    for (auto const unit : units_) put(unit);
    return out + texts;
  }

 private:
  /// Gives the children of `node`, whose key is `prefix`, 256 units of their own.
  void place(std::string const& prefix, std::size_t node) {
    auto const base = (units_.size() + 255) / 256 * 256;
    units_.resize(base + 256);
    units_[node] |= static_cast<std::uint32_t>(base ^ node) << 10;
    if (auto const own = keys_.find(prefix); own != keys_.end()) {
      units_[node] |= 0x100u;
      units_[base] = 0x80000000u | own->second;
    }
    for (unsigned byte = 1; byte < 256; ++byte) {
      auto const longer = prefix + static_cast<char>(byte);
      auto const next = keys_.lower_bound(longer);
      if (next == keys_.end() || !next->first.starts_with(longer)) continue;
      units_[base ^ byte] |= byte;
      place(longer, base ^ byte);
    }
  }

  std::map<std::string, std::uint32_t> keys_;
  std::vector<std::uint32_t> units_;
};

}  // namespace

BOOST_AUTO_TEST_CASE(ids_as_the_reference) {
  auto const t = read(document());
  BOOST_TEST((t.kind() == lancet::tokenizer_kind::unigram));
  BOOST_TEST(t.encode("ab") == (ids{2, 5}));
  BOOST_TEST(t.encode("aab") == (ids{6, 5}));
  BOOST_TEST(t.encode("abab") == (ids{2, 5, 5}));
  BOOST_TEST(t.encode("xya") == (ids{2, 0, 3}));
  BOOST_TEST(t.encode("a b") == (ids{6, 2, 4}));
  BOOST_TEST(t.encode("aaa") == (ids{6, 8}));  // "aa" is as good as "a", "a", and begins first
  BOOST_TEST(t.encode("").empty());
  BOOST_TEST(t.decode(ids{2, 0, 3}) == "<unk>a");
  BOOST_TEST(t.decode(ids{6, 2, 4}) == "a b");
  lancet_test::check_throws<lancet::usage_error>([&] { (void)t.encode("xya", {.strict = true}); },
                                                 "no token for 'x' in '▁xya'");
}

BOOST_AUTO_TEST_CASE(bytes_for_what_is_unknown) {
  auto d = document();
  for (int byte = 0; byte < 256; ++byte) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", static_cast<unsigned>(byte));
    d["model"]["vocab"].push_back(json::array({name, -100.0}));
  }
  d["model"]["byte_fallback"] = true;
  BOOST_TEST(read(d).encode("é") == (ids{2, 9 + 0xc3, 9 + 0xa9}));
  BOOST_TEST(read(d).encode("\xff") == (ids{2, 9 + 0xff}));
}

BOOST_AUTO_TEST_CASE(the_best_of_all_ways) {
  for (unsigned const seed : {1u, 2u, 3u, 4u}) {
    std::mt19937 random(seed);
    lancet::tokenizer_parts parts;
    parts.kind = lancet::tokenizer_kind::unigram;
    std::map<std::string, double> score;
    for (char const* const letter : {"a", "b"})
      score[letter] = -3.0 - static_cast<double>(random() % 100) / 16;
    while (score.size() < 16) {
      std::string token;
      for (auto n = 2 + random() % 4; n > 0; --n) token.push_back("ab"[random() % 2]);
      score[token] = -4.0 - static_cast<double>(random() % 100) / 16;
    }
    for (auto const& [token, value] : score) {
      parts.tokens.push_back(token);
      parts.scores.push_back(value);
    }
    lancet::tokenizer const t(parts);
    for (int i = 0; i < 200; ++i) {
      std::string word;
      for (auto n = 1 + random() % 14; n > 0; --n) word.push_back("ab"[random() % 2]);
      std::vector<double> best(word.size() + 1, -std::numeric_limits<double>::infinity());
      best[0] = 0.0;
      for (std::size_t end = 1; end <= word.size(); ++end)
        for (std::size_t begin = 0; begin < end; ++begin)
          if (auto const it = score.find(word.substr(begin, end - begin)); it != score.end())
            best[end] = std::max(best[end], best[begin] + it->second);
      double sum = 0.0;
      std::string joined;
      for (auto const id : t.encode(word)) {
        sum += parts.scores[static_cast<std::size_t>(id)];
        joined += t.piece(id);
      }
      BOOST_TEST(joined == word);
      BOOST_TEST(sum == best.back());
    }
  }
}

BOOST_AUTO_TEST_CASE(long_words_take_no_quadratic_time) {
  lancet::tokenizer_parts parts;
  parts.kind = lancet::tokenizer_kind::unigram;
  parts.tokens = {"a", std::string(1024, 'a'), std::string(1023, 'a') + "b"};
  parts.scores = {-1.0, -2.0, -3.0};
  lancet::tokenizer const t(parts);
  auto const start = std::chrono::steady_clock::now();
  BOOST_TEST(t.encode(std::string(std::size_t{1} << 17, 'a')).size() == 128u);
  auto const spent = std::chrono::steady_clock::now() - start;
  BOOST_TEST(std::chrono::duration<double>(spent).count() < 20.0);
}

BOOST_AUTO_TEST_CASE(charsmap_replaces_the_longest) {
  trie_builder trie;
  trie.add("A", 0);
  trie.add("AB", 2);
  trie.add("é", 6);
  auto const bytes = trie.bytes(std::string("a\0xyz\0e\0", 8));
  lancet::charsmap const map(bytes, "test");
  BOOST_TEST(map.apply("AABéQ") == "axyzeQ");
  BOOST_TEST(map.apply("A\xff\xc3") == "a\ufffd\ufffd");
  BOOST_TEST(map.apply("") == "");
}

BOOST_AUTO_TEST_CASE(charsmap_by_clusters_as_the_reference) {
  trie_builder trie;
  trie.add("A", 0);
  trie.add("AB", 2);
  trie.add("é", 6);
  lancet::charsmap const map(trie.bytes(std::string("a\0xyz\0e\0", 8)), "test");
  for (auto const& [text, wanted] : std::vector<std::pair<std::string, std::string>>{
           {"AABéQ", "aaBeQ"},
           {"A\u0301", "a"},
           {"A\u0301\u0301", "a"},
           {"A\u0301\u0301\u0301", "a\u0301\u0301\u0301"},  // seven bytes
           {"é\u20e3", "e"},
           {"A\r\nA", "a\r\na"},
           {"A\u200bA", "a\u200ba"},
           {"\u0600A", "\u0600a"},
           {"\u1100A\u0301", "\u1100a"},
           {"한A", "한a"},
           {"AB\u0301", "aB\u0301"},
           {"A\u20e3\u0301", "a\u20e3\u0301"},
           {"A\xff", "a\ufffd"}}) {
    BOOST_TEST(map.apply_by_clusters(text) == wanted, text);
  }
}

BOOST_AUTO_TEST_CASE(long_texts_are_replaced_as_a_whole) {
  trie_builder trie;
  trie.add("A", 0);
  trie.add("é", 2);
  auto const map = std::make_shared<lancet::charsmap const>(
      trie.bytes('a' + std::string(1, '\0') + std::string(1024, 'e') + '\0'), "test");
  std::vector<lancet::normalize_step> const steps = {lancet::charsmap_form{map, true}};
  std::mt19937 random(1);
  std::string text;
  while (text.size() < 300000)
    text += std::vector<std::string>{"A", "\u0301", "\r\n", "\u200d", "\xff", "한"}[random() % 6];
  BOOST_TEST((lancet::normalize(steps, text) == map->apply_by_clusters(text)));
  BOOST_TEST((lancet::normalize({lancet::charsmap_form{map}}, text) == map->apply(text)));
  std::string accents;
  while (accents.size() < 300000) accents += "é";
  lancet_test::check_throws<lancet::file_error>([&] { (void)lancet::normalize(steps, accents, "t.json"); },
                                                "t.json: normalizer: got ");
}

BOOST_AUTO_TEST_CASE(clusters_end_where_they_should) {
  auto const lengths = [](std::string const& text) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
      auto const end = lancet::detail::cluster_end(text, at);
      out += std::to_string(end - at) + " ";
      at = end;
    }
    return out;
  };
  BOOST_TEST(lengths("ab\r\n\n") == "1 1 2 1 ");
  BOOST_TEST(lengths("e\u0301\u200dx\u200b\u0301") == "6 1 3 2 ");
  BOOST_TEST(lengths("\u1100\u1161\u11a8\u1100\uac00\u11a8\uac01\u1161") == "9 9 3 3 ");
  BOOST_TEST(lengths("\u0600\u0903\u0915\u093e") == "5 6 ");
}

BOOST_AUTO_TEST_CASE(base64_is_whole_or_refused) {
  using lancet::detail::from_base64;
  BOOST_TEST((from_base64("") == ""));
  BOOST_TEST((from_base64("AP9h") == std::string("\0\xff"
                                                 "a",
                                                 3)));
  BOOST_TEST((from_base64("YQ==") == "a"));
  BOOST_TEST((from_base64("YWI=") == "ab"));
  for (char const* const bad : {"Y", "YQ=", "YQ", "YR==", "Y===", "YQ==YQ==", "Y Q=", "YQ\n="})
    BOOST_TEST(!from_base64(bad).has_value(), bad);
}

BOOST_AUTO_TEST_CASE(charsmap_of_any_bytes_is_safe) {
  auto const refuse = [](std::string const& bytes) {
    lancet_test::check_throws<lancet::file_error>([&] { lancet::charsmap const m(bytes, "test"); },
                                                  "test: got a charsmap");
  };
  refuse("");
  refuse("abc");
  refuse(std::string(4, '\0'));
  refuse(std::string("\x08\0\0\0abcd", 8));
  refuse(std::string("\x03\0\0\0abcd", 8));
  std::mt19937 random(1);
  for (int i = 0; i < 3000; ++i) {
    std::string bytes(4 + 4 * (1 + random() % 400), '\0');
    auto const units = 1 + random() % (bytes.size() / 4 - 1);
    for (auto& byte : bytes) byte = static_cast<char>(random() % 256);
    for (int shift = 0; shift < 4; ++shift)
      bytes[static_cast<std::size_t>(shift)] = static_cast<char>(units * 4 >> 8 * shift & 255);
    std::string text;
    for (int n = 0; n < 200; ++n) text.push_back(static_cast<char>(random() % 256));
    lancet::charsmap const map(bytes, "test");
    BOOST_TEST(map.apply(text).size() <= text.size() * 1024);
    BOOST_TEST(map.apply_by_clusters(text).size() <= text.size() * 1024);
  }
}

BOOST_AUTO_TEST_CASE(what_would_change_ids_is_refused_by_name) {
  auto const refuse = [](auto change, std::string const& sentence) {
    auto d = document();
    change(d);
    lancet_test::check_throws<lancet::file_error>([&] { (void)read(d); }, "t.json: " + sentence);
  };
  refuse(
      [](json& d) {
        d["normalizer"] = {{"type", "Precompiled"}, {"precompiled_charsmap", "AAA"}};
      },
      "normalizer.precompiled_charsmap: got another text, expected base64");
  refuse(
      [](json& d) {
        d["normalizer"] = {{"type", "Precompiled"}, {"precompiled_charsmap", "AAAAAA=="}};
      },
      "normalizer: got a charsmap of 4 bytes");
  refuse([](json& d) { d["normalizer"] = {{"type", "Nmt"}}; }, "normalizer.type: got Nmt");
  refuse(
      [](json& d) {
        d["normalizer"] = {{"type", "Replace"}, {"pattern", {{"Regex", "a+"}}}, {"content", "b"}};
      },
      "normalizer.pattern.Regex: got a+");
  refuse(
      [](json& d) {
        d["normalizer"] = {{"type", "Replace"}, {"pattern", {{"String", ""}}}, {"content", "b"}};
      },
      "normalizer.pattern.String: got an empty text");
  refuse([](json& d) { d["model"]["vocab"] = json::object(); }, "model.vocab: got object, expected a list");
  refuse([](json& d) { d["model"]["vocab"][3] = json::array({"a"}); }, R"(model.vocab[3]: got ["a"])");
  refuse([](json& d) { d["model"]["vocab"][3] = json::array({"", 1.0}); }, "model.vocab[3]");
  refuse(
      [](json& d) {
        d["model"]["vocab"][3] = json::array({"b", 1.0});
      },
      "token 'b' comes twice, as ids 3 and 4");
  refuse([](json& d) { d["model"]["unk_id"] = 9; }, "the unknown token is id 9, expected 0 to 8");
  refuse([](json& d) { d["model"]["unk_id"] = "a"; }, "model: unk_id: got the string 'a'");
  refuse([](json& d) { d["model"]["byte_fallback"] = true; }, "no token '<0x00>'");
  refuse([](json& d) { d["pre_tokenizer"]["replacement"] = "ab"; }, "pre_tokenizer.replacement: got ab");
  refuse([](json& d) { d["pre_tokenizer"]["prepend_scheme"] = "last"; },
         "pre_tokenizer.prepend_scheme: got last");
  refuse(
      [](json& d) {
        d["pre_tokenizer"] = {{"type", "Whitespace"}};
      },
      "pre_tokenizer.type: got Whitespace");
  refuse([](json& d) { d["decoder"] = {{"type", "CTC"}}; }, "decoder.type: got CTC");
  refuse(
      [](json& d) {
        d["decoder"] = {{"type", "Strip"}, {"content", ""}, {"start", UINT32_MAX}, {"stop", UINT32_MAX}};
      },
      "decoder.content: got an empty text, expected one character");
}

BOOST_AUTO_TEST_CASE(damaged_documents_are_read_or_refused) {
  auto const whole = document().dump();
  std::mt19937 random(1);
  std::size_t read_well = 0;
  for (int i = 0; i < 2000; ++i) {
    try {
      auto const t = read(lancet::parse_json(lancet_test::damaged(whole, random), "t.json"));
      (void)t.decode(t.encode("ab xa", {.add_special = true}));
      ++read_well;
    } catch (lancet::error const&) {
    }
  }
  BOOST_TEST(read_well > 0u);
}
