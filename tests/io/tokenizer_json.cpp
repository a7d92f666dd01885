// SPDX-License-Identifier: Apache-2.0
// Reading tokenizer.json: what is understood, what is refused and with which sentence, and that no damage
// crashes.
#define BOOST_TEST_MODULE tokenizer_json
#include "lancet/io/tokenizer_json.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "lancet/io/byte_alphabet.hpp"
#include "lancet/io/pretokenize_pcre2.hpp"
#include "lancet/io/tokenizer.hpp"
#include "support/damage.hpp"
#include "support/errors.hpp"
#include "support/temporary_folder.hpp"

using ids = std::vector<std::int32_t>;
using nlohmann::json;

namespace {

/// All bytes, three merges, one special token; everything spelled out as the tokenizers library writes it.
json document() {
  json vocabulary = json::object();
  for (int byte = 0; byte < 256; ++byte)
    vocabulary[lancet::to_byte_alphabet(std::string(1, static_cast<char>(byte)))] = byte;
  vocabulary["th"] = 256;
  vocabulary["the"] = 257;
  vocabulary["Ġthe"] = 258;
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", json::array({{{"id", 259},
                                         {"content", "<s>"},
                                         {"single_word", false},
                                         {"lstrip", false},
                                         {"rstrip", false},
                                         {"normalized", false},
                                         {"special", true}}})},
          {"normalizer", nullptr},
          {"pre_tokenizer",
           {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}}},
          {"post_processor", nullptr},
          {"decoder", {{"type", "ByteLevel"}}},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", nullptr},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", false},
            {"byte_fallback", false},
            {"ignore_merges", false},
            {"vocab", vocabulary},
            {"merges", {"t h", "th e", "Ġ the"}}}}};
}

lancet::tokenizer read(json const& d, lancet::tokenizer_json_options const& options = {}) {
  return lancet::tokenizer(lancet::parse_tokenizer_json(d, "t.json", options));
}

json byte_level(bool prefix, bool regex) {
  return {{"type", "ByteLevel"}, {"add_prefix_space", prefix}, {"trim_offsets", true}, {"use_regex", regex}};
}

json split(std::string const& pattern, std::string const& behavior = "Isolated", bool invert = false) {
  return {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", behavior}, {"invert", invert}};
}

json sequence(json::array_t const& steps) { return {{"type", "Sequence"}, {"pretokenizers", steps}}; }

}  // namespace

BOOST_AUTO_TEST_CASE(the_plain_document) {
  auto const tokenizer = read(document());
  BOOST_TEST(tokenizer.encode("the the") == (ids{257, 258}));
  BOOST_TEST(tokenizer.encode("<s>t") == (ids{259, 't'}));
  BOOST_TEST(!tokenizer.bos_id());
  BOOST_TEST(tokenizer.size() == 260u);
}

