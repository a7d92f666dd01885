// SPDX-License-Identifier: Apache-2.0
// An adapter that PEFT wrote, on SmolLM2: the logits are PEFT's; and the same through every file that lancet
// makes of it.
#define BOOST_TEST_MODULE io_peft_golden
#include "lancet/backend/eigen.hpp"

#include <boost/test/unit_test.hpp>

#include "lancet/io/load_model.hpp"
#include "lancet/io/lora_gguf.hpp"
#include "lancet/io/merged_model.hpp"
#include "lancet/io/peft_adapter.hpp"
#include "support/golden_tensors.hpp"
#include "support/interventions.hpp"
#include "support/real_model.hpp"
#include "support/temporary_folder.hpp"

#include "lancet/compiled.hpp"

namespace lancet_test {

using namespace lancet;
using lancet::index;
using B = compiled::backend_type;

namespace {

/// Largest difference to PEFT's logits at the last position of the three prompts.
double gap_to_peft(transformer<B> const& model, intervention<B>* what) {
  golden_tensors const golden("goldens/smollm2/training/adapter/logits.safetensors");
  double most = 0;
  for (char const* const i : {"0", "1", "2"}) {
    std::vector<std::int32_t> const ids = golden.ints(std::string("ids.") + i);
    std::vector<double> const all = logits_of(model, {ids.begin(), ids.end()}, what);
    std::vector<float> const expected = golden.floats(std::string("last_logits.") + i).values;
    most = std::max(
        most, largest_gap({all.end() - std::ssize(expected), all.end()}, {expected.begin(), expected.end()}));
  }
  return most;
}

}  // namespace

BOOST_AUTO_TEST_CASE(an_adapter_of_peft) {
  if (skipped_without_shared("PEFT's adapter")) return;
  std::string const path = real_model("PEFT's adapter");
  if (path.empty()) return;
  transformer<B> const model = load_model<B>(path);
  architecture const& a = model.arch();
  std::vector<host_part> const parts = read_peft_adapter(shared("goldens/smollm2/training/adapter"), a);
  BOOST_TEST(parts.size() == 20U);
  intervention<B> what = intervention_of("peft", parts, model);
  constexpr double tolerance = 5e-4;  // the goldens' own, for a noise of 6e-5
  BOOST_TEST(gap_to_peft(model, &what) < tolerance);
  BOOST_TEST(gap_to_peft(model, nullptr) > 10 * tolerance);  // it does something

  temporary_folder const folder;
  write_peft_adapter(folder / "peft", parts, a, "SmolLM2-135M-Instruct");
  intervention<B> again = intervention_of("peft", read_peft_adapter(folder / "peft", a), model);
  BOOST_TEST(gap_to_peft(model, &again) < tolerance);
  write_lora_gguf(folder / "lora.gguf", parts, a);
  intervention<B> lora = intervention_of("lora", read_lora_gguf(folder / "lora.gguf", a), model);
  BOOST_TEST(gap_to_peft(model, &lora) < tolerance);
  write_merged_gguf(folder / "merged.gguf", path, what, model);
  BOOST_TEST(gap_to_peft(load_model<B>(folder / "merged.gguf"), nullptr) < tolerance);
  write_merged_folder(folder / "merged", path, what, model);
  BOOST_TEST(gap_to_peft(load_model<B>(folder / "merged"), nullptr) < tolerance);
}

}  // namespace lancet_test
