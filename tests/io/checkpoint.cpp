// SPDX-License-Identifier: Apache-2.0
// Checkpoints: a run that is killed at any moment and goes on ends with the same bits as one that never
// stopped.
#define BOOST_TEST_MODULE io_checkpoint
#include "lancet/backend/eigen.hpp"

#include "lancet/io/checkpoint.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include "support/errors.hpp"
#include "support/temporary_folder.hpp"
#include "support/tiny_model.hpp"

#include "lancet/compiled.hpp"

namespace lancet_test {

using namespace lancet;
using lancet::index;
using B = compiled::backend_type;

namespace {

transformer<B> const& model() {
  static transformer<B> const m = tiny_model<B>(llama_like());
  return m;
}

contrast_pair pair(std::vector<token> clean, token answer, token contrast, index line) {
  contrast_pair p;
  p.clean = std::move(clean);
  p.answer = {answer};
  p.contrast = {contrast};
  p.line = line;
  return p;
}

/// A training of every memory that a state has: moments, a best step, mini-batches, a schedule.
struct run {
  explicit run(index steps = 12) : what(make()), t(model(), what, data(), options(steps)) {}

  static intervention<B> make() {
    circuit c;
    c.model = model().identity();
    c.units = {{unit_kind::head, 1, 2, -1}, {unit_kind::neuron, 2, 4, -1}};
    c.effects = {1, 1};
    return make_intervention<B>(circuit_breaker{.rank = 2}, model().arch(), model().identity(), c, 5);
  }
  static training_data data() {
    training_data d;
    for (index i = 0; i < 6; ++i)
      d.harm.push_back(pair({static_cast<token>(i + 1), 2, static_cast<token>(2 * i), 4}, 7, 8, i + 1));
    d.keep = {pair({3, 2, 1}, 5, 6, 20)};
    d.validation = {pair({9, 2, 3, 4}, 7, 8, 30), pair({1, 9, 4}, 7, 8, 31)};
    d.text = {{1, 2, 3, 4, 5, 6}, {9, 8, 7, 6}};
    return d;
  }
  static training_options options(index steps) {
    training_options o{.objective = squared_gap{}};
    o.keep_weight = 0.5;
    o.norm_weight = 0.1;
    o.steps = steps;
    o.harm_batch = 2;
    o.schedule = {decay_shape::cosine, 0.05, 0, 2, steps};
    o.clip = 1;
    o.validate_every = 3;
    o.seed = 11;
    return o;
  }
  void to_the_end() {
    while (!t.finished()) t.step();
    t.finish();
  }

