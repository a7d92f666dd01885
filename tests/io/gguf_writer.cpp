// SPDX-License-Identifier: Apache-2.0
// GGUF files as they are written, read back; what the format cannot hold is refused.
#define BOOST_TEST_MODULE io_gguf_writer
#include "lancet/io/gguf_writer.hpp"

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstring>
#include <vector>

#include "lancet/io/gguf.hpp"
#include "support/errors.hpp"
#include "support/gguf_bytes.hpp"
#include "support/temporary_folder.hpp"

using namespace lancet;
using lancet_test::check_throws;
using lancet_test::temporary_folder;

namespace {

std::vector<float> const numbers = [] {
  std::vector<float> out;
  for (int i = 0; i < 64; ++i) out.push_back(static_cast<float>(i) / 8 - 3);
  return out;
}();

lazy_tensor of(std::string name, std::vector<std::ptrdiff_t> shape,
               std::vector<float> const& values = numbers) {
  return as_stored({.name = std::move(name),
                    .type = tensor_type::f32,
                    .shape = std::move(shape),
                    .bytes = std::as_bytes(std::span(values))});
}

}  // namespace

BOOST_AUTO_TEST_CASE(metadata_of_every_type_comes_back) {
  temporary_folder const folder;
  gguf_writer out;
  out.set("a.u8", std::uint8_t{200});
  out.set("a.i8", std::int8_t{-100});
  out.set("a.u16", std::uint16_t{60000});
  out.set("a.i16", std::int16_t{-30000});
  out.set("a.u32", std::uint32_t{4000000000U});
  out.set("a.i32", std::int32_t{-2000000000});
  out.set("a.u64", ~std::uint64_t{0});
  out.set("a.i64", std::int64_t{-9000000000000000000});
  out.set("a.f32", 1.5F);
  out.set("a.f64", -2.25);
  out.set("a.yes", true);
  out.set("a.text", "h\xc3\xa9llo");
  out.set_list("a.names", std::span<std::string const>(std::vector<std::string>{"<s>", "", "the"}));
  out.set_list("a.scores", std::span<float const>(numbers));
  out.set_list("a.kinds", std::span<std::int32_t const>(std::vector<std::int32_t>{3, -1}));
  out.set("a.u8", std::uint16_t{7});  // replaced, type and all
  out.write(folder / "m.gguf");
  gguf_file const file = gguf_file::open(folder / "m.gguf");
  BOOST_TEST(file.version() == 3U);
  BOOST_TEST(file.metadata().size() == 15U);
  BOOST_TEST((file.find("a.u8")->type == gguf_type::u16));
  BOOST_TEST(file.get<int>("a.u8") == 7);
  BOOST_TEST(file.get<int>("a.i8") == -100);
  BOOST_TEST(file.get<int>("a.i16") == -30000);
  BOOST_TEST(file.get<std::uint32_t>("a.u32") == 4000000000U);
  BOOST_TEST(file.get<int>("a.i32") == -2000000000);
  BOOST_TEST(file.get<std::uint64_t>("a.u64") == ~std::uint64_t{0});
  BOOST_TEST(file.get<std::int64_t>("a.i64") == -9000000000000000000);
  BOOST_TEST(file.get<float>("a.f32") == 1.5F);
  BOOST_TEST(file.get<double>("a.f64") == -2.25);
  BOOST_TEST(file.get<bool>("a.yes"));
  BOOST_TEST(file.get<std::string>("a.text") == "h\xc3\xa9llo");
  BOOST_TEST(file.get_list<std::string>("a.names") == (std::vector<std::string>{"<s>", "", "the"}));
  BOOST_TEST(file.get_list<float>("a.scores") == numbers);
  BOOST_TEST(file.get_list<int>("a.kinds") == (std::vector<int>{3, -1}));
}

BOOST_AUTO_TEST_CASE(a_file_is_copied_value_for_value) {
  temporary_folder const folder;
  auto const made = lancet_test::small_gguf();
  gguf_file const from = gguf_file::parse(made.bytes, "small");
  gguf_writer out;
  for (gguf_value const& v : from.metadata()) out.copy(v);
  for (tensor_entry const& t : from.tensors()) out.add(as_stored(t));
  out.write(folder / "copy.gguf");
  gguf_file const copy = gguf_file::open(folder / "copy.gguf");
  BOOST_TEST(copy.alignment() == 32U);  // the source's 64 is its own
  BOOST_TEST(copy.metadata().size() == from.metadata().size() - 1);
  for (gguf_value const& v : copy.metadata()) {
    gguf_value const& was = *from.find(v.key);
    BOOST_TEST((v.type == was.type && v.is_array == was.is_array && v.count == was.count));
    BOOST_TEST(std::equal(v.bytes.begin(), v.bytes.end(), was.bytes.begin(), was.bytes.end()));
  }
  BOOST_TEST(copy.tensors().size() == 3U);
  for (tensor_entry const& t : copy.tensors()) {
    tensor_entry const& was = from.tensors().at(t.name);
    BOOST_TEST((t.type == was.type && t.shape == was.shape));
    BOOST_TEST(std::equal(t.bytes.begin(), t.bytes.end(), was.bytes.begin(), was.bytes.end()));
  }
  out.write(folder / "again.gguf");
  BOOST_TEST(lancet_test::slurp(folder / "copy.gguf") == lancet_test::slurp(folder / "again.gguf"));
}

