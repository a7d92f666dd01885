// SPDX-License-Identifier: Apache-2.0
// A model's stored tensors with an intervention folded in: W + s·B·A, biases that carry what offsets add, and
// everything else as it was; made one at a time while a writer asks for them.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lancet/io/constant_shift.hpp"
#include "lancet/io/encode.hpp"
#include "lancet/io/lazy_tensor.hpp"
#include "lancet/io/low_rank_update.hpp"
#include "lancet/io/row_change.hpp"

namespace lancet {

/// How a tensor changes on its way from one naming to another.
enum class rearranged { no, transposed, rows_half_split };

/// A tensor of the source under the name that it gets. Without an entry: zeros (a bias that was not there).
struct moved_tensor {
  std::string name;
  tensor_entry const* entry = nullptr;
  rearranged how = rearranged::no;
  std::vector<std::ptrdiff_t> shape = {};
};

/// What becomes of the tensors' types.
struct stored_types {
  /// Nothing: what is not changed keeps its type, what is becomes F32. A type: every matrix gets it, and
  /// vectors too where `vectors` says so, else F32. Rows that are no whole blocks of Q8_0 become F16.
  std::optional<tensor_type> type = {};
  bool vectors = false;
  bool blocks = true;  ///< block formats can be kept (GGUF); otherwise they become F32
};

namespace detail {

[[nodiscard]] inline std::vector<float> transposed(std::vector<float> const& x, index rows, index cols) {
  std::vector<float> out(x.size());
  for (index i = 0; i < rows; ++i)
    for (index j = 0; j < cols; ++j)
      out[static_cast<std::size_t>(j * rows + i)] = x[static_cast<std::size_t>(i * cols + j)];
  return out;
}

/// Rows of GGUF's interleaved queries or keys in the order of split halves.
[[nodiscard]] inline std::vector<float> half_split_rows(std::vector<float> const& x, index cols,
                                                        architecture const& a) {
  peer_names interleaved;
  interleaved.names.interleaved_query = true;
  std::vector<float> out(x.size());
  for (index row = 0; row < std::ssize(x) / cols; ++row)
    std::copy_n(x.begin() + stored_row(interleaved, a, proj::q, 0, row) * cols, cols,
                out.begin() + row * cols);
  return out;
}

/// w += s·B·A for w [out, in], or [in, out] where it is stored transposed; summed in double.
inline void add_update(low_rank_update const& u, bool transposed, std::vector<float>& w) {
  auto const in = static_cast<std::size_t>(u.in), out = static_cast<std::size_t>(u.out),
             rank = static_cast<std::size_t>(u.rank);
  std::vector<double> row(in);
  for (std::size_t i = 0; i < out; ++i) {
    std::fill(row.begin(), row.end(), 0.0);
    for (std::size_t r = 0; r < rank; ++r) {
      double const factor = u.scale * static_cast<double>(u.b[i * rank + r]);
      if (factor == 0) continue;
      for (std::size_t j = 0; j < in; ++j) row[j] += factor * static_cast<double>(u.a[r * in + j]);
    }
    for (std::size_t j = 0; j < in; ++j) {
      float& x = w[transposed ? j * out + i : i * in + j];
      x = static_cast<float>(static_cast<double>(x) + row[j]);
    }
  }
}

/// w[i] += γ[i]·w[i] for the rows of a weight, b += γ∘b + β for its bias.
inline void change_rows(row_change const& c, bool bias, bool transposed, std::vector<float>& w) {
  std::size_t const rows = c.gamma.size(), in = bias ? 1 : static_cast<std::size_t>(c.in);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < in; ++j) {
      float& x = w[transposed && !bias ? j * rows + i : i * in + j];
      x = static_cast<float>(static_cast<double>(x) * (1 + c.gamma[i]) + (bias ? c.beta[i] : 0));
    }
}

}  // namespace detail

/// The changes by the names of the target's tensors.
class merged_tensors {
 public:
  /// `peer` names the target's projections. Biases that shifts need must be among `moved`.
  merged_tensors(std::vector<moved_tensor> moved, peer_names peer, architecture const& a,
                 std::span<host_part const> parts, std::span<constant_shift const> shifts)
      : moved_(std::move(moved)), peer_(std::move(peer)), arch_(a) {
    for (low_rank_update& u : low_rank_updates(parts, peer_, a)) {
      std::string weight = u.weight + ".weight";
      require(weight, peer_.names.transposed ? std::vector{u.in, u.out} : std::vector{u.out, u.in});
      updates_.emplace(std::move(weight), std::move(u));
    }
    for (auto& [name, change] : row_changes(parts, peer_, a)) {
      require(name + ".weight", peer_.names.transposed ? std::vector{change.in, std::ssize(change.gamma)}
                                                       : std::vector{std::ssize(change.gamma), change.in});
      auto const nonzero = [](double x) { return x != 0; };
      if (std::ranges::any_of(change.beta, nonzero)) require(name + ".bias", {std::ssize(change.beta)});
      rows_.emplace(name + ".weight", change);
      rows_.emplace(name + ".bias", std::move(change));
    }
    for (constant_shift const& s : shifts) {
      std::string const bias = bias_of(peer_.names, a, s);
      require(bias, {std::ssize(s.delta)});
      std::vector<double>& sum = biases_[bias];
      sum.resize(s.delta.size());
      for (std::size_t j = 0; j < sum.size(); ++j) sum[j] += s.delta[j];
    }
  }

