// SPDX-License-Identifier: Apache-2.0
// The forward pass: rows of a batch through embedding, layers and readout, with hooks at every site.
//
// Each firing stands at its call site under `if constexpr`, so that a pass without hooks holds no trace of
// them.
#pragma once

#include "lancet/hooks/hook_table.hpp"
#include "lancet/model/absent_sites.hpp"
#include "lancet/model/read_out.hpp"
#include "lancet/model/split_inputs.hpp"

namespace lancet {

// A firing is one line, so that the code-generation test can strip it.
// clang-format off

/// One pass over one workspace; the parts are public so that a sweep can let rows join at their layer.
template <class B, class Arch, class H>
class forward_pass {
 public:
  forward_pass(transformer<B, Arch> const& model, H& hooks, workspace<B>& ws, pass_kind kind)
      : model_(model), arch_(model.arch()), hooks_(hooks), ws_(ws), kind_(kind) {}

  /// Takes over the rows' places, checks them, and binds the hooks. A pass that will be differentiated keeps the values
  /// of the layers that the hooks' gradients reach.
  void begin(std::span<segment const> segments, std::span<std::shared_ptr<kv_cache<B> const> const> prefixes) {
    ws_.kind = kind_;
    ws_.segments.assign(segments.begin(), segments.end());
    ws_.prefixes.assign(prefixes.begin(), prefixes.end());
    check_segments();
    hooks_.template begin<B>(shape());
    ws_.first_kept = kind_ == pass_kind::record ? std::min(hooks_.lowest_gradient(), arch_.layers) : arch_.layers;
    ws_.values.resize(static_cast<std::size_t>(arch_.layers - ws_.first_kept + 1));
    place_rows();
    require_sites();
  }

  /// Rebuilds what depends on the rows alone, after `ws.segments` changed.
  void place_rows() {
    ws_.positions.clear();
    for (segment const& s : ws_.segments) {
      if (s.first_position + s.rows > arch_.context)
        fail_expected("forward", "a sequence of " + std::to_string(s.first_position + s.rows) + " tokens",
                      "at most the model's context of " + std::to_string(arch_.context));
      for (index i = 0; i < s.rows; ++i) ws_.positions.push_back(s.first_position + i);
    }
    ws_.rows = std::ssize(ws_.positions);
    if (arch_.positions != position_kind::rope) return;
    ws_.rope.build(ws_.segments, arch_.rope);
    if (arch_.local_rope.dims > 0) ws_.local_rope.build(ws_.segments, arch_.local_rope);
  }

  /// resid_pre of layer 0 from token ids, and their types where the model has segment embeddings (empty: all 0).
  void embed(std::span<token const> tokens, std::span<index const> types = {}) {
    layer_values<B>& v = ws_.layer(0);
    tensor<B>& x = arch_.embedding_norm ? ws_.embed_sum : v.resid_pre;
    v.resid_pre.resize(ws_.rows, arch_.width);
    x.resize(ws_.rows, arch_.width);
    if (std::ssize(tokens) != ws_.rows)
      fail_expected("forward", std::to_string(tokens.size()) + " tokens", "one for each of " + std::to_string(ws_.rows) + " rows");
    ids_.assign(tokens.begin(), tokens.end());
    for (index const id : ids_)
      if (id < 0 || id >= arch_.vocabulary)
        fail_expected("forward", "token id " + std::to_string(id),
                      "an id below the vocabulary's size " + std::to_string(arch_.vocabulary));
    model_.weights().embedding.gather(ids_, x);  // [R, D]
    if (arch_.embedding_scale != 1) ops::scale<B>(static_cast<typename B::scalar>(arch_.embedding_scale), x.all());
    if constexpr (H::template lists<site::embed>) hooks_.template fire<site::embed, B>(ws_.keeps, x.all(), at(0));
    if (arch_.positions == position_kind::learned) add_rows(model_.weights().positions, ws_.positions, x);
    if (arch_.token_types > 0) add_rows(model_.weights().token_types, types_of(types), x);
    if (arch_.embedding_norm) post_norm(arch_, x.all(), model_.weights().embedding_norm, ws_.embed_norm, v.resid_pre.all());
  }

