// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE json
#include "lancet/io/json.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lancet/io/json_parse.hpp"
#include "support/errors.hpp"
#include "support/temporary_folder.hpp"

using lancet::get;
using lancet::parse_json;
using lancet_test::check_throws;

namespace {
void refused(std::string_view text, std::string_view sentence, lancet::json_limits const& limits = {}) {
  BOOST_TEST_CONTEXT(std::string(text.substr(0, 80))) {
    check_throws<lancet::file_error>([&] { (void)parse_json(text, "c.json", limits); }, sentence);
  }
}
}  // namespace

BOOST_AUTO_TEST_CASE(equals_what_nlohmann_parses) {
  for (std::string const text :
       {R"({"a": 1, "b": [true, false, null, -2, 3.5, 1e300, "t\u00e9\n"], "c": {"d": {}, "e": []}})", "3",
        "[]", "\"x\"", " [1 , [2, [3]], {\"a\": [4]}] \n", "18446744073709551615", "-9223372036854775808",
        "\"\\ud83d\\ude00\"", "null"}) {
    BOOST_TEST((parse_json(text, "f") == nlohmann::json::parse(text)));
  }
}

BOOST_AUTO_TEST_CASE(what_is_no_json) {
  refused("", "c.json:1: not valid JSON: syntax error");
  refused("{", "c.json:1: not valid JSON");
  refused("{\"a\": 1,\n \"b\": }\n", "c.json:2: not valid JSON");
  refused("[1,]", "not valid JSON");
  refused("{\"a\": 1} x", "not valid JSON");
  refused("{'a': 1}", "not valid JSON");
  refused("[NaN]", "not valid JSON");
  refused("[Infinity]", "not valid JSON");
  refused("[01]", "not valid JSON");
  refused("[1e999]", "not valid JSON");
  refused("\"\xff\"", "not valid JSON");          // not UTF-8
  refused("\"\xc0\xaf\"", "not valid JSON");      // overlong
  refused("\"\xed\xa0\x80\"", "not valid JSON");  // a surrogate
  refused("\"a\nb\"", "not valid JSON");
  refused(std::string_view("[1]\0", 4), "not valid JSON: a zero byte (at byte 3)");
  refused(std::string_view("[1]\0[2]", 7), "a zero byte");  // not the end
  refused("// no\n[1]", "not valid JSON");
  BOOST_TEST(parse_json("// yes\n[1] /* and */", "f", {.comments = true}).size() == 1u);
}

BOOST_AUTO_TEST_CASE(the_place_of_an_error) {
  refused("[1,\n2,\n3,\nx]", "c.json:4: ");
  refused("[1,\n2,\n3,\nx]", "(at byte 10)");
  refused("{\"a\": 1,\n\n\"a\": 2}", "c.json:3: duplicate key 'a'");
  check_throws<lancet::file_error>([] { (void)parse_json("x", "pairs.jsonl", {}, 17); },
                                   "pairs.jsonl:17: not valid");
}

BOOST_AUTO_TEST_CASE(what_an_error_shows_is_short_and_harmless) {
  std::string const text = "[\"\x1b[31m" + std::string(1'000'000, 'x');
  try {
    (void)parse_json(text, "f");
    BOOST_ERROR("no error");
  } catch (lancet::file_error const& error) {
    std::string_view const what = error.what();
    BOOST_TEST(what.size() < 400u);
    BOOST_TEST(what.find('\x1b') == what.npos);
  }
  refused("{\"k\x7f\": 1, \"k\x7f\": 2}", "duplicate key 'k\\x7f'");
}

BOOST_AUTO_TEST_CASE(duplicate_keys) {
  refused(R"({"a": 1, "b": 2, "a": 1})", "duplicate key 'a'");
  refused(R"([{"x": {"q": [], "q": {}}}])", "duplicate key 'q'");
  refused("{\"\\u0061\": 1, \"a\": 2}", "duplicate key 'a'");  // the same key, written differently
  BOOST_TEST(parse_json(R"({"a": {"a": {"a": 1}}, "b": [{"a": 1}, {"a": 2}]})", "f").size() == 2u);
}

BOOST_AUTO_TEST_CASE(limits) {
  auto const nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  BOOST_TEST(parse_json(nested(64), "f").is_array());
  refused(nested(65), "nested deeper than 64 levels");
  refused(std::string(5'000'000, '['), "nested deeper than 64 levels");  // no recursion, no overflow
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  refused(objects, "nested deeper than 64 levels");
  refused(nested(3), "nested deeper than 2 levels", {.depth = 2});
  refused("[1, 2, 3]", "got 9 bytes of JSON, expected at most 8", {.bytes = 8});
  refused("[1, 2, 3]", "more than 3 values", {.values = 3});
  BOOST_TEST(parse_json("[1, 2, 3]", "f", {.values = 4}).size() == 3u);
}

