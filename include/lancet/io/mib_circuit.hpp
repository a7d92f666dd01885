// SPDX-License-Identifier: Apache-2.0
// Circuits as the graphs that EAP-IG and the Mechanistic Interpretability Benchmark exchange: JSON with cfg,
// nodes (input, a3.h2, m5, logits) and edges (a0.h1->a3.h2<q>).
//
// A circuit here is a set of units: heads and MLPs are nodes. Written, every edge between nodes of the circuit
// (with input and logits) belongs to it with score 1, and those outside are left out, which their reader takes
// for score 0; read, the nodes in the graph are the units, and the edges are checked, not kept.
#pragma once

#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lancet/io/circuit_json.hpp"

namespace lancet {

namespace detail {

/// A node's place in the order in which the residual stream is written, or nothing for a wrong name.
struct mib_node {
  index layer = -1;  ///< −1: input; the number of layers: logits
  index head = -1;   ///< −1: no head
  [[nodiscard]] index order(index heads) const { return layer * (heads + 1) + (head < 0 ? heads : head); }
};

[[nodiscard]] inline std::optional<mib_node> parse_mib_node(std::string_view name, architecture const& a) {
  if (name == "input") return mib_node{-1, -1};
  if (name == "logits") return mib_node{a.layers, -1};
  auto const number = [](std::string_view text, index most) -> std::optional<index> {
    index n = -1;
    auto const [end, code] = std::from_chars(text.data(), text.data() + text.size(), n);
    bool const whole = code == std::errc() && end == text.data() + text.size();
    if (!whole || n < 0 || n >= most || std::to_string(n) != text) return {};
    return n;
  };
  if (name.starts_with('m')) {
    auto const layer = number(name.substr(1), a.layers);
    return layer ? std::optional<mib_node>({*layer, -1}) : std::nullopt;
  }
  auto const dot = name.find(".h");
  if (!name.starts_with('a') || dot == name.npos) return {};
  auto const layer = number(name.substr(1, dot - 1), a.layers), head = number(name.substr(dot + 2), a.heads);
  return layer && head ? std::optional<mib_node>({*layer, *head}) : std::nullopt;
}

[[nodiscard]] inline std::string mib_name(unit const& u) {
  if (u.position >= 0 || (u.kind != unit_kind::head && u.kind != unit_kind::mlp))
    throw usage_error("export: a MIB graph has no node for " + text(u) +
                      ": its nodes are heads and MLPs at every position");
  return u.kind == unit_kind::head ? "a" + std::to_string(u.layer) + ".h" + std::to_string(u.number)
                                   : "m" + std::to_string(u.layer);
}

/// Throws file_error unless "PARENT->CHILD", with "<q>", "<k>" or "<v>" for a head, is an edge of the model.
inline void check_mib_edge(std::string_view name, json_field const& edge, architecture const& a,
                           bool parallel) {
  auto const arrow = name.find("->");
  bool ok = arrow != name.npos;
  if (ok) {
    std::string_view child = name.substr(arrow + 2);
    bool const split = child.ends_with("<q>") || child.ends_with("<k>") || child.ends_with("<v>");
    if (split) child.remove_suffix(3);
    auto const from = parse_mib_node(name.substr(0, arrow), a), to = parse_mib_node(child, a);
    ok = from && to && from->layer < a.layers && to->layer >= 0 && split == (to->head >= 0) &&
         (from->layer < to->layer ||
          (!parallel && from->layer == to->layer && from->head >= 0 && to->head < 0));
  }
  if (!ok) edge.fail("edges of the model, not " + in_quotes(name));
  edge.allow_only({"score", "in_graph"});
  static_cast<void>(edge["score"].number());
  static_cast<void>(edge["in_graph"].flag());
}

}  // namespace detail

/// Reads the nodes of a graph as a circuit of this model. Throws file_error for another model's sizes, for
/// names that are no node or edge of it, and for graphs that choose among the columns of a node's output.
[[nodiscard]] inline circuit read_mib_circuit(std::string const& path, architecture const& a,
                                              model_identity const& model) {
  nlohmann::json const document = read_json(path);
  json_field const f(document, path);
  f.allow_only({"cfg", "nodes", "edges"});
  auto const demand = [&](char const* key, index expected) {
    if (f["cfg"][key].need_integer() != expected)
      f["cfg"][key].fail(std::to_string(expected) + ", as in model '" + model.name + "'");
  };
  demand("n_layers", a.layers);
  demand("n_heads", a.heads);
  if (f["cfg"]["d_model"]) demand("d_model", a.width);
  bool const parallel = a.residual == residual_kind::parallel;
  if (f["cfg"]["parallel_attn_mlp"].flag().value_or(parallel) != parallel)
    f["cfg"]["parallel_attn_mlp"].fail(parallel ? "true, as in this model" : "false, as in this model");
  circuit out;
  out.model = model;
  out.rule = "nodes in the graph";
  out.source = path;
  if (!f["nodes"]) f["nodes"].fail("nodes by name");
  for (auto const& [name, node] : f["nodes"].members()) {
    auto const place = detail::parse_mib_node(name, a);
    if (!place) node.fail("nodes of the model, not " + detail::in_quotes(name));
    bool const plain = node.json()->is_boolean();  // an older form
    if (!plain) node.allow_only({"in_graph", "score", "neurons", "neurons_scores"});
    for (json_field const& n : plain ? std::vector<json_field>{} : node["neurons"].items())
      if (!n.flag().value_or(false)) n.fail("true: units are whole, not some columns of what a node writes");
    bool const in = plain ? *node.flag() : node["in_graph"].flag().value_or(false);
    if (!in || place->layer < 0 || place->layer == a.layers) continue;
    out.units.push_back(place->head < 0 ? unit{unit_kind::mlp, place->layer, 0, -1}
                                        : unit{unit_kind::head, place->layer, place->head, -1});
    out.effects.push_back(plain ? std::numeric_limits<double>::quiet_NaN()
                                : detail::number_or_nan(node["score"]));
  }
  for (auto const& [name, edge] : f["edges"].members()) detail::check_mib_edge(name, edge, a, parallel);
  return out;
}

/// Writes a circuit of heads and MLPs as a graph. Throws usage_error for units that are no nodes.
inline void write_mib_circuit(std::string const& path, circuit const& c, architecture const& a) {
  bool const parallel = a.residual == residual_kind::parallel;
  struct member {
    std::string name;
    index head;
  };
  std::map<index, member> in;  // by the order of the residual stream
  std::map<std::string, double> scores;
  for (std::size_t i = 0; i < c.units.size(); ++i) {
    check_unit(a, c.units[i]);
    std::string const name = detail::mib_name(c.units[i]);
    if (!scores.emplace(name, i < c.effects.size() ? c.effects[i] : 0.0).second)
      fail_expected("export: MIB graph", "node " + name + " twice", "each unit once");
    index const head = c.units[i].kind == unit_kind::head ? c.units[i].number : -1;
    in[detail::mib_node{c.units[i].layer, head}.order(a.heads)] = {name, head};
  }
  nlohmann::ordered_json nodes = nlohmann::ordered_json::object(), edges = nlohmann::ordered_json::object();
  auto const node = [&](std::string const& name, bool always) {
    auto const at = scores.find(name);
    nodes[name] = {{"in_graph", always || at != scores.end()}};
    if (at != scores.end() && std::isfinite(at->second)) nodes[name]["score"] = at->second;
  };
  node("input", true);
  for (index l = 0; l < a.layers; ++l) {
    for (index h = 0; h < a.heads; ++h) node("a" + std::to_string(l) + ".h" + std::to_string(h), false);
    node("m" + std::to_string(l), false);
  }
  node("logits", true);
  auto const edge = [&](std::string const& from, std::string const& to) {
    edges[from + "->" + to] = {{"score", 1.0}, {"in_graph", true}};
  };
  std::vector<std::pair<std::string, index>> before{
      {"input", -1}};  // what was written, with its layer's heads
  for (auto const& [order, to] : in) {
    index const layer = order / (a.heads + 1);
    for (auto const& [from, layer_of_head] : before) {
      if ((to.head >= 0 || parallel) && layer_of_head == layer) continue;  // they read the same input
      if (to.head < 0) edge(from, to.name);
      for (char const* const way : {"<q>", "<k>", "<v>"})
        if (to.head >= 0) edge(from, to.name + way);
    }
    before.emplace_back(to.name, to.head >= 0 ? layer : -1);
  }
  for (auto const& from : before) edge(from.first, "logits");
  nlohmann::ordered_json const document{
      {"cfg",
       {{"n_layers", a.layers}, {"n_heads", a.heads}, {"parallel_attn_mlp", parallel}, {"d_model", a.width}}},
      {"nodes", std::move(nodes)},
      {"edges", std::move(edges)}};
  write_file(path, document.dump(1) + "\n");
}

}  // namespace lancet
