// SPDX-License-Identifier: Apache-2.0
// The table of character classes against PCRE2's, over all code points.
#define BOOST_TEST_MODULE unicode
#include "lancet/io/unicode.hpp"

#include <boost/test/unit_test.hpp>
#include <string>

#include "support/unicode_oracle.hpp"

using lancet::char_class;

BOOST_AUTO_TEST_CASE(classes_agree_with_pcre2_wherever_it_knows_the_character) {
  if (lancet_test::skipped_with_newer_unicode()) return;
  lancet_test::unicode_oracle const oracle;
  std::string differing;
  std::size_t assigned = 0;
  for (char32_t code = 0; code < 0x110000; ++code) {
    if (code >= 0xd800 && code < 0xe000) continue;
    if (oracle.is_unassigned(code)) continue;
    ++assigned;
    if (lancet::classify(code) != oracle.classify(code))
      differing += " " + std::to_string(static_cast<unsigned>(code));
  }
  BOOST_TEST(differing == " 6158");  // U+180E is no white space any more, though PCRE2 says so
  BOOST_TEST(assigned > 280'000u);
}

BOOST_AUTO_TEST_CASE(what_pcre2_does_not_know_is_new) {
  if (lancet_test::skipped_with_newer_unicode()) return;
  lancet_test::unicode_oracle const oracle;
  std::size_t news = 0;
  for (char32_t code = 0; code < 0x110000; ++code) {
    if (code >= 0xd800 && code < 0xe000) continue;
    news += oracle.is_unassigned(code) && lancet::classify(code) != char_class::other ? 1 : 0;
  }
  // Unicode 15 to 16 added about ten thousand characters to version 14, which PCRE2 10.42 has; a later one
  // knows them.
  BOOST_TEST(news < 12'000u);
}

BOOST_AUTO_TEST_CASE(single_characters) {
  BOOST_TEST((lancet::classify(U'a') == char_class::lower));
  BOOST_TEST((lancet::classify(U'Z') == char_class::upper));
  BOOST_TEST((lancet::classify(U'7') == char_class::number));
  BOOST_TEST((lancet::classify(U'½') == char_class::number));
  BOOST_TEST((lancet::classify(U'٣') == char_class::number));
  BOOST_TEST((lancet::classify(U'Ⅷ') == char_class::number));
  BOOST_TEST((lancet::classify(U'中') == char_class::letter));
  BOOST_TEST((lancet::classify(U'ǅ') == char_class::upper));
  BOOST_TEST((lancet::classify(U'\u0301') == char_class::mark));
  BOOST_TEST((lancet::classify(U'+') == char_class::symbol));
  BOOST_TEST((lancet::classify(U'_') == char_class::punctuation));
  BOOST_TEST((lancet::classify(U'\u00a0') == char_class::space));
  BOOST_TEST((lancet::classify(U'\u0085') == char_class::space));
  BOOST_TEST((lancet::classify(U'\u200b') == char_class::other));
  BOOST_TEST((lancet::classify(U'\u001c') == char_class::other));
  BOOST_TEST((lancet::classify(U'\U0010ffff') == char_class::other));
  BOOST_TEST((lancet::classify(0xffffffff) == char_class::other));
}
