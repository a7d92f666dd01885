// SPDX-License-Identifier: Apache-2.0
// Chat formats: the texts that Jinja (transformers 5.23.0's apply_chat_template) makes of the models' own
// programs, how programs are told apart, and refusals.
#define BOOST_TEST_MODULE chat_template
#include "lancet/io/chat_template.hpp"

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "lancet/io/chat_template_file.hpp"
#include "support/errors.hpp"
#include "support/gguf_bytes.hpp"
#include "support/temporary_folder.hpp"

using chat = std::vector<lancet::chat_message>;

namespace {

chat const two_turns = {{"user", " Hi "}, {"assistant", " Yes\n"}, {"user", "Bye"}};
chat const with_system = {{"system", "Be brief."}, {"user", "Hi"}};

std::string render(std::string const& name, chat const& messages, lancet::chat_options const& options = {}) {
  return lancet::chat_format(name).render(messages, options);
}

}  // namespace

BOOST_AUTO_TEST_CASE(formats_of_chatml) {
  BOOST_TEST(
      render("chatml", with_system) ==
      "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
  BOOST_TEST(render("chatml", {{"user", "Hi"}}, {.generation_prompt = false}) ==
             "<|im_start|>user\nHi<|im_end|>\n");
  for (auto const& [name, system] : std::vector<std::pair<std::string, std::string>>{
           {"smollm2", "You are a helpful AI assistant named SmolLM, trained by Hugging Face"},
           {"qwen1.5", "You are a helpful assistant"},
           {"qwen2", "You are a helpful assistant."},
           {"qwen2.5", "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."}}) {
    BOOST_TEST(render(name, {{"user", "Hi"}}) == "<|im_start|>system\n" + system +
                                                     "<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
                                                     "<|im_start|>assistant\n");
    BOOST_TEST(render(name, with_system) == render("chatml", with_system));
  }
}

BOOST_AUTO_TEST_CASE(thoughts_are_kept_behind_the_last_question) {
  chat const messages = {{"user", "a"}, {"assistant", "<think>\nhm\n</think>\n\nb"}, {"user", "c"}};
  BOOST_TEST(
      render("qwen3", messages, {.generation_prompt = false}) ==
      "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n<|im_start|>user\nc<|im_end|>\n");
  BOOST_TEST(render("qwen3", {{"user", "a"}, messages[1]}, {.generation_prompt = false}) ==
             "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n<think>\nhm\n</think>\n\nb<|im_end|>\n");
  BOOST_TEST(render("qwen3", {{"user", "a"}}, {.thinking = false}) ==
             "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n");
}

BOOST_AUTO_TEST_CASE(formats_of_llama) {
  BOOST_TEST(render("llama2", two_turns) == "<s>[INST] Hi [/INST] Yes </s><s>[INST] Bye [/INST]");
  BOOST_TEST(render("llama2", with_system) == "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHi [/INST]");
  BOOST_TEST(render("llama3", with_system) ==
             "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
             "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
             "<|start_header_id|>assistant<|end_header_id|>\n\n");
  BOOST_TEST(render("llama3.1", {{"user", "Hi"}}, {.generation_prompt = false, .date = "1 Jan 2025"}) ==
             "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n"
             "Cutting Knowledge Date: December 2023\nToday Date: 1 Jan 2025\n\n<|eot_id|>"
             "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>");
}

BOOST_AUTO_TEST_CASE(formats_of_mistral) {
  BOOST_TEST(render("mistral-v0.1", two_turns) == "<s>[INST]  Hi  [/INST] Yes\n</s> [INST] Bye [/INST]");
  BOOST_TEST(render("mistral-v0.2", two_turns) == "<s>[INST]  Hi  [/INST] Yes\n</s>[INST] Bye [/INST]");
  BOOST_TEST(render("mistral-v0.3", two_turns) == "<s>[INST]  Hi [/INST] Yes</s>[INST] Bye[/INST]");
  BOOST_TEST(render("mistral-v0.3", with_system) == "<s>[INST] Be brief.\n\nHi[/INST]");
  BOOST_TEST(render("mistral-nemo", two_turns) == "<s>[INST] Hi [/INST] Yes\n</s>[INST]Bye[/INST]");
}

BOOST_AUTO_TEST_CASE(other_formats) {
  BOOST_TEST(render("gemma", two_turns) ==
             "<bos><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\nYes<end_of_turn>\n"
             "<start_of_turn>user\nBye<end_of_turn>\n<start_of_turn>model\n");
  BOOST_TEST(render("gemma3", with_system) ==
             "<bos><start_of_turn>user\nBe brief.\n\nHi<end_of_turn>\n<start_of_turn>model\n");
  BOOST_TEST(render("phi3", with_system) ==
             "<|system|>\nBe brief.<|end|>\n<|user|>\nHi<|end|>\n<|assistant|>\n");
  BOOST_TEST(render("phi3", {{"user", "Hi"}}, {.generation_prompt = false}) ==
             "<|user|>\nHi<|end|>\n<|endoftext|>");
  BOOST_TEST(render("zephyr", with_system) == "<|system|>\nBe brief.</s>\n<|user|>\nHi</s>\n<|assistant|>\n");
  BOOST_TEST(
      render("olmo2", two_turns) ==
      "<|endoftext|><|user|>\n Hi \n<|assistant|>\n Yes\n<|endoftext|>\n<|user|>\nBye\n<|assistant|>\n");
  BOOST_TEST(render("olmo2", {{"user", "Hi"}, {"assistant", "Yes"}}, {.generation_prompt = false}) ==
             "<|endoftext|><|user|>\nHi\n<|assistant|>\nYes<|endoftext|>");
}

BOOST_AUTO_TEST_CASE(roles_that_a_format_has_not_are_refused) {
  auto const refuse = [](std::string const& name, chat const& messages, std::string const& sentence) {
    lancet_test::check_throws<lancet::usage_error>([&] { (void)render(name, messages); }, sentence);
  };
  refuse("llama2", {{"user", "a"}, {"user", "b"}},
         "chat format llama2: got a message of role 'user', expected assistant");
  refuse("mistral-v0.1", with_system,
         "chat format mistral-v0.1: got a message of role 'system', expected user");
  refuse("gemma", with_system, "chat format gemma: got a message of role 'system'");
  refuse("phi3", {{"tool", "a"}}, "chat format phi3: got a message of role 'tool'");
  refuse("chatml", {}, "chat: got no message, expected at least one");
  lancet_test::check_throws<lancet::usage_error>(
      [] { (void)lancet::chat_format("jinja"); },
      "chat format: got 'jinja', expected one of chatml, smollm2, ");
}

BOOST_AUTO_TEST_CASE(every_format_has_marks_that_no_other_takes_for_its_own) {
  BOOST_TEST(lancet::chat_format::names().size() == 18u);
  for (auto const& row : lancet::detail::chat_formats) {
    std::string program;
    for (auto const mark : row.marks) program += std::string(mark) + " ";
    BOOST_TEST(lancet::detect_chat_format(program).name() == row.name);
  }
}

BOOST_AUTO_TEST_CASE(unknown_programs_are_refused) {
  auto const refuse = [](std::string const& program, std::string const& sentence) {
    lancet_test::check_throws<lancet::file_error>(
        [&] { (void)lancet::detect_chat_format(program, "m.gguf"); }, sentence);
  };
  refuse(
      "",
      "m.gguf: the chat template is of no known format; choose one by name, as in chat_format(\"llama3\")");
  refuse("{{ bos_token }}{% for m in messages %}...", "of no known format");
  std::string const chatml = "'<|im_start|>' + message['content'] + '<|im_end|>'";
  BOOST_TEST(lancet::detect_chat_format(chatml).name() == "chatml");
  refuse(chatml + "You answer in verse.", "of no known format");  // another default system message
  refuse(chatml + std::string(600, ' '), "of no known format");
}

/// CVE-2024-34359: a Jinja program in a model's metadata reached Python's objects. Nothing is run here: a program is
/// compared with those that are known, wherever it stands and whatever is around it.
BOOST_AUTO_TEST_CASE(hostile_programs_are_never_run) {
  std::string deep;
  for (int i = 0; i < 100000; ++i) deep += "{% if ((((";
  std::string const chatml = "'<|im_start|>' + message['content'] + '<|im_end|>'";
  for (std::string const& program : std::vector<std::string>{
           "{{ ''.__class__.__mro__[1].__subclasses__() }}",
           "{% for c in [].__class__.__base__.__subclasses__() %}{% if c.__name__ == 'catch_warnings' %}"
           "{{ c()._module.__builtins__['__import__']('os').system('true') }}{% endif %}{% endfor %}",
           "{{ cycler.__init__.__globals__.os.popen('id').read() }}", "{% include '/etc/passwd' %}",
           "{% for i in range(99999999999) %}x{% endfor %}", "{{ 'a' * 99999999999 }}", deep,
           std::string("\0\0\xff\xfe", 4), std::string(1 << 22, 'a')}) {
    lancet_test::gguf_bytes file;
    file.header(0, 1).string("tokenizer.chat_template", program);
    lancet_test::check_throws<lancet::file_error>(
        [&] { (void)lancet::read_chat_format(lancet::gguf_file::parse(file.bytes, "t.gguf")); },
        "tokenizer.chat_template: the chat template is of no known format");
    // Beside the marks of a known format it renders nothing but that format's own text.
    lancet_test::gguf_bytes both;
    both.header(0, 1).string("tokenizer.chat_template", chatml + program);
    try {
      auto const format = lancet::read_chat_format(lancet::gguf_file::parse(both.bytes, "t.gguf"));
      BOOST_TEST(format->render({{"user", "Hi"}}, {.generation_prompt = false}) ==
                 "<|im_start|>user\nHi<|im_end|>\n");
    } catch (lancet::file_error const&) {  // of no known format
    }
  }
}

BOOST_AUTO_TEST_CASE(files_tell_their_format) {
  std::string const llama3 = "<|start_header_id|><|end_header_id|><|eot_id|>bos_token";
  lancet_test::gguf_bytes with;
  with.header(0, 1).string("tokenizer.chat_template", llama3);
  BOOST_TEST(lancet::read_chat_format(lancet::gguf_file::parse(with.bytes, "t.gguf"))->name() == "llama3");
  lancet_test::gguf_bytes without;
  without.header(0, 0);
  BOOST_TEST(!lancet::read_chat_format(lancet::gguf_file::parse(without.bytes, "t.gguf")));
  lancet_test::temporary_folder const folder;
  BOOST_TEST(!lancet::read_chat_format(folder.path()));
  std::ofstream(folder / "tokenizer_config.json") << R"({"chat_template": ")" << llama3 << "\"}";
  BOOST_TEST(lancet::read_chat_format(folder.path())->name() == "llama3");
  std::ofstream(folder / "tokenizer_config.json")
      << R"({"chat_template": [{"name": "rag", "template": "x"}, {"name": "default", "template": ")" << llama3
      << "\"}]}";
  BOOST_TEST(lancet::read_chat_format(folder.path())->name() == "llama3");
  std::ofstream(folder / "tokenizer_config.json")
      << R"({"chat_template": [{"name": "rag", "template": "x"}]})";
  lancet_test::check_throws<lancet::file_error>([&] { (void)lancet::read_chat_format(folder.path()); },
                                                "a list without the name 'default'");
  std::ofstream(folder / "tokenizer_config.json") << R"({"chat_template": "x"})";
  lancet_test::check_throws<lancet::file_error>(
      [&] { (void)lancet::read_chat_format(folder.path()); },
      "tokenizer_config.json: chat_template: the chat template is of no");
  std::ofstream(folder / "chat_template.jinja") << llama3;  // the newer place wins
  BOOST_TEST(lancet::read_chat_format(folder.path())->name() == "llama3");
}
