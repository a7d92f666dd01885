// SPDX-License-Identifier: Apache-2.0
// Parts of an intervention: low-rank adapters, offsets and scaled rows behind one interface, for training,
// saving and merging.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lancet/circuit/circuit.hpp"
#include "lancet/core/random.hpp"
#include "lancet/hooks/hook_table.hpp"
#include "lancet/hooks/low_rank.hpp"
#include "lancet/hooks/offset.hpp"
#include "lancet/hooks/rescale.hpp"
#include "lancet/intervene/parameter.hpp"
#include "lancet/model/split_inputs.hpp"

namespace lancet {

/// What a file says of a part: enough to make it again.
struct part_description {
  std::string kind;   ///< "low_rank", "offset" or "rescale"
  std::string where;  ///< the projection ("o", "down", …) or the site ("z", "resid_pre", …)
  index layer = 0;
  std::vector<index> columns;  ///< of the projection's input or of the site; rescale: of its output, all
  index rank = 0;              ///< low_rank only
  double scale = 1;            ///< low_rank only
};

template <class B>
struct named_tensor {
  std::string name;
  tensor<B>* value;
  tensor<B>* gradient;
};

/// One part. Its tensors are what is saved; those with a gradient are trained.
template <class B>
class part {
 public:
  virtual ~part() = default;
  virtual void hook(hook_table<B>& table) = 0;
  [[nodiscard]] virtual std::vector<named_tensor<B>> tensors() = 0;
  [[nodiscard]] virtual part_description describe() const = 0;
  [[nodiscard]] virtual index layer() const = 0;
  virtual void set_strength(double alpha) = 0;
  /// The site whose value the part's change depends on, or nothing for a constant.
  [[nodiscard]] virtual std::optional<site_id> input_site(architecture const&) const { return {}; }
  /// Mean over rows of ‖what the part adds‖₂ for inputs x (rows of `input_site` in the frozen model); with
  /// `weight` != 0 adds weight times its gradient. An offset adds the same to every row, and ignores x.
  virtual double preservation(const_view<B> x, double weight) = 0;
  /// Folds the part into the weights, exactly. Throws usage_error where it cannot be.
  virtual void merge(model_weights<B>& weights, architecture const& arch) const = 0;
};

namespace detail {

template <class B>
void add_to_weight(typename B::weight& w, std::vector<index> const& columns, double factor, const_view<B> b,
                   const_view<B> a, stacked_rows rows) {
  tensor<B> plain = weight_rows<B>(w, 0, w.out());  // [out, in]
  tensor<B> delta(b.rows, a.cols);                  // [rows, c]
  ops::matmul<B>(b, ops::transpose::no, a, ops::transpose::no, delta.all());
  for (index j = 0; j < std::ssize(columns); ++j)
    ops::axpy<B>(
        static_cast<typename B::scalar>(factor), delta.all().col_range(j, 1),
        plain.all().row_range(rows.first, rows.count).col_range(columns[static_cast<std::size_t>(j)], 1));
  w = typename B::weight(plain.all());
}

/// The weight and bias of a layer that hold p, at rows_of(arch, p). `Layer` may be const.
template <class Layer>
[[nodiscard]] auto& projection_of(Layer& l, proj p) {
  if (p == proj::o) return l.o;
  if (p == proj::down) return l.down;
  return p == proj::gate || p == proj::up ? l.mlp_in : l.qkv;
}

[[nodiscard]] constexpr std::string_view proj_name(proj p) {
  constexpr std::string_view names[] = {"q", "k", "v", "o", "gate", "up", "down"};
  return names[static_cast<int>(p)];
}

/// The site that a projection reads.
template <proj P>
[[nodiscard]] site_id input_of(architecture const& arch) {
  if (P == proj::o) return site_id::z;
  if (P == proj::down) return site_id::mlp_post;
  if (P == proj::gate || P == proj::up) return norms_input(arch) ? site_id::mlp_norm : site_id::mlp_in;
  return norms_input(arch) ? site_id::attn_norm : site_id::attn_in;
}

/// √(Σ x²) of every row, in double on the host.
template <class B>
[[nodiscard]] std::vector<double> row_norms(const_view<B> x) {
  tensor<B> squares(x.rows, 1);
  ops::row_dot<B>(x, x, squares.all());
  std::vector<typename B::scalar> host(static_cast<std::size_t>(x.rows));
  B::download(squares, host.data());
  std::vector<double> out(host.begin(), host.end());
  for (double& v : out) v = std::sqrt(v);
  return out;
}

}  // namespace detail

/// A low-rank adapter of one projection as a part.
template <class B, proj P>
class low_rank_part final : public part<B> {
 public:
  low_rank_part(index layer, std::vector<index> columns, index out, index rank, double scale)
      : adapter_(layer, std::move(columns), out, rank, scale) {}

