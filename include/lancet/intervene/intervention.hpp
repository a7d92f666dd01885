// SPDX-License-Identifier: Apache-2.0
// intervention: parts with parameters, the circuit they are confined to, and the model they belong to.
#pragma once

#include <map>

#include "lancet/intervene/part.hpp"

namespace lancet {

/// W' = W + α·B·A on the circuit's heads (columns of W_O) and neurons (columns of W_down); units of other
/// kinds become adapters of the whole projection. One adapter of this rank a head, one for all neurons of a
/// layer.
struct circuit_breaker {
  index rank = 4;
  double alpha = 0;  ///< PEFT's lora_alpha; the scale is alpha / rank; 0 means alpha = rank
};
/// a' = a + δ on the circuit's sites: z of heads, mlp_post of neurons, attn_out, mlp_out, resid_pre.
struct activation_offset {};

/// One step of training, as shown in the report.
struct training_record {
  index step = 0;
  double loss = 0, harm = 0, keep = 0, norm = 0;
  double gradient_norm = 0, learning_rate = 0;
  std::optional<double> validation;  ///< where it was measured: the selection criterion
};

template <class B>
class intervention {
 public:
  intervention(std::string kind, circuit found, model_identity model)
      : kind_(std::move(kind)), circuit_(std::move(found)), model_(std::move(model)) {}

  [[nodiscard]] std::string const& kind() const { return kind_; }
  [[nodiscard]] lancet::circuit const& circuit() const { return circuit_; }
  [[nodiscard]] model_identity const& model() const { return model_; }
  [[nodiscard]] std::vector<std::unique_ptr<part<B>>>& parts() { return parts_; }
  [[nodiscard]] std::vector<std::unique_ptr<part<B>>> const& parts() const { return parts_; }

  /// Adds every part to a table; the intervention must outlive it.
  void hook(hook_table<B>& table) {
    for (auto& p : parts_) p->hook(table);
  }
  /// The surgery's strength α: 1 as trained, 0 a sham.
  void set_strength(double alpha) {
    strength_ = alpha;
    for (auto& p : parts_) p->set_strength(alpha);
  }
  [[nodiscard]] double strength() const { return strength_; }

  /// The lowest layer that a part lies in: everything below is the frozen model's. Needs a part.
  [[nodiscard]] index lowest_layer() const {
    index lowest = parts_.at(0)->layer();
    for (auto const& p : parts_) lowest = std::min(lowest, p->layer());
    return lowest;
  }

  [[nodiscard]] std::vector<named_tensor<B>> tensors() const {
    std::vector<named_tensor<B>> out;
    for (auto const& p : parts_)
      for (auto& t : p->tensors()) out.push_back(t);
    return out;
  }
  [[nodiscard]] index trainable() const {
    index n = 0;
    for (auto const& t : tensors()) n += t.value->rows() * t.value->cols();
    return n;
  }
  void zero_gradients() {
    for (auto const& t : tensors()) ops::fill<B>(t.gradient->all(), 0);
  }

  std::vector<training_record> history;
  std::vector<index> trained_on;  ///< lines of the training pairs, so that validation can refuse them
  std::string trained_on_source;
  std::map<std::string, std::string> settings;  ///< of the training, for the file and the report