  /// One layer: resid_pre of layer l is there; leaves resid_pre of layer l + 1, or resid_last.
  void layer(index l) {
    layer_values<B>& v = ws_.layer(l);
    v.resize(arch_, ws_.rows);
    attention_block(l, v, model_.weights().layers[static_cast<std::size_t>(l)]);
    mlp_block(l, v, model_.weights().layers[static_cast<std::size_t>(l)]);
    tensor<B>& next = l + 1 < arch_.layers ? ws_.layer(l + 1).resid_pre : ws_.resid_last;  // may be resid_pre itself
    next.resize(ws_.rows, arch_.width);
    tensor<B>& sum = norms_stream(arch_) ? v.post_sum : next;
    if (arch_.residual == residual_kind::serial) {
      B::copy(v.resid_mid, sum.all());
    } else {
      if (&sum != &v.resid_pre) B::copy(v.resid_pre, sum.all());
      ops::axpy<B>(1, v.attn_out, sum.all());
    }
    ops::axpy<B>(1, v.mlp_out, sum.all());
    if (norms_stream(arch_)) post_norm(arch_, sum.all(), model_.weights().layers[static_cast<std::size_t>(l)].mlp_post_norm, v.mlp_post_norm, next.all());
    if constexpr (H::template lists<site::resid_post>) hooks_.template fire<site::resid_post, B>(ws_.keeps, next.all(), at(l));
  }

  /// What the unembedding reads, of the chosen rows: ws.readout.features() [M, D].
  void read(std::span<index const> rows) { read_out<B, Arch, H>{model_, hooks_, ws_, at(arch_.layers)}.read(rows); }

  /// Logits of the rows read: ws.readout.logits [M, C].
  void logits() { read_out<B, Arch, H>{model_, hooks_, ws_, at(arch_.layers)}.logits(); }

  void end() { hooks_.end(kind_); }

 private:
  void attention_block(index l, layer_values<B>& v, layer_weights<B> const& w) {
    sizes<Arch> const n(arch_);
    if constexpr (H::template lists<site::resid_pre>) hooks_.template fire<site::resid_pre, B>(ws_.keeps, v.resid_pre.all(), at(l));

    if (split_inputs_wanted<H>(hooks_, l)) {
      split_inputs<B, Arch, H>{arch_, hooks_, ws_}.forward(l, v, w, at(l));  // v.qkv [R, qkv]
    } else {
      view<B> const in = branch_input<site::attn_in>(l, v.resid_pre, v.attn_in);  // [R, D]
      view<B> const x = norm<site::attn_scale, site::attn_norm>(l, in, v.attn_norm, w.attn_norm);  // [R, D]
      ops::linear<B>(x, w.qkv.weight, w.qkv.bias_view(), v.qkv.all());
      if constexpr (H::template lists<site::linear<proj::q>>) hooks_.template fire_linear<site::linear<proj::q>, B>(x, v.qkv.all().col_range(0, n.q), at(l));
      if constexpr (H::template lists<site::linear<proj::k>>) hooks_.template fire_linear<site::linear<proj::k>, B>(x, v.qkv.all().col_range(n.q, n.kv), at(l));
      if constexpr (H::template lists<site::linear<proj::v>>) hooks_.template fire_linear<site::linear<proj::v>, B>(x, v.qkv.all().col_range(n.q + n.kv, n.kv), at(l));
    }
    view<B> const q = v.qkv.all().col_range(0, n.q);              // [R, H·d]
    view<B> const k = v.qkv.all().col_range(n.q, n.kv);           // [R, G·d]
    view<B> const val = v.qkv.all().col_range(n.q + n.kv, n.kv);  // [R, G·d]
    if constexpr (H::template lists<site::q>) hooks_.template fire<site::q, B>(ws_.keeps, q, at(l));
    if constexpr (H::template lists<site::k>) hooks_.template fire<site::k, B>(ws_.keeps, k, at(l));
    if constexpr (H::template lists<site::v>) hooks_.template fire<site::v, B>(ws_.keeps, val, at(l));
    if (arch_.qk_norm != qk_norm_kind::none) {
      qk_norm(arch_, q, w.q_norm, v.q_norm);
      qk_norm(arch_, k, w.k_norm, v.k_norm);
    }
    if (arch_.positions == position_kind::rope)
      ops::rope<B>(has_local_rope(arch_, l) ? ws_.local_rope : ws_.rope, ops::turn::forward, arch_.head_dim, v.qkv.all().col_range(0, n.q + n.kv));
    if constexpr (H::template lists<site::rot_q>) hooks_.template fire<site::rot_q, B>(ws_.keeps, q, at(l));
    if constexpr (H::template lists<site::rot_k>) hooks_.template fire<site::rot_k, B>(ws_.keeps, k, at(l));

    collect_parts(l, v);
    bool patterns = false;
    if constexpr (listened<H, site::scores> || listened<H, site::pattern>)
      patterns = hooks_.template wants<site::scores>(l) || hooks_.template wants<site::pattern>(l);
    if (patterns)
      hooked_attention(l, v);
    else
      ops::attention<B>(attention_shape_of(arch_, l), ws_.parts);
    if constexpr (H::template lists<site::z>) hooks_.template fire<site::z, B>(ws_.keeps, v.z.all(), at(l));

    view<B> const sum = norms_output(arch_) ? v.attn_sum.all() : v.attn_out.all();  // [R, D]
    bool head_out = false;
    if constexpr (listened<H, site::head_out>)
      head_out = hooks_.template wants<site::head_out>(l);
    if (head_out) {
      make_head_out(arch_, w.o.weight, v.z, v.head_out);  // [R, H·D]
      if constexpr (H::template lists<site::head_out>) hooks_.template fire<site::head_out, B>(ws_.keeps, v.head_out.all(), at(l));
      ops::fill<B>(sum, 0);
      for (index h = 0; h < arch_.heads; ++h)
        ops::axpy<B>(1, v.head_out.all().col_range(h * arch_.width, arch_.width), sum);
      if (!w.o.bias.empty()) ops::add_row_vector<B>(1, w.o.bias, sum);
    } else {
      ops::linear<B>(v.z, w.o.weight, w.o.bias_view(), sum);
    }
    if constexpr (H::template lists<site::linear<proj::o>>) hooks_.template fire_linear<site::linear<proj::o>, B>(v.z, sum, at(l));
    if constexpr (H::template lists<site::attn_sum>) hooks_.template fire<site::attn_sum, B>(ws_.keeps, sum, at(l));
    if (norms_output(arch_)) post_norm(arch_, sum, w.attn_post_norm, v.attn_post, v.attn_out.all());
    if constexpr (H::template lists<site::attn_out>) hooks_.template fire<site::attn_out, B>(ws_.keeps, v.attn_out.all(), at(l));

    if (arch_.residual == residual_kind::parallel) return;
    view<B> const mid = norms_stream(arch_) ? v.mid_sum.all() : v.resid_mid.all();  // [R, D]
    B::copy(v.resid_pre, mid);
    ops::axpy<B>(1, v.attn_out, mid);
    if (norms_stream(arch_)) post_norm(arch_, mid, w.attn_post_norm, v.attn_post, v.resid_mid.all());
    if constexpr (H::template lists<site::resid_mid>) hooks_.template fire<site::resid_mid, B>(ws_.keeps, v.resid_mid.all(), at(l));
  }