  /// The bias that a shift is folded into. Throws usage_error for one that no projection's output can carry.
  [[nodiscard]] static std::string bias_of(tensor_names const& names, architecture const& a,
                                           constant_shift const& s) {
    if (s.place == shift_place::block && norms_output(a))
      throw usage_error(
          "export: an offset on the output of layer " + std::to_string(s.layer) + " of a " + a.family +
          " has no bias to fold into: what its projections write is normalised before it is added; "
          "a control vector may hold it");
    if (s.layer < 0)
      throw usage_error(
          "export: an offset on resid_pre of layer 0 has no bias to fold into: nothing but the "
          "embedding comes before it");
    return detail::name_in_layer(s.place == shift_place::attention ? names.o : names.down, s.layer) + ".bias";
  }

  /// Ready for a writer; valid while this object and the source file are.
  [[nodiscard]] std::vector<lazy_tensor> tensors(stored_types const& types) const {
    std::vector<lazy_tensor> out;
    for (moved_tensor const& m : moved_) {
      bool const changed = updates_.contains(m.name) || biases_.contains(m.name) || rows_.contains(m.name);
      bool const numbers = m.entry == nullptr || is_dequantizable(m.entry->type);
      tensor_type const type = numbers ? type_of(m, changed, types) : m.entry->type;
      bool const as_it_is =
          m.entry != nullptr && !changed && m.how == rearranged::no && type == m.entry->type;
      if (as_it_is) {
        out.push_back(as_stored(*m.entry, m.name));
        continue;
      }
      out.push_back({.name = m.name, .type = type, .shape = m.shape, .produce = [this, &m, type](auto& sink) {
                       sink(encode(type, values(m), "tensor " + detail::in_quotes(m.name)));
                     }});
    }
    return out;
  }

  [[nodiscard]] index changed_weights() const { return std::ssize(updates_); }
  [[nodiscard]] index changed_biases() const { return std::ssize(biases_); }

 private:
  void require(std::string const& name, std::vector<std::ptrdiff_t> const& shape) const {
    auto const at = std::ranges::find(moved_, name, &moved_tensor::name);
    if (at == moved_.end())
      throw usage_error("export: the model's file has no tensor '" + name +
                        "', which the intervention changes");
    if (at->shape != shape)
      fail_expected("export: tensor '" + name + "' of the model's file", "shape " + shape_text(at->shape),
                    shape_text(shape));
  }

  [[nodiscard]] static tensor_type type_of(moved_tensor const& m, bool changed, stored_types const& types) {
    bool const matrix = m.shape.size() > 1;
    if (!types.type) {
      if (changed || m.entry == nullptr) return tensor_type::f32;
      bool const block = row_of(m.entry->type).block_elements > 1;
      bool const kept = (types.blocks || !block) && (m.how == rearranged::no || is_encodable(m.entry->type));
      return kept && !(block && m.how != rearranged::no) ? m.entry->type : tensor_type::f32;
    }
    if (!matrix && !types.vectors) return tensor_type::f32;
    if (m.shape.back() % row_of(*types.type).block_elements != 0) return tensor_type::f16;
    return *types.type;
  }

  [[nodiscard]] std::vector<float> values(moved_tensor const& m) const {
    index const cols = m.shape.empty() ? 1 : m.shape.back();
    std::vector<float> out;
    if (m.entry == nullptr)
      out.resize(static_cast<std::size_t>(cols));
    else
      out = read_floats(*m.entry);
    if (m.how == rearranged::transposed) out = detail::transposed(out, m.entry->rows(), m.entry->columns());
    if (m.how == rearranged::rows_half_split)
      out = detail::half_split_rows(out, m.shape.size() > 1 ? cols : 1, arch_);
    if (auto const at = updates_.find(m.name); at != updates_.end())
      detail::add_update(at->second, peer_.names.transposed, out);
    if (auto const at = rows_.find(m.name); at != rows_.end())
      detail::change_rows(at->second, m.name.ends_with(".bias"), peer_.names.transposed, out);
    if (auto const at = biases_.find(m.name); at != biases_.end())
      for (std::size_t j = 0; j < out.size(); ++j)
        out[j] = static_cast<float>(static_cast<double>(out[j]) + at->second[j]);
    return out;
  }

  std::vector<moved_tensor> moved_;
  peer_names peer_;
  architecture arch_;
  std::map<std::string, low_rank_update, std::less<>> updates_;
  std::map<std::string, row_change, std::less<>> rows_;
  std::map<std::string, std::vector<double>, std::less<>> biases_;
};

}  // namespace lancet