 private:
  std::string kind_;
  lancet::circuit circuit_;
  model_identity model_;
  std::vector<std::unique_ptr<part<B>>> parts_;
  double strength_ = 1;
};

namespace detail {

/// Fills A with U(−1/√c, 1/√c) (PEFT's kaiming_uniform with a = √5) keyed by seed and name; B stays zero.
template <class B>
void initialise(intervention<B>& made, std::uint64_t seed) {
  for (auto const& t : made.tensors()) {
    if (!t.name.ends_with(".A")) continue;
    philox_stream const stream(seed, "init." + t.name);
    double const bound = 1 / std::sqrt(static_cast<double>(t.value->cols()));
    std::vector<typename B::scalar> host(static_cast<std::size_t>(t.value->rows() * t.value->cols()));
    for (std::size_t i = 0; i < host.size(); ++i)
      host[i] = static_cast<typename B::scalar>(bound * (2 * stream.uniform(i) - 1));
    B::upload(host.data(), t.value->all());
  }
}

[[nodiscard]] inline std::vector<index> column_run(index first, index count) {
  std::vector<index> out(static_cast<std::size_t>(count));
  for (index j = 0; j < count; ++j) out[static_cast<std::size_t>(j)] = first + j;
  return out;
}

/// Neurons of the circuit by layer, ascending.
[[nodiscard]] inline std::map<index, std::vector<index>> neurons_by_layer(circuit const& c) {
  std::map<index, std::vector<index>> out;
  for (unit const& u : c.units)
    if (u.kind == unit_kind::neuron) out[u.layer].push_back(u.number);
  for (auto& [layer, list] : out) std::sort(list.begin(), list.end());
  return out;
}

}  // namespace detail

/// An untrained breaker confined to a circuit: B = 0, so it changes nothing yet.
template <class B>
[[nodiscard]] intervention<B> make_intervention(circuit_breaker const& options, architecture const& arch,
                                                model_identity const& model, circuit const& found,
                                                std::uint64_t seed) {
  require_same_model(found.model, model, "circuit");
  if (found.units.empty())
    throw usage_error("circuit_breaker: got an empty circuit, expected at least one unit");
  intervention<B> out("breaker", found, model);
  double const scale = options.alpha == 0 ? 1.0 : options.alpha / static_cast<double>(options.rank);
  auto const add = [&](char const* where, index layer, std::vector<index> columns) {
    out.parts().push_back(
        make_part<B>({"low_rank", where, layer, std::move(columns), options.rank, scale}, arch));
  };
  for (unit const& u : found.units) {
    check_unit(arch, u);
    if (u.kind == unit_kind::head)
      add("o", u.layer, detail::column_run(u.number * arch.head_dim, arch.head_dim));
    if (u.kind == unit_kind::attn) add("o", u.layer, detail::column_run(0, arch.heads * arch.head_dim));
    if (u.kind == unit_kind::mlp) add("down", u.layer, detail::column_run(0, arch.mlp_width));
    if (u.kind == unit_kind::resid)
      throw usage_error("circuit_breaker: a residual is no projection; use activation_offset");
  }
  for (auto const& [layer, list] : detail::neurons_by_layer(found)) add("down", layer, list);
  detail::initialise(out, seed);
  return out;
}

/// Untrained offsets on a circuit's sites: δ = 0.
template <class B>
[[nodiscard]] intervention<B> make_intervention(activation_offset const&, architecture const& arch,
                                                model_identity const& model, circuit const& found,
                                                std::uint64_t) {
  require_same_model(found.model, model, "circuit");
  if (found.units.empty())
    throw usage_error("activation_offset: got an empty circuit, expected at least one unit");
  intervention<B> out("offset", found, model);
  for (unit const& u : found.units) {
    check_unit(arch, u);
    unit_columns const c = columns_of(arch, u.kind);
    out.parts().push_back(make_part<B>({"offset", std::string(name(site_of(u.kind))), u.layer,
                                        detail::column_run(u.number * c.width, c.width), 0, 1},
                                       arch));
  }
  return out;
}

/// Folds an intervention into the weights of a model, exactly; the hooked and the merged model agree to
/// rounding.
template <class B>
[[nodiscard]] transformer<B> merge(transformer<B> model, intervention<B> const& what) {
  require_same_model(what.model(), model.identity(), "merge");
  // Constants last: what an offset on a projection's input adds goes through the changed projection.
  for (bool const constant : {false, true})
    for (auto const& p : what.parts())
      if (p->input_site(model.arch()).has_value() != constant)
        p->merge(model.mutable_weights(), model.arch());
  model.set_identity({model.identity().name + " + " + what.kind(), ""});
  return model;
}

}  // namespace lancet