  intervention<B> what;
  trainer<B> t;
};

nlohmann::json const settings{{"steps", 12}, {"model", "aaaa"}};

void check_same(run& a, run& b) {
  auto const x = a.what.tensors(), y = b.what.tensors();
  BOOST_REQUIRE_EQUAL(x.size(), y.size());
  for (std::size_t i = 0; i < x.size(); ++i)
    BOOST_CHECK_MESSAGE(same_bits<B>(x[i].value->all(), y[i].value->all()), x[i].name << " differs");
  BOOST_REQUIRE_EQUAL(a.what.history.size(), b.what.history.size());
  for (std::size_t i = 0; i < a.what.history.size(); ++i) {
    BOOST_CHECK_EQUAL(a.what.history[i].step, b.what.history[i].step);
    BOOST_CHECK_EQUAL(a.what.history[i].loss, b.what.history[i].loss);
    BOOST_CHECK_EQUAL(a.what.history[i].gradient_norm, b.what.history[i].gradient_norm);
    BOOST_CHECK(a.what.history[i].validation == b.what.history[i].validation);
  }
  BOOST_CHECK_EQUAL(a.t.best_step(), b.t.best_step());
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_run_goes_on_from_every_step_bit_for_bit) {
  run whole;
  whole.to_the_end();
  for (index stop = 0; stop <= 12; stop += 4) {
    temporary_folder const folder;
    run first;
    while (first.t.step_number() < stop) first.t.step();
    save_checkpoint(folder / "c", first.t, settings);
    run second;
    second.t.step();  // what it had before does not matter
    auto const restored = restore_checkpoint(folder / "c", second.t, settings);
    BOOST_REQUIRE(restored);
    BOOST_CHECK_EQUAL(restored->step, stop);
    BOOST_CHECK(restored->damaged.empty());
    second.to_the_end();
    check_same(whole, second);
  }
}

BOOST_AUTO_TEST_CASE(a_killed_run_goes_on_bit_for_bit) {
  run whole;
  whole.to_the_end();
  temporary_folder const folder;
  set_threads(1);  // a child of fork has no threads but the one that called it
  index resumed_late = 0;
  for (int trial = 0; trial < 6; ++trial) {
    std::string const path = folder / ("c" + std::to_string(trial));
    int ends[2];
    BOOST_REQUIRE_EQUAL(::pipe(ends), 0);
    pid_t const child = ::fork();
    BOOST_REQUIRE(child >= 0);
    if (child == 0) {
      run r;
      while (!r.t.finished()) {
        r.t.step();
        static_cast<void>(!::write(ends[1], "s", 1));  // a step is done, its checkpoint is being written
        save_checkpoint(path, r.t, settings);
      }
      ::_exit(0);
    }
    ::close(ends[1]);
    char mark = 0;
    for (int step = 0; step < 2 + trial; ++step) BOOST_REQUIRE_EQUAL(::read(ends[0], &mark, 1), 1);
    ::usleep(static_cast<useconds_t>(300 * trial));  // at another moment of the writing each time
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    ::close(ends[0]);
    run rest;
    if (auto const restored = restore_checkpoint(path, rest.t, settings)) {
      BOOST_CHECK(restored->damaged.empty());  // whole or not there
      resumed_late += restored->step;
    }
    rest.to_the_end();
    check_same(whole, rest);
  }
  BOOST_CHECK_GT(resumed_late, 0);
}

BOOST_AUTO_TEST_CASE(two_are_kept) {
  temporary_folder const folder;
  run r;
  for (int i = 0; i < 4; ++i) {
    r.t.step();
    save_checkpoint(folder / "c", r.t, settings);
  }
  auto const left = detail::checkpoints_in(folder / "c");
  BOOST_REQUIRE_EQUAL(left.size(), 2U);
  BOOST_CHECK_EQUAL(left.begin()->first, 3);
  BOOST_CHECK_EQUAL(left.rbegin()->first, 4);
}

BOOST_AUTO_TEST_CASE(a_damaged_one_is_named_and_the_one_before_is_used) {
  temporary_folder const folder;
  run whole;
  whole.to_the_end();
  run r;
  for (int i = 0; i < 5; ++i) {
    r.t.step();
    if (i >= 3) save_checkpoint(folder / "c", r.t, settings);
  }
  std::string const newest = (folder / "c") + "/step-5/state.safetensors";
  std::string bytes = slurp(newest);
  spill(newest, bytes.substr(0, bytes.size() / 2));
  run second;
  auto const restored = restore_checkpoint(folder / "c", second.t, settings);
  BOOST_REQUIRE(restored);
  BOOST_CHECK_EQUAL(restored->step, 4);
  BOOST_REQUIRE_EQUAL(restored->damaged.size(), 1U);
  BOOST_CHECK(restored->damaged[0].find("step-5/state.safetensors") != std::string::npos);
  second.to_the_end();
  check_same(whole, second);
  BOOST_CHECK_EQUAL(detail::checkpoints_in(folder / "c").size(),
                    2U);  // the damaged one is left for its owner

  spill((folder / "c") + "/step-4/state.json", "{}");
  run third;
  check_throws<file_error>([&] { (void)restore_checkpoint(folder / "c", third.t, settings); },
                           "has no checkpoint that is whole");
}

BOOST_AUTO_TEST_CASE(none_is_nothing) {
  temporary_folder const folder;
  run r;
  BOOST_CHECK(!restore_checkpoint(folder / "c", r.t, settings));
}

BOOST_AUTO_TEST_CASE(other_settings_are_refused_with_the_difference) {
  temporary_folder const folder;
  run r;
  r.t.step();
  save_checkpoint(folder / "c", r.t, settings);
  nlohmann::json other = settings;
  other["steps"] = 99;
  check_throws<usage_error>([&] { (void)restore_checkpoint(folder / "c", r.t, other); },
                            "steps: was 12, now 99");
}

BOOST_AUTO_TEST_CASE(a_state_that_does_not_fit_is_refused) {
  temporary_folder const folder;
  run r;
  r.t.step();
  save_checkpoint(folder / "c", r.t, settings);
  std::string const from = (folder / "c") + "/step-1";
  auto const refused = [&](std::string_view sentence, std::function<void(nlohmann::json&)> const& change) {
    nlohmann::json document = read_json(from + "/state.json");
    change(document);
    std::filesystem::remove_all(folder / "d");
    std::filesystem::create_directory(folder / "d");
    write_folder_atomically(folder / "d/step-1", [&](std::string const& into) {
      write_file(into + "/state.json", document.dump());
      write_file(into + "/state.safetensors", slurp(from + "/state.safetensors"));
    });
    run fresh;
    check_throws<file_error>([&] { (void)restore_checkpoint(folder / "d", fresh.t, settings); }, sentence);
  };
  refused("step: got -1", [](auto& d) { d["step"] = -1; });
  refused("values: got 1000000000000", [](auto& d) { d["values"] = 1000000000000; });
  refused("has no tensor 'optimizer.other'", [](auto& d) { d["optimizer_arrays"][0] = "other"; });
  refused("best: got 0, expected 4, as many as values", [](auto& d) { d["best_step"] = 1; });
  refused("no member 'more'", [](auto& d) { d["more"] = 1; });
}

}  // namespace lancet_test
