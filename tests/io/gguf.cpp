// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE gguf
#include "lancet/io/gguf.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/errors.hpp"
#include "support/gguf_bytes.hpp"
#include "support/temporary_folder.hpp"

using lancet::gguf_file;
using lancet_test::check_throws;
using namespace std::string_view_literals;

namespace {
template <typename T>
using list = std::vector<T>;
}

namespace {
void check_every_value_type(std::uint32_t version) {
  auto const made = lancet_test::small_gguf(version);
  auto const file = gguf_file::parse(made.bytes, "m.gguf");
  BOOST_TEST(file.version() == version);
  BOOST_TEST(file.path() == "m.gguf");
  BOOST_TEST(file.alignment() == 64u);
  BOOST_TEST(file.metadata().size() == 17u);
  BOOST_TEST(file.metadata()[0].key == "t.u8");
  BOOST_TEST(file.get<int>("t.u8") == 200);
  BOOST_TEST(file.get<std::int8_t>("t.i8") == -100);
  BOOST_TEST(file.get<std::int64_t>("t.u16") == 60000);
  BOOST_TEST(file.get<int>("t.i16") == -30000);
  BOOST_TEST(file.get<std::uint32_t>("t.u32") == 4000000000u);
  BOOST_TEST(file.get<int>("t.i32") == -2000000000);
  BOOST_TEST(file.get<std::uint64_t>("t.u64") == 18000000000000000000u);
  BOOST_TEST(file.get<std::int64_t>("t.i64") == -9000000000000000000);
  BOOST_TEST(file.get<float>("t.f32") == 1.5f);
  BOOST_TEST(file.get<double>("t.f32") == 1.5);
  BOOST_TEST(file.get<float>("t.f64") == -2.25f);
  BOOST_TEST(file.get<bool>("t.yes"));
  BOOST_TEST(file.get<std::string>("t.text") == "h\xc3\xa9llo");
  BOOST_TEST((file.get_list<std::string_view>("t.tokens") ==
              list<std::string_view>{"<s>", "", "the", "\xc4\xa0nurse"}));
  BOOST_TEST((file.get_list<float>("t.scores") == list<float>{0.5f, -1.0f}));
  BOOST_TEST((file.get_list<std::int64_t>("t.kinds") == list<std::int64_t>{3, 1, -1}));
  BOOST_TEST((file.get_list<bool>("t.flags") == list<bool>{true, false, true}));
  BOOST_TEST(file.find("t.tokens")->type_name() == "array of 4 string");
  BOOST_TEST(file.find("t.u3") == nullptr);
  BOOST_TEST(file.get_optional<int>("t.u8").value() == 200);
  BOOST_TEST(!file.get_optional<int>("absent").has_value());
}
}  // namespace

BOOST_AUTO_TEST_CASE(every_value_type_version_2) { check_every_value_type(2); }
BOOST_AUTO_TEST_CASE(every_value_type_version_3) { check_every_value_type(3); }

BOOST_AUTO_TEST_CASE(strings_are_views_into_the_file) {
  auto const made = lancet_test::small_gguf();
  auto const file = gguf_file::parse(made.bytes, "m.gguf");
  auto const* const begin = reinterpret_cast<char const*>(made.bytes.data());
  for (auto const text : file.get_list<std::string_view>("t.tokens")) {
    BOOST_TEST((text.data() >= begin && text.data() + text.size() <= begin + made.bytes.size()));
  }
}

BOOST_AUTO_TEST_CASE(tensors) {
  auto const made = lancet_test::small_gguf();
  auto const file = gguf_file::parse(made.bytes, "m.gguf");
  BOOST_REQUIRE(file.tensors().size() == 3u);
  auto const& matrix = file.tensors().at("blk.0.w");
  BOOST_TEST((matrix.shape == list<std::ptrdiff_t>{2, 64}));  // rows first
  BOOST_TEST((matrix.type == lancet::tensor_type::q4_1));
  BOOST_TEST(matrix.bytes.size() == 80u);
  auto const values = lancet::read_floats(matrix);
  BOOST_TEST(values[64 + 32 + 5] == 3.5f);  // code 5: 0.5 * 5 + 1
  BOOST_TEST(values[64 + 32 + 16] == 1.0f);
  BOOST_TEST((lancet::read_floats(file.tensors().at("blk.0.norm")) == list<float>{0.25f, -8.0f, 3.0f}));
  auto const& cube = file.tensors().at("cube");
  BOOST_TEST((cube.shape == list<std::ptrdiff_t>{2, 1, 2}));
  BOOST_TEST((lancet::read_floats(cube) == list<float>{1.0f, -2.0f, 0.0f, 65504.0f}));
}

BOOST_AUTO_TEST_CASE(from_a_file_and_moved) {
  lancet_test::temporary_folder const folder;
  auto const made = lancet_test::small_gguf();
  lancet_test::spill(folder / "m.gguf",
                     {reinterpret_cast<char const*>(made.bytes.data()), made.bytes.size()});
  auto file = gguf_file::open(folder / "m.gguf");
  auto const tokens = file.get_list<std::string_view>("t.tokens");
  auto const moved = std::move(file);
  BOOST_TEST(tokens[2] == "the");
  BOOST_TEST(moved.get_list<std::string_view>("t.tokens")[2].data() == tokens[2].data());
  BOOST_TEST(lancet::read_floats(moved.tensors().at("blk.0.norm"))[1] == -8.0f);
  check_throws<lancet::file_error>([&] { (void)gguf_file::open(folder / "absent"); }, "absent: no such file");
}