  void mlp_block(index l, layer_values<B>& v, layer_weights<B> const& w) {
    view<B> const in = branch_input<site::mlp_in>(l, stream_of_mlp(arch_, v), v.mlp_in);      // [R, D]
    view<B> const x = norm<site::mlp_scale, site::mlp_norm>(l, in, v.mlp_norm, w.mlp_norm);  // [R, D]
    ops::linear<B>(x, w.mlp_in.weight, w.mlp_in.bias_view(), v.mlp_pre.all());
    bool const gated = arch_.mlp == mlp_kind::gated;
    view<B> const gate = v.mlp_pre.all().col_range(0, arch_.mlp_width);                                          // [R, F]
    view<B> const up = gated ? v.mlp_pre.all().col_range(arch_.mlp_width, arch_.mlp_width) : view<B>{};  // [R, F]
    if constexpr (H::template lists<site::linear<proj::gate>>) if (gated) hooks_.template fire_linear<site::linear<proj::gate>, B>(x, gate, at(l));
    if constexpr (H::template lists<site::linear<proj::up>>) hooks_.template fire_linear<site::linear<proj::up>, B>(x, gated ? up : gate, at(l));
    if constexpr (H::template lists<site::mlp_pre>) hooks_.template fire<site::mlp_pre, B>(ws_.keeps, gate, at(l));
    if constexpr (H::template lists<site::mlp_up>) if (gated) hooks_.template fire<site::mlp_up, B>(ws_.keeps, up, at(l));
    ops::activation<B>(arch_.activation, gate, up, v.mlp_post.all());
    if constexpr (H::template lists<site::mlp_post>) hooks_.template fire<site::mlp_post, B>(ws_.keeps, v.mlp_post.all(), at(l));
    view<B> const sum = norms_output(arch_) ? v.mlp_sum.all() : v.mlp_out.all();  // [R, D]
    ops::linear<B>(v.mlp_post, w.down.weight, w.down.bias_view(), sum);
    if constexpr (H::template lists<site::linear<proj::down>>) hooks_.template fire_linear<site::linear<proj::down>, B>(v.mlp_post, sum, at(l));
    if constexpr (H::template lists<site::mlp_sum>) hooks_.template fire<site::mlp_sum, B>(ws_.keeps, sum, at(l));
    if (norms_output(arch_)) post_norm(arch_, sum, w.mlp_post_norm, v.mlp_post_norm, v.mlp_out.all());
    if constexpr (H::template lists<site::mlp_out>) hooks_.template fire<site::mlp_out, B>(ws_.keeps, v.mlp_out.all(), at(l));
  }

