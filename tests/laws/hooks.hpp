// SPDX-License-Identifier: Apache-2.0
// Laws of hooks, at every site and in every family: what reads changes nothing, a change reaches what
// follows and nothing else, patching a run into itself is the identity, and gradients are those of finite
// differences.
#pragma once

#include "lancet/causal/sweep.hpp"  // site_recorder
#include "lancet/hooks/patch.hpp"
#include "lancet/model/run.hpp"
#include "laws/families.hpp"
#include "laws/hook_policies.hpp"
#include "laws/law.hpp"
#include "support/errors.hpp"
#include "support/finite_differences.hpp"
#include "support/tiny_model.hpp"

namespace lancet_test {
namespace {

using namespace lancet;

constexpr index usual_layer = 1, bumped_row = 6;  // row 2 of the second segment; the batch: 4, 5, 3 rows

template <class B>
batch<B> make_batch(std::uint64_t seed = 1) {
  batch<B> input;
  input.add(random_tokens(4, 23, seed));
  input.add(random_tokens(5, 23, seed + 1));
  input.add(random_tokens(3, 23, seed + 2));
  return input;
}

/// Logits of every row under policies: [R, V].
template <class B, class... P>
tensor<B> outputs(transformer<B> const& model, batch<B> const& input, P&... policies) {
  hook_table<B> hooks;
  (hooks.add(policies), ...);
  workspace<B> ws;
  forward(model, input, hooks, ws);
  logits(model, hooks, ws);
  return tensor<B>::clone(ws.readout.logits);
}

/// Costly sites are computed by other, equally good sums where a hook asks for them.
bool costly(site_id site) {
  return site == site_id::scores || site == site_id::pattern || site == site_id::head_out ||
         split_sites::contains_id(site);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(reading_changes_nothing, B, backends) {
  for (architecture const& a : families()) {
    transformer<B> const model = tiny_model<B>(a);
    tensor<B> const clean = outputs(model, make_batch<B>());
    for (site_id const site : sites_of(a)) {
      reader<B> looks{at_site(a, site, usual_layer)};
      check_close<B>(outputs(model, make_batch<B>(), looks), clean,
                     costly(site) ? by_scalar<B>(1e-5, 1e-12) : 0, name(site));
    }
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_change_reaches_what_follows_and_nothing_else, B, backends) {
  for (architecture const& a : families()) {
    transformer<B> const model = tiny_model<B>(a);
    for (site_id const site : sites_of(a)) {
      acting_place const where = at_site(a, site, usual_layer);
      reader<B> looks{where};  // in both runs the site is computed alike
      bump<B> changes(where, bumped_row);
      tensor<B> const clean = outputs(model, make_batch<B>(), looks),
                      changed = outputs(model, make_batch<B>(), changes);
      auto const same = [&](index first, index count) {
        return same_bits<B>(changed.all().row_range(first, count), clean.all().row_range(first, count));
      };
      BOOST_TEST_CONTEXT(a.family << ", site " << name(site)) {
        BOOST_TEST(changes.fired > 0);
        BOOST_TEST(!same(bumped_row, 1));
        BOOST_TEST(same(4, 2) == (a.causal || where.layer == a.layers));  // earlier tokens of the segment
        BOOST_TEST(same(0, 4));                                           // other segments
        BOOST_TEST(same(9, 3));
        BOOST_TEST(same(bumped_row + 1, 2) ==
                   (where.layer == a.layers));  // later tokens look back, in the next layer at least
      }
    }
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(policies_run_in_order_and_layers_before_them_are_untouched, B, backends) {
  transformer<B> const model = tiny_model<B>(gpt2_like());
  site_recorder<B> before(site_id::z), after(site_id::z);
  site_recorder<B> clean(site_id::resid_post), changed(site_id::resid_post);
  bump<B> change({site_id::z, usual_layer}, bumped_row);
  static_cast<void>(outputs(model, make_batch<B>(), clean));
  static_cast<void>(outputs(model, make_batch<B>(), before, change, after, changed));
  auto const difference_at = [&](index row) {
    tensor<B> d = tensor<B>::clone(after.get(usual_layer).row_range(row, 1));
    ops::axpy<B>(-1, before.get(usual_layer).row_range(row, 1), d.all());
    return numbers<B>(d);
  };
  std::vector<double> bumps(12);
  for (std::size_t j = 0; j < 12; ++j) bumps[j] = 0.25 + 0.125 * static_cast<double>(j % 3);
  check_close(difference_at(bumped_row), bumps, by_scalar<B>(1e-6, 1e-14), "what the recorders saw");
  BOOST_TEST(difference_at(bumped_row + 1) == std::vector<double>(12, 0.0));
  for (index l = 0; l < 3; ++l) BOOST_TEST((l < usual_layer) == same_bits<B>(changed.get(l), clean.get(l)));
}

/// Sets the last two columns of every row of the second segment to those that `from` recorded.
template <class B>
do_table<B> patch_from(site_recorder<B> const& from, site_id site, index layer) {
  const_view<B> const value = from.get(layer).row_range(4, 5);  // [5, columns]
  do_table<B> cells;
  cells.add({site, layer, 1, 0, 5, value.cols - 2, 2, value.col_range(value.cols - 2, 2)});
  return cells;
}

BOOST_AUTO_TEST_CASE_TEMPLATE(patching_a_run_into_itself_changes_nothing, B, backends) {
  for (architecture const& a : families()) {
    transformer<B> const model = tiny_model<B>(a);
    for (site_id const site : sites_of(a)) {
      if (!patchable_sites::contains_id(site)) continue;
      index const layer = at_site(a, site, usual_layer).layer;
      site_recorder<B> own(site), others(site);
      tensor<B> const clean = outputs(model, make_batch<B>(), own);
      static_cast<void>(outputs(model, make_batch<B>(7), others));
      do_table<B> itself = patch_from(own, site, layer), other = patch_from(others, site, layer);
      BOOST_TEST_CONTEXT(a.family << ", site " << name(site)) {
        BOOST_TEST(same_bits<B>(outputs(model, make_batch<B>(), itself).all(), clean));
        BOOST_TEST(!same_bits<B>(outputs(model, make_batch<B>(), other).all(), clean));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_residual_patched_whole_is_the_other_run, B, backends) {
  for (architecture const& a : families()) {
    transformer<B> const model = tiny_model<B>(a);
    site_recorder<B> source(site_id::resid_pre);
    batch<B> const input = make_batch<B>(7);
    tensor<B> const other = outputs(model, input, source);
    do_table<B> whole;
    for (std::size_t i = 0; i < input.segments.size(); ++i) {
      segment const& s = input.segments[i];
      whole.add({site_id::resid_pre, usual_layer, static_cast<index>(i), 0, s.rows, 0, a.width,
                 source.get(usual_layer).row_range(s.row, s.rows)});
    }
    BOOST_TEST(same_bits<B>(outputs(model, make_batch<B>(), whole).all(), other));
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(ablating_then_restoring_is_the_identity, B, backends) {
  architecture const a = llama_like();
  transformer<B> const model = tiny_model<B>(a);
  site_recorder<B> source(site_id::z);
  tensor<B> const clean = outputs(model, make_batch<B>(), source);
  target const head{usual_layer, 1, {}, head_columns(2, a.head_dim)};
  patch<B, site::z> restore(head, source.get(usual_layer).col_range(2 * a.head_dim, a.head_dim));
  tensor<B> const row = random_tensor<B>(1, a.head_dim, 3);
  for (int const kind : {0, 1, 2}) {
    ablate<B, site::z> cut = kind == 0   ? ablate<B, site::z>(head)
                             : kind == 1 ? ablate<B, site::z>(head, row)
                                         : ablate<B, site::z>(head, 0.5, 9);
    BOOST_TEST(!same_bits<B>(outputs(model, make_batch<B>(), cut).all(), clean));
    BOOST_TEST(same_bits<B>(outputs(model, make_batch<B>(), cut, restore).all(), clean));
  }
}

// The same numbers on every backend, whatever else was drawn before.
BOOST_AUTO_TEST_CASE_TEMPLATE(noise_is_a_function_of_its_place, B, backends) {
  transformer<B> const model = tiny_model<B>(llama_like());
  site_recorder<B> before(site_id::z), after(site_id::z);
  ablate<B, site::z> noise(target{usual_layer, 1, {}, {}}, 0.5, 9);
  static_cast<void>(outputs(model, make_batch<B>(), before, noise, after));
  tensor<B> drawn = tensor<B>::clone(after.get(usual_layer));  // [12, 24]
  ops::axpy<B>(-1, before.get(usual_layer), drawn.all());
  philox_stream const stream(9, "ablate.z.1");
  std::vector<double> expected(12 * 24, 0.0);
  for (std::size_t i = 4 * 24; i < 9 * 24; ++i)
    expected[i] = 0.5 * stream.normal(i);  // of the second segment
  check_close(numbers<B>(drawn), expected, by_scalar<B>(1e-6, 1e-14), "noise");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_table_of_cells_serves_every_family, B, backends) {
  for (architecture const& a : families()) {
    transformer<B> const model = tiny_model<B>(a);
    tensor<B> const clean = outputs(model, make_batch<B>());
    do_table<B> cells;
    BOOST_TEST(same_bits<B>(outputs(model, make_batch<B>(), cells).all(), clean));  // without a cell: nothing
    cells.add({site_id::mlp_post, usual_layer, 1, 2, 1, 0, a.mlp_width, {}});
    BOOST_TEST(!same_bits<B>(outputs(model, make_batch<B>(), cells).all(), clean));
    cells.add({site_id::mlp_up, usual_layer, 1, 2, 1, 0, a.mlp_width, {}});
    auto const run = [&] { static_cast<void>(outputs(model, make_batch<B>(), cells)); };
    if (a.mlp == mlp_kind::gated)
      BOOST_CHECK_NO_THROW(run());
    else
      check_throws<usage_error>(run, "site mlp_up does not exist in " + a.family);
    check_throws<usage_error>(
        [&] {
          cells.add({site_id::pattern, usual_layer, 1, 2, 1, 0, 1, {}});
        },
        "got site pattern");
  }
}

constexpr index segment_rows[] = {3, 2, 2}, prefix_rows = 2, all_rows = 7;

/// Three segments, the last of which continues a prefix where a model can.
template <class B>
batch<B> batch_with_a_prefix(architecture const& a) {
  auto cache = std::make_shared<kv_cache<B>>();
  cache->length = prefix_rows;
  index const kv = a.kv_heads * a.head_dim;
  for (index l = 0; l < a.layers; ++l)
    cache->layers.push_back({random_tensor<B>(prefix_rows, kv, 80), random_tensor<B>(prefix_rows, kv, 81)});
  batch<B> input;
  for (index s = 0; s < 3; ++s)
    input.add(random_tokens(segment_rows[s], a.vocabulary, 1 + static_cast<std::uint64_t>(s)),
              s == 2 && a.causal ? cache : nullptr, s == 2 && a.causal ? prefix_rows : 0);
  if (a.token_types > 0) input.types = {0, 1, 1, 0, 0, 1, 0};
  return input;
}

/// A change at one site: in layer 0 what q_in, k_in and v_in replace, they in layer 1, others all over.
template <class B>
learned_change<B> make_change(architecture const& a, site_id site) {
  index const number = static_cast<index>(site);
  acting_place const where = at_site(a, site,
                                     common_input_sites::contains_id(site) ? 0
                                     : split_sites::contains_id(site)      ? 1
                                                                           : number % 3);
  index const segment = where.layer == a.layers ? -1 : number % 4 - 1;  // −1: every one
  auto const seed = static_cast<std::uint64_t>(100 + 2 * number);
  index columns = site_columns(a, site);
  if (site == site_id::scores || site == site_id::pattern)  // at least two keys everywhere
    columns = segment < 0 ? 2 : segment_rows[segment] + (segment == 2 && a.causal ? prefix_rows : 0);
  if (!linear_sites::contains_id(site))
    return {where, segment, random_tensor<B>(1, 1, seed, 0.2, 1),
            random_tensor<B>(1, columns, seed + 1, 0.3)};
  index const in = site == site_id::linear_o      ? a.heads * a.head_dim
                   : site == site_id::linear_down ? a.mlp_width
                                                  : a.width;
  return {where, segment, random_tensor<B>(2, in, seed, 0.3), random_tensor<B>(columns, 2, seed + 1, 0.3)};
}

/// Σ weights ∘ logits, and on request its gradients.
template <class B>
double objective(transformer<B> const& model, batch<B> const& input, hook_table<B>& hooks, workspace<B>& ws,
                 bool differentiate) {
  forward(model, input, hooks, ws, {}, differentiate ? pass_kind::record : pass_kind::forward);
  logits(model, hooks, ws);
  tensor<B> weights = random_tensor<B>(all_rows, model.arch().vocabulary, 140);
  double const value = weighted_sum<B>(weights, ws.readout.logits);
  if (differentiate) {
    tensor<B> g(all_rows, model.arch().width);
    backward_pass<B, architecture, hook_table<B>>(model, hooks, ws).logits(weights, g);
    backward(model, hooks, ws, g);
  }
  return value;
}

BOOST_AUTO_TEST_CASE_TEMPLATE(gradients_at_every_site_in_one_pass, B, precise_backends) {
  for (architecture const& a : families_of_long_laws()) {
    transformer<B> const model = tiny_model<B>(a);
    batch<B> const input = batch_with_a_prefix<B>(a);
    std::vector<std::unique_ptr<learned_change<B>>> changes;
    hook_table<B> table;
    for (site_id const site : sites_of(a)) {
      changes.push_back(std::make_unique<learned_change<B>>(make_change<B>(a, site)));
      table.add(*changes.back());
    }
    workspace<B> ws;
    static_cast<void>(objective(model, input, table, ws, true));
    auto const value = [&] { return objective(model, input, table, ws, false); };
    for (auto const& c : changes) {
      std::string const where = a.family + ", " + std::string(name(c->site));
      check_gradient<B>(where + " first", c->first.all(), c->first_gradient, value, 1e-8, 3);
      check_gradient<B>(where + " second", c->second.all(), c->second_gradient, value, 1e-8, 3);
    }
  }
}

}  // namespace
}  // namespace lancet_test
