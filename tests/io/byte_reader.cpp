// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE byte_reader
#include "lancet/io/detail/byte_reader.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "lancet/io/detail/posix.hpp"
#include "lancet/io/detail/quoted.hpp"
#include "support/errors.hpp"
#include "support/gguf_bytes.hpp"

using lancet::detail::byte_reader;
using lancet_test::check_throws;
using lancet_test::gguf_bytes;

BOOST_AUTO_TEST_CASE(fields_in_order) {
  auto const made = gguf_bytes().u32(7).text("key").put(2.5f).u64(3).raw("abc");
  byte_reader in(made.bytes, "f");
  BOOST_TEST(in.number<std::uint32_t>("a") == 7u);
  BOOST_TEST(in.offset() == 4u);
  BOOST_TEST(in.text("b", 10) == "key");
  BOOST_TEST(in.number<float>("c") == 2.5f);
  BOOST_TEST(in.count("d", 1, 3) == 3u);
  BOOST_TEST(in.left() == 3u);
  BOOST_TEST(in.take(3, "e").size() == 3u);
  BOOST_TEST(in.take(0, "f").empty());
  check_throws<lancet::file_error>([&] { (void)in.number<std::uint8_t>("g"); },
                                   "f @ byte 30: g: needs 1 bytes, only 0 are left in the file");
}

BOOST_AUTO_TEST_CASE(counts_against_what_is_left) {
  auto const made = gguf_bytes().u64(5).zeros(10);
  BOOST_TEST(byte_reader(made.bytes, "f").count("n", 2, 5) == 5u);
  check_throws<lancet::file_error>(
      [&] { (void)byte_reader(made.bytes, "f").count("n", 3, 5); },
      "f @ byte 0: n: got 5, which need at least 3 bytes each, only 10 are left");
  check_throws<lancet::file_error>([&] { (void)byte_reader(made.bytes, "f").count("n", 2, 4); },
                                   "f @ byte 0: n: got 5, the limit is 4");
  check_throws<lancet::file_error>([&] { (void)byte_reader(made.bytes, "f").take(~std::uint64_t{0}, "n"); },
                                   "needs 18446744073709551615 bytes, only 18 are left");
}

BOOST_AUTO_TEST_CASE(text_for_errors) {
  using lancet::detail::in_quotes;
  using lancet::detail::printable;
  BOOST_TEST(printable("plain text ~") == "plain text ~");
  BOOST_TEST(printable(std::string_view("\x1b[31m\n\0\xff", 8)) == "\\x1b[31m\\x0a\\x00\\xff");
  BOOST_TEST(printable("abcdef", 3) == "abc... (6 bytes)");
  BOOST_TEST(in_quotes("w") == "'w'");
}

BOOST_AUTO_TEST_CASE(paths) {
  using lancet::detail::folder_of;
  using lancet::detail::is_plain_name;
  BOOST_TEST(folder_of("a") == ".");
  BOOST_TEST(folder_of("/a") == "/");
  BOOST_TEST(folder_of("x/y/z") == "x/y");
  BOOST_TEST(is_plain_name("model-00001-of-00002.safetensors"));
  for (std::string_view const name :
       {std::string_view(""), std::string_view("."), std::string_view(".."), std::string_view("a/b"),
        std::string_view("a\\b"), std::string_view("a\0b", 3)}) {
    BOOST_TEST(!is_plain_name(name));
  }
}