BOOST_AUTO_TEST_CASE(many_keys_are_written_in_time) {
  temporary_folder const folder;
  std::uint32_t const many = 1 << 18;
  auto const start = std::chrono::steady_clock::now();
  gguf_writer out;
  for (std::uint32_t i = 0; i < many; ++i) out.set("a.key.of.some.length." + std::to_string(i), i);
  out.set("a.key.of.some.length.7", std::uint32_t{70});
  out.write(folder / "m.gguf");
  // A fraction of a second; looking at all keys for each one would take more than a minute.
  BOOST_TEST(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() < 20);
  gguf_file const file = gguf_file::open(folder / "m.gguf");
  BOOST_TEST(file.metadata().size() == many);
  BOOST_TEST(file.metadata()[7].key == "a.key.of.some.length.7");  // replaced where it was
  BOOST_TEST(file.get<std::uint32_t>("a.key.of.some.length.7") == 70U);
}

BOOST_AUTO_TEST_CASE(tensors_come_piece_by_piece) {
  temporary_folder const folder;
  gguf_writer out;
  out.add(of("odd", {3}));
  out.add({.name = "pieces", .type = tensor_type::f32, .shape = {8, 8}, .produce = [](byte_sink const& sink) {
             auto const bytes = std::as_bytes(std::span(numbers));
             for (std::size_t at = 0; at < bytes.size(); at += 16) sink(bytes.subspan(at, 16));
           }});
  BOOST_CHECK_THROW(out.write(folder / "t.gguf"), usage_error);  // 64 numbers are no [3]
  gguf_writer right;
  std::vector<float> const three(numbers.begin(), numbers.begin() + 3);
  right.add(of("odd", {3}, three));
  right.add(of("cube", {4, 2, 8}));
  right.write(folder / "t.gguf");
  gguf_file const file = gguf_file::open(folder / "t.gguf");
  BOOST_TEST(read_floats(file.tensors().at("odd")) == three);
  BOOST_TEST(read_floats(file.tensors().at("cube")) == numbers);
  BOOST_TEST((file.tensors().at("cube").shape == std::vector<std::ptrdiff_t>{4, 2, 8}));
  BOOST_TEST(folder.entries() == 1);
}

BOOST_AUTO_TEST_CASE(what_gguf_cannot_hold_is_refused) {
  temporary_folder const folder;
  auto const refused = [&](std::vector<lazy_tensor> tensors, char const* sentence) {
    gguf_writer out;
    for (lazy_tensor& t : tensors) out.add(std::move(t));
    check_throws<usage_error>([&] { out.write(folder / "bad.gguf"); }, sentence);
    BOOST_TEST(folder.entries() == 0);
  };
  refused({of("", {64})}, "a name of 0 bytes, expected 1 to 63");
  refused({of(std::string(64, 'n'), {64})}, "a name of 64 bytes, expected 1 to 63");
  refused({of("w", {})}, "tensor 'w': got shape [], expected 1 to 4 axes, none of length 0");
  refused({of("w", {2, 2, 2, 2, 4})}, "got shape [2, 2, 2, 2, 4]");
  refused({of("w", {0, 64})}, "got shape [0, 64]");
  refused({of("w", {-8, -8})}, "got shape [-8, -8], expected lengths from 0");
  refused({of("w", {65})}, "tensor 'w': got 256 bytes, expected 260 for shape [65]");
  refused({of("w", {63})}, "got 256 bytes, expected 252");
  refused({of("w", {64}), of("w", {64})}, "got two tensors named 'w', expected different names");
  lazy_tensor blocks = of("w", {2, 32});
  blocks.type = tensor_type::q8_0;
  blocks.shape = {2, 33};
  refused({blocks}, "got 33 columns of type Q8_0, expected a multiple of 32");
  blocks.type = tensor_type::u8;
  blocks.shape = {256};
  refused({blocks}, "got type U8, expected a type that GGUF knows");
  gguf_writer out;
  check_throws<usage_error>([&] { out.set("", 1); }, "got a key of 0 bytes, expected 1 to 65535");
  check_throws<resource_error>(
      [&] {
        gguf_writer full;
        full.add(of("w", {64}));
        full.write("/dev/full");
      },
      "No space left");
}
