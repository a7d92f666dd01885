// SPDX-License-Identifier: Apache-2.0
// A GGUF model in one file, or in shards "name-00001-of-00003.gguf" that lie side by side.
#pragma once

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "lancet/core/view.hpp"
#include "lancet/io/gguf.hpp"

namespace lancet {

/// The first shard holds the metadata; tensors lie in all of them.
class gguf_model {
 public:
  /// `path`: the file, or the first shard. Throws file_error for another shard, one that is missing, of another model or
  /// at another place, and where two hold one tensor or not all tensors are there.
  [[nodiscard]] static gguf_model open(std::string const& path, gguf_limits const& limits = {},
                                       index most_shards = 4096) {
    gguf_model model;
    model.shards_.push_back(gguf_file::open(path, limits));
    index const count = model.shards_[0].get_optional<index>("split.count").value_or(1);
    if (count > 1) model.open_rest(path, count, limits, most_shards);
    std::vector<tensor_entry> all;
    for (gguf_file const& shard : model.shards_)
      all.insert(all.end(), shard.tensors().begin(), shard.tensors().end());
    if (auto const total = model.shards_[0].get_optional<index>("split.tensors.count");
        total && *total != std::ssize(all))
      throw file_error(path, "split.tensors.count: got " + std::to_string(*total) + ", but the shards hold " +
                                 std::to_string(all.size()) + " tensors");
    model.tensors_ = tensor_table(path, std::move(all));
    return model;
  }

  [[nodiscard]] gguf_file const& head() const { return shards_[0]; }
  [[nodiscard]] std::vector<gguf_file> const& shards() const { return shards_; }
  [[nodiscard]] tensor_table const& tensors() const { return tensors_; }
  /// See mapped_file::done_with.
  void done_with(std::span<std::byte const> bytes) const {
    for (gguf_file const& shard : shards_) shard.done_with(bytes);
  }

 private:
  [[nodiscard]] static std::string ending(index number, index count) {
    char text[64];
    std::snprintf(text, sizeof text, "-%05lld-of-%05lld.gguf", static_cast<long long>(number),
                  static_cast<long long>(count));
    return text;
  }

  void open_rest(std::string const& path, index count, gguf_limits const& limits, index most_shards) {
    if (count > most_shards)
      throw file_error(path, "split.count: got " + std::to_string(count) + ", the limit is " +
                                 std::to_string(most_shards));
    std::string const first = ending(1, count);
    if (index const number = shards_[0].get<index>("split.no"); number != 0)
      throw file_error(path, "split.no: got " + std::to_string(number) +
                                 ", expected 0: open the first shard, whose name ends in " + first);
    if (!path.ends_with(first))
      throw file_error(path, "is the first of " + std::to_string(count) +
                                 " shards, expected a name that ends in " + first);
    std::string const stem = path.substr(0, path.size() - first.size());
    for (index i = 1; i < count; ++i) {
      shards_.push_back(gguf_file::open(stem + ending(i + 1, count), limits));
      gguf_file const& shard = shards_.back();
      index const number = shard.get<index>("split.no"), of = shard.get<index>("split.count");
      if (number != i || of != count)
        throw file_error(shard.path(), "split.no and split.count: got " + std::to_string(number) + " of " +
                                           std::to_string(of) + ", expected " + std::to_string(i) + " of " +
                                           std::to_string(count));
    }
  }

  std::vector<gguf_file> shards_;
  tensor_table tensors_;
};

}  // namespace lancet
