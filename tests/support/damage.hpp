// SPDX-License-Identifier: Apache-2.0
// JSON documents with a few bytes changed, for readers that must not crash on them.
#pragma once

#include <cstddef>
#include <random>
#include <string>

namespace lancet_test {

/// `whole` with one to three places overwritten, cut out, repeated or turned into other marks of JSON.
[[nodiscard]] inline std::string damaged(std::string const& whole, std::mt19937& random) {
  auto text = whole;
  for (auto n = 1 + random() % 3; n > 0; --n) {
    auto const at = random() % text.size();
    switch (random() % 4) {
      case 0:
        text[at] = static_cast<char>(random() % 256);
        break;
      case 1:
        text.erase(at, 1 + random() % 8);
        break;
      case 2:
        text.insert(at, whole.substr(random() % whole.size(), random() % 20));
        break;
      default:
        text[at] = "0123456789\",:{}[]"[random() % 17];
    }
  }
  return text;
}

}  // namespace lancet_test