BOOST_AUTO_TEST_CASE(other_spellings_of_the_same) {
  auto const hash = read(document()).hash();
  auto d = document();
  d["model"]["merges"] = json::array({{"t", "h"}, {"th", "e"}, {"Ġ", "the"}});
  BOOST_TEST(read(d).hash() == hash);
  d["model"].erase("type");  // as in the first years
  d["model"]["continuing_subword_prefix"] = "";
  d["model"]["end_of_word_suffix"] = "";
  d["model"]["unk_token"] = "";
  d["model"]["dropout"] = 0.0;
  d["model"].erase("ignore_merges");
  d["model"].erase("byte_fallback");
  d["model"].erase("fuse_unk");
  d.erase("normalizer");
  d["decoder"] = nullptr;
  d.erase("post_processor");
  d["pre_tokenizer"].erase("use_regex");
  d["normalizer"] = {{"type", "Sequence"}, {"normalizers", json::array()}};
  d["padding"] = {{"strategy", "BatchLongest"}};
  d["truncation"] = {{"max_length", 2}};
  BOOST_TEST(read(d).hash() == hash);
  d["pre_tokenizer"] =
      sequence({split(R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"),
                byte_level(false, false)});
  BOOST_TEST(read(d).hash() == hash);
}

BOOST_AUTO_TEST_CASE(settings_reach_the_parts) {
  auto d = document();
  d["model"]["ignore_merges"] = true;
  d["model"]["fuse_unk"] = true;
  d["model"]["unk_token"] = "a";
  d["normalizer"] = {{"type", "NFC"}};
  d["pre_tokenizer"] = sequence(
      {{{"type", "Digits"}, {"individual_digits", true}},
       {{"type", "Split"}, {"pattern", {{"String", "ab"}}}, {"behavior", "Isolated"}, {"invert", false}},
       byte_level(true, true)});
  d["added_tokens"].push_back(
      {{"id", 260}, {"content", "<w>"}, {"lstrip", true}, {"rstrip", true}, {"normalized", true}});
  auto const parts = lancet::parse_tokenizer_json(d, "t.json");
  BOOST_TEST(parts.ignore_merges);
  BOOST_TEST(parts.fuse_unknown);
  BOOST_TEST(parts.normalize.size() == 1u);
  BOOST_TEST((parts.unknown == 'a'));
  std::string steps;
  for (auto const& step : parts.steps) steps += lancet::describe(step) + "; ";
  BOOST_TEST(steps == "digits; literal ab; prefix space; gpt2; ");
  BOOST_TEST(parts.added.size() == 2u);
  BOOST_TEST((parts.added[0].special && !parts.added[0].lstrip && !parts.added[0].normalized));
  BOOST_TEST((!parts.added[1].special && parts.added[1].lstrip && parts.added[1].rstrip &&
              parts.added[1].normalized));
}

BOOST_AUTO_TEST_CASE(start_and_end_tokens_are_the_templates) {
  auto d = document();
  d["added_tokens"].push_back({{"id", 260}, {"content", "</s>"}, {"special", true}});
  json const text = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  auto const token = [](std::string const& name) {
    return json{{"SpecialToken", {{"id", name}, {"type_id", 0}}}};
  };
  json const process = {{"type", "TemplateProcessing"},
                        {"single", {token("<s>"), text, token("</s>")}},
                        {"pair", json::array()},
                        {"special_tokens", {{"<s>", {{"ids", {259}}}}, {"</s>", {{"ids", {260}}}}}}};
  d["post_processor"] = {{"type", "Sequence"}, {"processors", {{{"type", "ByteLevel"}}, process}}};
  auto const tokenizer = read(d);
  BOOST_TEST((tokenizer.bos_id() == 259));
  BOOST_TEST((tokenizer.eos_id() == 260));
  BOOST_TEST(tokenizer.encode("t", {.bos = true}) == (ids{259, 't'}));
  d["post_processor"] = process;
  d["post_processor"]["single"] = {token("<s>"), token("</s>"), text};
  lancet_test::check_throws<lancet::file_error>([&] { (void)read(d); },
                                                "post_processor.single[1]: got a second token");
  d["post_processor"]["single"] = {token("<x>"), text};
  lancet_test::check_throws<lancet::file_error>([&] { (void)read(d); },
                                                "post_processor.special_tokens: got no '<x>'");
}

BOOST_AUTO_TEST_CASE(templates_have_few_pieces) {
  auto d = document();
  json const first = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  json const second = {{"Sequence", {{"id", "B"}, {"type_id", 1}}}};
  json const token = {{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}};
  auto const with = [&](std::size_t single, std::size_t pair, std::size_t in_each) {
    json::array_t one(single, token), two(pair, token);
    one.push_back(first);
    two.push_back(first);
    two.push_back(second);
    d["post_processor"] = {
        {"type", "TemplateProcessing"},
        {"single", one},
        {"pair", two},
        {"special_tokens", {{"<s>", {{"id", "<s>"}, {"ids", std::vector<int>(in_each, 259)}}}}}};
  };
  auto const refuse = [&](std::string const& sentence) {
    lancet_test::check_throws<lancet::file_error>([&] { (void)read(d); },
                                                  "t.json: post_processor." + sentence);
  };
  with(1, 62, 1);
  BOOST_TEST(read(d).encode_pair("t", "h", {.add_special = true}).ids.size() == 64u);
  with(1, 63, 1);
  refuse("pair: got 65 tokens and texts, expected at most 64");
  with(1000, 1, 100000);
  refuse("single: got 1001 tokens and texts, expected at most 64");
  with(1, 1, 100000);
  refuse("special_tokens: got 100000 tokens and texts, expected at most 64");
  with(2, 1, 40);
  refuse("single: got 80 tokens and texts, expected at most 64");
  with(1, 1, 2);
  refuse("single[0]: got a second token, expected one token before the text");
  with(0, 40, 60);
  refuse("pair: got 120 tokens and texts, expected at most 64");
}

BOOST_AUTO_TEST_CASE(patterns_with_and_without_pcre2) {
  auto d = document();
  d["pre_tokenizer"] = sequence({split("th"), byte_level(false, false)});
  lancet_test::check_throws<lancet::file_error>(
      [&] { (void)read(d); },
      "t.json: pre_tokenizer.pretokenizers[0].pattern: got the pattern 'th', which no scanner");
  lancet::tokenizer_json_options const options{.patterns = lancet::pcre2_pattern};
  BOOST_TEST(read(d, options).encode("the") == (ids{256, 'e'}));
  d["pre_tokenizer"] = sequence({split("th", "Removed"), byte_level(false, false)});
  BOOST_TEST(read(d, options).encode("the") == (ids{'e'}));
  d["pre_tokenizer"] = sequence({split("th", "Removed", true), byte_level(false, false)});
  BOOST_TEST(read(d, options).encode("the") == (ids{256}));
  d["pre_tokenizer"] = sequence({split("t(", "Isolated"), byte_level(false, false)});
  lancet_test::check_throws<lancet::file_error>(
      [&] { (void)read(d, options); },
      "t.json: pre_tokenizer.pretokenizers[0].pattern: tokenizer pattern 't(':");
  // A pattern that matches everything removes nothing when what lies between is removed.
  d["pre_tokenizer"] = sequence(
      {split(
           R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)",
           "Removed", true),
       byte_level(false, false)});
  BOOST_TEST(read(d).encode("the the") == (ids{257, 258}));
}

