// SPDX-License-Identifier: Apache-2.0
// A circuit on a fixed grid, layers across and kinds of units down: the same unit is at the same place in
// every report.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lancet/atlas/html/markup.hpp"
#include "lancet/atlas/html/number.hpp"
#include "lancet/atlas/html/plot.hpp"
#include "lancet/atlas/html/units.hpp"

namespace lancet::html {

/// What is drawn. `others` are measured units outside the circuit: faint, and the first to go when τ rises.
struct graph_input {
  std::vector<unit> circuit;
  std::vector<unit> others;
  std::vector<edge> edges;
  std::int64_t layers = 1;
  std::int64_t heads = 0;  ///< rows for all heads of a layer, if any head is drawn
  std::string effect_unit;
  double level = 0.05;  ///< of the false discovery control
};

namespace detail {

/// Rows of the grid, and where units go on it.
class graph_grid {
 public:
  explicit graph_grid(graph_input const& in) : layers_(std::max<std::int64_t>(in.layers, 1)) {
    bool heads = false;
    std::int64_t neurons = 0;
    std::map<std::int64_t, std::int64_t> neurons_in_layer;
    auto const see = [&](unit const& u) {
      if (u.layer) layers_ = std::max(layers_, *u.layer + 1);
      if (u.head) heads = true, heads_ = std::max(heads_, *u.head + 1);
      if (u.neuron) neurons = std::max(neurons, ++neurons_in_layer[*u.layer]);
      if (u.layer && !u.head && !u.neuron) kinds_[u.kind] = 0;
    };
    for (unit const& u : in.circuit) see(u);
    for (unit const& u : in.others) see(u);
    for (edge const& e : in.edges) see(e.source), see(e.target);
    if (heads) heads_ = std::max(heads_, in.heads);
    for (std::int64_t h = 0; h < heads_; ++h) names_.push_back("head " + std::to_string(h));
    for (auto& [kind, row] : kinds_) {
      row = static_cast<std::int64_t>(names_.size());
      names_.push_back(kind == "mlp"     ? "MLP"
                       : kind == "attn"  ? "attention"
                       : kind == "resid" ? "residual"
                                         : kind);
    }
    first_neuron_ = static_cast<std::int64_t>(names_.size());
    neurons_ = std::min<std::int64_t>(neurons, most_neurons);
    for (std::int64_t n = 0; n < neurons_; ++n) names_.push_back(n == 0 ? "neurons" : "");
    if (names_.empty()) names_.emplace_back("units");
    step_ = std::clamp(680.0 / static_cast<double>(layers_), 16.0, 120.0);
    row_ = names_.size() > 24 ? 15 : 24;
  }

  struct spot {
    double x = 0, y = 0;
    std::int64_t column = 0, row = 0;
  };

  /// Where the unit is drawn; nothing for neurons beyond the rows of their layer.
  [[nodiscard]] std::optional<spot> place(unit const& u) {
    if (!u.layer) {
      bool const input = u.kind == "embed" || u.kind == "input";
      std::int64_t const middle = rows() / 2;
      return at(input ? -1 : layers_, middle);
    }
    if (u.head) return at(*u.layer, *u.head);
    if (u.neuron) {
      auto const [where, is_new] = neuron_rows_.try_emplace({*u.layer, *u.neuron}, used_[*u.layer]);
      if (is_new) ++used_[*u.layer];
      if (where->second >= neurons_) return {};
      return at(*u.layer, first_neuron_ + where->second);
    }
    auto const kind = kinds_.find(u.kind);
    return at(*u.layer, kind == kinds_.end() ? 0 : kind->second);
  }

  [[nodiscard]] std::int64_t rows() const { return static_cast<std::int64_t>(names_.size()); }
  [[nodiscard]] std::int64_t layers() const { return layers_; }
  [[nodiscard]] double width() const { return left + step_ * static_cast<double>(layers_) + 64; }
  [[nodiscard]] double height() const { return top + row_ * static_cast<double>(rows()) + 34; }
  [[nodiscard]] double radius() const { return std::min(0.46 * std::min(step_, row_), 10.0); }

