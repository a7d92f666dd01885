// SPDX-License-Identifier: Apache-2.0
// WordPiece and BERT's normalisation: ids and texts as tokenizers 0.23.3 gives them, pairs, cost, refused
// documents.
#define BOOST_TEST_MODULE wordpiece
#include "lancet/io/wordpiece.hpp"

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "lancet/io/bert_normalizer.hpp"
#include "lancet/io/tokenizer.hpp"
#include "lancet/io/tokenizer_json.hpp"
#include "support/damage.hpp"
#include "support/errors.hpp"

using ids = std::vector<std::int32_t>;
using nlohmann::json;

namespace {

json document(bool lower_case = true) {
  json vocabulary = json::object();
  for (char const* const token :
       {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "un",  "##aff", "##able", "##a", "a",  ",",   "'", "##s",
        "the",   "don",   "t",     "elan",  "##é", "Él",    "中",     "!",   "do", "not", "s"})
    vocabulary[token] = vocabulary.size();
  json added = json::array();
  for (char const* const name : {"[UNK]", "[CLS]", "[SEP]"})
    added.push_back({{"id", vocabulary[name]}, {"content", name}, {"normalized", false}, {"special", true}});
  return {
      {"added_tokens", added},
      {"normalizer",
       {{"type", "BertNormalizer"},
        {"clean_text", true},
        {"handle_chinese_chars", true},
        {"strip_accents", nullptr},
        {"lowercase", lower_case}}},
      {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
      {"post_processor",
       {{"type", "BertProcessing"}, {"sep", json::array({"[SEP]", 3})}, {"cls", json::array({"[CLS]", 2})}}},
      {"decoder", {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}}},
      {"model",
       {{"type", "WordPiece"},
        {"unk_token", "[UNK]"},
        {"continuing_subword_prefix", "##"},
        {"max_input_chars_per_word", 7},
        {"vocab", vocabulary}}}};
}

lancet::tokenizer read(json const& d) { return lancet::tokenizer(lancet::parse_tokenizer_json(d, "t.json")); }

}  // namespace

BOOST_AUTO_TEST_CASE(ids_as_the_reference) {
  auto const t = read(document());
  BOOST_TEST((t.kind() == lancet::tokenizer_kind::wordpiece));
  BOOST_TEST(t.encode("Unaffable, the") == (ids{1, 9, 12}));  // nine characters are too many
  BOOST_TEST(t.encode("unaffa") == (ids{4, 5, 7}));
  BOOST_TEST(t.encode("ÉLAN") == (ids{15}));
  BOOST_TEST(t.encode("E\u0301lan") == (ids{15}));
  BOOST_TEST(t.encode("Él") == (ids{1}));
  BOOST_TEST(t.encode("a中a!") == (ids{8, 18, 8, 19}));
  BOOST_TEST(t.encode("don't") == (ids{13, 10, 14}));
  BOOST_TEST(t.encode(std::string("\0a\u200db\tthe\ufffd", 12)) == (ids{1, 12}));
  BOOST_TEST(t.encode(" \t\n").empty());
  BOOST_TEST(t.encode("[CLS]the") == (ids{2, 12}));
  BOOST_TEST(t.encode("\xff the \xc3") == (ids{12}));
  auto const cased = read(document(false));
  BOOST_TEST(cased.encode("ÉLAN") == (ids{1}));
  BOOST_TEST(cased.encode("Él") == (ids{17}));
  lancet_test::check_throws<lancet::usage_error>([&] { (void)cased.encode("ÉLAN", {.strict = true}); },
                                                 "no token for each part in 'ÉLAN'");
}

BOOST_AUTO_TEST_CASE(texts_as_the_reference) {
  auto const t = read(document());
  BOOST_TEST(t.decode(ids{4, 5, 7}) == "unaffa");
  BOOST_TEST(t.decode(ids{8, 18, 8, 19}) == "a 中 a!");
  BOOST_TEST(t.decode(ids{13, 10, 14, 9, 12, 19, 10, 22, 20, 21}) == "don ' t, the! ' s do not");
  BOOST_TEST(t.bytes(12) == " the");
  BOOST_TEST(t.bytes(5) == "aff");
  BOOST_TEST(t.bytes(2) == "[CLS]");
}