  low_rank<B, P>& adapter() { return adapter_; }
  [[nodiscard]] index layer() const override { return adapter_.layer(); }

  void hook(hook_table<B>& table) override { table.add(adapter_); }
  [[nodiscard]] std::vector<named_tensor<B>> tensors() override {
    std::string const name = "layers." + std::to_string(adapter_.layer()) + "." +
                             std::string(detail::proj_name(P)) + "." +
                             std::to_string(adapter_.columns().front());
    return {{name + ".A", &adapter_.a(), &adapter_.gradient_a()},
            {name + ".B", &adapter_.b(), &adapter_.gradient_b()}};
  }
  [[nodiscard]] part_description describe() const override {
    return {"low_rank",          std::string(detail::proj_name(P)),
            adapter_.layer(),    adapter_.columns(),
            adapter_.a().rows(), adapter_.scale()};
  }
  void set_strength(double alpha) override { adapter_.strength = alpha; }
  [[nodiscard]] std::optional<site_id> input_site(architecture const& arch) const override {
    return detail::input_of<P>(arch);
  }

  double preservation(const_view<B> x, double weight) override {
    using T = typename B::scalar;
    const_view<B> const inputs = adapter_.chosen(x);  // [N, c]
    T const s = static_cast<T>(adapter_.strength * adapter_.scale());
    tensor<B> h(x.rows, adapter_.a().rows()), d(x.rows, adapter_.b().rows());
    ops::matmul<B>(inputs, ops::transpose::no, adapter_.a(), ops::transpose::yes, h.all());  // [N, r]
    ops::scale<B>(s, h.all());
    ops::matmul<B>(h, ops::transpose::no, adapter_.b(), ops::transpose::yes, d.all());  // [N, out]
    std::vector<double> const norms = detail::row_norms<B>(d);
    double sum = 0;
    for (double const n : norms) sum += n;
    if (weight != 0) {
      for (index i = 0; i < x.rows; ++i) {
        double const n = norms[static_cast<std::size_t>(i)];
        ops::scale<B>(n > 0 ? static_cast<T>(weight / (n * static_cast<double>(x.rows))) : T(0),
                      d.all().row_range(i, 1));
      }
      ops::matmul<B>(d, ops::transpose::yes, h, ops::transpose::no, adapter_.gradient_b().all(), true);
      ops::matmul<B>(d, ops::transpose::no, adapter_.b(), ops::transpose::no, h.all());  // [N, r]
      ops::scale<B>(s, h.all());
      ops::matmul<B>(h, ops::transpose::yes, inputs, ops::transpose::no, adapter_.gradient_a().all(), true);
    }
    return sum / static_cast<double>(x.rows);
  }

  void merge(model_weights<B>& weights, architecture const& arch) const override {
    auto& p = detail::projection_of(weights.layers[static_cast<std::size_t>(adapter_.layer())], P);
    detail::add_to_weight<B>(p.weight, adapter_.columns(), adapter_.strength * adapter_.scale(), adapter_.b(),
                             adapter_.a(), rows_of(arch, P));
  }

 private:
  low_rank<B, P> adapter_;
};

/// An offset at one site as a part.
template <class B, class S>
class offset_part final : public part<B> {
 public:
  offset_part(index layer, index first_column, index columns) : offset_(layer, first_column, columns) {}

  [[nodiscard]] index layer() const override { return offset_.layer(); }
  void hook(hook_table<B>& table) override { table.add(offset_); }
  [[nodiscard]] std::vector<named_tensor<B>> tensors() override {
    return {{"layers." + std::to_string(offset_.layer()) + "." + std::string(name(S::id)) + "." +
                 std::to_string(offset_.first_column()) + ".delta",
             &offset_.delta(), &offset_.gradient()}};
  }
  [[nodiscard]] part_description describe() const override {
    part_description out{"offset", std::string(name(S::id)), offset_.layer(), {}, 0, 1};
    for (index j = 0; j < offset_.delta().cols(); ++j) out.columns.push_back(offset_.first_column() + j);
    return out;
  }
  void set_strength(double alpha) override { offset_.strength = alpha; }