  /// Names of rows and layers, and a faint dot at every place of the grid.
  [[nodiscard]] markup background() const {
    markup out;
    for (std::int64_t r = 0; r < rows(); ++r) {
      double const y = at(0, r).y;
      append(out, "<text class=\"tick\" x=\"", left - 50, "\" y=\"", y + 4, "\" text-anchor=\"end\">",
             names_[static_cast<std::size_t>(r)], "</text><path class=\"lattice\" d=\"M", at(0, r).x, " ", y,
             "H", at(layers_ - 1, r).x, "\" stroke-dasharray=\"0 ", step_, "\"></path>");
    }
    std::int64_t const every = step_ < 24 ? (layers_ > 60 ? 5 : 2) : 1;
    for (std::int64_t l = 0; l < layers_; l += every) {
      append(out, "<text class=\"tick\" x=\"", at(l, 0).x, "\" y=\"", height() - 16,
             "\" text-anchor=\"middle\">", l, "</text>");
    }
    append(out, "<text class=\"axis-title\" x=\"", at(layers_ - 1, 0).x + 24, "\" y=\"", height() - 16,
           "\">layer</text>");
    return out;
  }

 private:
  static constexpr double left = 140, top = 20;
  static constexpr std::int64_t most_neurons = 6;

  [[nodiscard]] spot at(std::int64_t column, std::int64_t row) const {
    return {left + step_ * (static_cast<double>(column) + 0.5), top + row_ * (static_cast<double>(row) + 0.5),
            column, row};
  }

