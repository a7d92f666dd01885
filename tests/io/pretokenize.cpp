// SPDX-License-Identifier: Apache-2.0
// Each scanner against PCRE2 on the pattern that it stands for, over random texts; cost; ill-formed text.
#define BOOST_TEST_MODULE pretokenize
#include "lancet/io/pretokenize.hpp"

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstddef>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "lancet/io/known_patterns.hpp"
#include "lancet/io/pretokenize_pcre2.hpp"
#include "lancet/io/split.hpp"
#include "support/errors.hpp"
#include "support/unicode_oracle.hpp"

using lancet::char_class;
using lancet::split_rule;
using strings = std::vector<std::string>;

namespace {

strings pieces(lancet::split_step const& step, std::string_view text) {
  strings out;
  for (auto const piece : lancet::split_text({step}, text).list) out.emplace_back(piece);
  return out;
}

/// Texts of characters on which PCRE2 and the tables agree, drawn so that all branches of the patterns are
/// taken.
class text_source {
 public:
  text_source(lancet_test::unicode_oracle const& oracle, unsigned seed) : random_(seed), by_class_(9) {
    for (char32_t code = 0; code < 0x110000; ++code) {
      if ((code >= 0xd800 && code < 0xe000) || code == 0x180e) continue;
      auto const kind = lancet::classify(code);
      if (oracle.classify(code) == kind) by_class_[static_cast<std::size_t>(kind)].push_back(code);
    }
  }

  std::string text() {
    static std::string const snippets[] = {
        "'s", "'S", "'re", "'RE",  "'ve", "'lL",    "'m",     "'D",     "'t",     "'\u017f", "'",  "''",
        " ",  "  ", "\n",  "\r\n", "\t",  "\r",     "/",      "//",     "a",      "B",       "aB", "Ba",
        "1",  "12", ".",   "?!",   "_",   "\u3042", "\u4e2d", "\u30ab", "\u00a0", "\u2028"};
    std::string out;
    for (auto n = below(20); n > 0; --n) {
      if (below(2) == 0) {
        out += snippets[below(std::size(snippets))];
      } else if (below(3) == 0) {
        lancet::append_utf8(out, static_cast<char32_t>(below(0x80)));
      } else {
        auto const& set = by_class_[below(by_class_.size())];
        lancet::append_utf8(out, set[below(set.size())]);
      }
    }
    return out;
  }

  std::string bytes() {
    std::string out;
    for (auto n = below(30); n > 0; --n) {
      static std::string const some = "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xed\xa0\xff\xc0 a1.\n'";
      out.push_back(below(3) == 0 ? static_cast<char>(below(256)) : some[below(some.size())]);
    }
    return out;
  }

 private:
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_()) % n; }

  std::mt19937 random_;
  std::vector<std::vector<char32_t>> by_class_;
};

lancet_test::unicode_oracle const& oracle() {
  static lancet_test::unicode_oracle const instance;
  return instance;
}

}  // namespace

