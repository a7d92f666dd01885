// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE tensor_entry
#include "lancet/io/tensor_entry.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <numeric>
#include <vector>

#include "support/errors.hpp"

using lancet::tensor_entry;
using lancet::tensor_type;
using lancet_test::check_throws;

namespace {
template <typename T>
tensor_entry entry(std::string name, std::vector<std::ptrdiff_t> shape, std::vector<T> const& values) {
  return {.name = std::move(name),
          .type = lancet::tensor_type_of<T>,
          .shape = std::move(shape),
          .bytes = std::as_bytes(std::span(values))};
}
std::vector<float> counting(std::size_t count) {
  std::vector<float> values(count);
  std::iota(values.begin(), values.end(), 0.0f);
  return values;
}
}  // namespace

BOOST_AUTO_TEST_CASE(shapes) {
  tensor_entry tensor{.shape = {2, 3, 4}};
  BOOST_TEST(tensor.elements() == 24);
  BOOST_TEST(tensor.rows() == 6);
  BOOST_TEST(tensor.columns() == 4);
  tensor.shape = {};
  BOOST_TEST(tensor.elements() == 1);
  BOOST_TEST(tensor.rows() == 1);
  BOOST_TEST(tensor.columns() == 1);
  tensor.shape = {7};
  BOOST_TEST(tensor.rows() == 1);
  tensor.shape = {5, 0};
  BOOST_TEST(tensor.elements() == 0);
  BOOST_TEST(tensor.rows() == 5);
  BOOST_TEST(lancet::read_floats(tensor).empty());
  BOOST_TEST(lancet::shape_text(tensor.shape) == "[5, 0]");
}

BOOST_AUTO_TEST_CASE(rows_as_floats) {
  auto const values = counting(24);
  auto const tensor = entry("w", {2, 3, 4}, values);
  BOOST_TEST((lancet::read_floats(tensor) == values));
  std::vector<float> out(8);
  lancet::read_rows(tensor, 3, 2, out);
  BOOST_TEST(out.front() == 12.0f);
  BOOST_TEST(out.back() == 19.0f);
  lancet::read_rows(tensor, 6, 0, {});
  check_throws<lancet::usage_error>(
      [&] { lancet::read_rows(tensor, 5, 2, out); },
      "rows of tensor 'w': got 2 rows from 5 for 8 floats, expected rows of [2, 3, 4]");
  check_throws<lancet::usage_error>([&] { lancet::read_rows(tensor, -1, 2, out); }, "2 rows from -1");
  check_throws<lancet::usage_error>([&] { lancet::read_rows(tensor, 0, 3, out); },
                                    "3 rows from 0 for 8 floats");
}

BOOST_AUTO_TEST_CASE(rows_of_blocks) {
  std::vector<std::byte> bytes(4 * 20, std::byte{0});
  for (std::size_t block = 0; block < 4; ++block) {  // offset of block b: b
    auto const low = lancet::to_float16(static_cast<float>(block));
    std::memcpy(bytes.data() + block * 20 + 2, &low, 2);
  }
  tensor_entry const tensor{.name = "w", .type = tensor_type::q4_1, .shape = {2, 64}, .bytes = bytes};
  std::vector<float> out(64);
  lancet::read_rows(tensor, 1, 1, out);
  BOOST_TEST(out[0] == 2.0f);
  BOOST_TEST(out[63] == 3.0f);
}

BOOST_AUTO_TEST_CASE(typed_values) {
  std::vector<std::int32_t> const ids{5, -6, 7};
  auto const tensor = entry("ids", {3}, ids);
  BOOST_TEST((lancet::read_values<std::int32_t>(tensor, "f") == ids));
  check_throws<lancet::file_error>([&] { (void)lancet::read_values<float>(tensor, "g.safetensors"); },
                                   "g.safetensors: tensor 'ids' has type I32, expected F32");
}

BOOST_AUTO_TEST_CASE(finding_by_name) {
  auto const values = counting(6);
  std::vector<tensor_entry> tensors;
  for (char const* name : {"b", "a", "c.d", "", "a\0x"}) tensors.push_back(entry(name, {2, 3}, values));
  tensors.pop_back();  // "a" once more
  lancet::tensor_table const table("m.gguf", tensors);
  BOOST_TEST(table.size() == 4u);
  BOOST_TEST(table.begin()->name == "b");  // file order
  BOOST_TEST(table.find("a") != nullptr);
  BOOST_TEST(table.find("ab") == nullptr);
  BOOST_TEST(table.at("c.d").name == "c.d");
  std::vector<std::ptrdiff_t> const right{2, 3}, wrong{3, 2}, longer{2, 3, 1};
  BOOST_TEST(table.at("a", right).elements() == 6);
  check_throws<lancet::file_error>([&] { (void)table.at("x\n"); },
                                   "m.gguf: has no tensor 'x\\x0a' among its 4");
  check_throws<lancet::file_error>([&] { (void)table.at("a", wrong); },
                                   "tensor 'a' has shape [2, 3], expected [3, 2]");
  check_throws<lancet::file_error>([&] { (void)table.at("a", longer); }, "expected [2, 3, 1]");
  tensors.push_back(entry("c.d", {2, 3}, values));
  check_throws<lancet::file_error>([&] { lancet::tensor_table("m.gguf", tensors); },
                                   "m.gguf: two tensors have the name 'c.d'");
  BOOST_TEST(lancet::tensor_table().find("a") == nullptr);
}
