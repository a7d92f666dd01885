// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE mapped_file
#include "lancet/io/mapped_file.hpp"

#include <sys/stat.h>

#include <boost/interprocess/file_mapping.hpp>
#include <boost/interprocess/mapped_region.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <string>
#include <utility>

#include "support/errors.hpp"
#include "support/temporary_folder.hpp"

using lancet::mapped_file;
using lancet_test::check_throws;

namespace {
std::string text_of(mapped_file const& file) {
  return {reinterpret_cast<char const*>(file.bytes().data()), file.bytes().size()};
}
std::string long_text() {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += static_cast<char>(i * 7 + i / 256);
  return text;
}
}  // namespace

BOOST_DATA_TEST_CASE(the_bytes_of_a_file, boost::unit_test::data::make({false, true}), copy) {
  lancet_test::temporary_folder const folder;
  for (std::string const& text : {std::string("x"), std::string(4096, 'y'), long_text()}) {
    lancet_test::spill(folder / "file", text);
    mapped_file const file(folder / "file", {.copy = copy});
    BOOST_TEST((text_of(file) == text));
    BOOST_TEST(file.path() == folder / "file");
    BOOST_TEST(file.is_mapped() == !copy);
  }
}

BOOST_AUTO_TEST_CASE(as_boost_interprocess_maps_it) {
  lancet_test::temporary_folder const folder;
  lancet_test::spill(folder / "file", long_text());
  mapped_file const ours(folder / "file");
  boost::interprocess::file_mapping const mapping((folder / "file").c_str(), boost::interprocess::read_only);
  boost::interprocess::mapped_region const theirs(mapping, boost::interprocess::read_only);
  BOOST_TEST(theirs.get_size() == ours.bytes().size());
  BOOST_TEST(std::memcmp(theirs.get_address(), ours.bytes().data(), theirs.get_size()) == 0);
}

BOOST_DATA_TEST_CASE(spans_outlive_moves, boost::unit_test::data::make({false, true}), copy) {
  lancet_test::temporary_folder const folder;
  lancet_test::spill(folder / "a", "first");
  lancet_test::spill(folder / "b", "second");
  mapped_file a(folder / "a", {.copy = copy});
  auto const span = a.bytes();
  mapped_file moved(std::move(a));
  BOOST_TEST(moved.bytes().data() == span.data());
  mapped_file b(folder / "b", {.copy = copy});
  b = std::move(moved);
  BOOST_TEST(b.bytes().data() == span.data());
  BOOST_TEST(text_of(b) == "first");
  BOOST_TEST(b.path() == folder / "a");
}

BOOST_AUTO_TEST_CASE(what_is_no_file) {
  lancet_test::temporary_folder const folder;
  check_throws<lancet::file_error>([&] { mapped_file(folder / "absent"); }, "absent: no such file");
  check_throws<lancet::file_error>([&] { mapped_file(folder.path()); }, "is a directory, expected a file");
  lancet_test::spill(folder / "empty", "");
  check_throws<lancet::file_error>([&] { mapped_file(folder / "empty"); }, "empty: is empty");
  check_throws<lancet::file_error>([&] { mapped_file("/dev/zero"); }, "/dev/zero: is a pipe or a device");
  // Nobody writes to this pipe: waiting for it would be waiting for ever.
  BOOST_REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  check_throws<lancet::file_error>([&] { mapped_file(folder / "pipe"); }, "is a pipe or a device");
  check_throws<lancet::file_error>([&] { mapped_file(folder / "empty/below"); },
                                   "cannot open: Not a directory");
  check_throws<lancet::file_error>([&] { mapped_file(folder / std::string(5000, 'x')); },
                                   "cannot open: File name too long");
}