  std::int64_t layers_, heads_ = 0, first_neuron_ = 0, neurons_ = 0;
  std::map<std::string, std::int64_t> kinds_;
  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> neuron_rows_;
  std::map<std::int64_t, std::int64_t> used_;
  std::vector<std::string> names_;
  double step_ = 24, row_ = 24;
};

[[nodiscard]] inline shape node_shape(unit const& u) {
  if (u.neuron) return shape::triangle;
  if (u.kind == "mlp") return shape::square;
  return u.kind == "head" || u.head ? shape::circle : shape::diamond;
}

}  // namespace detail

/// "L26 H2: effect +0.312 nats (95% interval 0.27 to 0.35), adjusted p 2.1 × 10⁻⁷, in the circuit".
[[nodiscard]] inline std::string describe_unit(unit const& u, std::string_view effect_unit, bool in_circuit,
                                               double level) {
  std::string out = u.name();
  if (u.effect) {
    out += ": effect " + signed_number(*u.effect);
    if (!effect_unit.empty()) out += " " + std::string(effect_unit);
  }
  if (u.low && u.high)
    out += " (95% interval " + signed_number(*u.low) + " to " + signed_number(*u.high) + ")";
  if (u.p_adjusted) {
    out += ", adjusted p " + p_value(*u.p_adjusted) + (u.significant(level) ? "" : ", not significant");
  }
  return in_circuit ? out + ", in the circuit" : out;
}

/// The picture and how much of the circuit it leaves out. Edges beyond `most_edges` and units beyond
/// `most_units` are counted, weakest first.
struct graph_picture {
  markup svg;
  std::size_t nodes = 0, edges = 0, nodes_left_out = 0, edges_left_out = 0;
  double largest = 0;  ///< the largest absolute effect, the slider's upper end
};

[[nodiscard]] inline graph_picture circuit_graph(graph_input const& in, std::size_t most_units = 600,
                                                 std::size_t most_edges = 400) {
  detail::graph_grid grid(in);
  graph_picture out;
  out.largest = std::max(largest_effect(in.circuit), largest_effect(in.others));
  double const full = out.largest > 0 ? out.largest : 1;
  double strongest_edge = 0;
  std::vector<edge> edges = in.edges;
  std::stable_sort(edges.begin(), edges.end(), [](edge const& a, edge const& b) {
    return std::abs(a.effect.value_or(0)) > std::abs(b.effect.value_or(0));
  });
  for (edge const& e : edges) strongest_edge = std::max(strongest_edge, std::abs(e.effect.value_or(0)));

  markup nodes;
  auto const node = [&](unit const& u, bool in_circuit) {
    auto const spot = out.nodes < most_units ? grid.place(u) : std::nullopt;
    if (!spot) {
      ++out.nodes_left_out;
      return;
    }
    ++out.nodes;
    double const share = u.effect ? std::sqrt(u.size() / full) : 0.5;
    double const r = std::max(in_circuit ? 3.5 : 1.4, grid.radius() * share);
    append(nodes, "<g class=\"node", in_circuit ? markup(" in") : markup(),
           u.significant(in.level) ? markup() : markup(" weak"), "\" data-name=\"", u.place(),
           "\" data-effect=\"", u.size(), "\" data-x=\"", spot->column, "\" data-y=\"", spot->row,
           "\"><title>", describe_unit(u, in.effect_unit, in_circuit, in.level), "</title>",
           marker(detail::node_shape(u), spot->x, spot->y, r, u.effect.value_or(0) < 0 ? "neg" : "pos"),
           "</g>");
  };
  // Neurons take their rows in this order, so the circuit's come first.
  for (unit const& u : ranked(in.circuit)) node(u, true);
  for (unit const& u : ranked(in.others)) node(u, false);

  markup lines;
  for (edge const& e : edges) {
    auto const from = grid.place(e.source), to = grid.place(e.target);
    if (!from || !to || out.edges >= most_edges) {
      ++out.edges_left_out;
      continue;
    }
    ++out.edges;
    double const size = std::abs(e.effect.value_or(0));
    double const reach = std::max(18.0, (to->x - from->x) * 0.5);
    std::string const input = e.input.empty() ? "" : " (" + e.input + ")";
    std::string const effect = e.effect ? ": effect " + signed_number(*e.effect) + " " + in.effect_unit : "";
    append(lines, "<g class=\"edge ", std::string_view(e.effect.value_or(0) < 0 ? "neg" : "pos"), " input-",
           e.input == "q" || e.input == "k" || e.input == "v" ? e.input : std::string("other"),
           "\" data-from=\"", e.source.place(), "\" data-to=\"", e.target.place(), "\" data-effect=\"", size,
           "\"><title>", e.source.name(), " → ", e.target.name(), input, effect,
           "</title><path stroke-width=\"", 0.8 + (strongest_edge > 0 ? 4 * size / strongest_edge : 0),
           "\" d=\"M", from->x, " ", from->y, "C", from->x + reach, " ", from->y, " ", to->x - reach, " ",
           to->y, " ", to->x, " ", to->y, "\"></path>");
    if (edges.size() <= 60 && !e.input.empty()) {
      append(lines, "<text x=\"", to->x - grid.radius() - 7, "\" y=\"", to->y + (to->y > from->y ? -5 : 12),
             "\" text-anchor=\"middle\">", shorten(e.input, 3), "</text>");
    }
    lines += "</g>";
  }
  markup ends;
  for (char const* const kind : {"embed", "logits"}) {
    unit u;
    u.kind = kind;
    auto const spot = grid.place(u);
    append(ends, "<g class=\"end-node\" data-name=\"", u.kind, "\"><rect x=\"", spot->x - 23, "\" y=\"",
           spot->y - 10, "\" width=\"46\" height=\"20\" rx=\"10\"></rect><text x=\"", spot->x, "\" y=\"",
           spot->y + 4, "\" text-anchor=\"middle\">", u.kind, "</text></g>");
  }
  out.svg = html("<svg class=\"graph\" role=\"group\" aria-label=\"Circuit on a grid of ", grid.layers(),
                 " layers: ", in.circuit.size(), " units and ", in.edges.size(), " edges\" viewBox=\"0 0 ",
                 grid.width(), " ", grid.height(), "\">", grid.background(), "<g class=\"edges\">", lines,
                 "</g>", ends, "<g class=\"nodes\">", nodes, "</g></svg>");
  return out;
}

}  // namespace lancet::html
