// SPDX-License-Identifier: Apache-2.0
// LoRA adapters as GGUF files, as llama.cpp loads them beside a model (--lora).
//
// y = W·x + s·alpha/r·B·(A·x) with one alpha for the file and s given by the user; alpha = 0 means s alone.
// Rows of B stand in the order of the model file's rows: for Llama's queries and keys that of interleaved
// rotation.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lancet/io/detail/adapter_tensors.hpp"
#include "lancet/io/encode.hpp"
#include "lancet/io/gguf.hpp"
#include "lancet/io/gguf_writer.hpp"
#include "lancet/io/peer_names.hpp"

namespace lancet {

namespace detail {

/// A tensor whose elements are made from floats when they are written; the floats must outlive that.
[[nodiscard]] inline lazy_tensor encoded(std::string name, tensor_type type,
                                         std::vector<std::ptrdiff_t> shape, std::span<float const> values) {
  return {.name = name,
          .type = type,
          .shape = std::move(shape),
          .produce = [type, values, name](byte_sink const& sink) {
            sink(encode(type, values, "tensor " + in_quotes(name)));
          }};
}

[[nodiscard]] inline adapter_name parse_lora_gguf_name(std::string const& name, std::string const& path) {
  constexpr std::string_view a = ".weight.lora_a", b = ".weight.lora_b";
  if (!name.ends_with(a) && !name.ends_with(b))
    throw file_error(path, "has tensor " + in_quotes(name) +
                               ", expected WEIGHT.weight.lora_a and WEIGHT.weight.lora_b alone");
  return {name.substr(0, name.size() - a.size()), name.ends_with(a) ? adapter_role::a : adapter_role::b};
}

}  // namespace detail

/// Writes an adapter of matrices in F32 or F16. Throws usage_error for offsets, which LoRA has no place for,
/// for nothing at all, and for another type.
inline void write_lora_gguf(std::string const& path, std::span<host_part const> parts, architecture const& a,
                            tensor_type type = tensor_type::f32) {
  detail::require_low_rank(parts, "a LoRA file");
  if (type != tensor_type::f32 && type != tensor_type::f16)
    fail_expected("export: type of a LoRA file", name_of(type), "F32 or F16");
  peer_names const peer = peer_names_of(a, naming::gguf);
  std::vector<low_rank_update> updates = low_rank_updates(parts, peer, a);
  index alpha = 0;
  for (low_rank_update const& u : updates) alpha = std::max(alpha, u.rank);
  gguf_writer out;
  out.set("general.type", "adapter");
  out.set("general.architecture", peer.architecture);
  out.set("adapter.type", "lora");
  out.set("adapter.lora.alpha", static_cast<float>(alpha));
  for (low_rank_update& u : updates) {
    double const factor = u.scale * static_cast<double>(u.rank) / static_cast<double>(alpha);
    for (float& x : u.b) x = static_cast<float>(factor * x);
    out.add(detail::encoded(u.weight + ".weight.lora_a", type, {u.rank, u.in}, u.a));
    out.add(detail::encoded(u.weight + ".weight.lora_b", type, {u.out, u.rank}, u.b));
  }
  out.write(path);
}

/// Reads an adapter as parts for a model of this architecture. Throws file_error for a file that is no such
/// adapter, is for another architecture, or names what the model has not.
[[nodiscard]] inline std::vector<host_part> read_lora_gguf(std::string const& path, architecture const& a) {
  gguf_file const file = gguf_file::open(path);
  peer_names const peer = peer_names_of(a, naming::gguf);
  auto const demand = [&](char const* key, std::string const& expected) {
    auto const got = file.get<std::string>(key);
    if (got != expected)
      throw file_error(path, std::string(key) + ": got " + detail::in_quotes(got) + ", expected " +
                                 detail::in_quotes(expected));
  };
  demand("general.type", "adapter");
  demand("adapter.type", "lora");
  demand("general.architecture", peer.architecture);
  if (file.find("adapter.alora.invocation_tokens"))
    throw file_error(path,
                     "adapter.alora.invocation_tokens: the adapter is active after certain tokens only, "
                     "which is not supported");
  auto const alpha = file.get<double>("adapter.lora.alpha");
  if (!detail::fits_float(alpha))
    throw file_error(
        path, "adapter.lora.alpha: got NaN or a larger number, expected " + std::string(detail::float_range));
  return detail::read_adapter(
      file.tensors(), peer, a,
      [&](std::string const& name) { return detail::parse_lora_gguf_name(name, path); },
      [&](std::string const&, tensor_entry const& matrix_a) {
        index const rank = matrix_a.rows();
        return detail::adapter_size{rank, alpha == 0 ? 1 : alpha / static_cast<double>(rank)};
      });
}

}  // namespace lancet
