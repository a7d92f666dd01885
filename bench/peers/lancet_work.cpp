// SPDX-License-Identifier: Apache-2.0
// lancet's side of script/bench-peers: does the named work when told to, and says how long it took or what
// came out.
//
//   lancet_work JOB.json    the model, the number of threads, and the tokens of every workload
// Commands, one a line on standard input; one line of JSON answers each:
//   run NAME TIMES          {"seconds": [...]}, one a run
//   result NAME FILE        {"numbers": n}: what one run computes, as 32-bit floats in FILE
//   peak                    {"operations": x}: floating-point operations a second out of registers, all
//   threads
#include <chrono>
#include <fstream>
#include <functional>
#include <iostream>
#include <sstream>

#include "../support/model.hpp"
#include "../support/patching.hpp"
#include "../support/peak.hpp"
#include "../support/training.hpp"
#include "lancet/backend/eigen.hpp"

namespace lancet_bench {
namespace {

using B = lancet::backend::eigen<float>;
using model_type = lancet::transformer<B>;
using lancet::token;
using nlohmann::json;

/// `run` is what is timed; `result` runs it, too, and gives the numbers that the peer must agree with.
struct work {
  std::function<void()> run;
  std::function<std::vector<float>()> result;
};

void append(std::vector<float>& to, lancet::const_view<B> v) {
  auto const size = to.size();
  to.resize(size + static_cast<std::size_t>(v.size()));
  B::download(v, to.data() + size);
}

/// All logits of some sequences; `Hooks` is what is passed: hooks() or an empty table.
template <class Hooks>
[[nodiscard]] work forward_work(model_type const& m, token_lists const& sequences,
                                std::shared_ptr<Hooks> hooks) {
  auto input = std::make_shared<lancet::batch<B>>();
  for (auto const& s : sequences) input->add(s);
  auto ws = std::make_shared<lancet::workspace<B>>();
  auto const run = [&m, input, ws, hooks] {
    lancet::forward(m, *input, *hooks, *ws);
    lancet::logits(m, *hooks, *ws);
  };
  return {run, [run, ws] {
            run();
            std::vector<float> out;
            append(out, ws->readout.logits);
            return out;
          }};
}

/// The same with resid_post of every layer recorded: the recorded values.
[[nodiscard]] work record_work(model_type const& m, token_lists const& sequences) {
  auto recorder = std::make_shared<lancet::record<B, lancet::site::resid_post>>();
  auto hooks = std::make_shared<lancet::hook_table<B>>();
  hooks->add(*recorder);
  work out = forward_work(m, sequences, hooks);
  auto const run = out.run;
  return {run, [&m, run, recorder] {
            run();
            std::vector<float> values;
            for (index l = 0; l < m.arch().layers; ++l)
              append(values, recorder->get<lancet::site::resid_post>(l));
            return values;
          }};
}

/// Gradient of the mean negative log-likelihood of next tokens with respect to the embeddings; the loss comes
/// last.
[[nodiscard]] work backward_work(model_type const& m, token_lists const& sequences) {
  struct state {
    next_token_loss<B> loss;
    lancet::gradients<B, lancet::site::embed> gradient{lancet::layer_span{0, 0}};
  };
  double const targets = static_cast<double>(sequences.size() * (sequences.front().size() - 1));
  auto s = std::make_shared<state>(state{next_token_loss<B>(m, sequences, -1 / targets), {}});
  auto const run = [s] {
    auto hooks = lancet::hooks(s->gradient);
    return s->loss.run(hooks);
  };
  return {[run] { run(); },
          [run, s] {
            float const loss = static_cast<float>(run());
            std::vector<float> out;
            append(out, s->gradient.get<lancet::site::embed>(0));
            out.push_back(loss);
            return out;
          }};
}

/// Losses of three steps, then the gradients of the third.
template <class Training>
[[nodiscard]] work training_work(model_type const& m, token_lists const& sequences) {
  auto training = std::make_shared<std::unique_ptr<Training>>();
  return {[&m, sequences, training] {
            if (!*training) *training = std::make_unique<Training>(m, sequences);
            (*training)->step();
          },
          [&m, sequences] {
            Training fresh(m, sequences);
            std::vector<float> out;
            for (int step = 0; step < 3; ++step) out.push_back(static_cast<float>(fresh.step()));
            for (auto const& t : fresh.adapters().tensors()) append(out, t.gradient->all());
            return out;
          }};
}

/// Effects of every head.
[[nodiscard]] work sweep_work(model_type const& m, lancet::contrast_pair const& pair) {
  return {[&m, pair] { static_cast<void>(patch_every_head(m, pair)); },
          [&m, pair] {
            std::vector<float> out;
            for (auto const& effect : patch_every_head(m, pair).effects)
              out.push_back(static_cast<float>(effect[0]));
            return out;
          }};
}

[[nodiscard]] std::map<std::string, work> all_work(model_type const& m, json const& job) {
  auto const many = job.at("many").get<token_lists>(), next = job.at("next").get<token_lists>();
  token_lists const one{job.at("one").get<std::vector<token>>()};
  token_lists inputs = next;
  for (auto& s : inputs) s.pop_back();
  lancet::contrast_pair pair;
  pair.clean = job.at("clean").get<std::vector<token>>();
  pair.corrupted = job.at("corrupted").get<std::vector<token>>();
  pair.answer = {job.at("answer").get<token>()};
  pair.contrast = {job.at("contrast").get<token>()};

  using none = lancet::hook_set<>;
  using table = lancet::hook_table<B>;
  std::map<std::string, work> out;
  out["forward_many"] = forward_work(m, many, std::make_shared<none>());
  out["forward_one"] = forward_work(m, one, std::make_shared<none>());
  out["forward_one_empty_table"] = forward_work(m, one, std::make_shared<table>());
  out["forward_many_empty_table"] = forward_work(m, many, std::make_shared<table>());
  out["record"] = record_work(m, inputs);
  out["backward"] = backward_work(m, next);
  out["training"] = training_work<whole_training<B>>(m, next);
  out["training_resumed"] = training_work<resumed_training<B>>(m, next);
  out["sweep"] = sweep_work(m, pair);
  out["adapters"] = {[] {},
                     [&m] {
                       lancet::intervention<B> const made = make_adapters(m);
                       std::vector<float> values;
                       for (auto const& t : made.tensors()) append(values, t.value->all());
                       return values;
                     }};
  return out;
}

[[nodiscard]] json answer(std::map<std::string, work> const& works, std::string const& line) {
  std::istringstream words(line);
  std::string command, name;
  words >> command >> name;
  if (command == "peak") return {{"operations", measured_peak()}};
  work const& w = works.at(name);
  if (command == "result") {
    std::string file;
    words >> std::ws;
    std::getline(words, file);
    std::vector<float> const numbers = w.result();
    std::ofstream(file, std::ios::binary)
        .write(reinterpret_cast<char const*>(numbers.data()),
               static_cast<std::streamsize>(4 * numbers.size()));
    return {{"numbers", numbers.size()}};
  }
  int times = 1;
  words >> times;
  std::vector<double> seconds;
  for (int i = 0; i < times; ++i) {
    auto const start = std::chrono::steady_clock::now();
    w.run();
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return {{"seconds", seconds}};
}

void serve(std::string const& path) {
  json const job = lancet::read_json(path);
  lancet::set_threads(job.at("threads").get<int>());
  auto const m = lancet::load_model<B>(job.at("model").get<std::string>());
  auto const works = all_work(m, job);
  std::cout << json{{"isa", lancet::gemm::kernels<float>().name},
                    {"layers", m.arch().layers},
                    {"heads", m.arch().heads}}
            << std::endl;
  for (std::string line; std::getline(std::cin, line);) std::cout << answer(works, line) << std::endl;
}

}  // namespace
}  // namespace lancet_bench

int main(int count, char** arguments) {
  if (count != 2) {
    std::cerr << "usage: lancet_work JOB.json (see script/bench-peers)\n";
    return 2;
  }
  try {
    lancet_bench::serve(arguments[1]);
    return 0;
  } catch (std::exception const& e) {
    std::cerr << "lancet_work: " << e.what() << '\n';
    return 1;
  }
}