BOOST_AUTO_TEST_CASE(typed_values) {
  auto const object = parse_json(R"({"a": {"b": "text", "n": -3, "x": 2.5, "yes": true},
      "list": [1, 2, 3], "texts": ["p", "q"], "rows": [[1.5], [2, 3]], "nothing": null, "big": 18446744073709551615})",
                                 "f");
  BOOST_TEST(get<std::string>(object, "a.b", "f") == "text");
  BOOST_TEST(get<std::string_view>(object, "a.b", "f") == "text");
  BOOST_TEST(get<int>(object, "a.n", "f") == -3);
  BOOST_TEST(get<double>(object, "a.x", "f") == 2.5);
  BOOST_TEST(get<float>(object, "a.n", "f") == -3.0f);
  BOOST_TEST(get<bool>(object, "a.yes", "f"));
  BOOST_TEST((get<std::vector<std::uint8_t>>(object, "list", "f") == std::vector<std::uint8_t>{1, 2, 3}));
  BOOST_TEST((get<std::vector<std::string>>(object, "texts", "f") == std::vector<std::string>{"p", "q"}));
  BOOST_TEST((get<std::vector<std::vector<double>>>(object, "rows", "f") ==
              std::vector<std::vector<double>>{{1.5}, {2, 3}}));
  BOOST_TEST(get<std::uint64_t>(object, "big", "f") == ~std::uint64_t{0});
  BOOST_TEST(lancet::get_or<int>(object, "nothing", 5, "f") == 5);
  BOOST_TEST(lancet::get_or<int>(object, "a.absent", 6, "f") == 6);
  BOOST_TEST(lancet::get_or<int>(object, "a.n", 6, "f") == -3);
  BOOST_TEST(!lancet::get_optional<double>(object, "absent.absent", "f").has_value());
  BOOST_TEST(lancet::find(object, "a.b.c") == nullptr);
  BOOST_TEST(lancet::at(object, "a", "f").size() == 4u);
}

BOOST_AUTO_TEST_CASE(wrong_types_name_path_got_and_expected) {
  auto const object =
      parse_json(R"({"a": {"b": "text", "n": -3, "x": 2.5, "yes": true}, "list": [1, "two", 3],
      "rows": [[1.5], [2, null]], "nothing": null, "big": 18446744073709551615, "huge": 1e300, "o": {}})",
                 "f");
  auto const refuses = [&]<typename T>(T, std::string_view path, std::string_view sentence) {
    check_throws<lancet::file_error>([&] { (void)get<T>(object, path, "c.json"); }, sentence);
  };
  refuses(int{}, "a.b",
          "c.json: a.b: got the string 'text', expected an integer from -2147483648 to 2147483647");
  refuses(std::uint32_t{}, "a.n", "c.json: a.n: got -3, expected an integer from 0 to 4294967295");
  refuses(std::int64_t{}, "big", "got 18446744073709551615, expected an integer from -9223372036854775808");
  refuses(int{}, "a.x", "a.x: got 2.5, expected an integer");  // never rounded
  refuses(bool{}, "a.n", "a.n: got -3, expected true or false");
  refuses(int{}, "a.yes", "a.yes: got true, expected an integer");
  refuses(double{}, "a.b", "got the string 'text', expected a number");
  refuses(float{}, "huge", "huge: got 1e+300, expected a number");
  refuses(std::string{}, "a.n", "got -3, expected a string");
  refuses(std::string{}, "nothing", "nothing: got null, expected a string");
  refuses(std::string{}, "o", "o: got an object, expected a string");
  refuses(int{}, "list", "list: got a list of 3, expected an integer");
  refuses(std::vector<int>{}, "list", "list[1]: got the string 'two', expected an integer");
  refuses(std::vector<std::vector<double>>{}, "rows", "rows[1][1]: got null, expected a number");
  refuses(std::vector<int>{}, "a", "a: got an object, expected a list");
  refuses(int{}, "a.missing", "c.json: has no 'a.missing'");
  check_throws<lancet::file_error>([&] { (void)get<int>(parse_json("[]", "f"), "a", "c.json"); },
                                   "c.json: got a list of 0, expected an object");
  check_throws<lancet::file_error>([&] { (void)lancet::get_or<int>(object, "a.b", 1, "c.json"); },
                                   "a.b: got the string");
}

BOOST_AUTO_TEST_CASE(files_and_lines) {
  lancet_test::temporary_folder const folder;
  lancet_test::spill(folder / "c.json", "{\"a\": [1,\n2]}");
  BOOST_TEST(lancet::read_json(folder / "c.json")["a"].size() == 2u);
  lancet_test::spill(folder / "p.jsonl", "{\"a\": 1}\n\n  \r\n{\"a\": 2}\r\n{\"a\": 3}");
  std::vector<int> values;
  std::vector<std::string> places;
  lancet::read_json_lines(folder / "p.jsonl", [&](nlohmann::json const& line, std::string const& where) {
    values.push_back(get<int>(line, "a", where));
    places.push_back(where.substr(where.rfind('/') + 1));
  });
  BOOST_TEST((values == std::vector{1, 2, 3}));
  BOOST_TEST((places == std::vector<std::string>{"p.jsonl:1", "p.jsonl:4", "p.jsonl:5"}));
  lancet_test::spill(folder / "bad.jsonl", "{\"a\": 1}\n{\"a\": 1\n{}\n");
  check_throws<lancet::file_error>(
      [&] { lancet::read_json_lines(folder / "bad.jsonl", [](auto&&, auto const&) {}); },
      "bad.jsonl:2: not valid JSON");
}

BOOST_AUTO_TEST_CASE(formats) {
  auto const object = parse_json(R"({"format": "lancet.effects", "version": 1})", "f");
  BOOST_TEST(lancet::require_format(object, "lancet.effects", 2, "f") == 1);
  check_throws<lancet::file_error>(
      [&] { (void)lancet::require_format(object, "lancet.circuit", 1, "e.json"); },
      "e.json: format: got 'lancet.effects', expected 'lancet.circuit'");
  check_throws<lancet::file_error>(
      [&] { (void)lancet::require_format(object, "lancet.effects", 0, "e.json"); }, "version: got 1");
}
