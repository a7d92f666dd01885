// SPDX-License-Identifier: Apache-2.0
// The tokenizer by itself: merges against the definition, round trips, added tokens, cost, refused parts.
#define BOOST_TEST_MODULE tokenizer
#include "lancet/io/tokenizer.hpp"

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "lancet/io/byte_alphabet.hpp"
#include "lancet/io/tokenizer_parts.hpp"
#include "support/errors.hpp"

using ids = std::vector<std::int32_t>;
using lancet::split_rule;

namespace {

/// All bytes as tokens 0 .. 255, then one token for each merge; merges are given as plain text.
lancet::tokenizer_parts parts_with(std::vector<std::pair<std::string, std::string>> const& merges) {
  lancet::tokenizer_parts parts;
  for (int byte = 0; byte < 256; ++byte) {
    parts.tokens.push_back(lancet::to_byte_alphabet(std::string(1, static_cast<char>(byte))));
  }
  for (auto const& [left, right] : merges) {
    parts.merges.push_back({lancet::to_byte_alphabet(left), lancet::to_byte_alphabet(right)});
    parts.tokens.push_back(lancet::to_byte_alphabet(left + right));
  }
  parts.steps = {split_rule::gpt2};
  parts.source = "test";
  return parts;
}

std::int32_t add(lancet::tokenizer_parts& parts, std::string const& text, lancet::added_token token = {}) {
  token.id = static_cast<std::int32_t>(parts.tokens.size());
  parts.tokens.push_back(text);
  parts.added.push_back(token);
  return token.id;
}

/// The definition, without any cleverness: join the leftmost pair of lowest rank until there is none.
ids merged_by_definition(std::string const& word, std::vector<lancet::bpe_merge> const& merges) {
  ids symbols;
  for (auto const byte : lancet::unsigned_bytes(word)) symbols.push_back(byte);
  while (true) {
    std::size_t best_rank = merges.size();
    std::size_t best_at = 0;
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      for (std::size_t rank = 0; rank < best_rank; ++rank) {
        if (merges[rank].left == symbols[i] && merges[rank].right == symbols[i + 1]) {
          best_rank = rank;
          best_at = i;
        }
      }
    }
    if (best_rank == merges.size()) return symbols;
    symbols[best_at] = merges[best_rank].joined;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best_at) + 1);
  }
}

std::string random_bytes(std::mt19937& random, std::size_t most, std::string const& often) {
  std::string out;
  for (auto n = random() % (most + 1); n > 0; --n) {
    out.push_back(random() % 4 == 0 ? static_cast<char>(random() % 256) : often[random() % often.size()]);
  }
  return out;
}

/// Different texts of 16 ASCII characters with one hash by libstdc++'s std::hash (MurmurHash64A): the second
/// half takes back what the first has done.
std::vector<std::string> colliding_texts(std::size_t n) {
  constexpr std::uint64_t mul = 0xc6a4a7935bd1e995u, wanted = 0x0123456789abcdefu;
  std::uint64_t inverse = mul;  // by Newton's method, modulo 2^64
  for (int i = 0; i < 6; ++i) inverse *= 2 - mul * inverse;
  auto const mix = [](std::uint64_t k, std::uint64_t by) { return (k * by ^ k * by >> 47) * by; };
  constexpr std::uint64_t high_bits = 0x8080808080808080u;
  std::vector<std::string> out;
  for (std::mt19937_64 random(1); out.size() < n;) {
    auto const first = random() & ~high_bits;
    auto const state = (0xc70f6907u ^ 16 * mul ^ mix(first, mul)) * mul;
    auto const second = mix(state ^ wanted * inverse, inverse);
    if ((second & high_bits) != 0) continue;
    std::string text;
    for (auto const half : {first, second})
      for (int shift = 0; shift < 64; shift += 8) text.push_back(static_cast<char>(half >> shift & 0x7f));
    out.push_back(text);
  }
  return out;
}