  double preservation(const_view<B>, double weight) override {
    double const n = detail::row_norms<B>(offset_.delta())[0] * std::abs(offset_.strength);
    if (weight != 0 && n > 0)
      ops::axpy<B>(static_cast<typename B::scalar>(weight * offset_.strength * offset_.strength / n),
                   offset_.delta(), offset_.gradient().all());
    return n;
  }

  void merge(model_weights<B>& weights, architecture const& arch) const override {
    auto const l = static_cast<std::size_t>(offset_.layer());
    auto const add = [&](projection<B>& into, const_view<B> row) {
      if (into.bias.empty()) into.bias = tensor<B>(1, into.weight.out());
      ops::axpy<B>(static_cast<typename B::scalar>(offset_.strength), row, into.bias.all());
    };
    if constexpr (S::id == site_id::z || S::id == site_id::mlp_post) {
      projection<B>& p = S::id == site_id::z ? weights.layers[l].o : weights.layers[l].down;
      tensor<B> const w = weight_rows<B>(p.weight, 0, p.weight.out());  // [D, in]
      tensor<B> row(1, p.weight.out());
      ops::matmul<B>(offset_.delta(), ops::transpose::no,
                     w.all().col_range(offset_.first_column(), offset_.delta().cols()), ops::transpose::yes,
                     row.all());
      add(p, row);
    } else if constexpr (S::id == site_id::attn_out) {
      refuse_behind_a_norm(norms_output(arch));
      add(weights.layers[l].o, offset_.delta());
    } else if constexpr (S::id == site_id::mlp_out) {
      refuse_behind_a_norm(norms_output(arch));
      add(weights.layers[l].down, offset_.delta());
    } else {
      if (l == 0) throw usage_error("merge: an offset on resid_pre of layer 0 has no bias to fold into");
      refuse_behind_a_norm(norms_output(arch) || norms_stream(arch));
      add(weights.layers[l - 1].down, offset_.delta());
    }
    (void)arch;
  }

 private:
  static void refuse_behind_a_norm(bool behind) {
    if (behind)
      throw usage_error("merge: an offset on " + std::string(name(S::id)) +
                        " stands behind a norm in this architecture, so that no bias can stand for it");
  }

  offset<B, S> offset_;
};

/// The scaled rows of one projection, which writes at site S, as a part. It is read from files, not trained.
template <class B, proj P, class S>
class rescale_part final : public part<B> {
 public:
  rescale_part(index layer, index columns)
      : rescale_(layer, columns), no_gradient_{tensor<B>(1, columns), tensor<B>(1, columns)} {}

  [[nodiscard]] index layer() const override { return rescale_.layer(); }
  void hook(hook_table<B>& table) override { table.add(rescale_); }
  [[nodiscard]] std::vector<named_tensor<B>> tensors() override {
    std::string const name =
        "layers." + std::to_string(rescale_.layer()) + "." + std::string(detail::proj_name(P));
    return {{name + ".gamma", &rescale_.gamma(), &no_gradient_[0]},
            {name + ".beta", &rescale_.beta(), &no_gradient_[1]}};
  }
  [[nodiscard]] part_description describe() const override {
    part_description out{"rescale", std::string(detail::proj_name(P)), rescale_.layer(), {}, 0, 1};
    for (index j = 0; j < rescale_.gamma().cols(); ++j) out.columns.push_back(j);
    return out;
  }
  void set_strength(double alpha) override { rescale_.strength = alpha; }
  [[nodiscard]] std::optional<site_id> input_site(architecture const& arch) const override {
    return detail::input_of<P>(arch);
  }
  double preservation(const_view<B>, double) override {
    throw usage_error("training: a part that scales rows is read from a file and not trained");
  }

