// SPDX-License-Identifier: Apache-2.0
// Ids and texts of the reference implementations: SmolLM2's tokenizer out of GGUF, four small ones out of
// tokenizer.json.
#define BOOST_TEST_MODULE tokenizer_golden
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "lancet/io/chat_template_file.hpp"
#include "lancet/io/gguf.hpp"
#include "lancet/io/json.hpp"
#include "lancet/io/tokenizer.hpp"
#include "lancet/io/tokenizer_gguf.hpp"
#include "lancet/io/tokenizer_json.hpp"
#include "support/real_model.hpp"
#include "support/shared.hpp"

namespace {

using ids = std::vector<std::int32_t>;
using nlohmann::json;

std::string from_hex(std::string const& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return bytes;
}

struct smollm2 {
  std::string path;
  lancet::tokenizer tokenizer;
  json golden;
};

/// Nothing, and a visible line, where the model or the reference values are missing.
std::vector<smollm2> load_smollm2(std::string_view what) {
  if (lancet_test::skipped_without_shared(what)) return {};
  std::string const path = lancet_test::real_model(what);
  if (path.empty()) return {};
  return {{path, lancet::tokenizer(lancet::read_gguf_tokenizer(lancet::gguf_file::open(path))),
           lancet::read_json(lancet_test::shared("goldens/smollm2/tokenizer.json"))}};
}

}  // namespace

BOOST_AUTO_TEST_CASE(smollm2_texts_have_the_reference_ids) {
  for (auto const& [path, tokenizer, golden] : load_smollm2("SmolLM2 texts")) {
    BOOST_TEST(tokenizer.size() == golden["n_vocab"].get<std::size_t>());
    BOOST_TEST(golden["cases"].size() > 300u);
    for (auto const& c : golden["cases"]) {
      auto const text = c["text"].get<std::string>();
      auto const wanted = c["ids"].get<ids>();
      auto const got = tokenizer.encode(text);
      BOOST_TEST(got == wanted, "ids of " << c["text"]);
      auto const plain = c.contains("ids_no_special") ? c["ids_no_special"].get<ids>() : wanted;
      BOOST_TEST(tokenizer.encode(text, {.parse_special = false}) == plain, "plain ids of " << c["text"]);
      BOOST_TEST(tokenizer.decode(got) == c.value("decoded", text));
      BOOST_TEST(tokenizer.decode(got, {.skip_special = true}) == c.value("decoded_skip_special", text));
    }
  }
}

BOOST_AUTO_TEST_CASE(smollm2_ids_have_the_reference_texts) {
  for (auto const& [path, tokenizer, golden] : load_smollm2("SmolLM2 decoding")) {
    BOOST_TEST(golden["decode"].size() > 50u);
    for (auto const& c : golden["decode"]) {
      auto const list = c["ids"].get<ids>();
      BOOST_TEST(tokenizer.decode_bytes(list) == from_hex(c["bytes_hex"].get<std::string>()));
      BOOST_TEST(tokenizer.decode(list) == c["text_lossy"].get<std::string>());
      BOOST_TEST(tokenizer.decode(list, {.skip_special = true}) ==
                 c["text_lossy_skip_special"].get<std::string>());
    }
  }
}

BOOST_AUTO_TEST_CASE(smollm2_chats_have_the_reference_ids) {
  for (auto const& [path, tokenizer, golden] : load_smollm2("SmolLM2 chats")) {
    BOOST_TEST(golden["chat"].size() > 0u);
    for (auto const& c : golden["chat"]) {
      BOOST_TEST(tokenizer.encode(c["text"].get<std::string>()) == c["ids"].get<ids>(),
                 "ids of " << c["text"]);
    }
  }
}

BOOST_AUTO_TEST_CASE(smollm2_chats_have_the_reference_text) {
  for (auto const& [path, tokenizer, golden] : load_smollm2("SmolLM2 chat format")) {
    auto const format = lancet::read_chat_format(lancet::gguf_file::open(path));
    BOOST_REQUIRE(format.has_value());
    BOOST_TEST(format->name() == "smollm2");
    for (auto const& c : golden["chat"]) {
      std::vector<lancet::chat_message> messages;
      for (auto const& m : c["messages"])
        messages.push_back({m["role"].get<std::string>(), m["content"].get<std::string>()});
      bool const prompt = c["add_generation_prompt"].get<bool>();
      BOOST_TEST(format->render(messages, {.generation_prompt = prompt}) == c["text"].get<std::string>());
    }
  }
}

BOOST_AUTO_TEST_CASE(smollm2_knows_its_special_tokens) {
  for (auto const& [path, tokenizer, golden] : load_smollm2("SmolLM2 special tokens")) {
    for (auto const& [name, id] : golden["special_tokens"].items()) {
      BOOST_TEST((tokenizer.find(name) == id.get<std::int32_t>()), name);
      BOOST_TEST(tokenizer.is_special(id.get<std::int32_t>()));
    }
    BOOST_TEST((tokenizer.bos_id() == 1));
    BOOST_TEST((tokenizer.eos_id() == 2));
    BOOST_TEST(tokenizer.piece(12996) == "Ġnurse");
    BOOST_TEST(tokenizer.bytes(12996) == " nurse");
    BOOST_TEST((tokenizer.find("Ġnurse") == 12996));
    BOOST_TEST(tokenizer.encode("The nurse said that", {.bos = true}) == (ids{1, 504, 12996, 1137, 338}));
  }
}

BOOST_AUTO_TEST_CASE(small_tokenizers_have_the_reference_ids) {
  if (lancet_test::skipped_without_shared("small tokenizers")) return;
  for (std::string const name : {"tiny_gpt2", "tiny_llama3", "tiny_digits", "tiny_prefix"}) {
    auto const folder = lancet_test::shared("goldens/tokenizers/" + name + "/");
    lancet::tokenizer const tokenizer(lancet::read_tokenizer_json(folder + "tokenizer.json"));
    auto const golden = lancet::read_json(folder + "cases.json");
    for (auto const& [token, id] : golden["special_tokens"].items()) {
      BOOST_TEST((tokenizer.find(token) == id.get<std::int32_t>()), token);
    }
    BOOST_TEST(golden["cases"].size() > 20u);
    for (auto const& c : golden["cases"]) {
      auto const text = c["text"].get<std::string>();
      auto const wanted = c["ids"].get<ids>();
      auto const plain = c["ids_no_bos"].get<ids>();
      BOOST_TEST(tokenizer.encode(text, {.bos = wanted != plain}) == wanted,
                 name << ": ids of " << c["text"]);
      BOOST_TEST(tokenizer.encode(text) == plain, name << ": ids of " << c["text"]);
      BOOST_TEST(tokenizer.decode(wanted, {.skip_special = true}) == c["decoded"].get<std::string>());
    }
    BOOST_TEST(tokenizer.bos_id().has_value() == (name == "tiny_llama3"));
  }
}
