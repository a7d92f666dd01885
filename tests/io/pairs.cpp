// SPDX-License-Identifier: Apache-2.0
// Pairs and texts from files: splits, tokens of the subject, and one sentence with the line for each way to
// be wrong.
#define BOOST_TEST_MODULE io_pairs
#include "lancet/io/pairs.hpp"

#include <boost/test/unit_test.hpp>

#include "lancet/io/atomic_file.hpp"
#include "lancet/planted.hpp"
#include "support/temporary_folder.hpp"

namespace lancet_test {

using namespace lancet;

std::string refusal(std::string const& text) {
  temporary_folder const folder;
  std::string const path = folder.path() + "/pairs.jsonl";
  write_file(path, text);
  try {
    (void)read_pairs(path, planted_tokenizer());
  } catch (file_error const& e) {
    std::string const what = e.what();
    return what.substr(folder.path().size() + 1);
  }
  return "accepted";
}

BOOST_AUTO_TEST_CASE(good_lines) {
  temporary_folder const folder;
  std::string const path = folder.path() + "/pairs.jsonl";
  write_file(
      path,
      R"({"clean": "The nurse said that", "corrupted": "The plumber said that", "answer": " she", "contrast": " he", "subject": "nurse", "split": "test", "more": 1})"
      "\n\n"
      R"({"clean_ids": [1, 2], "answer_ids": [3]})"
      "\n");
  pair_file const file = read_pairs(path, planted_tokenizer());
  BOOST_REQUIRE(file.test().size() == 1u);
  BOOST_TEST(file.train().size() == 1u);
  contrast_pair const& p = file.test().pairs[0];
  BOOST_TEST(p.line == 1);
  BOOST_TEST(p.other == R"({"more":1})");
  BOOST_TEST(file.train().pairs[0].other.empty());
  BOOST_REQUIRE(p.subject.has_value());
  BOOST_TEST(p.subject->first == 1);
  BOOST_TEST(p.subject->last == 1);
  BOOST_TEST(p.clean.size() == p.corrupted.size());
  BOOST_TEST(file.train().pairs[0].line == 3);
}

BOOST_AUTO_TEST_CASE(bad_lines) {
  auto const has = [](std::string const& got, char const* part) {
    BOOST_TEST(got.find(part) != std::string::npos, got);
  };
  has(refusal("{\"clean\": \n"), "pairs.jsonl:1");
  has(refusal("{}\n"), "pairs.jsonl:1: has no 'clean'");
  has(refusal("{\"clean\": \"The nurse said that\"}\n"), "has no 'answer'");
  has(refusal("\n{\"clean\": \"\", \"answer\": \" she\"}\n"),
      "pairs.jsonl:2: clean: got a text without tokens");
  has(refusal("{\"clean\": \"The nurse said that\", \"answer\": \"\"}\n"),
      "answer: got a text without tokens");
  has(refusal("{\"clean\": \"The nurse said that\", \"corrupted\": \"The nurse\", \"answer\": \" she\"}\n"),
      "clean has 4 tokens and corrupted 2");
  has(refusal("{\"clean\": \"The nurse said that\", \"answer\": \" she\", \"split\": \"dev\"}\n"),
      "split: got 'dev', expected train, validation or test");
  has(refusal("{\"clean\": \"The nurse said that\", \"answer\": \" she\", \"subject\": \"king\"}\n"),
      "subject: got 'king'");
  has(refusal("{\"clean\": 3, \"answer\": \" she\"}\n"), "clean: got 3, expected a string");
  has(refusal("{\"clean\": \"The nurse said that\", \"answer\": \" she\"}\n{\"clean\": \"The nurse said "
              "that\", \"answer\": \" she\", \"split\": \"test\"}\n"),
      "pairs.jsonl:2: the prompt stands in split train too");
  // A terminal is not moved by what a file says.
  has(refusal("{\"clean\": \"The nurse said that\", \"answer\": \" she\", \"split\": \"\\u001b[2J\"}\n"),
      "split: got '\\x1b[2J', expected train");
  has(refusal("{\"clean\": \"The nurse said that\", \"answer\": \" she\", \"subject\": \"\\u001b[2J\"}\n"),
      "subject: got '\\x1b[2J', expected a part of clean");
  has(refusal(""), "");
  BOOST_CHECK_THROW((void)read_pairs("/nowhere/pairs.jsonl", planted_tokenizer()), file_error);
}

BOOST_AUTO_TEST_CASE(windows_of_text) {
  temporary_folder const folder;
  std::string const path = folder.path() + "/text.txt";
  write_file(path, "The nurse said that she\n\n\nThe queen said that\n");
  auto const windows = read_text_windows(path, planted_tokenizer(), 3);
  BOOST_REQUIRE(windows.size() == 3u);  // 3 + 2 tokens, then 3 + 1: a single token is no window
  BOOST_TEST(windows[0].size() == 3u);
  write_file(path, "\n\n");
  BOOST_CHECK_THROW((void)read_text_windows(path, planted_tokenizer(), 3), file_error);
}

}  // namespace lancet_test
