// SPDX-License-Identifier: Apache-2.0
// Circuits as the graphs of EAP-IG and MIB: units to nodes and edges, nodes to units, and graphs of others.
#define BOOST_TEST_MODULE io_mib_circuit
#include "lancet/io/mib_circuit.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <functional>
#include <set>

#include "support/errors.hpp"
#include "support/temporary_folder.hpp"
#include "support/tiny_model.hpp"

namespace lancet_test {

using namespace lancet;
using lancet::index;

namespace {

model_identity const identity{"tiny", "abc"};

circuit some_circuit() {
  circuit c;
  c.model = identity;
  c.units = {{unit_kind::head, 1, 3, -1},
             {unit_kind::mlp, 1, 0, -1},
             {unit_kind::head, 0, 2, -1},
             {unit_kind::head, 1, 0, -1}};
  c.effects = {0.5, -0.25, 0.125, NAN};
  return c;
}

architecture sized(bool parallel) {
  architecture a = llama_like();
  if (parallel) a.residual = residual_kind::parallel;
  return a;
}

nlohmann::json graph(circuit const& c, bool parallel = false) {
  temporary_folder const folder;
  write_mib_circuit(folder / "g.json", c, sized(parallel));
  return read_json(folder / "g.json");
}

circuit read(nlohmann::json const& document, bool parallel = false) {
  temporary_folder const folder;
  write_file(folder / "g.json", document.dump());
  return read_mib_circuit(folder / "g.json", sized(parallel), identity);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_circuit_is_its_nodes_and_every_edge_between_them) {
  nlohmann::json const g = graph(some_circuit());
  BOOST_TEST(
      g["cfg"] ==
      nlohmann::json({{"n_layers", 3}, {"n_heads", 4}, {"d_model", 12}, {"parallel_attn_mlp", false}}));
  BOOST_TEST(g["nodes"].size() == 3U * 5U + 2U);
  BOOST_TEST(g["nodes"]["a1.h3"] == nlohmann::json({{"in_graph", true}, {"score", 0.5}}));
  BOOST_TEST(g["nodes"]["a1.h0"] == nlohmann::json({{"in_graph", true}}));
  BOOST_TEST(g["nodes"]["m0"] == nlohmann::json({{"in_graph", false}}));
  BOOST_TEST(g["nodes"]["input"]["in_graph"] == true);
  BOOST_TEST(g["nodes"]["logits"]["in_graph"] == true);
  std::set<std::string> edges;
  for (auto const& [name, edge] : g["edges"].items()) {
    BOOST_TEST(edge == nlohmann::json({{"score", 1.0}, {"in_graph", true}}));
    edges.insert(name);
  }
  std::set<std::string> expected{"input->m1",     "a0.h2->m1",     "a1.h0->m1",
                                 "a1.h3->m1",     "input->logits", "a0.h2->logits",
                                 "a1.h0->logits", "a1.h3->logits", "m1->logits"};
  for (char const* const way : {"<q>", "<k>", "<v>"})
    for (char const* const edge :
         {"input->a0.h2", "input->a1.h0", "input->a1.h3", "a0.h2->a1.h0", "a0.h2->a1.h3"})
      expected.insert(std::string(edge) + way);
  BOOST_TEST((edges == expected));
  // Attention and MLP side by side: heads of the layer do not feed its MLP.
  nlohmann::json const side = graph(some_circuit(), true);
  BOOST_TEST(side["cfg"]["parallel_attn_mlp"] == true);
  BOOST_TEST(!side["edges"].contains("a1.h3->m1"));
  BOOST_TEST(side["edges"].contains("a0.h2->m1"));
  BOOST_TEST(side["edges"].size() == expected.size() - 2);
}

BOOST_AUTO_TEST_CASE(nodes_in_the_graph_are_units) {
  circuit const back = read(graph(some_circuit()));
  std::vector<unit> was = some_circuit().units, now = back.units;
  std::sort(was.begin(), was.end());
  std::sort(now.begin(), now.end());
  BOOST_TEST((was == now));
  for (std::size_t i = 0; i < back.units.size(); ++i) {
    if (back.units[i] == unit{unit_kind::mlp, 1, 0, -1}) BOOST_TEST(back.effects[i] == -0.25);
    if (back.units[i] == unit{unit_kind::head, 1, 0, -1}) BOOST_TEST(std::isnan(back.effects[i]));
  }
  BOOST_TEST(back.model.sha256 == "abc");
  BOOST_CHECK_NO_THROW(read(graph(some_circuit(), true), true));
  // An older form says true or false of a node.
  nlohmann::json g = graph(some_circuit());
  g["nodes"] = {{"input", true}, {"a2.h1", true}, {"m2", false}, {"logits", true}};
  BOOST_TEST((read(g).units == std::vector<unit>{{unit_kind::head, 2, 1, -1}}));
  // Whole neurons, as in a graph without a choice among them.
  g["nodes"]["a2.h1"] = {{"in_graph", true}, {"neurons", {true, true}}};
  BOOST_TEST(read(g).units.size() == 1U);
}

BOOST_AUTO_TEST_CASE(graphs_that_do_not_fit) {
  auto const refused = [](std::function<void(nlohmann::json&)> const& change, char const* sentence) {
    nlohmann::json g = graph(some_circuit());
    change(g);
    check_throws<file_error>([&] { static_cast<void>(read(g)); }, sentence);
  };
  using json = nlohmann::json;
  refused([](json& g) { g["cfg"]["n_layers"] = 4; }, "cfg.n_layers: got 4, expected 3, as in model 'tiny'");
  refused([](json& g) { g["cfg"]["n_heads"] = 12; }, "cfg.n_heads: got 12, expected 4");
  refused([](json& g) { g["cfg"]["d_model"] = 768; }, "cfg.d_model: got 768, expected 12");
  refused([](json& g) { g["cfg"]["parallel_attn_mlp"] = 1; }, "got 1, expected true or false");
  refused([](json& g) { g["cfg"]["parallel_attn_mlp"] = true; },
          "got true, expected false, as in this model");
  refused([](json& g) { g.erase("nodes"); }, "nodes: got nothing, expected nodes by name");
  refused([](json& g) { g["neurons"] = 1; }, "expected no member 'neurons', only cfg, nodes, edges");
  for (char const* const name :
       {"a3.h0", "a0.h4", "m3", "a0", "a00.h1", "a0.h", "m-1", "m", "", "embed", "a0.h1 "})
    refused([&](json& g) { g["nodes"][name] = {{"in_graph", true}}; }, "expected nodes of the model, not '");
  refused([](json& g) { g["nodes"]["m0"]["neurons"] = {true, false}; }, "expected true: units are whole");
  refused([](json& g) { g["nodes"]["m0"]["in_graph"] = "yes"; },
          "got the string 'yes', expected true or false");
  refused([](json& g) { g["nodes"]["m0"]["weight"] = 1; }, "expected no member 'weight'");
  for (char const* const name :
       {"m0->a0.h1<q>", "a0.h1->a0.h2<k>", "a0.h1->a1.h2", "a0.h1->m1<q>", "logits->m1", "m1->input",
        "m1->m1", "m1", "->", "a0.h1->a1.h2<x>", "input->a0.h1<q"})
    refused([&](json& g) { g["edges"][name] = {{"score", 1}}; }, "expected edges of the model, not '");
  refused(
      [](json& g) {
        g["edges"]["input->m0"] = {{"score", "high"}};
      },
      "got the string 'high', expected a number");
}

BOOST_AUTO_TEST_CASE(units_that_are_no_nodes) {
  auto const refused = [](unit const& u, char const* sentence) {
    circuit c = some_circuit();
    c.units.push_back(u);
    c.effects.push_back(0);
    check_throws<usage_error>([&] { static_cast<void>(graph(c)); }, sentence);
  };
  refused({unit_kind::neuron, 1, 3, -1}, "a MIB graph has no node for neuron 1.3");
  refused({unit_kind::resid, 1, 0, -1}, "no node for resid 1");
  refused({unit_kind::head, 2, 0, 4},
          "no node for head 2.0 at position 4: its nodes are heads and MLPs at every");
  refused({unit_kind::head, 1, 3, -1}, "got node a1.h3 twice, expected each unit once");
  refused({unit_kind::head, 1, 4, -1}, "expected a unit of a model with 3 layers");
}

}  // namespace lancet_test
