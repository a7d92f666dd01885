// SPDX-License-Identifier: Apache-2.0
// A change at any site changes what follows, and nothing else: later rows of its segment, later sites, later
// policies.
#define BOOST_TEST_MODULE hooks_effects
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "hooks/spy.hpp"
#include "lancet/backend/eigen.hpp"
#include "lancet/hooks/do_table.hpp"
#include "lancet/hooks/record.hpp"
#include "lancet/model/run.hpp"
#include "support/errors.hpp"
#include "support/tiny_model.hpp"

namespace lancet_test {
namespace {

using namespace lancet;
using B = backend::eigen<double>;

constexpr index layer = 1, row = 6;  // row 2 of the second segment; the batch: 4, 5, 3 rows

batch<B> make_batch() {
  batch<B> input;
  input.add(random_tokens(4, 23, 1));
  input.add(random_tokens(5, 23, 2));
  input.add(random_tokens(3, 23, 3));
  return input;
}

/// Adds to one row of a site in one layer; at scores and pattern, to that row of every head of its segment.
template <class S>
struct bump {
  using edits = sites<S>;

  index at_layer = S::id == site_id::embed ? 0
                   : S::id == site_id::final || S::id == site_id::final_scale || S::id == site_id::logits
                       ? 3
                       : layer;
  [[nodiscard]] layer_span layers() const { return {at_layer, at_layer}; }