  /// A branch's own copy of the residual where a hook listens to it; the residual itself otherwise.
  template <class Site>
  view<B> branch_input(index l, tensor<B>& residual, tensor<B>& copy) {
    if constexpr (listened<H, Site>) {
      if (hooks_.template wants<Site>(l)) {
        copy.resize(ws_.rows, arch_.width);
        B::copy(residual, copy.all());
        if constexpr (H::template lists<Site>) hooks_.template fire<Site, B>(ws_.keeps, copy.all(), at(l));
        return copy;
      }
    }
    return residual;
  }

  /// What a branch's first projection reads: its input, normed where a norm stands before it.
  template <class Scale, class Norm>
  view<B> norm(index l, view<B> in, norm_values<B>& values, norm_weights<B> const& w) {
    if (!norms_input(arch_)) return in;
    ops::norm_scale<B>(arch_.norm, in, arch_.norm_epsilon, values.mean.all(), values.raw_scale.all());
    B::copy(values.raw_scale, values.scale.all());
    if constexpr (H::template lists<Scale>) hooks_.template fire<Scale, B>(ws_.keeps, values.scale.all(), at(l));
    ops::norm_apply<B>(in, values.mean, values.scale, w.weight, w.bias.empty() ? const_view<B>{} : w.bias.all(), values.out.all());
    if constexpr (H::template lists<Norm>) hooks_.template fire<Norm, B>(ws_.keeps, values.out.all(), at(l));
    return values.out.all();
  }

  /// x += rows of an embedding: x [R, D].
  void add_rows(tensor<B> const& table, std::span<index const> rows, tensor<B>& x) {
    scratch_.resize(ws_.rows, arch_.width);
    ops::gather_rows<B>(table, rows, scratch_.all());
    ops::axpy<B>(1, scratch_, x.all());
  }
  [[nodiscard]] std::span<index const> types_of(std::span<index const> types) {
    if (!types.empty() && std::ssize(types) != ws_.rows)
      fail_expected("forward", std::to_string(types.size()) + " token types", "one for each of " + std::to_string(ws_.rows) + " rows, or none");
    types_.assign(static_cast<std::size_t>(ws_.rows), 0);
    std::copy(types.begin(), types.end(), types_.begin());
    for (index const type : types_)
      if (type < 0 || type >= arch_.token_types)
        fail_expected("forward", "token type " + std::to_string(type), "one below " + std::to_string(arch_.token_types));
    return types_;
  }

  /// ws.parts: each segment's queries, keys, values and result in this layer.
  void collect_parts(index l, layer_values<B>& v) {
    sizes<Arch> const n(arch_);
    ws_.parts.clear();
    for (segment const& s : ws_.segments) {
      const_view<B> const rows = v.qkv.all().row_range(s.row, s.rows);
      const_view<B> before_k{}, before_v{};
      if (s.prefix >= 0) {
        auto const& cached = ws_.prefixes[static_cast<std::size_t>(s.prefix)]->layers[static_cast<std::size_t>(l)];
        before_k = cached.keys.all().row_range(0, s.first_position);
        before_v = cached.values.all().row_range(0, s.first_position);
      }
      ws_.parts.push_back({rows.col_range(0, n.q),
                           {before_k, rows.col_range(n.q, n.kv)},
                           {before_v, rows.col_range(n.q + n.kv, n.kv)},
                           v.z.all().row_range(s.row, s.rows)});
    }
  }

