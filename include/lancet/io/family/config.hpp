// SPDX-License-Identifier: Apache-2.0
// Reading a Hugging Face config.json: what its keys mean in every family.
//
// A key that is absent has the value that transformers gives it. A value that would change the mathematics and is not
// understood is an error that names its key.
#pragma once

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lancet/io/family/tensor_names.hpp"
#include "lancet/io/json.hpp"
#include "lancet/io/tensor_entry.hpp"

namespace lancet::detail {

inline constexpr index largest_size = index{1} << 24;

/// One object of a config.json: the document, or what a key of it holds.
struct config {
  nlohmann::json const& json;
  std::string const& where;

  [[nodiscard]] bool has(char const* key) const {
    auto const* const v = find(json, key);
    return v && !v->is_null();
  }
  template <class T>
  [[nodiscard]] T need(char const* key) const {
    return get<T>(json, key, where);
  }
  template <class T>
  [[nodiscard]] T value(char const* key, T otherwise) const {
    return has(key) ? get<T>(json, key, where) : otherwise;
  }
  /// A size: so large at most that products of two of them cannot overflow.
  [[nodiscard]] index count(char const* key) const {
    index const n = need<index>(key);
    if (n < 1 || n > largest_size) fail(key, std::to_string(n), "1 to " + std::to_string(largest_size));
    return n;
  }
  [[nodiscard]] index count(char const* key, index otherwise) const {
    return has(key) ? count(key) : otherwise;
  }
  /// Layers, of which each has tensors of its own.
  [[nodiscard]] index layers(char const* key, tensor_table const& tensors) const {
    index const n = count(key);
    if (n > static_cast<index>(tensors.size()))
      fail(key, std::to_string(n),
           "no more than the " + std::to_string(static_cast<index>(tensors.size())) + " tensors there are");
    return n;
  }
  /// Refuses a key whose value is not the one that leaves the mathematics alone.
  void require(char const* key, nlohmann::json const& neutral) const {
    auto const* const v = find(json, key);
    if (v && !v->is_null() && *v != neutral)
      fail(key, printable(v->dump(-1, ' ', true, nlohmann::json::error_handler_t::replace)),
           neutral.dump() + " (anything else changes what the model computes, and is not supported)");
  }
  [[noreturn]] void fail(char const* key, std::string const& got, std::string const& expected) const {
    throw file_error(where, std::string(key) + ": got " + got + ", expected " + expected);
  }
};

[[nodiscard]] inline activation_kind activation_of(config const& c, char const* key,
                                                   std::string const& otherwise) {
  std::string const name = c.value<std::string>(key, otherwise);
  if (name == "silu" || name == "swish") return activation_kind::silu;
  if (name == "gelu") return activation_kind::gelu;
  if (name == "gelu_new" || name == "gelu_pytorch_tanh") return activation_kind::gelu_tanh;
  if (name == "relu") return activation_kind::relu;
  c.fail(key, in_quotes(name), "silu, gelu, gelu_new, gelu_pytorch_tanh or relu");
}

/// Refuses a file whose `architectures`, where it has them, name a model with another head than one of `heads`: tensors
/// of different heads can have the same names.
inline void require_head(config const& c, std::initializer_list<std::string_view> heads) {
  std::string expected;
  for (std::string_view const head : heads)
    expected += (expected.empty() ? "…" : " or …") + std::string(head);
  for (std::string const& name : c.value<std::vector<std::string>>("architectures", {}))
    if (std::ranges::none_of(heads, [&](std::string_view head) { return name.ends_with(head); }))
      c.fail("architectures", in_quotes(name), expected + ", whose tensors the weights hold");
}

/// A classifier's labels, a row of `classes` each, and what they are: one without `problem_type` is a number, as in
/// transformers.
inline void read_labels(architecture& a, config const& c, tensor_entry const& classes) {
  require_head(c, {"ForSequenceClassification"});
  a.labels = classes.rows();
  a.tied_unembedding = false;
  std::string const type =
      c.value<std::string>("problem_type", a.labels == 1 ? "regression" : "single_label_classification");
  if (type == "single_label_classification")
    a.labels_are = label_kind::exclusive;
  else if (type == "multi_label_classification")
    a.labels_are = label_kind::independent;
  else if (type == "regression")
    a.labels_are = label_kind::numbers;
  else
    c.fail("problem_type", in_quotes(type),
           "single_label_classification, multi_label_classification or regression");
}

inline constexpr std::string_view rope_keys[] = {"rope_type",        "type",
                                                 "rope_theta",       "partial_rotary_factor",
                                                 "factor",           "low_freq_factor",
                                                 "truncate",         "beta_fast",
                                                 "high_freq_factor", "attention_factor",
                                                 "beta_slow",        "mscale",
                                                 "mscale_all_dim",   "short_factor",
                                                 "long_factor",      "original_max_position_embeddings"};

/// Settings of one kind of layer. `object` is what the file keeps for it (either style); `c` the whole configuration.
[[nodiscard]] inline rope_settings read_rope(config const& object, config const& c, double base, index dims) {
  rope_settings r;
  r.dims = dims;
  r.base = base;
  for (auto const& [key, unused] : object.json.items()) {
    if (std::find(std::begin(rope_keys), std::end(rope_keys), key) == std::end(rope_keys))
      throw file_error(c.where,
                       "rotary embedding: got key " + in_quotes(key) +
                           ", expected one that is understood (it could change what the model computes)");
  }
  std::string const type =
      object.value<std::string>("rope_type", object.value<std::string>("type", "default"));
  double const context = static_cast<double>(c.need<index>("max_position_embeddings"));
  r.original = object.value<double>("original_max_position_embeddings",
                                    c.value<double>("original_max_position_embeddings", context));
  auto const logarithmic = [](double scale, double by) {
    return scale <= 1 ? 1.0 : 0.1 * by * std::log(scale) + 1;
  };
  if (type == "default") return r;
  if (type == "linear") {
    r.scaling = rope_scaling::linear;
    r.factor = object.need<double>("factor");
  } else if (type == "dynamic") {
    r.scaling = rope_scaling::dynamic;
    r.factor = object.need<double>("factor");
    r.original = context;
  } else if (type == "llama3") {
    r.scaling = rope_scaling::llama3;
    r.factor = object.need<double>("factor");
    r.low_frequency = object.need<double>("low_freq_factor");
    r.high_frequency = object.need<double>("high_freq_factor");
  } else if (type == "yarn") {
    if (object.has("short_factor") || object.has("long_factor"))  // Phi-3's first files mean longrope by it
      throw file_error(c.where,
                       "short_factor, long_factor: got factors for each pair beside yarn, expected longrope");
    r.scaling = rope_scaling::yarn;
    r.factor = object.value<double>("factor", context / r.original);
    r.beta_fast = object.value<double>("beta_fast", 32);
    r.beta_slow = object.value<double>("beta_slow", 1);
    r.truncate = object.value<bool>("truncate", true);
    double const m = object.value<double>("mscale", 0), all = object.value<double>("mscale_all_dim", 0);
    r.magnitude = object.value<double>(
        "attention_factor", m != 0 && all != 0 ? logarithmic(r.factor, m) / logarithmic(r.factor, all)
                                               : logarithmic(r.factor, 1));
  } else if (type == "longrope" || type == "su") {
    r.scaling = rope_scaling::factors;
    r.divisors = object.need<std::vector<double>>("short_factor");
    r.long_divisors = object.need<std::vector<double>>("long_factor");
    r.factor = object.value<double>("factor", context / r.original);
    r.magnitude = object.value<double>(
        "attention_factor", r.factor <= 1 ? 1 : std::sqrt(1 + std::log(r.factor) / std::log(r.original)));
  } else {
    throw file_error(c.where, "rope_type: got " + in_quotes(type) +
                                  ", expected default, linear, dynamic, llama3, yarn or longrope");
  }
  auto const positive = [&](double v, char const* key) {
    if (!(v > 0))
      throw file_error(c.where,
                       std::string(key) + ": got " + std::to_string(v) + ", expected a positive number");
  };
  positive(r.factor, "factor");
  positive(r.original, "original_max_position_embeddings");
  for (double const d : r.divisors) positive(d, "short_factor");
  for (double const d : r.long_divisors) positive(d, "long_factor");
  return r;
}

/// The object that holds a layer type's rotary settings, in transformers' present style (rope_parameters) or the one
/// before (rope_scaling). Both together must say the same.
[[nodiscard]] inline config rope_object(config const& c, char const* layer_type = nullptr) {
  static nlohmann::json const empty = nlohmann::json::object();
  auto const object = [&](char const* key) -> nlohmann::json const* {
    auto const* v = find(c.json, key);
    if (!v || v->is_null()) return nullptr;
    if (!v->is_object()) c.fail(key, v->type_name(), "an object");
    return v;
  };
  auto const *v = object("rope_parameters"), *before = object("rope_scaling");
  if (v && before && *v != *before)
    c.fail("rope_scaling", "other settings than those of rope_parameters", "the same or one of them");
  if (!v) v = before;
  if (v && layer_type && v->contains(layer_type)) v = &v->at(layer_type);
  return {v ? *v : empty, c.where};
}

/// Dimensions of a head that turn.
[[nodiscard]] inline index rotary_dims(config const& c, config const& rope, index head_dim,
                                       double otherwise) {
  double const share =
      rope.value<double>("partial_rotary_factor", c.value<double>("partial_rotary_factor", otherwise));
  if (!(share > 0 && share <= 1))
    c.fail("partial_rotary_factor", std::to_string(share), "more than 0, at most 1");
  return static_cast<index>(static_cast<double>(head_dim) * share);
}

/// Each layer's window from `layer_types`; where these are absent from `is_local(layer)`.
template <class Local>
[[nodiscard]] std::vector<index> windows_of(config const& c, index layers, index window, Local&& is_local) {
  std::vector<index> out(static_cast<std::size_t>(layers), 0);
  std::vector<std::string> const types = c.value<std::vector<std::string>>("layer_types", {});
  if (!types.empty() && static_cast<index>(types.size()) != layers)
    c.fail("layer_types", std::to_string(types.size()) + " entries",
           "one for each of " + std::to_string(layers) + " layers");
  bool any = false;
  for (std::size_t l = 0; l < out.size(); ++l) {
    bool local = types.empty() && is_local(static_cast<index>(l));
    if (!types.empty()) {
      if (types[l] != "sliding_attention" && types[l] != "full_attention")
        c.fail("layer_types", in_quotes(types[l]), "sliding_attention or full_attention");
      local = types[l] == "sliding_attention";
    }
    if (!local) continue;
    if (window < 1 || window > largest_size)
      c.fail("sliding_window", std::to_string(window), "1 to " + std::to_string(largest_size));
    out[l] = window;
    any = true;
  }
  if (!any) out.clear();
  return out;
}

}  // namespace lancet::detail
