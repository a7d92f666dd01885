// SPDX-License-Identifier: Apache-2.0
// Every site fires where docs/sites.md says: order, shape, place, in both families, forward and backward.
#define BOOST_TEST_MODULE hooks_sites
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <string>

#include "hooks/spy.hpp"
#include "lancet/backend/eigen.hpp"
#include "lancet/model/run.hpp"
#include "support/tiny_model.hpp"

namespace lancet_test {
namespace {

using namespace lancet;
using B = backend::eigen<double>;

constexpr index segment_rows[] = {5, 1, 3};
constexpr index all_rows = 9, prefix_rows = 2, read_rows = 4;

/// The last segment continues a prefix of two positions.
batch<B> make_batch(architecture const& a) {
  auto cache = std::make_shared<kv_cache<B>>();
  cache->length = prefix_rows;
  for (index l = 0; l < a.layers; ++l)
    cache->layers.push_back(
        {random_tensor<B>(2, a.kv_heads * a.head_dim, 70), random_tensor<B>(2, a.kv_heads * a.head_dim, 71)});
  batch<B> input;
  input.add(random_tokens(5, a.vocabulary, 1));
  input.add(random_tokens(1, a.vocabulary, 2));
  input.add(random_tokens(3, a.vocabulary, 3), cache, prefix_rows);
  return input;
}

/// The firings of one pass in order: sites as they stand in `all_sites`, layer by layer.
template <class... S>
std::vector<firing> expected_firings(architecture const& a, sites<S...>) {
  std::vector<site_id> const listed{S::id...};
  auto const is_listed = [&](site_id id) {
    return std::find(listed.begin(), listed.end(), id) != listed.end();
  };
  std::vector<firing> out;
  for (index l = 0; l <= a.layers; ++l)
    for (std::size_t i = 0; i < site_count; ++i) {
      auto const id = static_cast<site_id>(i);
      bool const once = id == site_id::embed;
      bool const readout = id == site_id::final_scale || id == site_id::final || id == site_id::logits;
      if (!is_listed(id) || (once && l > 0) || readout != (l == a.layers)) continue;
      if (id == site_id::pattern) continue;  // with the scores, below
      if (id == site_id::scores) {
        for (index s = 0; s < 3; ++s)
          for (site_id const each : {site_id::scores, site_id::pattern})
            out.push_back(
                {each, l, s, a.heads * segment_rows[s], segment_rows[s] + (s == 2 ? prefix_rows : 0)});
        continue;
      }
      out.push_back({id, l, -1, readout ? read_rows : all_rows, site_columns(a, id)});
    }
  return out;
}

/// Backward: the reverse, but for linear<o>, whose gradient is ready only after that of head_out.
std::vector<firing> reversed(std::vector<firing> f) {
  std::reverse(f.begin(), f.end());
  for (std::size_t i = 0; i + 1 < f.size(); ++i)
    if (f[i].site == site_id::linear_o && f[i + 1].site == site_id::head_out) std::swap(f[i], f[i + 1]);
  return f;
}

template <class H>
void run(transformer<B> const& model, H& hooks) {
  batch<B> const input = make_batch(model.arch());
  workspace<B> ws;
  std::vector<index> const rows{8, 0, 4, 5};
  lancet::forward(model, input, hooks, ws, std::span<index const>(rows), pass_kind::record);
  lancet::logits(model, hooks, ws);
  tensor<B> g_logits = random_tensor<B>(read_rows, model.arch().vocabulary, 4),
            g(read_rows, model.arch().width);
  backward_pass<B, architecture, H>(model, hooks, ws).logits(g_logits, g);
  lancet::backward(model, hooks, ws, g);
}

template <class List>
void check(architecture const& a) {
  transformer<B> const model = tiny_model<B>(a);
  std::vector<firing> const expected = expected_firings(a, List{});
  spy<B, List> erased, fixed;
  hook_table<B> table;
  table.add(erased);
  run(model, table);
  BOOST_TEST(erased.forward == expected, boost::test_tools::per_element());
  BOOST_TEST(erased.backward == reversed(expected), boost::test_tools::per_element());
  for (firing const& f : erased.inputs) {
    index const width = f.site == site_id::linear_o      ? a.heads * a.head_dim
                        : f.site == site_id::linear_down ? a.mlp_width
                                                         : a.width;
    BOOST_TEST(f.rows == all_rows);
    BOOST_TEST(f.cols == width);
  }
  BOOST_TEST(erased.gradient_inputs.size() == erased.inputs.size());

  auto composed = hooks(fixed);
  run(model, composed);
  BOOST_TEST((fixed.forward == erased.forward));
  BOOST_TEST((fixed.backward == erased.backward));
  BOOST_TEST((fixed.inputs == erased.inputs));
}

BOOST_AUTO_TEST_CASE(llama) {
  check<without<all_sites, split_sites>>(llama_like());
  check<without<all_sites, common_input_sites>>(llama_like());
}

BOOST_AUTO_TEST_CASE(gpt2) {
  check<without<without<all_sites, split_sites>, gated_sites>>(gpt2_like());
  check<without<without<all_sites, common_input_sites>, gated_sites>>(gpt2_like());
}

struct watcher {
  using reads = sites<site::embed, site::z, site::pattern, site::final>;
  void on(site::embed, const_view<B>, place const& at) { check(at, 0, -1, 0); }
  void on(site::z, const_view<B>, place const& at) { check(at, z_layer++, -1, 0); }
  void on(site::pattern, const_view<B>, place const& at) {
    check(at, patterns / 3, patterns % 3, 0);
    ++patterns;
  }
  void on(site::final, const_view<B>, place const& at) {
    check(at, 3, -1, read_rows);
    BOOST_TEST(at.rows[1] == 0);
    BOOST_TEST(at.rows[3] == 5);
    ++finals;
  }
  void check(place const& at, index layer, index segment, index rows) const {
    BOOST_TEST(at.layer == layer);
    BOOST_TEST(at.segment == segment);
    BOOST_TEST(std::ssize(at.rows) == rows);
    BOOST_TEST((at.pass == pass_kind::record));
    BOOST_REQUIRE(at.segments.size() == 3U);
    for (std::size_t s = 0; s < 3; ++s) BOOST_TEST(at.segments[s].rows == segment_rows[s]);
    BOOST_TEST(at.segments[2].row == 6);
    BOOST_TEST(at.segments[2].first_position == prefix_rows);
  }
  index z_layer = 0, patterns = 0, finals = 0;
};

BOOST_AUTO_TEST_CASE(places_say_where_and_when) {
  watcher w;
  transformer<B> const model = tiny_model<B>(llama_like());
  hook_table<B> table;
  table.add(w);
  run(model, table);
  BOOST_TEST(w.z_layer == 3);
  BOOST_TEST(w.patterns == 9);
  BOOST_TEST(w.finals == 1);
}

BOOST_AUTO_TEST_CASE(names_and_lists_agree) {
  auto const ids = []<class... S>(sites<S...>) { return std::vector<site_id>{S::id...}; }(all_sites{});
  BOOST_REQUIRE(ids.size() == site_count);
  for (std::size_t i = 0; i < site_count; ++i) {
    BOOST_TEST(static_cast<std::size_t>(ids[i]) == i);
    BOOST_TEST((find_site(name(ids[i])) == ids[i]));
  }
  BOOST_TEST(!find_site("nothing").has_value());
  BOOST_TEST(name(site_id::linear_gate) == "linear_gate");
  BOOST_TEST(name(site_id::logits) == "logits");
}

// docs/sites.md has one row for each site, in the order in which they fire.
BOOST_AUTO_TEST_CASE(the_documentation_lists_them) {
  std::ifstream page(LANCET_SOURCE_DIR "/docs/sites.md");
  std::vector<std::string> rows;
  for (std::string line; std::getline(page, line);)
    if (line.starts_with("| `")) rows.push_back(line.substr(3, line.find('`', 3) - 3));
  std::vector<std::string> const names(site_names.begin(), site_names.end());
  BOOST_TEST(rows == names, boost::test_tools::per_element());
}

}  // namespace
}  // namespace lancet_test