  void on(S, view<B> v, place const& at) requires(!is_linear_site<S>) { change(v, at); }
  void on(S, const_view<B>, view<B> y, place const& at) requires(is_linear_site<S>) { change(y, at); }
  void change(view<B> v, place const& at) {
    if (at.segment < 0) return add(v, row);
    segment const& s = at.segments[static_cast<std::size_t>(at.segment)];
    if (row < s.row || row >= s.row + s.rows) return;
    for (index h = 0; h < v.rows / s.rows; ++h) add(v, h * s.rows + row - s.row);
  }
  void add(view<B> v, index i) {
    for (index j = 0; j < v.cols; ++j) v(i, j) += 0.25 + 0.125 * static_cast<double>(j % 3);
    ++fired;
  }
  index fired = 0;
};

/// Looks, and changes nothing.
template <class S>
struct reader {
  using reads = sites<S>;
  layer_span where{0, 3};
  [[nodiscard]] layer_span layers() const { return where; }
  void on(S, const_view<B>, place const&) requires(!is_linear_site<S>) {}
  void on(S, const_view<B>, const_view<B>, place const&) requires(is_linear_site<S>) {}
};

tensor<B> outputs(transformer<B> const& model, hook_table<B>& hooks) {
  workspace<B> ws;
  lancet::forward(model, make_batch(), hooks, ws);
  lancet::logits(model, hooks, ws);
  return tensor<B>::clone(ws.readout.logits);
}

template <class S>
void check_site(transformer<B> const& model) {
  bump<S> changes;
  reader<S> looks{changes.layers()};  // costly sites are computed by other sums, so both runs have the hook
  hook_table<B> clean_hooks, hooks;
  clean_hooks.add(looks);
  hooks.add(changes);
  tensor<B> const clean = outputs(model, clean_hooks), changed = outputs(model, hooks);
  auto const same = [&](index first, index count) {
    return same_bits<B>(changed.all().row_range(first, count), clean.all().row_range(first, count));
  };
  BOOST_TEST_CONTEXT(model.arch().family << ", site " << name(S::id)) {
    BOOST_TEST(changes.fired > 0);
    BOOST_TEST(!same(row, 1));
    BOOST_TEST(same(4, 2));  // earlier tokens of the segment
    BOOST_TEST(same(0, 4));  // other segments
    BOOST_TEST(same(9, 3));
    BOOST_TEST(same(row + 1, 2) ==
               (changes.at_layer == 3));  // later tokens look back, in the next layer at least
  }
}

template <class List>
void check_every_site(architecture const& a) {
  transformer<B> const model = tiny_model<B>(a);
  [&]<class... S>(sites<S...>) { (check_site<S>(model), ...); }(List{});
}

BOOST_AUTO_TEST_CASE(in_llama) { check_every_site<all_sites>(llama_like()); }
BOOST_AUTO_TEST_CASE(in_gpt2) { check_every_site<without<all_sites, gated_sites>>(gpt2_like()); }

BOOST_AUTO_TEST_CASE(reading_changes_nothing) {
  transformer<B> const model = tiny_model<B>(llama_like());
  hook_table<B> none;
  tensor<B> const clean = outputs(model, none);
  [&]<class... S>(sites<S...>) {
    auto const check = [&]<class T>(T) {
      reader<T> policy{};
      hook_table<B> hooks;
      hooks.add(policy);
      tensor<B> const read = outputs(model, hooks);
      double worst = 0;
      for (index i = 0; i < read.rows(); ++i)
        for (index j = 0; j < read.cols(); ++j)
          worst = std::max(worst, std::abs(read.all()(i, j) - clean.all()(i, j)));
      // Costly sites are computed by other, equally good sums.
      bool const costly = T::id == site_id::scores || T::id == site_id::pattern ||
                          T::id == site_id::head_out || split_sites::contains<T>;
      BOOST_CHECK_MESSAGE(worst <= (costly ? 1e-12 : 0.0), name(T::id) << ": differs by " << worst);
    };
    (check(S{}), ...);
  }(all_sites{});
}

// Composition: in order, each policy sees what the ones before it left.
BOOST_AUTO_TEST_CASE(policies_run_in_order) {
  transformer<B> const model = tiny_model<B>(llama_like());
  record<B, site::z> before({layer, layer}), after({layer, layer});
  bump<site::z> change;
  hook_table<B> table;
  table.add(before);
  table.add(change);
  table.add(after);
  (void)outputs(model, table);
  auto const difference = [&](index i, index j) {
    return after.get<site::z>(layer)(i, j) - before.get<site::z>(layer)(i, j);
  };
  BOOST_TEST(std::abs(difference(row, 1) - 0.375) < 1e-12);
  BOOST_TEST(difference(row + 1, 1) == 0.0);
  table.clear();
  BOOST_TEST(!table.wants<site::z>(layer));
  record<B, site::z> unused;
  table.add(unused);
  table.clear();
  (void)outputs(model, table);
  check_throws<usage_error>([&] { (void)unused.get<site::z>(0); }, "site z of layer 0 was not recorded");
}

// A change stays in its layers.
BOOST_AUTO_TEST_CASE(layers_before_the_change_are_untouched) {
  transformer<B> const model = tiny_model<B>(gpt2_like());
  record<B, site::resid_post> clean, changed;
  bump<site::mlp_post> change;
  hook_table<B> plain, hooks;
  plain.add(clean);
  hooks.add(change);
  hooks.add(changed);
  (void)outputs(model, plain);
  (void)outputs(model, hooks);
  BOOST_TEST(same_bits<B>(changed.get<site::resid_post>(0), clean.get<site::resid_post>(0)));
  BOOST_TEST(!same_bits<B>(changed.get<site::resid_post>(1), clean.get<site::resid_post>(1)));
}

// A table of cells acts where it has cells: sites that a model lacks do not stand in its way.
BOOST_AUTO_TEST_CASE(a_table_of_cells_serves_every_family) {
  for (architecture const& a : {llama_like(), gpt2_like()}) {
    transformer<B> const model = tiny_model<B>(a);
    hook_table<B> none;
    tensor<B> const clean = outputs(model, none);
    do_table<B> cells;
    hook_table<B> hooks;
    hooks.add(cells);
    BOOST_TEST(same_bits<B>(outputs(model, hooks).all(), clean));  // without a cell it does nothing
    cells.add({site_id::mlp_post, layer, 1, 2, 1, 0, a.mlp_width, {}});
    BOOST_TEST(!same_bits<B>(outputs(model, hooks).all(), clean));
    cells.add({site_id::mlp_up, layer, 1, 2, 1, 0, a.mlp_width, {}});
    if (a.mlp == mlp_kind::gated)
      BOOST_CHECK_NO_THROW((void)outputs(model, hooks));
    else
      check_throws<usage_error>([&] { (void)outputs(model, hooks); }, "site mlp_up does not exist in gpt2");
    check_throws<usage_error>(
        [&] {
          cells.add({site_id::pattern, layer, 1, 2, 1, 0, 1, {}});
        },
        "got site pattern");
  }
}

}  // namespace
}  // namespace lancet_test