double seconds_of(auto&& work) {
  auto const start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

BOOST_AUTO_TEST_CASE(merges_follow_the_definition) {
  for (unsigned const seed : {1u, 2u, 3u, 4u, 5u}) {
    std::mt19937 random(seed);
    // Few letters, so that words overlap and ranks compete; each merge joins two tokens that exist already.
    std::vector<std::string> tokens = {"a", "b", "c"};
    std::vector<std::pair<std::string, std::string>> merges;
    while (merges.size() < 40) {
      auto const left = tokens[random() % tokens.size()];
      auto const right = tokens[random() % tokens.size()];
      auto const joined = left + right;
      if (joined.size() > 8 || std::find(tokens.begin(), tokens.end(), joined) != tokens.end()) continue;
      tokens.push_back(joined);
      merges.emplace_back(left, right);
    }
    std::shuffle(merges.begin(), merges.end(), random);
    auto parts = parts_with(merges);
    parts.steps.clear();
    lancet::tokenizer const tokenizer(parts);
    std::vector<lancet::bpe_merge> list;
    for (auto const& [left, right] : merges) {
      list.push_back({*tokenizer.find(left), *tokenizer.find(right), *tokenizer.find(left + right)});
    }
    for (int i = 0; i < 500; ++i) {
      std::string word;
      for (auto n = random() % 60; n > 0; --n) word.push_back("abc"[random() % 3]);
      BOOST_TEST(tokenizer.encode(word) == merged_by_definition(word, list),
                 "seed " << seed << ", '" << word << "'");
    }
  }
}

BOOST_AUTO_TEST_CASE(any_bytes_come_back) {
  auto parts =
      parts_with({{"t", "h"}, {"th", "e"}, {" ", "the"}, {"\xc3", "\xa9"}, {"\xff", "\xff"}, {" ", " "}});
  add(parts, "<|mark|>", {.special = true});
  add(parts, "é́", {.normalized = true});
  for (auto const& steps :
       std::vector<std::vector<lancet::split_step>>{{},
                                                    {split_rule::gpt2},
                                                    {split_rule::llama3},
                                                    {split_rule::digits, split_rule::gpt2},
                                                    {split_rule::deepseek3, split_rule::gpt4o}}) {
    parts.steps = steps;
    lancet::tokenizer const tokenizer(parts);
    for (unsigned const seed : {1u, 2u, 3u}) {
      std::mt19937 random(seed);
      for (int i = 0; i < 2000; ++i) {
        auto text = random_bytes(random, 40, "the the\xc3\xa9\xff <|12\n");
        if (i % 5 == 0) text += "<|mark|>" + random_bytes(random, 10, " the");
        auto const list = tokenizer.encode(text);
        BOOST_TEST(tokenizer.decode_bytes(list) == text,
                   "seed " << seed << ": " << lancet::escape_utf8(text));
        BOOST_TEST(tokenizer.decode(list) == lancet::replace_invalid_utf8(text));
        BOOST_TEST(tokenizer.decode_bytes(tokenizer.encode(text, {.parse_special = false})) == text);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(vocabulary_is_readable) {
  auto parts = parts_with({{" ", "n"}});
  auto const mark = add(parts, "<|mark|>", {.special = true});
  parts.tokens.emplace_back();  // an id without a token
  parts.tokens.emplace_back("last");
  lancet::tokenizer const tokenizer(parts);
  BOOST_TEST(tokenizer.size() == 260u);
  BOOST_TEST(tokenizer.piece(256) == "Ġn");
  BOOST_TEST(tokenizer.bytes(256) == " n");
  BOOST_TEST((tokenizer.find("Ġn") == 256));
  BOOST_TEST(!tokenizer.find(" n"));
  BOOST_TEST(!tokenizer.find(""));
  BOOST_TEST(tokenizer.is_special(mark));
  BOOST_TEST(!tokenizer.is_special(0));
  BOOST_TEST(tokenizer.contains(259));
  for (std::int32_t const id : {-1, 258, 260, INT32_MAX, INT32_MIN}) {
    BOOST_TEST(!tokenizer.contains(id));
    lancet_test::check_throws<lancet::usage_error>([&] { (void)tokenizer.piece(id); },
                                                   "got id " + std::to_string(id) + ", expected");
    lancet_test::check_throws<lancet::usage_error>([&] { (void)tokenizer.decode(ids{id}); }, "0 to 259");
    lancet_test::check_throws<lancet::usage_error>(
        [&] { (void)tokenizer.decode(ids{id}, {.skip_special = true}); }, "0 to 259");
  }
}

BOOST_AUTO_TEST_CASE(special_tokens_only_where_wanted) {
  auto parts = parts_with({});
  auto const mark = add(parts, "<s>", {.special = true});
  auto const word = add(parts, "<w>");
  parts.bos = mark;
  parts.eos = word;
  lancet::tokenizer const tokenizer(parts);
  BOOST_TEST(tokenizer.encode("a<s>b<w>") == (ids{'a', mark, 'b', word}));
  BOOST_TEST(tokenizer.encode("a<s>b<w>", {.parse_special = false}) == (ids{'a', '<', 's', '>', 'b', word}));
  BOOST_TEST(tokenizer.encode("", {.bos = true}) == (ids{mark}));
  BOOST_TEST(tokenizer.encode("").empty());
  BOOST_TEST(tokenizer.decode(ids{mark, 'a', word}) == "<s>a<w>");
  BOOST_TEST(tokenizer.decode(ids{mark, 'a', word}, {.skip_special = true}) == "a<w>");
  BOOST_TEST((tokenizer.bos_id() == mark));
  BOOST_TEST((tokenizer.eos_id() == word));
  parts.bos.reset();
  lancet_test::check_throws<lancet::usage_error>(
      [&] { (void)lancet::tokenizer(parts).encode("a", {.bos = true}); }, "has none");
}

BOOST_AUTO_TEST_CASE(added_tokens_longest_first_and_with_their_spaces) {
  auto parts = parts_with({});
  auto const a = add(parts, "<a");
  auto const ab = add(parts, "<ab>");
  auto const left = add(parts, "[L]", {.lstrip = true});
  auto const right = add(parts, "[R]", {.rstrip = true});
  lancet::tokenizer const tokenizer(parts);
  BOOST_TEST(tokenizer.encode("<ab><ac") == (ids{ab, a, 'c'}));
  BOOST_TEST(tokenizer.encode("x \u00a0[L] y") == (ids{'x', left, ' ', 'y'}));
  BOOST_TEST(tokenizer.encode("x [R] \n y") == (ids{'x', ' ', right, 'y'}));
  BOOST_TEST(tokenizer.encode("[R]  [L]") == (ids{right, left}));
  BOOST_TEST(tokenizer.encode("[L][L][R]") == (ids{left, left, right}));
}

BOOST_AUTO_TEST_CASE(normalisation_comes_between_the_two_kinds_of_added_tokens) {
  auto parts = parts_with({{"\xc3", "\xa9"}});
  auto const decomposed = add(parts, "o\u0301");
  auto const later = add(parts, "u\u030f", {.normalized = true});
  parts.normalize = {lancet::nfc_form{}};
  lancet::tokenizer const tokenizer(parts);
  BOOST_TEST(tokenizer.encode("e\u0301") == (ids{256}));
  BOOST_TEST(tokenizer.encode("o\u0301") == (ids{decomposed}));
  BOOST_TEST(tokenizer.encode("\u0215") == (ids{later}));
  BOOST_TEST(tokenizer.decode(ids{later}) == "\u0215");
  add(parts, "\u0215", {.normalized = true});
  lancet_test::check_throws<lancet::file_error>([&] { lancet::tokenizer const t(parts); },
                                                "in their normalised form");
}

BOOST_AUTO_TEST_CASE(ignored_merges) {
  auto parts = parts_with({{"a", "b"}, {"c", "d"}});
  parts.tokens.push_back("abcd");
  parts.tokens.push_back("pad");
  parts.added.push_back({.id = 259, .special = true});
  BOOST_TEST(lancet::tokenizer(parts).encode("abcd") == (ids{256, 257}));
  parts.ignore_merges = true;
  lancet::tokenizer const tokenizer(parts);
  BOOST_TEST(tokenizer.encode("abcd") == (ids{258}));
  // The text of a special token stays text without parse_special.
  BOOST_TEST(tokenizer.encode("pad", {.parse_special = false}) == (ids{'p', 'a', 'd'}));
}

BOOST_AUTO_TEST_CASE(bytes_without_a_token) {
  auto parts = parts_with({{"a", "b"}});
  parts.tokens[4].clear();
  parts.tokens[6].clear();
  parts.steps.clear();
  BOOST_TEST(lancet::tokenizer(parts).encode("a\x04"
                                             "b\x06\x04") == (ids{256}));
  lancet_test::check_throws<lancet::usage_error>(
      [&] { (void)lancet::tokenizer(parts).encode("a\x04", {.strict = true}); }, "no token for byte 4");
  parts.unknown = 'U';
  BOOST_TEST(lancet::tokenizer(parts).encode("a\x04\x06z") == (ids{'a', 'U', 'U', 'z'}));
  parts.fuse_unknown = true;
  BOOST_TEST(lancet::tokenizer(parts).encode("a\x04\x06z\x04") == (ids{'a', 'U', 'z', 'U'}));
}

BOOST_AUTO_TEST_CASE(hash_names_the_mapping) {
  auto const parts = parts_with({{"a", "b"}, {"b", "c"}});
  auto const hash = lancet::tokenizer(parts).hash();
  BOOST_TEST(hash.size() == 16u);
  BOOST_TEST(hash == lancet::tokenizer(parts).hash());
  auto same = parts;
  same.bos = 1;
  same.source = "elsewhere";
  BOOST_TEST(lancet::tokenizer(same).hash() == hash);
  std::vector<lancet::tokenizer_parts> others(7, parts);
  others[0].steps = {split_rule::llama3};
  others[1].ignore_merges = true;
  others[2].normalize = {lancet::nfc_form{}};
  std::swap(others[3].merges[0], others[3].merges[1]);
  others[4].added.push_back({.id = 3});
  others[5].tokens.push_back("x ");
  others[6].unknown = 0;
  for (auto const& other : others) BOOST_TEST(lancet::tokenizer(other).hash() != hash);
  // Pinned: results name their tokenizer by it.
  BOOST_TEST(hash == "3bf8818e682a084e");
}

BOOST_AUTO_TEST_CASE(threads_share_a_tokenizer) {
  auto parts = parts_with({{"a", "b"}, {"ab", "ab"}});
  lancet::tokenizer const tokenizer(parts);
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "abab ba";
  auto const wanted = tokenizer.encode(text);
  std::vector<ids> got(4);
  std::vector<std::thread> threads;
  for (auto& list : got) threads.emplace_back([&list, &text, copy = tokenizer] { list = copy.encode(text); });
  for (auto& thread : threads) thread.join();
  for (auto const& list : got) BOOST_TEST(list == wanted);
}

BOOST_AUTO_TEST_CASE(hostile_words_take_no_quadratic_time) {
  std::vector<std::pair<std::string, std::string>> merges;
  for (std::string word = "a"; word.size() < 512; word += word) merges.emplace_back(word, word);
  merges.emplace_back("a", "b");
  auto parts = parts_with(merges);
  add(parts, "  ", {.lstrip = true, .rstrip = true});
  add(parts, std::string(1024, '<'));
  lancet::tokenizer const tokenizer(parts);
  auto const n = std::size_t{1} << 20;
  std::string pairs;
  for (std::size_t i = 0; i < n / 2; ++i) pairs += "ab";
  for (auto const& word :
       {std::string(n, 'a'), pairs, std::string(n, 'x'), std::string(n, ' '), std::string(n, '\xff')}) {
    ids list;
    BOOST_TEST(seconds_of([&] { list = tokenizer.encode(word); }) < 20.0);
    if (word[0] != ' ') BOOST_TEST((tokenizer.decode_bytes(list) == word));
  }
  BOOST_TEST(seconds_of([&] { (void)tokenizer.encode(std::string(n / 16, '<') + "a"); }) < 20.0);
}

BOOST_AUTO_TEST_CASE(tokens_of_one_hash_take_no_quadratic_time) {
  auto parts = parts_with({});
  auto const texts = colliding_texts(150000);
#ifdef __GLIBCXX__
  BOOST_TEST((std::hash<std::string>{}(texts[0]) == std::hash<std::string>{}(texts[1])));
#endif
  parts.tokens.insert(parts.tokens.end(), texts.begin(), texts.end());
  BOOST_TEST(seconds_of([&] { (void)lancet::tokenizer(parts); }) < 10.0);
  parts.tokens.resize(256);
  for (auto const& text : texts) add(parts, text, {.normalized = true});
  BOOST_TEST(seconds_of([&] { (void)lancet::tokenizer(parts); }) < 10.0);
}

BOOST_AUTO_TEST_CASE(tokens_are_found_by_their_whole_text) {
  std::mt19937 random(1);
  lancet::tokenizer_parts parts;
  parts.kind = lancet::tokenizer_kind::unigram;
  std::map<std::string, std::int32_t> wanted;
  // Beginnings of one another, zeros among them, around the eight bytes that are compared as one number.
  while (wanted.size() < 2000) {
    std::string text(random() % 3 * 4, 'a');
    for (auto n = random() % 8; n > 0; --n) text.push_back("a\0b\x7f"[random() % 4]);
    if (text.empty() || !wanted.emplace(text, static_cast<std::int32_t>(parts.tokens.size())).second)
      continue;
    if (random() % 8 == 0) parts.tokens.emplace_back();  // an id without a token
    wanted[text] = static_cast<std::int32_t>(parts.tokens.size());
    parts.tokens.push_back(text);
  }
  lancet::tokenizer const tokenizer(parts);
  for (auto const& [text, id] : wanted) {
    BOOST_TEST((tokenizer.find(text) == id));
    for (auto const& other : {text + "a", text + std::string(1, '\0'), text.substr(1), text.substr(0, 8)}) {
      auto const known = wanted.find(other);
      BOOST_TEST(
          (tokenizer.find(other) == (known == wanted.end() ? std::nullopt : std::optional(known->second))));
    }
  }
}

BOOST_AUTO_TEST_CASE(steps_grow_no_text_without_bound) {
  using parts_t = lancet::tokenizer_parts;
  parts_t parts;
  parts.kind = lancet::tokenizer_kind::wordpiece;
  parts.source = "test";
  parts.tokens = {"a", "b", "c"};
  parts.unknown = 1;
  auto const fails = [&](std::string const& sentence, auto work) {
    BOOST_TEST(seconds_of([&] {
                 lancet_test::check_throws<lancet::file_error>([&] { work(lancet::tokenizer(parts)); },
                                                               "test: " + sentence);
               }) < 10.0);
  };
  auto const encode = [](std::string const& text) {
    return [text](lancet::tokenizer const& t) { (void)t.encode(text); };
  };
  std::string const many(1024, 'a');

  parts.normalize.assign(4, lancet::replace_text{"a", many});
  fails("normalizer: got 66560 or more bytes out of 1, expected at most 65600", encode("a"));
  BOOST_TEST(lancet::tokenizer(parts).encode("b") == (ids{1}));
  parts.added = {{.id = 0, .normalized = true}};
  fails("added token 'a': normalizer: got 2048 or more bytes out of 1, expected at most 1024", encode(""));
  parts.added = {{.id = 1}};  // cuts the text into segments, which share what there may be
  parts.normalize = {lancet::replace_text{"a", many}};
  std::string segments;
  for (int i = 0; i < 1000; ++i) segments += "ab";
  fails("normalizer: got ", encode(segments));
  parts.added.clear();
  parts.normalize.assign(4, lancet::replace_space_runs{std::string(1024, ' ')});
  parts.normalize.insert(parts.normalize.begin() + 1, 3, lancet::replace_text{" ", "  a"});
  fails("normalizer: got ", encode(std::string(2000, ' ') + "a" + std::string(2000, ' ')));
  parts.normalize.assign(65, lancet::lower_case_form{});
  fails("normalizer: got 65 steps, expected at most 64", encode(""));
  parts.normalize.clear();

  // Each mark in front is where the next step but one cuts.
  for (int i = 0; i < 64; ++i) parts.steps.push_back(lancet::metaspace{.mark = i % 2 == 0 ? "b" : "a"});
  fails("pre_tokenizer: got ", encode(many));
  parts.steps.push_back(lancet::bert_words{});
  fails("pre_tokenizer: got 65 steps, expected at most 64", encode(""));
  parts.steps.clear();

  auto const decode = [](lancet::tokenizer const& t) { (void)t.decode(ids{0, 2, 0}); };
  parts.decode.assign(4, lancet::decode_replace{"a", many});
  fails("decoder: got 67585 or more bytes out of 3, expected at most 65728", decode);
  parts.decode.assign(65, lancet::decode_fuse{});
  fails("decoder: got 65 steps, expected at most 64", decode);
}

BOOST_AUTO_TEST_CASE(bad_parts_are_refused) {
  using parts_t = lancet::tokenizer_parts;
  auto const good = [] {
    auto parts = parts_with({{"a", "b"}});
    add(parts, "<s>", {.special = true});
    return parts;
  };
  auto const refuse = [&](auto change, std::string const& sentence) {
    parts_t parts = good();
    change(parts);
    lancet_test::check_throws<lancet::file_error>([&] { lancet::tokenizer const t(parts); },
                                                  "test: " + sentence);
  };
  lancet::tokenizer const fine(good());
  refuse([](parts_t& p) { p.tokens.clear(); }, "the vocabulary is empty");
  refuse([](parts_t& p) { p.tokens.push_back("ab"); }, "token 'ab' comes twice, as ids 256 and 258");
  refuse([](parts_t& p) { p.tokens.push_back("a\xff"); }, "token 258, 'a\\xff', is not valid UTF-8");
  refuse([](parts_t& p) { p.tokens['e'].clear(); }, "no token for byte 101, 'e'");
  refuse([](parts_t& p) { p.tokens[' '].clear(); }, "no token for byte 32, 'Ġ'");
  refuse([](parts_t& p) { p.tokens['\n'].clear(); }, "no token for byte 10");
  refuse([](parts_t& p) { p.merges.push_back({"a", "c"}); }, "merge 1, 'a' + 'c': 'ac' is not a token");
  refuse([](parts_t& p) { p.merges.push_back({"zz", "c"}); }, "merge 1, 'zz' + 'c': 'zz' is not a token");
  refuse([](parts_t& p) { p.merges.push_back({"", "a"}); }, "merge 1, '' + 'a': '' is not a token");
  refuse([](parts_t& p) { p.merges.push_back({"a", "b"}); }, "merge 1, 'a' + 'b', comes twice");
  refuse([](parts_t& p) { p.added.push_back({.id = 258}); }, "an added token is id 258, expected 0 to 257");
  refuse([](parts_t& p) { p.added.push_back({.id = -1}); }, "an added token is id -1");
  refuse([](parts_t& p) { p.added.push_back({.id = 257}); }, "added token '<s>' comes twice");
  refuse([](parts_t& p) { p.tokens.resize(300), p.added.push_back({.id = 299}); },
         "an added token is id 299, which no token has");
  refuse([](parts_t& p) { p.bos = 258; }, "the start token is id 258");
  refuse([](parts_t& p) { p.eos = -7; }, "the end token is id -7");
  refuse([](parts_t& p) { p.unknown = 1000; }, "the unknown token is id 1000");
  refuse([](parts_t& p) { add(p, std::string(1025, 'x')); }, "added token 'xxx");
  refuse([](parts_t& p) { p.tokens.resize((1u << 22) + 1); }, "got 4194305 tokens, expected at most 4194304");
  parts_t partial = good();
  partial.tokens['e'].clear();
  partial.partial_alphabet = true;
  BOOST_TEST(lancet::tokenizer(partial).encode("be").size() == 1u);
}