BOOST_AUTO_TEST_CASE(special_tokens_around_one_text_and_two) {
  auto const t = read(document());
  BOOST_TEST(t.encode("a", {.add_special = true}) == (ids{2, 8, 3}));
  BOOST_TEST(t.encode("", {.add_special = true}) == (ids{2, 3}));
  BOOST_TEST(t.encode("a", {.bos = true}) == (ids{2, 8}));
  lancet_test::check_throws<lancet::usage_error>(
      [&] { (void)t.encode("a", {.bos = true, .add_special = true}); }, "not for both");
  auto const pair = t.encode_pair("a", "the a", {.add_special = true});
  BOOST_TEST(pair.ids == (ids{2, 8, 3, 12, 8, 3}));
  BOOST_TEST(pair.type_ids == (ids{0, 0, 0, 1, 1, 1}));
  auto const plain = t.encode_pair("a", "the a");
  BOOST_TEST(plain.ids == (ids{8, 12, 8}));
  BOOST_TEST(plain.type_ids == (ids{0, 1, 1}));
  auto d = document();
  d["post_processor"]["type"] = "RobertaProcessing";
  auto const roberta = read(d).encode_pair("a", "the", {.add_special = true});
  BOOST_TEST(roberta.ids == (ids{2, 8, 3, 3, 12, 3}));
  BOOST_TEST(roberta.type_ids == (ids{0, 0, 0, 0, 0, 0}));
  json const a = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  json const b = {{"Sequence", {{"id", "B"}, {"type_id", 1}}}};
  json const end = {{"SpecialToken", {{"id", "[SEP]"}, {"type_id", 1}}}};
  d["post_processor"] = {{"type", "TemplateProcessing"},
                         {"single", {a, end}},
                         {"pair", {b, end, a}},
                         {"special_tokens", {{"[SEP]", {{"ids", {3}}}}}}};
  auto const turned = read(d).encode_pair("a", "the", {.add_special = true});
  BOOST_TEST(turned.ids == (ids{12, 3, 8}));
  BOOST_TEST(turned.type_ids == (ids{1, 1, 0}));
  d["post_processor"]["pair"] = json::array();
  lancet_test::check_throws<lancet::usage_error>([&] { (void)read(d).encode_pair("a", "b"); },
                                                 "no form for a pair");
}

BOOST_AUTO_TEST_CASE(normalisation_step_by_step) {
  using lancet::normalize;
  lancet::bert_normalizer const none = {
      .clean_text = false, .space_around_chinese = false, .strip_accents = false, .lower_case = false};
  std::string const text = "Ünï\u0327Ⓐ\tİ中\u200f";
  BOOST_TEST(normalize(none, text) == text);
  auto one = none;
  one.clean_text = true;
  BOOST_TEST(normalize(one, text) == "Ünï\u0327Ⓐ İ中");
  one = none;
  one.space_around_chinese = true;
  BOOST_TEST(normalize(one, "x中文y") == "x 中  文 y");
  one = none;
  one.strip_accents = true;
  BOOST_TEST(normalize(one, "Ünï\u0327 한") == "Uni \u1112\u1161\u11ab");
  one = none;
  one.lower_case = true;
  BOOST_TEST(normalize(one, "ÀΣǅⒶİẞꙀ𐐀aß") == "àσǆⓐi\u0307ßꙁ𐐨aß");
}

BOOST_AUTO_TEST_CASE(long_words_are_unknown_at_once) {
  auto d = document();
  d["model"]["max_input_chars_per_word"] = 4000000000u;
  d["model"]["vocab"][std::string(1024, 'a')] = 23;
  auto const t = read(d);
  auto const start = std::chrono::steady_clock::now();
  BOOST_TEST(t.encode(std::string(std::size_t{1} << 16, 'a')).size() > 1u);
  BOOST_TEST(read(document()).encode(std::string(std::size_t{1} << 20, 'a')) == (ids{1}));
  auto const spent = std::chrono::steady_clock::now() - start;
  BOOST_TEST(std::chrono::duration<double>(spent).count() < 20.0);
}

BOOST_AUTO_TEST_CASE(what_would_change_ids_is_refused_by_name) {
  auto const refuse = [](auto change, std::string const& sentence) {
    auto d = document();
    change(d);
    lancet_test::check_throws<lancet::file_error>([&] { (void)read(d); }, "t.json: " + sentence);
  };
  refuse([](json& d) { d["model"]["unk_token"] = "<x>"; }, "model.unk_token: got '<x>'");
  refuse([](json& d) { d["model"]["max_input_chars_per_word"] = -1; },
         "model: max_input_chars_per_word: got -1");
  refuse([](json& d) { d["normalizer"]["lowercase"] = "yes"; },
         "normalizer: lowercase: got the string 'yes'");
  refuse(
      [](json& d) {
        d["pre_tokenizer"] = {{"type", "UnicodeScripts"}};
      },
      "pre_tokenizer.type: got UnicodeScripts");
  refuse([](json& d) { d["post_processor"]["sep"] = json::array({"[SEP]"}); },
         R"(post_processor.sep: got ["[SEP]"])");
  refuse([](json& d) { d["post_processor"]["cls"][1] = 77; }, "the start token is id 77");
  refuse([](json& d) { d["decoder"] = {{"type", "BPEDecoder"}}; }, "decoder.type: got BPEDecoder");
}

BOOST_AUTO_TEST_CASE(damaged_documents_are_read_or_refused) {
  auto const whole = document().dump();
  std::mt19937 random(1);
  std::size_t read_well = 0;
  for (int i = 0; i < 2000; ++i) {
    try {
      auto const t = read(lancet::parse_json(lancet_test::damaged(whole, random), "t.json"));
      (void)t.decode(t.encode("Unaffa, the [CLS]中", {.add_special = true}));
      ++read_well;
    } catch (lancet::error const&) {
    }
  }
  BOOST_TEST(read_well > 0u);
}
