// SPDX-License-Identifier: Apache-2.0
// Ten steps of LoRA and of offset training on SmolLM2 against PyTorch, and the merged model against the
// hooked one.
#define BOOST_TEST_MODULE intervene_train_golden
#include "lancet/backend/eigen.hpp"

#include <boost/test/unit_test.hpp>

#include "lancet/intervene/train.hpp"
#include "lancet/io/load_model.hpp"
#include "support/real_model.hpp"
#include "support/shared.hpp"

#include "lancet/compiled.hpp"

namespace lancet_test {

using namespace lancet;
using lancet::index;
using B = compiled::backend_type;

training_data read_data(nlohmann::json const& about) {
  training_data data;
  for (auto const& one : about["harm"]) {
    contrast_pair p;
    p.line = std::ssize(data.harm) + 1;
    p.clean = one["ids"].get<std::vector<token>>();
    p.answer = {one["answer_id"].get<token>()};
    data.harm.push_back(p);
  }
  if (about.contains("neutral"))
    for (auto const& one : about["neutral"]) data.text.push_back(one["ids"].get<std::vector<token>>());
  return data;
}

/// "layers.10.q.0.A" → "model.layers.10.self_attn.q_proj"
std::string torch_name(std::string const& name) {
  auto const layer = name.find('.') + 1, end = name.find('.', layer), next = name.find('.', end + 1);
  std::string const where = name.substr(end + 1, next - end - 1);
  return "model.layers." + name.substr(layer, end - layer) +
         (where == "down" ? ".mlp.down_proj" : ".self_attn." + where + "_proj");
}

double relative_error(std::vector<float> const& expected, tensor<B> const& got) {
  double num = 0, den = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    double const e = static_cast<double>(expected[i]), d = e - static_cast<double>(got.all().data[i]);
    num += d * d;
    den += e * e;
  }
  return std::sqrt(num / den);
}

BOOST_AUTO_TEST_CASE(lora) {
  if (skipped_without_shared("LoRA training")) return;
  std::string const path = real_model("LoRA training");
  if (path.empty()) return;
  transformer<B> model = load_model<B>(path);
  nlohmann::json const about = read_json(shared("goldens/smollm2/training/lora.json"));
  safetensors_file const file = safetensors_file::open(shared("goldens/smollm2/training/lora.safetensors"));
  intervention<B> what("lora", {}, model.identity());
  for (index l = 10; l < 15; ++l)
    for (std::string const where : {"q", "v", "o", "down"})
      what.parts().push_back(make_part<B>(
          {"low_rank", where, l, detail::column_run(0, where == "down" ? 1536 : 576), 4, 2.0}, model.arch()));
  for (auto const& t : what.tensors())
    if (t.name.ends_with(".A"))
      B::upload(read_floats(file.tensors().at("A0:" + torch_name(t.name))).data(), t.value->all());
  training_data const data = read_data(about);
  training_options o{.objective = harm_log_likelihood{}};
  o.norm_weight = 0.1;
  o.steps = 10;
  o.schedule.peak = 1e-3;
  trainer<B> t(model, what, data, o);
  for (std::size_t s = 0; s < 10; ++s) {
    training_record const& r = t.step();
    BOOST_TEST(std::abs(r.loss - about["record"]["loss"][s].get<double>()) < 1e-4);
    double const norm = about["record"]["grad_norm"][s].get<double>();
    BOOST_TEST(std::abs(r.gradient_norm - norm) < 5e-4 * norm);
  }
  for (auto const& x : what.tensors())
    BOOST_TEST(relative_error(read_floats(file.tensors().at((x.name.ends_with(".A") ? "A:" : "B:") +
                                                            torch_name(x.name))),
                              *x.value) < 2e-3,
               x.name);

  // The merged model and the hooked one agree.
  hook_table<B> hooks, none;
  what.hook(hooks);
  workspace<B> ws;
  batch<B> input;
  input.add(data.harm[0].clean);
  forward(model, input, hooks, ws);
  logits(model, hooks, ws);
  tensor<B> const hooked = tensor<B>::clone(ws.readout.logits);
  transformer<B> const merged = merge(std::move(model), what);
  forward(merged, input, none, ws);
  logits(merged, none, ws);
  float worst = 0;
  for (index i = 0; i < hooked.rows(); ++i)
    for (index j = 0; j < hooked.cols(); ++j)
      worst = std::max(worst, std::abs(hooked.all()(i, j) - ws.readout.logits.all()(i, j)));
  BOOST_TEST(worst < 5e-4f);
}

BOOST_AUTO_TEST_CASE(offsets) {
  if (skipped_without_shared("offset training")) return;
  std::string const path = real_model("offset training");
  if (path.empty()) return;
  transformer<B> const model = load_model<B>(path);
  nlohmann::json const about = read_json(shared("goldens/smollm2/training/offsets.json"));
  safetensors_file const file =
      safetensors_file::open(shared("goldens/smollm2/training/offsets.safetensors"));
  intervention<B> what("offset", {}, model.identity());
  auto const heads = about["heads"].get<std::vector<std::vector<index>>>();
  for (auto const& h : heads)
    what.parts().push_back(
        make_part<B>({"offset", "z", h[0], detail::column_run(64 * h[1], 64), 0, 1}, model.arch()));
  what.parts().push_back(
      make_part<B>({"offset", "resid_pre", 12, detail::column_run(0, 576), 0, 1}, model.arch()));
  training_options o{.objective = harm_log_likelihood{}};
  o.norm_weight = 0.1;
  o.steps = 10;
  o.optimizer.rule = optimizer_rule::adam;
  o.schedule.peak = 1e-2;
  training_data data = read_data(read_json(shared("goldens/smollm2/training/lora.json")));
  trainer<B> t(model, what, data, o);
  for (std::size_t s = 0; s < 10; ++s) {
    training_record const& r = t.step();
    BOOST_TEST(std::abs(r.loss - about["record"]["loss"][s].get<double>()) < 1e-4);
  }
  auto const tensors = what.tensors();
  std::vector<float> const all = read_floats(file.tensors().at("delta_heads"));
  for (std::size_t h = 0; h < heads.size(); ++h)
    BOOST_TEST(relative_error(
                   {all.begin() + static_cast<index>(64 * h), all.begin() + static_cast<index>(64 * h + 64)},
                   *tensors[h].value) < 2e-3);
  BOOST_TEST(relative_error(read_floats(file.tensors().at("delta_resid")), *tensors.back().value) < 2e-3);
}

}  // namespace lancet_test
