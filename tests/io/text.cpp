// SPDX-License-Identifier: Apache-2.0
// UTF-8 read, checked and repaired as Python does it.
#define BOOST_TEST_MODULE text
#include "lancet/io/text.hpp"

#include <boost/test/unit_test.hpp>
#include <string>
#include <string_view>

using namespace std::string_literals;

BOOST_AUTO_TEST_CASE(every_code_point_survives) {
  for (char32_t code = 0; code <= 0x110000; ++code) {
    bool const scalar = (code < 0xd800 || code > 0xdfff) && code < 0x110000;
    std::string text;
    lancet::append_utf8(text, code);
    auto const read = lancet::read_utf8(text, 0);
    if (scalar ? read.code != code || read.size != text.size() || !read.valid : read.valid) {
      BOOST_FAIL("code point " << static_cast<unsigned>(code));
    }
    if (!scalar && code < 0x110000) text = "\xed" + text.substr(1);  // surrogates
    if (lancet::is_valid_utf8(text) != scalar) BOOST_FAIL("validity of " << static_cast<unsigned>(code));
  }
  BOOST_TEST(true);
}

// The right-hand sides are bytes.decode(errors="replace") of Python 3.11.
BOOST_AUTO_TEST_CASE(ill_formed_parts_become_replacement_characters) {
  struct row {
    std::string bytes;
    std::string text;
  };
  for (auto const& [bytes, text] : {row{"", ""},
                                    row{"abc", "abc"},
                                    row{"a\x80z", "a\ufffdz"},
                                    row{"\xc3", "\ufffd"},
                                    row{"\xc3z", "\ufffdz"},
                                    row{"\xc0\xaf", "\ufffd\ufffd"},
                                    row{"\xe0\x80\xaf", "\ufffd\ufffd\ufffd"},
                                    row{"\xe0\xa0", "\ufffd"},
                                    row{"\xe0\xa0z", "\ufffdz"},
                                    row{"\xed\xa0\x80", "\ufffd\ufffd\ufffd"},
                                    row{"\xed\x9f\xbf", "\ud7ff"},
                                    row{"\xf0\x9f\x98", "\ufffd"},
                                    row{"\xf0\x9f\x98\x80", "\U0001f600"},
                                    row{"\xf0\x9f\x98z", "\ufffdz"},
                                    row{"\xf0\x8f\xbf\xbf", "\ufffd\ufffd\ufffd\ufffd"},
                                    row{"\xf4\x8f\xbf\xbf", "\U0010ffff"},
                                    row{"\xf4\x90\x80\x80", "\ufffd\ufffd\ufffd\ufffd"},
                                    row{"\xf5\x80\x80\x80", "\ufffd\ufffd\ufffd\ufffd"},
                                    row{"\xff\xfe", "\ufffd\ufffd"},
                                    row{"\xf1\x80\x80\xe1\x80\xc2", "\ufffd\ufffd\ufffd"},
                                    row{"a\0b"s, "a\0b"s}}) {
    BOOST_TEST(lancet::replace_invalid_utf8(bytes) == text);
    BOOST_TEST(lancet::is_valid_utf8(bytes) == (bytes == text));
  }
}

BOOST_AUTO_TEST_CASE(the_valid_prefix_ends_where_the_fault_begins) {
  BOOST_TEST(lancet::valid_utf8_prefix("ab\xc3\xa9\xe2\x82") == 4u);
  BOOST_TEST(lancet::valid_utf8_prefix("\x80") == 0u);
  BOOST_TEST(lancet::valid_utf8_prefix("") == 0u);
}

BOOST_AUTO_TEST_CASE(messages_cannot_move_the_cursor) {
  BOOST_TEST(lancet::escape_utf8("Ġnurse") == "Ġnurse");
  BOOST_TEST(lancet::escape_utf8("a\n\t\r\\b") == "a\\n\\t\\r\\\\b");
  BOOST_TEST(lancet::escape_utf8("\x1b[2J\x7f\xc2\x9b") == "\\x1b[2J\\x7f\\xc2\\x9b");
  BOOST_TEST(lancet::escape_utf8("\xff\xc3") == "\\xff\\xc3");
  BOOST_TEST(lancet::escape_utf8("\u202etxt\u2066\ufeff") ==
             "\\xe2\\x80\\xaetxt\\xe2\\x81\\xa6\\xef\\xbb\\xbf");
  BOOST_TEST(lancet::escape_utf8(std::string(200, 'x'), 10) == "xxxxxxxxxx...");
  BOOST_TEST(lancet::escape_utf8("ééé", 3) == "éé...");
}