BOOST_AUTO_TEST_CASE(scanners_cut_where_pcre2_cuts) {
  for (unsigned const seed : {1u, 2u, 3u}) {
    text_source source(oracle(), seed);
    std::vector<std::string> texts;
    for (int i = 0; i < 3000; ++i) texts.push_back(source.text());
    for (auto const& known : lancet::detail::known_patterns) {
      lancet::split_at_pattern const reference{.source = std::string(known.source),
                                               .pattern = lancet::pcre2_pattern(std::string(known.source))};
      for (auto const& text : texts) {
        auto const got = pieces(known.rule, text);
        auto const wanted = pieces(reference, text);
        BOOST_TEST(got == wanted,
                   known.name << ", seed " << seed << ": '" << lancet::escape_utf8(text, 400) << "'");
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(pieces_add_up_to_any_bytes) {
  text_source source(oracle(), 4);
  for (int i = 0; i < 3000; ++i) {
    auto const text = source.bytes();
    for (auto const& known : lancet::detail::known_patterns) {
      std::string sum;
      for (auto const& piece : pieces(known.rule, text)) {
        if (piece.empty()) BOOST_FAIL(known.name << ": an empty piece");
        sum += piece;
      }
      BOOST_TEST(sum == text, known.name);
      if (i % 100 == 0) {
        lancet::split_at_pattern const pattern{.source = "x",
                                               .pattern = lancet::pcre2_pattern(std::string(known.source))};
        sum.clear();
        for (auto const& piece : pieces(pattern, text)) sum += piece;
        BOOST_TEST(sum == text, known.name << " by PCRE2");
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(gpt2_by_hand) {
  BOOST_TEST(pieces(split_rule::gpt2, "") == strings{});
  BOOST_TEST(pieces(split_rule::gpt2, "I'm  here!\n\n 12é") ==
             (strings{"I", "'m", " ", " here", "!", "\n\n", " 12", "é"}));
  BOOST_TEST(pieces(split_rule::gpt2, "it'S \t") == (strings{"it", "'", "S", " \t"}));
  BOOST_TEST(pieces(split_rule::gpt2, " \xff?a") == (strings{" \xff?", "a"}));
}

BOOST_AUTO_TEST_CASE(llama3_by_hand) {
  BOOST_TEST(pieces(split_rule::llama3, "It'S 12345 (a) \n\n x") ==
             (strings{"It", "'S", " ", "123", "45", " (", "a", ")", " \n\n", " x"}));
  BOOST_TEST(pieces(split_rule::qwen2, "12") == (strings{"1", "2"}));
  BOOST_TEST(pieces(split_rule::gpt4o, "HelloWorldABC's") == (strings{"Hello", "World", "ABC's"}));
  BOOST_TEST(pieces(split_rule::tekken, "ABC's") == (strings{"ABC", "'s"}));
  BOOST_TEST(pieces(split_rule::digits, "a12 b") == (strings{"a", "1", "2", " b"}));
  BOOST_TEST(pieces(split_rule::digit_runs, "a12 b") == (strings{"a", "12", " b"}));
}

BOOST_AUTO_TEST_CASE(rules_have_names) {
  BOOST_TEST(lancet::name_of(split_rule::gpt2) == "gpt2");
  for (auto const& known : lancet::detail::known_patterns)
    BOOST_TEST((lancet::rule_for(known.source) == known.rule));
  BOOST_TEST((lancet::rule_for(R"(\w+)") == std::nullopt));
}

// A text that a scanner with a wrong loop would read again at every place.
BOOST_AUTO_TEST_CASE(hostile_texts_take_linear_time) {
  std::size_t const n = 1 << 18;
  for (std::string const unit : {"a", "A", " ", "\n", "\t ", "1", "'", "é", "\u3042", "\u0301", "\xff",
                                 "\xe2\x82", " \n", "Aa", "\U0001f600"}) {
    std::string text;
    while (text.size() < n) text += unit;
    for (auto const& tail : {std::string(), std::string("x"), std::string(" \n")}) {
      auto const whole = text + tail;
      for (auto const& known : lancet::detail::known_patterns) {
        auto const start = std::chrono::steady_clock::now();
        std::size_t sum = 0;
        for (auto const piece : lancet::split_text({known.rule}, whole).list) sum += piece.size();
        std::chrono::duration<double> const seconds = std::chrono::steady_clock::now() - start;
        BOOST_TEST(sum == whole.size());
        BOOST_TEST(seconds.count() < 5.0, known.name << " on many '" << lancet::escape_utf8(unit) << "'");
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(steps_run_one_after_the_other) {
  auto const run = [](std::vector<lancet::split_step> const& steps, std::string_view text) {
    strings out;
    for (auto const piece : lancet::split_text(steps, text).list) out.emplace_back(piece);
    return out;
  };
  BOOST_TEST(run({}, "a b") == (strings{"a b"}));
  BOOST_TEST(run({split_rule::digits, split_rule::gpt2}, "a 12 b") == (strings{"a", " ", "1", "2", " b"}));
  BOOST_TEST(run({split_rule::digits, lancet::prefix_space{}, split_rule::gpt2}, "a1 b") ==
             (strings{" a", " 1", " b"}));
  BOOST_TEST(run({lancet::split_at_literal{"ab"}}, "abxabaab") == (strings{"ab", "x", "ab", "a", "ab"}));
  lancet::split_at_pattern const vowels{.source = "[aeiou]+", .pattern = lancet::pcre2_pattern("[aeiou]+")};
  BOOST_TEST(run({vowels}, "queue up") == (strings{"q", "ueue", " ", "u", "p"}));
  auto dropped = vowels;
  dropped.keep_matches = false;
  BOOST_TEST(run({dropped}, "queue up") == (strings{"q", " ", "p"}));
  dropped.keep_matches = true;
  dropped.keep_between = false;
  BOOST_TEST(run({dropped}, "queue up") == (strings{"ueue", "u"}));
  lancet::split_at_pattern const empty{.source = "(?=[A-Z])", .pattern = lancet::pcre2_pattern("(?=[A-Z])")};
  BOOST_TEST(run({empty}, "aBcDD") == (strings{"a", "Bc", "D", "D"}));
  BOOST_TEST(run({vowels}, "a\xff\xe2\x82o") == (strings{"a", "\xff", "\xe2\x82", "o"}));
}

BOOST_AUTO_TEST_CASE(unknown_patterns_need_a_compiler) {
  BOOST_TEST(lancet::describe(lancet::step_for_pattern(R"(\p{N})", "f", nullptr)) == "digits");
  lancet_test::check_throws<lancet::file_error>(
      [] { (void)lancet::step_for_pattern("a+b", "f: pattern", nullptr); },
      "f: pattern: got the pattern 'a+b'");
}

BOOST_AUTO_TEST_CASE(pcre2_patterns_are_checked_and_limited) {
  for (std::string const source : {"(", ")", "[z-a]", "\\p{Klingon}", "\\C", "(?<!a*)b"}) {
    lancet_test::check_throws<lancet::file_error>([&] { (void)lancet::pcre2_pattern(source); },
                                                  "tokenizer pattern");
  }
  // The same letters, another meaning in Oniguruma.
  for (std::string const source :
       {R"(\w+)", R"([\w])", R"(a\b)", R"(\h)", "[a&&b]", "[a[bc]]", "[[:alpha:]]", "(?m:a.b)", "(?i-s)a",
        R"(\d{1,3}+)", "a{2}?", "a{,2}", R"(\Qa)", "(*FAIL)"}) {
    lancet_test::check_throws<lancet::file_error>([&] { (void)lancet::pcre2_pattern(source); },
                                                  "understands in another way");
  }
  for (std::string const source :
       {R"(\\w)", "[]a]", R"([^]\]])", "(?i:a)", "(?=a)", "a{2,3}?", "a{2}", "a++", "{,", R"(\p{L}+)"}) {
    BOOST_TEST(lancet::pcre2_pattern(source) != nullptr, source);
  }
  auto const slow = lancet::pcre2_pattern("(a+)+$", {.match = 10'000});
  lancet_test::check_throws<lancet::resource_error>([&] { (void)slow->find(std::string(40, 'a') + "b", 0); },
                                                    "match limit exceeded");
  lancet_test::check_throws<lancet::file_error>(
      [] { (void)lancet::pcre2_pattern(std::string(100, 'a'), {.pattern_bytes = 50}); },
      "pattern string is longer");
}
