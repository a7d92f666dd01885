// SPDX-License-Identifier: Apache-2.0
// PCRE2's opinion on each character, found by matching one text that holds them all.
#pragma once

#include <cstddef>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "lancet/io/pretokenize_pcre2.hpp"
#include "lancet/io/text.hpp"
#include "lancet/io/unicode.hpp"

namespace lancet_test {

/// True where PCRE2's Unicode is newer than ours and so knows more characters; says so, visibly.
[[nodiscard]] inline bool skipped_with_newer_unicode() {
  char version[64] = {};
  if (pcre2_config_8(PCRE2_CONFIG_UNICODE_VERSION, version) < 0) version[0] = '\0';
  if (std::stoi(version) <= std::stoi(lancet::detail::unicode_version)) return false;
  std::printf("SKIPPED comparison with PCRE2: its Unicode is %s, ours %s\n", version,
              lancet::detail::unicode_version);
  return true;
}

class unicode_oracle {
 public:
  unicode_oracle() : class_of_(0x110000, lancet::char_class::other), unassigned_(0x110000, false) {
    std::string text;
    for (char32_t code = 0; code < 0x110000; ++code) {
      if (code < 0xd800 || code >= 0xe000) lancet::append_utf8(text, code);
    }
    using enum lancet::char_class;
    std::pair<char const*, lancet::char_class> const properties[] = {
        {R"(\p{Lu}+|\p{Lt}+)", upper}, {R"(\p{Ll}+)", lower}, {R"(\p{Lm}+|\p{Lo}+)", letter},
        {R"(\p{M}+)", mark},           {R"(\p{N}+)", number}, {R"(\p{P}+)", punctuation},
        {R"(\p{S}+)", symbol},         {R"(\s+)", space}};
    for (auto const& [pattern, kind] : properties) {
      each(text, pattern, [&, k = kind](char32_t code) { class_of_[code] = k; });
    }
    each(text, R"(\p{Cn}+)", [&](char32_t code) { unassigned_[code] = true; });
  }

  [[nodiscard]] lancet::char_class classify(char32_t code) const { return class_of_[code]; }
  [[nodiscard]] bool is_unassigned(char32_t code) const { return unassigned_[code]; }

 private:
  template <typename Visit>
  static void each(std::string const& text, char const* pattern, Visit visit) {
    auto const matcher = lancet::pcre2_pattern(pattern);
    for (std::size_t from = 0; from < text.size();) {
      auto const match = matcher->find(text, from);
      if (!match) return;
      for (auto at = match->begin; at < match->end;) {
        auto const c = lancet::read_utf8(text, at);
        visit(c.code);
        at += c.size;
      }
      from = match->end;
    }
  }

  std::vector<lancet::char_class> class_of_;
  std::vector<bool> unassigned_;
};

}  // namespace lancet_test