BOOST_AUTO_TEST_CASE(what_would_change_ids_is_refused_by_name) {
  auto const refuse = [](auto change, std::string const& sentence) {
    auto d = document();
    change(d);
    lancet_test::check_throws<lancet::file_error>([&] { (void)read(d); }, "t.json: " + sentence);
  };
  refuse(
      [](json& d) {
        d["normalizer"] = {{"type", "Lowercase"}};
      },
      "normalizer.type: got Lowercase, expected NFC");
  refuse(
      [](json& d) {
        d["normalizer"] = {{"type", "Sequence"}, {"normalizers", {{{"type", "NFC"}}, {{"type", "Strip"}}}}};
      },
      "normalizer.normalizers[1].type: got Strip");
  refuse([](json& d) { d["model"]["type"] = "WordLevel"; }, "model.type: got WordLevel, expected BPE");
  refuse([](json& d) { d["model"].erase("type"), d["model"].erase("merges"); },
         "model.type: got nothing, expected BPE");
  refuse([](json& d) { d["model"]["dropout"] = 0.1; }, "model.dropout: got 0.1");
  refuse([](json& d) { d["model"]["byte_fallback"] = true; },
         "model.byte_fallback: got true, expected false");
  refuse([](json& d) { d["model"]["end_of_word_suffix"] = "</w>"; },
         "model.end_of_word_suffix: got \"</w>\"");
  refuse([](json& d) { d["model"]["continuing_subword_prefix"] = "##"; },
         "model.continuing_subword_prefix: got \"##\"");
  refuse([](json& d) { d["model"]["unk_token"] = "<unk>"; },
         "model.unk_token: got '<unk>', expected a token");
  refuse([](json& d) { d["model"]["vocab"] = json::array(); }, "model.vocab: got array");
  refuse([](json& d) { d["model"]["vocab"][""] = 260; }, "model.vocab: got an empty token");
  refuse([](json& d) { d["model"]["vocab"]["x y"] = -1; },
         "model.vocab['x y']: got -1, expected an id from 0 to");
  refuse([](json& d) { d["model"]["vocab"]["x y"] = 1.5; }, "model.vocab['x y']: got 1.5");
  refuse([](json& d) { d["model"]["vocab"]["x y"] = "7"; }, "model.vocab['x y']: got \"7\"");
  refuse([](json& d) { d["model"]["vocab"]["x y"] = 4000000000u; }, "model.vocab['x y']: got 4000000000");
  refuse([](json& d) { d["model"]["vocab"]["x y"] = UINT64_MAX; },
         "model.vocab['x y']: got 18446744073709551615");
  refuse([](json& d) { d["model"]["vocab"]["x y"] = 7; }, "model.vocab['");
  refuse([](json& d) { d["model"]["merges"] = "t h"; }, "model.merges: got string, expected a list");
  refuse([](json& d) { d["model"]["merges"][1] = "the"; }, R"(model.merges[1]: got "the")");
  refuse([](json& d) { d["model"]["merges"][1] = "t h e"; }, R"(model.merges[1]: got "t h e")");
  refuse([](json& d) { d["model"]["merges"][1] = {"t", "h", "e"}; }, R"(model.merges[1]: got ["t","h","e"])");
  refuse([](json& d) { d["model"]["merges"][1] = 5; }, "model.merges[1]: got 5");
  refuse([](json& d) { d["model"]["merges"][1] = "q q"; }, "merge 1, 'q' + 'q': 'qq' is not a token");
  refuse([](json& d) { d["model"].erase("merges"); }, "model: has no 'merges'");
  refuse([](json& d) { d.erase("model"); }, "has no 'model'");
  refuse([](json& d) { d["added_tokens"] = 3; }, "added_tokens: got number, expected a list");
  refuse([](json& d) { d["added_tokens"][0]["single_word"] = true; },
         "added_tokens[0].single_word: got true");
  refuse([](json& d) { d["added_tokens"][0]["content"] = ""; }, "added_tokens[0].content: got an empty text");
  refuse([](json& d) { d["added_tokens"][0]["id"] = 7; },
         "added_tokens[0].id: got id 7, expected another id than that of");
  refuse(
      [](json& d) {
        d["added_tokens"][0]["id"] = 300;
        d["added_tokens"][0]["content"] = "the";
      },
      "token 'the' comes twice, as ids 257 and 300");
  refuse([](json& d) { d["added_tokens"][0]["lstrip"] = 1; },
         "added_tokens[0]: lstrip: got 1, expected true or false");
  refuse([](json& d) { d["pre_tokenizer"] = nullptr; }, "pre_tokenizer: got null, expected ByteLevel");
  refuse(
      [](json& d) {
        d["pre_tokenizer"] = {{"type", "Metaspace"}};
      },
      "pre_tokenizer.type: got Metaspace, expected ByteLevel");
  refuse([](json& d) { d["pre_tokenizer"].erase("add_prefix_space"); },
         "pre_tokenizer: has no 'add_prefix_space'");
  refuse([](json& d) { d["pre_tokenizer"] = sequence({}); },
         "pre_tokenizer.pretokenizers: got an empty list");
  refuse(
      [](json& d) {
        d["pre_tokenizer"] = sequence({byte_level(false, true), {{"type", "Digits"}}});
      },
      "pre_tokenizer.pretokenizers[0].type: got ByteLevel, expected ByteLevel as the last step only");
  refuse(
      [](json& d) {
        d["pre_tokenizer"] = sequence({{{"type", "Digits"}}});
      },
      "pre_tokenizer.pretokenizers[0].type: got Digits, expected ByteLevel as the last step");
  refuse(
      [](json& d) {
        d["pre_tokenizer"] = sequence({{{"type", "Punctuation"}}, byte_level(false, true)});
      },
      "pre_tokenizer.pretokenizers[0].type: got Punctuation");
  refuse(
      [](json& d) {
        d["pre_tokenizer"] = sequence({split("\\p{N}", "MergedWithNext"), byte_level(false, true)});
      },
      "pre_tokenizer.pretokenizers[0].behavior: got MergedWithNext");
  refuse(
      [](json& d) {
        d["pre_tokenizer"] = sequence({split("\\p{N}", "Removed"), byte_level(false, true)});
      },
      "pre_tokenizer.pretokenizers[0].behavior: got Removed");
  refuse(
      [](json& d) {
        d["pre_tokenizer"] = sequence(
            {{{"type", "Split"}, {"pattern", {{"String", std::string(1025, 'a')}}}, {"behavior", "Isolated"}},
             byte_level(false, true)});
      },
      "pre_tokenizer.pretokenizers[0].pattern.String: got 1025 bytes, expected at most 1024");
  refuse(
      [](json& d) {
        d["decoder"] = {{"type", "Metaspace"}};
      },
      "decoder.type: got Metaspace, expected ByteLevel");
  refuse([](json& d) { d["post_processor"] = {{"type", "Whatever"}}; }, "post_processor.type: got Whatever");
}

BOOST_AUTO_TEST_CASE(files_are_read) {
  lancet_test::temporary_folder const folder;
  auto const path = folder / "tokenizer.json";
  std::ofstream(path) << document().dump();
  BOOST_TEST(lancet::tokenizer(lancet::read_tokenizer_json(path)).encode("the") == (ids{257}));
  std::ofstream(path) << "{\"model\": ";
  lancet_test::check_throws<lancet::file_error>([&] { (void)lancet::read_tokenizer_json(path); }, path);
}

BOOST_AUTO_TEST_CASE(damaged_documents_are_read_or_refused) {
  auto const whole = document().dump();
  std::size_t read_well = 0;
  for (unsigned const seed : {1u, 2u, 3u, 4u}) {
    std::mt19937 random(seed);
    for (int i = 0; i < 1000; ++i) {
      auto const text = lancet_test::damaged(whole, random);
      try {
        lancet::tokenizer const tokenizer(
            lancet::parse_tokenizer_json(lancet::parse_json(text, "t.json"), "t.json"));
        (void)tokenizer.decode(tokenizer.encode("the <s> 12"));
        ++read_well;
      } catch (lancet::error const&) {
      }
    }
  }
  BOOST_TEST(read_well > 0u);
}
