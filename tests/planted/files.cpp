// SPDX-License-Identifier: Apache-2.0
// The planted model through files: loaded, it is the same model; its data reads as what was written.
#define BOOST_TEST_MODULE planted_files
#include "lancet/backend/eigen.hpp"

#include <boost/test/unit_test.hpp>

#include "lancet/io/load_model.hpp"
#include "lancet/io/pairs.hpp"
#include "lancet/io/planted_files.hpp"
#include "lancet/model/run.hpp"
#include "lancet/planted.hpp"
#include "support/errors.hpp"
#include "support/temporary_folder.hpp"

namespace lancet_test {

using lancet::index;
using lancet::split;
using fast = lancet::backend::eigen<float>;

/// Logits of every token of a text, as bytes.
std::vector<float> logits_of(lancet::transformer<fast> const& model, std::string const& text) {
  lancet::batch<fast> input;
  input.add(model.tokenizer().encode(text));
  lancet::workspace<fast> ws;
  lancet::hook_set<> none;
  lancet::forward(model, input, none, ws);
  lancet::logits(model, none, ws);
  auto const all = ws.readout.logits.all();
  return {all.data, all.data + all.size()};
}

template <split S>
void check_pairs(lancet::pair_set<S> const& got, lancet::pair_set<S> const& expected) {
  BOOST_REQUIRE_EQUAL(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    auto const &a = got.pairs[i], &b = expected.pairs[i];
    BOOST_TEST((a.clean == b.clean && a.corrupted == b.corrupted && a.answer == b.answer &&
                a.contrast == b.contrast));
    BOOST_TEST((a.subject->first == b.subject->first && a.subject->last == b.subject->last));
    BOOST_TEST(a.clean_text == b.clean_text);
    BOOST_TEST(a.group == b.group);
    BOOST_TEST(a.line == b.line);
  }
}

BOOST_AUTO_TEST_CASE(loaded_is_the_same_model) {
  temporary_folder const folder;
  std::string const path = folder / "planted";
  lancet::save_planted(path, {.seed = 5});
  auto const loaded = lancet::load_model<fast>(path);
  auto const made = lancet::planted_model<fast>({.seed = 5});
  BOOST_TEST(loaded.arch().family == "llama");
  BOOST_TEST(loaded.tokenizer().hash() == made.model.tokenizer().hash());
  for (char const* text :
       {"The nurse said that", "My king under the old tower heard that she was late. Xyz 1!"})
    BOOST_TEST((logits_of(loaded, text) == logits_of(made.model, text)));  // to the last bit
  BOOST_TEST((logits_of(loaded, "The nurse") !=
              logits_of(lancet::planted_model<fast>({.seed = 6}).model, "The nurse")));
}

BOOST_AUTO_TEST_CASE(data_files) {
  temporary_folder const folder;
  std::string const path = folder / "planted";
  lancet::save_planted(path);
  auto const tokens = lancet::planted_tokenizer();
  for (bool const stated : {false, true}) {
    auto const lines = stated ? lancet::planted_stated_lines() : lancet::planted_occupation_lines();
    auto const read =
        lancet::read_pairs(path + (stated ? "/stated_gender.jsonl" : "/occupations.jsonl"), tokens);
    check_pairs(read.train(), lancet::planted_pairs<split::train>(lines, tokens));
    check_pairs(read.validation(), lancet::planted_pairs<split::validation>(lines, tokens));
    check_pairs(read.test(), lancet::planted_pairs<split::test>(lines, tokens));
  }
  auto const train = lancet::read_text_windows(path + "/neutral_train.txt", tokens, 128);
  auto const held_out = lancet::read_text_windows(path + "/held_out.txt", tokens, 128);
  BOOST_TEST(train.size() == 24U);
  BOOST_TEST(held_out.size() == 24U);
  index prompts = 0;
  lancet::for_json_lines(
      path + "/generations.jsonl", [&](nlohmann::json const& line, std::string const& where, index) {
        BOOST_TEST(tokens.encode(lancet::get<std::string>(line, "text", where)).size() == 4U);
        ++prompts;
      });
  BOOST_TEST(prompts == 20);
}

BOOST_AUTO_TEST_CASE(saved_again_and_refused) {
  temporary_folder const folder;
  lancet::save_planted(folder / "one");
  lancet::save_planted(folder / "two");
  auto const manifest = slurp(folder / "one/manifest.json");
  BOOST_TEST(manifest == slurp(folder / "two/manifest.json"));  // sizes and hashes of every file
  BOOST_TEST(lancet::verify_manifest(folder / "one").size() == 8U);
  lancet::save_planted(folder / "one", {.seed = 9});
  BOOST_TEST(manifest != slurp(folder / "one/manifest.json"));
  BOOST_TEST(folder.entries() == 2);
  std::filesystem::create_directory(folder / "mine");
  check_throws<lancet::usage_error>([&] { lancet::save_planted(folder / "mine"); },
                                    "not a folder that lancet wrote");
}

}  // namespace lancet_test
