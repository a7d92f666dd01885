// SPDX-License-Identifier: Apache-2.0
// safetensors files made by hand from header text and data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace lancet_test {

/// `declared` bytes of header are announced, whatever the header's true size.
[[nodiscard]] inline std::vector<std::byte> safetensors_bytes(std::string_view header, std::string_view data,
                                                              std::uint64_t declared) {
  std::vector<std::byte> bytes(8 + header.size() + data.size());
  std::memcpy(bytes.data(), &declared, 8);
  if (!header.empty()) std::memcpy(bytes.data() + 8, header.data(), header.size());
  if (!data.empty()) std::memcpy(bytes.data() + 8 + header.size(), data.data(), data.size());
  return bytes;
}

[[nodiscard]] inline std::vector<std::byte> safetensors_bytes(std::string_view header,
                                                              std::string_view data) {
  return safetensors_bytes(header, data, header.size());
}

}  // namespace lancet_test
