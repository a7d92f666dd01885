// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE safetensors_index
#include "lancet/io/safetensors_index.hpp"

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "lancet/io/safetensors_writer.hpp"
#include "support/errors.hpp"
#include "support/shared.hpp"
#include "support/temporary_folder.hpp"

using lancet::safetensors_model;
using lancet_test::check_throws;
using lancet_test::spill;
using lancet_test::temporary_folder;

namespace {
void write_shard(std::string const& path, std::vector<std::string> const& names) {
  std::vector<float> const values{static_cast<float>(names.size()), 2};
  std::vector<lancet::tensor_entry> tensors;
  for (auto const& name : names) tensors.push_back(lancet::as_tensor(name, {2}, std::span(values)));
  lancet::write_safetensors(path, tensors);
}

struct sharded {
  sharded() {
    write_shard(folder / "model-00001-of-00002.safetensors", {"a", "b"});
    write_shard(folder / "model-00002-of-00002.safetensors", {"c"});
    index(
        R"({"metadata": {"total_size": 24}, "weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00001-of-00002.safetensors", "c": "model-00002-of-00002.safetensors"}})");
  }
  void index(std::string const& text) const { spill(folder / "model.safetensors.index.json", text); }
  void refused(std::string const& weight_map, std::string_view sentence) const {
    index("{\"weight_map\": " + weight_map + "}");
    check_throws<lancet::file_error>([&] { (void)safetensors_model::open(folder.path()); }, sentence);
  }
  temporary_folder folder;
};
}  // namespace

BOOST_FIXTURE_TEST_CASE(shards_as_one_table, sharded) {
  for (std::string const& path : {folder.path(), folder / "model.safetensors.index.json"}) {
    auto opened = safetensors_model::open(path);
    auto const model = std::move(opened);
    BOOST_TEST(model.shards().size() == 2u);
    BOOST_TEST(model.tensors().size() == 3u);
    BOOST_TEST(lancet::read_floats(model.tensors().at("b"))[0] == 2.0f);
    BOOST_TEST(lancet::read_floats(model.tensors().at("c"))[0] == 1.0f);
  }
}

BOOST_FIXTURE_TEST_CASE(single_files, sharded) {
  BOOST_TEST(safetensors_model::open(folder / "model-00002-of-00002.safetensors").tensors().size() == 1u);
  write_shard(folder / "model.safetensors", {"x", "y"});  // goes before an index
  BOOST_TEST(safetensors_model::open(folder.path()).tensors().find("x") != nullptr);
}

BOOST_FIXTURE_TEST_CASE(bad_indexes, sharded) {
  std::string const first = "model-00001-of-00002.safetensors";
  refused(R"({"a": ")" + first + R"(", "b": ")" + first + R"(", "d": ")" + first + "\"}",
          "lists tensor 'd', which is not in its shard");
  refused(R"({"a": ")" + first + "\"}",
          first + ": holds tensor 'b', which the index does not list for this file");
  refused(R"({"a": "gone.safetensors"})", "gone.safetensors: no such file");
  for (std::string const file : {"../model.safetensors", "/etc/x.safetensors", "sub/x.safetensors", "",
                                 ".x.safetensors", "config.json", "a\\\\b.safetensors"}) {
    refused("{\"a\": \"" + file + "\"}", "expected the plain name of a .safetensors file");
  }
  refused(R"({"a": 3})", "weight_map: 'a': got 3, expected a file name");
  refused("[]", "weight_map: got a list of 0, expected names of tensors and files");
  refused("{}", "weight_map: got an object");
  refused(R"({"a": "x", "a": "y"})", "duplicate key 'a'");
  index("{}");
  check_throws<lancet::file_error>([&] { (void)safetensors_model::open(folder.path()); },
                                   "model.safetensors.index.json: has no 'weight_map'");
  index(R"({"weight_map": {"a": "1.safetensors", "b": "2.safetensors"}})");
  check_throws<lancet::file_error>([&] { (void)safetensors_model::open(folder.path(), {}, 1); },
                                   "got 2 shards, the limit is 1");
  write_shard(folder / "model-00002-of-00002.safetensors", {"a"});
  refused(R"({"a": "model-00002-of-00002.safetensors", "b": ")" + first + "\"}",
          "holds tensor 'a', which the index does not list for this file");
  temporary_folder const empty;
  check_throws<lancet::file_error>([&] { (void)safetensors_model::open(empty.path()); },
                                   "holds neither model.safetensors nor model.safetensors.index.json");
  check_throws<lancet::file_error>([&] { (void)safetensors_model::open(empty / "absent"); },
                                   "absent: no such file");
}

BOOST_AUTO_TEST_CASE(reference_models) {
  if (lancet_test::skipped_without_shared("safetensors_index.reference_models")) return;
  for (std::string const name : {"gpt2", "llama", "gemma2", "bert"}) {
    BOOST_TEST(safetensors_model::open(lancet_test::shared("goldens/tiny/" + name)).tensors().size() > 10u);
  }
}
