// SPDX-License-Identifier: Apache-2.0
// Normalisation form C against utf8proc: every character, random texts, long runs of marks.
#define BOOST_TEST_MODULE nfc
#include "lancet/io/nfc.hpp"

#include <utf8proc.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

namespace {

std::string by_utf8proc(std::string const& text) {
  utf8proc_uint8_t* result = nullptr;
  auto const n = utf8proc_map(reinterpret_cast<utf8proc_uint8_t const*>(text.data()),
                              static_cast<utf8proc_ssize_t>(text.size()), &result,
                              static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  if (n < 0) return "utf8proc refuses this text";
  std::string const out(reinterpret_cast<char const*>(result), static_cast<std::size_t>(n));
  std::free(result);
  return out;
}

/// The characters that utf8proc's Unicode has: normalisation of these never changes again.
std::vector<char32_t> known_characters() {
  std::vector<char32_t> out;
  for (char32_t code = 0; code < 0x110000; ++code) {
    auto const category = utf8proc_category(static_cast<utf8proc_int32_t>(code));
    if (category != UTF8PROC_CATEGORY_CN && category != UTF8PROC_CATEGORY_CS) out.push_back(code);
  }
  return out;
}

std::string text_of(std::vector<char32_t> const& codes) {
  std::string out;
  for (auto const code : codes) lancet::append_utf8(out, code);
  return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_character_alone_and_with_marks) {
  auto const known = known_characters();
  BOOST_TEST(known.size() > 280'000u);
  std::size_t wrong = 0;
  for (auto const code : known) {
    for (auto const& text :
         {text_of({code}), text_of({U'a', code}), text_of({code, 0x301}), text_of({0x327, code, 0x323})}) {
      wrong += lancet::to_nfc(text) == by_utf8proc(text) ? 0 : 1;
    }
  }
  BOOST_TEST(wrong == 0u);
}

BOOST_AUTO_TEST_CASE(random_texts) {
  auto known = known_characters();
  std::vector<char32_t> lively;  // what has a combining class, decomposes, or joins with something
  for (auto const code : known) {
    auto const* const properties = utf8proc_get_property(static_cast<utf8proc_int32_t>(code));
    if (properties->combining_class != 0 || properties->comb_index != UINT16_MAX ||
        by_utf8proc(text_of({code})) != text_of({code})) {
      lively.push_back(code);
    }
  }
  for (char32_t code = 0x1100; code < 0x1200; ++code) lively.push_back(code);
  std::erase(lively, U'\u11a7');  // no trailing consonant, though utf8proc 2.8 joins it
  std::erase(known, U'\u11a7');
  for (char32_t code = 0xac00; code < 0xac00 + 200; ++code) lively.push_back(code);
  for (unsigned const seed : {1u, 2u, 3u}) {
    std::mt19937 random(seed);
    for (int i = 0; i < 30'000; ++i) {
      std::string text;
      for (auto n = random() % 10; n > 0; --n) {
        auto const& set = random() % 4 == 0 ? known : lively;
        lancet::append_utf8(text, set[random() % set.size()]);
      }
      auto const normal = lancet::to_nfc(text);
      BOOST_TEST(normal == by_utf8proc(text), "seed " << seed << ": " << lancet::escape_utf8(text) << " -> "
                                                      << normal << " " << by_utf8proc(text));
      BOOST_TEST(lancet::to_nfc(normal) == normal);
    }
  }
}

BOOST_AUTO_TEST_CASE(by_hand) {
  BOOST_TEST(lancet::to_nfc("") == "");
  BOOST_TEST(lancet::to_nfc("e\u0301") == "\u00e9");
  BOOST_TEST(lancet::to_nfc("\u212b") == "\u00c5");              // Angstrom sign
  BOOST_TEST(lancet::to_nfc("\u0958") == "\u0915\u093c");        // excluded from composition
  BOOST_TEST(lancet::to_nfc("\u1100\u1161\u11a8") == "\uac01");  // Hangul
  BOOST_TEST(lancet::to_nfc("a\u0323\u0307\u0301") == "\u1ea1\u0307\u0301");
  BOOST_TEST(lancet::to_nfc("\uac00\u11a7") == "\uac00\u11a7");  // not a trailing consonant
  BOOST_TEST(lancet::to_nfc("\ufb06") == "\ufb06");              // compatibility only
}

BOOST_AUTO_TEST_CASE(ill_formed_bytes_stay) {
  BOOST_TEST(lancet::to_nfc("e\xff\u0301") == "e\xff\u0301");
  BOOST_TEST(lancet::to_nfc("\xe2\x82"
                            "e\u0301\xcc") == "\xe2\x82\u00e9\xcc");
  BOOST_TEST(lancet::to_nfc("\xed\xa0\x80") == "\xed\xa0\x80");
}

BOOST_AUTO_TEST_CASE(long_runs_of_marks_take_no_quadratic_time) {
  std::string text = "a";
  for (int i = 0; i < 200'000; ++i) text += i % 2 == 0 ? "\u0301" : "\u0323";
  auto const start = std::chrono::steady_clock::now();
  auto const normal = lancet::to_nfc(text);
  std::chrono::duration<double> const seconds = std::chrono::steady_clock::now() - start;
  BOOST_TEST(normal.substr(0, 3) == "\u1ea1");
  BOOST_TEST(seconds.count() < 5.0);
}