BOOST_AUTO_TEST_CASE(small_files) {
  lancet_test::gguf_bytes empty;
  empty.header(0, 0);
  BOOST_TEST(gguf_file::parse(empty.bytes, "f").tensors().size() == 0u);
  lancet_test::gguf_bytes scalar;  // no axis: one element; a vocabulary without tensors needs no padding
  scalar.header(1, 0).tensor("x", {}, 0, 0).pad().put(2.5f);
  auto const file = gguf_file::parse(scalar.bytes, "f");
  BOOST_TEST(file.alignment() == 32u);
  BOOST_TEST(lancet::read_floats(file.tensors().at("x"))[0] == 2.5f);
}

BOOST_AUTO_TEST_CASE(a_private_copy) {
  lancet_test::temporary_folder const folder;
  auto made = lancet_test::small_gguf();
  std::string_view const text(reinterpret_cast<char const*>(made.bytes.data()), made.bytes.size());
  lancet_test::spill(folder / "m.gguf", text);
  auto const file = gguf_file::open(folder / "m.gguf", {}, {.copy = true});
  lancet_test::spill(folder / "m.gguf", "");  // a mapped file would now be gone
  BOOST_TEST(file.get_list<std::string_view>("t.tokens")[2] == "the");
  BOOST_TEST(lancet::read_floats(file.tensors().at("blk.0.norm"))[1] == -8.0f);
}

BOOST_AUTO_TEST_CASE(bytes_that_change_after_opening) {
  lancet_test::gguf_bytes g;
  g.header(0, 1)
      .text("k")
      .u32(lancet_test::g_array)
      .u32(lancet_test::g_string)
      .u64(2)
      .text("ab")
      .mark("second")
      .text("cd");
  auto const file = gguf_file::parse(g.bytes, "m.gguf");
  for (std::uint64_t const length : {std::uint64_t{3}, ~std::uint64_t{0}, ~std::uint64_t{0} - 7}) {
    g.patch("second", length);
    check_throws<lancet::file_error>(
        [&] { (void)file.get_list<std::string>("k"); },
        "got another string, expected that the file does not change while it is read");
  }
}

// What the consumer asks for must be what the file declares (tokenizer scores stored as INT8 and read as
// float were an out-of-bounds read elsewhere); the error says both.
BOOST_AUTO_TEST_CASE(type_confusion) {
  lancet_test::gguf_bytes g;
  g.header(0, 9);
  g.array<std::int8_t>("scores", lancet_test::g_i8, {1, 2, 3}).string("heads", "nine");
  g.scalar<std::int32_t>("negative", lancet_test::g_i32, -1)
      .scalar<std::uint64_t>("long", lancet_test::g_u64, 5000000000u);
  g.scalar<double>("huge", lancet_test::g_f64, 1e300).scalar<std::uint32_t>("one", lancet_test::g_u32, 1);
  g.scalar<float>("eps", lancet_test::g_f32, 1e-5f)
      .strings("tokens", {"a"})
      .scalar<std::uint8_t>("yes", lancet_test::g_bool, 1);
  auto const file = gguf_file::parse(g.bytes, "m.gguf");
  auto const refuses = [&](auto f, std::string_view sentence) {
    check_throws<lancet::file_error>(f, sentence);
  };
  refuses([&] { (void)file.get_list<float>("scores"); },
          "m.gguf @ byte 24: metadata 'scores': got array of 3 int8, expected float32 or float64");
  refuses([&] { (void)file.get_list<std::string_view>("scores"); }, "got array of 3 int8, expected string");
  refuses([&] { (void)file.get<int>("scores"); },
          "got array of 3 int8, expected an integer from -2147483648 to 2147483647");
  refuses([&] { (void)file.get<int>("heads"); }, "metadata 'heads': got string, expected an integer");
  refuses([&] { (void)file.get<std::uint32_t>("negative"); },
          "got -1 (int32), expected an integer from 0 to 4294967295");
  refuses([&] { (void)file.get<std::uint32_t>("long"); }, "got 5000000000 (uint64), expected");
  refuses([&] { (void)file.get<float>("huge"); }, "expected a value within float32");
  refuses([&] { (void)file.get<float>("one"); }, "got uint32, expected float32 or float64");
  refuses([&] { (void)file.get<int>("eps"); }, "got float32, expected an integer");
  refuses([&] { (void)file.get<bool>("one"); }, "got uint32, expected bool");
  refuses([&] { (void)file.get<int>("yes"); }, "got bool, expected an integer");
  refuses([&] { (void)file.get_list<int>("one"); }, "got uint32, expected array of an integer");
  refuses([&] { (void)file.get<std::string>("tokens"); }, "got array of 1 string, expected string");
  refuses([&] { (void)file.get<std::uint32_t>("absent"); },
          "m.gguf: has no metadata 'absent' (an integer from 0 to 4294967295)");
  refuses([&] { (void)file.get_list<float>("absent"); },
          "has no metadata 'absent' (array of float32 or float64)");
}
