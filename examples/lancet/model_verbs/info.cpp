// SPDX-License-Identifier: Apache-2.0
// `lancet info`: a model's architecture, sizes, tokenizer, sites with their shapes, and what a run needs;
// what the program was compiled with and the machine offers, with and without a model.
#include <array>
#include <cstdio>
#include <map>

#include "lancet/backend/gemm/microkernel.hpp"
#include "lancet/backends.hpp"
#include "lancet/io/tokenizer.hpp"
#include "lancet/model/absent_sites.hpp"
#include "lancet/model_verbs/verbs.hpp"

namespace program::PROGRAM_BACKEND::info_verb {
namespace {

using lancet::index;

/// Columns of the sites of a layer; those that are not here have rows of another kind.
[[nodiscard]] std::map<std::string_view, index> columns_of_sites(lancet::architecture const& a) {
  using lancet::site_id;
  index const d = a.width, q = a.heads * a.head_dim, kv = a.kv_heads * a.head_dim, f = a.mlp_width;
  std::map<std::string_view, index> out;
  for (site_id const s :
       {site_id::embed, site_id::resid_pre, site_id::attn_in, site_id::attn_norm, site_id::attn_sum,
        site_id::attn_out, site_id::resid_mid, site_id::mlp_in, site_id::mlp_norm, site_id::mlp_sum,
        site_id::mlp_out, site_id::resid_post, site_id::final})
    out[name(s)] = d;
  for (site_id const s : {site_id::attn_scale, site_id::mlp_scale, site_id::final_scale}) out[name(s)] = 1;
  for (site_id const s : {site_id::q, site_id::rot_q, site_id::z}) out[name(s)] = q;
  for (site_id const s : {site_id::k, site_id::v, site_id::rot_k}) out[name(s)] = kv;
  for (site_id const s : {site_id::mlp_pre, site_id::mlp_post}) out[name(s)] = f;
  out[name(site_id::mlp_up)] = f;
  out[name(site_id::q_in)] = a.heads * d;
  out[name(site_id::k_in)] = out[name(site_id::v_in)] = a.kv_heads * d;
  out[name(site_id::head_out)] = a.heads * d;
  out[name(site_id::logits)] = lancet::sizes<lancet::architecture>(a).outputs;
  for (std::size_t i = 0; i < lancet::site_count; ++i)
    if (lancet::absent_because(a, static_cast<site_id>(i))) out.erase(lancet::site_names[i]);
  return out;
}

[[nodiscard]] nlohmann::ordered_json sites_of(lancet::architecture const& a) {
  auto const columns = columns_of_sites(a);
  nlohmann::ordered_json out = nlohmann::ordered_json::array();
  for (std::string_view const site : lancet::site_names) {
    if (site.starts_with("linear"))
      continue;  // a projection's input and output together: no shape of its own
    bool const once = site == "embed" || site.starts_with("final") || site == "logits";
    nlohmann::ordered_json one{{"site", site}, {"layers", once ? 1 : a.layers}};
    if (auto const at = columns.find(site); at != columns.end())
      one["shape"] = {once && site != "embed" ? "rows read" : "rows", at->second};
    else if (site == "scores" || site == "pattern")
      one["shape"] = {std::to_string(a.heads) + " x rows of a segment", "keys"};
    else
      continue;
    out.push_back(std::move(one));
  }
  return out;
}

[[nodiscard]] nlohmann::ordered_json program_and_machine() {
  return {{"backends", backend_names()},
          {"devices", devices_by_backend()},
          {"instruction_set", lancet::gemm::kernels<float>().name}};
}

void print(common_options const& common, nlohmann::ordered_json summary) {
  if (!common.json && !common.quiet)
    for (auto const& [backend, devices] : summary["devices"].items())
      std::printf("backend %-10s %s\n", backend.c_str(),
                  devices.empty() ? "no device here" : one_of(devices).c_str());
  print_summary(common, std::move(summary));
}

void run(common_options& common) {
  if (common.model.empty()) {
    use_threads(common);
    return print(common, program_and_machine());
  }
  model_type const model = load(common);
  lancet::architecture const& a = model.arch();
  index const scalar = sizeof(typename backend::scalar),
              parameters = lancet::parameter_count(model.weights());
  nlohmann::ordered_json tokenizer = nullptr;
  if (model.has_tokenizer()) {
    tokenizer = {{"tokens", model.tokenizer().size()}, {"hash", model.tokenizer().hash()}};
    if (auto const id = model.tokenizer().bos_id()) tokenizer["bos"] = *id;
    if (auto const id = model.tokenizer().eos_id()) tokenizer["eos"] = *id;
  }
  index kept = 0;
  for (auto const& [site, columns] : columns_of_sites(a))
    if (site != "logits" && site != "head_out" && !site.ends_with("_in") && !site.starts_with("final"))
      kept += columns;
  nlohmann::ordered_json summary{
      {"name", model.identity().name},
      {"sha256", model.identity().sha256},
      {"family", a.family},
      {"layers", a.layers},
      {"width", a.width},
      {"heads", a.heads},
      {"kv_heads", a.kv_heads},
      {"head_dim", a.head_dim},
      {"mlp_width", a.mlp_width},
      {"vocabulary", a.vocabulary},
      {"context", a.context},
      {"norm", a.norm == lancet::norm_kind::rms ? "rms" : "layer"},
      {"positions", a.positions == lancet::position_kind::rope ? "rope" : "learned"},
      {"norms", std::array{"before", "after", "around", "on_stream"}[static_cast<std::size_t>(a.norms)]},
      {"residual", a.residual == lancet::residual_kind::serial ? "serial" : "parallel"},
      {"causal", a.causal},
      {"windows", a.windows},
      {"labels", a.labels},
      {"mlp", a.mlp == lancet::mlp_kind::gated ? "gated" : "plain"},
      {"tied_unembedding", a.tied_unembedding},
      {"parameters", parameters},
      {"tokenizer", tokenizer},
      {"memory",
       {{"weights", parameters * scalar},
        {"cache_per_token", 2 * a.kv_heads * a.head_dim * a.layers * scalar},
        {"logits_per_row", lancet::sizes<lancet::architecture>(a).outputs * scalar},
        {"training_per_token", kept * a.layers * scalar}}},
      {"sites", sites_of(a)}};
  if (!common.json && !common.quiet)
    for (auto const& s : summary["sites"])
      std::printf("site %-12s layers %-4d %s\n", s["site"].get<std::string>().c_str(), s["layers"].get<int>(),
                  s["shape"].dump().c_str());
  summary.update(program_and_machine());
  print(common, std::move(summary));
}

}  // namespace

void add(CLI::App& app, common_options& common) {
  CLI::App& verb = *app.add_subcommand(
      "info", "A model's architecture, sizes, tokenizer, sites and memory; backends, processor");
  add_common(verb, common, {});
  verb.callback([&common] { run(common); });
}

}  // namespace program::PROGRAM_BACKEND::info_verb
