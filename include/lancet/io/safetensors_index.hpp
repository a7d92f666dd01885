// SPDX-License-Identifier: Apache-2.0
// A model in one or several safetensors files, the latter listed by a model.safetensors.index.json.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lancet/core/error.hpp"
#include "lancet/io/detail/posix.hpp"
#include "lancet/io/json.hpp"
#include "lancet/io/safetensors.hpp"

namespace lancet {

/// The shards of a model as one table. Move-only; tensors' bytes stay valid when it is moved.
class safetensors_model {
 public:
  /// `path` is a .safetensors file, an index (....json), or a folder that holds model.safetensors or
  /// model.safetensors.index.json. Throws file_error where a shard is missing, is named by anything but a
  /// file name, lacks a tensor of the index or has one that the index does not give it, and where two shards
  /// hold one tensor.
  [[nodiscard]] static safetensors_model open(std::string path, safetensors_limits const& limits = {},
                                              std::size_t most_shards = 4096) {
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
      std::string const single = path + "/model.safetensors";
      std::string const index_path = single + ".index.json";
      if (::stat(single.c_str(), &status) == 0) {
        path = single;
      } else if (::stat(index_path.c_str(), &status) == 0) {
        path = index_path;
      } else {
        throw file_error(path, "holds neither model.safetensors nor model.safetensors.index.json");
      }
    }
    safetensors_model model;
    if (path.ends_with(".json")) {
      model.open_index(path, limits, most_shards);
    } else {
      model.shards_.push_back(safetensors_file::open(path, limits));
    }
    model.merge(std::move(path));
    return model;
  }

  [[nodiscard]] std::string const& path() const { return tensors_.path(); }
  [[nodiscard]] std::vector<safetensors_file> const& shards() const { return shards_; }
  [[nodiscard]] tensor_table const& tensors() const { return tensors_; }

 private:
  void open_index(std::string const& path, safetensors_limits const& limits, std::size_t most_shards) {
    nlohmann::json const listing = read_json(path);
    auto const& map = at(listing, "weight_map", path);
    if (!map.is_object() || map.empty()) {
      throw file_error(path,
                       "weight_map: got " + detail::describe(map) + ", expected names of tensors and files");
    }
    std::map<std::string, std::size_t, std::less<>> files;  // each with its place among the shards
    for (auto const& [name, value] : map.items()) {
      if (!value.is_string()) {
        throw file_error(path, "weight_map: " + detail::in_quotes(name) + ": got " + detail::describe(value) +
                                   ", expected a file name");
      }
      files.emplace(value.get_ref<std::string const&>(), 0);
    }
    if (files.size() > most_shards) {
      throw file_error(path, "got " + std::to_string(files.size()) + " shards, the limit is " +
                                 std::to_string(most_shards));
    }
    for (auto const& [file, unused] : files) {
      // A shard lies beside its index: the index of a downloaded model may not point anywhere else.
      if (!detail::is_plain_name(file) || !file.ends_with(".safetensors")) {
        throw file_error(path, "weight_map: got the shard " + detail::in_quotes(file) +
                                   ", expected the plain name of a .safetensors file");
      }
    }
    std::size_t listed = 0;
    for (auto& [file, place_of_file] : files) {
      place_of_file = shards_.size();
      shards_.push_back(safetensors_file::open(detail::folder_of(path) + "/" + file, limits));
      for (tensor_entry const& tensor : shards_.back().tensors()) {
        auto const place = map.find(tensor.name);
        if (place == map.end() || place->get_ref<std::string const&>() != file) {
          throw file_error(shards_.back().path(), "holds tensor " + detail::in_quotes(tensor.name) +
                                                      ", which the index does not list for this file");
        }
        ++listed;
      }
    }
    if (listed == map.size()) return;
    for (auto const& [name, value] : map.items()) {
      if (!shards_[files.find(value.get_ref<std::string const&>())->second].tensors().find(name))
        throw file_error(path, "lists tensor " + detail::in_quotes(name) + ", which is not in its shard");
    }
  }

  void merge(std::string path) {
    std::vector<tensor_entry> all;
    for (auto const& shard : shards_) all.insert(all.end(), shard.tensors().begin(), shard.tensors().end());
    tensors_ = tensor_table(std::move(path), std::move(all));
  }

  std::vector<safetensors_file> shards_;
  tensor_table tensors_;
};

}  // namespace lancet
