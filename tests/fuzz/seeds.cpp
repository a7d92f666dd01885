// SPDX-License-Identifier: Apache-2.0
// Writes right files for the fuzzers to begin with: seeds FOLDER makes FOLDER/gguf, FOLDER/safetensors,
// FOLDER/json.
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "support/gguf_bytes.hpp"
#include "support/safetensors_bytes.hpp"
#include "support/temporary_folder.hpp"

namespace {
void write(std::string const& folder, std::string_view name, std::vector<std::byte> const& bytes) {
  std::filesystem::create_directories(folder);
  lancet_test::spill(folder + "/" + std::string(name),
                     {reinterpret_cast<char const*>(bytes.data()), bytes.size()});
}
}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return 2;
  std::string const folder = arguments[1];
  lancet_test::gguf_bytes quantised;
  quantised.header(1, 1).scalar<std::uint32_t>("general.alignment", lancet_test::g_u32, 1);
  quantised.tensor("w", {256, 1}, 14, 0).zeros(210);
  write(folder + "/gguf", "small-2", lancet_test::small_gguf(2).bytes);
  write(folder + "/gguf", "small-3", lancet_test::small_gguf(3).bytes);
  write(folder + "/gguf", "q6_k", quantised.bytes);
  std::string const header =
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"b":{"dtype":"I8","shape":[],"data_offsets":[8,9]}})";
  write(folder + "/safetensors", "small", lancet_test::safetensors_bytes(header, "123456789"));
  write(folder + "/safetensors", "empty", lancet_test::safetensors_bytes("{}", ""));
  std::filesystem::create_directories(folder + "/json");
  lancet_test::spill(folder + "/json/header", header);
  lancet_test::spill(folder + "/json/values",
                     R"([1, -2.5e-3, true, false, null, "\u00e9\ud83d\ude00\n", [[]], {"a": {"b": []}}])");
}