  /// Scores and patterns materialised segment by segment, and fired after they are complete.
  void hooked_attention(index l, layer_values<B>& v) {
    attention_shape const shape = attention_shape_of(arch_, l);
    v.patterns.resize(ws_.segments.size());
    for (std::size_t i = 0; i < ws_.segments.size(); ++i) {
      ops::attention_part<B> const& part = ws_.parts[i];
      pattern_values<B>& p = v.patterns[i];
      p.softmax.resize(arch_.heads * part.q.rows, part.keys.count());
      p.pattern.resize(arch_.heads * part.q.rows, part.keys.count());
      place where = at(l);
      where.segment = static_cast<index>(i);
      ops::attention_scores<B>(shape, part.q, part.keys, p.softmax.all());
      if constexpr (H::template lists<site::scores>) hooks_.template fire<site::scores, B>(ws_.keeps, p.softmax.all(), where);
      ops::masked_softmax<B>(shape.mask, part.q.rows, p.softmax, p.softmax.all());
      B::copy(p.softmax, p.pattern.all());
      if constexpr (H::template lists<site::pattern>) hooks_.template fire<site::pattern, B>(ws_.keeps, p.pattern.all(), where);
      ops::attention_mix<B>(shape, p.pattern, part.values, part.z);
    }
  }

  [[nodiscard]] place at(index l) const { return {l, ws_.segments, -1, kind_, {}}; }
  [[nodiscard]] pass_shape shape() const {
    return {arch_.layers, arch_.heads, arch_.kv_heads, arch_.head_dim, arch_.width, arch_.mlp_width, arch_.vocabulary,
            arch_.mlp == mlp_kind::gated, ws_.segments};
  }

  /// Rows of the segments lie one after the other; a prefix has the keys and values that its segments refer to.
  void check_segments() const {
    index next = 0;
    for (segment const& s : ws_.segments) {
      if (s.row != next || s.rows < 1 || s.first_position < 0)
        fail_expected("forward", "a segment of rows [" + std::to_string(s.row) + ", " + std::to_string(s.row + s.rows) +
                                     ") from position " + std::to_string(s.first_position),
                      "rows from " + std::to_string(next) + " on, and a position that is not negative");
      next += s.rows;
      if (s.prefix < 0) continue;
      if (!arch_.causal)
        throw usage_error("forward: got a segment that continues a prefix, which " + std::string(arch_.family) + " cannot: its tokens see those after them");
      if (s.prefix >= std::ssize(ws_.prefixes))
        fail_expected("forward", "prefix " + std::to_string(s.prefix), "one of the batch's " + std::to_string(ws_.prefixes.size()));
      kv_cache<B> const& cached = *ws_.prefixes[static_cast<std::size_t>(s.prefix)];
      if (s.first_position > cached.length)
        fail_expected("forward", "a segment after " + std::to_string(s.first_position) + " positions of a prefix", "at most the cached " + std::to_string(cached.length));
      index const kv = sizes<Arch>(arch_).kv;
      bool fits = std::ssize(cached.layers) == arch_.layers;
      for (auto const& layer : cached.layers)
        fits = fits && layer.keys.cols() == kv && layer.values.cols() == kv && std::min(layer.keys.rows(), layer.values.rows()) >= cached.length;
      if (!fits)
        fail_expected("forward", "a prefix of another model", "keys and values [" + std::to_string(cached.length) + ", " + std::to_string(kv) + "] of " + std::to_string(arch_.layers) + " layers");
    }
  }

  /// A hook on a site that this architecture lacks would never fire: refused here.
  void require_sites() const {
    [&]<class... S>(sites<S...>) { (require_site<S>(), ...); }(all_sites{});
    refuse_split_conflicts<H>(hooks_, arch_.layers);
  }

  template <class S>
  void require_site() const {
    if constexpr (listened<H, S>)
      if (char const* const why = absent_because(arch_, S::id))
        for (index l = 0; l <= arch_.layers; ++l)  // what lies behind the last layer has its number
          if (hooks_.template wants<S>(l))
            throw usage_error("hooks: site " + std::string(name(S::id)) + " does not exist in " + std::string(arch_.family) + ": " + why);
  }

  transformer<B, Arch> const& model_;
  Arch const& arch_;
  H& hooks_;
  workspace<B>& ws_;
  pass_kind kind_;
  std::vector<index> ids_, types_;
  tensor<B> scratch_;
};

}  // namespace lancet