  void merge(model_weights<B>& weights, architecture const& arch) const override {
    using T = typename B::scalar;
    auto& p = detail::projection_of(weights.layers[static_cast<std::size_t>(rescale_.layer())], P);
    stacked_rows const rows = rows_of(arch, P);
    tensor<B> factor(1, rows.count);
    ops::fill<B>(factor.all(), 1);
    ops::axpy<B>(static_cast<T>(rescale_.strength), rescale_.gamma(), factor.all());
    std::vector<T> host(static_cast<std::size_t>(rows.count));
    B::download(factor, host.data());
    tensor<B> plain = weight_rows<B>(p.weight, 0, p.weight.out());  // [out, in]
    for (index i = 0; i < rows.count; ++i)
      ops::scale<B>(host[static_cast<std::size_t>(i)], plain.all().row_range(rows.first + i, 1));
    p.weight = typename B::weight(plain.all());
    if (p.bias.empty()) p.bias = tensor<B>(1, p.weight.out());
    view<B> const bias = p.bias.all().col_range(rows.first, rows.count);
    ops::scale_columns<B>(factor, bias);
    ops::add_row_vector<B>(static_cast<T>(rescale_.strength), rescale_.beta(), bias);
  }

 private:
  rescale<B, S> rescale_;
  std::array<tensor<B>, 2> no_gradient_;
};

/// Makes a part from its description, with A, B, δ, γ and β zero. Throws usage_error for an unknown kind or place.
template <class B>
[[nodiscard]] std::unique_ptr<part<B>> make_part(part_description const& d, architecture const& arch) {
  sizes<architecture> const n(arch);
  if (d.columns.empty()) throw usage_error("intervention: a part has no columns");
  if (d.kind == "low_rank") {
    if (d.where == "q")
      return std::make_unique<low_rank_part<B, proj::q>>(d.layer, d.columns, n.q, d.rank, d.scale);
    if (d.where == "k")
      return std::make_unique<low_rank_part<B, proj::k>>(d.layer, d.columns, n.kv, d.rank, d.scale);
    if (d.where == "v")
      return std::make_unique<low_rank_part<B, proj::v>>(d.layer, d.columns, n.kv, d.rank, d.scale);
    if (d.where == "o")
      return std::make_unique<low_rank_part<B, proj::o>>(d.layer, d.columns, arch.width, d.rank, d.scale);
    if (d.where == "gate")
      return std::make_unique<low_rank_part<B, proj::gate>>(d.layer, d.columns, arch.mlp_width, d.rank,
                                                            d.scale);
    if (d.where == "up")
      return std::make_unique<low_rank_part<B, proj::up>>(d.layer, d.columns, arch.mlp_width, d.rank,
                                                          d.scale);
    if (d.where == "down")
      return std::make_unique<low_rank_part<B, proj::down>>(d.layer, d.columns, arch.width, d.rank, d.scale);
  }
  if (d.kind == "offset") {
    index const first = d.columns.front(), count = std::ssize(d.columns);
    if (d.columns.back() - first + 1 != count)
      throw usage_error("intervention: an offset's columns must be contiguous");
    if (d.where == "z") return std::make_unique<offset_part<B, site::z>>(d.layer, first, count);
    if (d.where == "mlp_post") return std::make_unique<offset_part<B, site::mlp_post>>(d.layer, first, count);
    if (d.where == "attn_out") return std::make_unique<offset_part<B, site::attn_out>>(d.layer, first, count);
    if (d.where == "mlp_out") return std::make_unique<offset_part<B, site::mlp_out>>(d.layer, first, count);
    if (d.where == "resid_pre")
      return std::make_unique<offset_part<B, site::resid_pre>>(d.layer, first, count);
  }
  if (d.kind == "rescale") {
    auto const make = [&]<proj P, class S>(S) -> std::unique_ptr<part<B>> {
      return std::make_unique<rescale_part<B, P, S>>(d.layer, std::ssize(d.columns));
    };
    bool const plain = arch.mlp == mlp_kind::plain;
    if (d.where == "q") return make.template operator()<proj::q>(site::q{});
    if (d.where == "k") return make.template operator()<proj::k>(site::k{});
    if (d.where == "v") return make.template operator()<proj::v>(site::v{});
    if (d.where == "o") return make.template operator()<proj::o>(site::attn_sum{});
    if (d.where == "gate") return make.template operator()<proj::gate>(site::mlp_pre{});
    if (d.where == "up" && plain) return make.template operator()<proj::up>(site::mlp_pre{});
    if (d.where == "up") return make.template operator()<proj::up>(site::mlp_up{});
    if (d.where == "down") return make.template operator()<proj::down>(site::mlp_sum{});
  }
  throw usage_error("intervention: got a part of kind '" + d.kind + "' at '" + d.where +
                    "', expected low_rank or rescale at q, k, v, o, gate, up, down or offset at z, mlp_post, "
                    "attn_out, mlp_out, resid_pre");
}

}  // namespace lancet
