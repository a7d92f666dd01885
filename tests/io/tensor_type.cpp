// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE tensor_type
#include "lancet/io/tensor_type.hpp"

#include <boost/test/unit_test.hpp>
#include <set>
#include <string>

#include "support/errors.hpp"

using lancet::bytes_of;
using lancet::checked_size;
using lancet::tensor_type;

BOOST_AUTO_TEST_CASE(names_and_numbers_are_unique) {
  std::set<std::string_view> names, safetensors;
  std::set<int> numbers;
  for (auto const& row : lancet::tensor_types) {
    BOOST_TEST(names.insert(row.name).second);
    BOOST_TEST((row.ggml < 0 || numbers.insert(row.ggml).second));
    BOOST_TEST((row.safetensors.empty() || safetensors.insert(row.safetensors).second));
    BOOST_TEST(lancet::row_of(row.type).name == row.name);
  }
}

BOOST_AUTO_TEST_CASE(sizes) {
  BOOST_TEST(bytes_of(tensor_type::f32, checked_size(10, "f"), "f").value() == 40u);
  BOOST_TEST(bytes_of(tensor_type::q4_1, checked_size(64, "f"), "f").value() == 40u);
  BOOST_TEST(bytes_of(tensor_type::q6_k, checked_size(512, "f"), "f").value() == 420u);
  BOOST_TEST(bytes_of(tensor_type::boolean, checked_size(0, "f"), "f").value() == 0u);
  lancet_test::check_throws<lancet::file_error>(
      [] { (void)bytes_of(tensor_type::q4_1, checked_size(33, "f"), "m: tensor 'w'"); },
      "m: tensor 'w': got 33 elements of type Q4_1, expected a multiple of 32");
  lancet_test::check_throws<lancet::file_error>(
      [] { (void)bytes_of(tensor_type::f64, checked_size(std::uint64_t{1} << 61, "f"), "f"); },
      "does not fit into 64 bits");
}

BOOST_AUTO_TEST_CASE(types_of_cpp) {
  static_assert(lancet::tensor_type_of<float> == tensor_type::f32);
  static_assert(lancet::tensor_type_of<lancet::bfloat16> == tensor_type::bf16);
  static_assert(lancet::tensor_type_of<std::int64_t> == tensor_type::i64);
  static_assert(lancet::row_of(lancet::tensor_type_of<bool>).block_bytes == sizeof(bool));
  BOOST_TEST(lancet::name_of(tensor_type::iq4_xs) == "IQ4_XS");
}
