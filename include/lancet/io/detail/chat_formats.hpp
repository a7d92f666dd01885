// SPDX-License-Identifier: Apache-2.0
// The chat formats: one small function each, and the marks of the programs that write them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "lancet/core/error.hpp"
#include "lancet/io/text.hpp"
#include "lancet/io/unicode.hpp"

namespace lancet {

/// One turn: `role` is "system", "user" or "assistant".
struct chat_message {
  std::string role;
  std::string content;
};

struct chat_options {
  /// End with what makes the model answer.
  bool generation_prompt = true;
  /// qwen3: let the model think before it answers; otherwise an empty thought is put in front of its answer.
  bool thinking = true;
  /// llama3.1: the day that its system prompt tells. Its own program has this one where it knows no other.
  std::string date = "26 Jul 2024";
};

namespace detail {

using chat_messages = std::span<chat_message const>;

/// Without white space at the ends, which for Jinja includes U+001C to U+001F.
[[nodiscard]] inline std::string_view trim(std::string_view text) {
  std::size_t begin = text.size();
  std::size_t end = 0;
  for (std::size_t at = 0; at < text.size();) {
    auto const c = read_utf8(text, at);
    bool const space =
        c.valid && (classify(c.code) == char_class::space || (c.code >= 0x1c && c.code <= 0x1f));
    if (!space && begin == text.size()) begin = at;
    at += c.size;
    if (!space) end = at;
  }
  return text.substr(begin, end > begin ? end - begin : 0);
}

/// Without line feeds at the ends, or at the beginning only.
[[nodiscard]] inline std::string_view trim_lines(std::string_view text, bool at_end = true) {
  while (text.starts_with('\n')) text.remove_prefix(1);
  while (at_end && text.ends_with('\n')) text.remove_suffix(1);
  return text;
}

[[noreturn]] inline void fail_role(std::string_view format, std::string const& role,
                                   std::string_view expected) {
  throw usage_error("chat format " + std::string(format) + ": got a message of role '" + escape_utf8(role) +
                    "', expected " + std::string(expected));
}

/// Throws unless the roles are user, assistant, user, ...
inline void require_turns(std::string_view format, chat_messages messages) {
  for (std::size_t i = 0; i < messages.size(); ++i) {
    std::string_view const wanted = i % 2 == 0 ? "user" : "assistant";
    if (messages[i].role != wanted)
      fail_role(format, messages[i].role, std::string(wanted) + ": user and assistant take turns");
  }
}

/// Takes a system message off the front.
[[nodiscard]] inline chat_message const* take_system(chat_messages& messages) {
  if (messages.empty() || messages[0].role != "system") return nullptr;
  auto const* const first = messages.data();
  messages = messages.subspan(1);
  return first;
}

[[nodiscard]] inline std::string chatml_turn(std::string_view role, std::string_view content) {
  return "<|im_start|>" + std::string(role) + "\n" + std::string(content) + "<|im_end|>\n";
}

/// `system` is what is said where the chat does not begin with a system message.
[[nodiscard]] inline std::string chatml(chat_messages messages, chat_options const& options,
                                        std::string_view system) {
  std::string out;
  if (!system.empty() && messages[0].role != "system") out += chatml_turn("system", system);
  for (auto const& m : messages) out += chatml_turn(m.role, m.content);
  return options.generation_prompt ? out + "<|im_start|>assistant\n" : out;
}

[[nodiscard]] inline std::string plain_chatml(chat_messages messages, chat_options const& options) {
  return chatml(messages, options, {});
}
[[nodiscard]] inline std::string smollm2(chat_messages messages, chat_options const& options) {
  return chatml(messages, options, "You are a helpful AI assistant named SmolLM, trained by Hugging Face");
}
[[nodiscard]] inline std::string qwen15(chat_messages messages, chat_options const& options) {
  return chatml(messages, options, "You are a helpful assistant");
}
[[nodiscard]] inline std::string qwen2(chat_messages messages, chat_options const& options) {
  return chatml(messages, options, "You are a helpful assistant.");
}
[[nodiscard]] inline std::string qwen25(chat_messages messages, chat_options const& options) {
  return chatml(messages, options, "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.");
}

/// Thoughts are kept in the answers behind the last question only.
[[nodiscard]] inline std::string qwen3(chat_messages messages, chat_options const& options) {
  std::size_t question = messages.size() - 1;
  for (std::size_t i = messages.size(); i-- > 0;) {
    auto const& m = messages[i];
    bool const of_tool = m.content.starts_with("<tool_response>") && m.content.ends_with("</tool_response>");
    if (m.role != "user" || of_tool) continue;
    question = i;
    break;
  }
  std::string out;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    auto const& m = messages[i];
    if (m.role != "system" && m.role != "user" && m.role != "assistant")
      fail_role("qwen3", m.role, "system, user or assistant");
    std::string_view content = m.content;
    std::string_view thought;
    static constexpr std::string_view open = "<think>";
    static constexpr std::string_view close = "</think>";
    if (auto const end = content.rfind(close); m.role == "assistant" && end != content.npos) {
      thought = content.substr(0, content.find(close));
      while (thought.ends_with('\n')) thought.remove_suffix(1);
      if (auto const begin = thought.rfind(open); begin != thought.npos)
        thought.remove_prefix(begin + open.size());
      thought = trim_lines(thought);
      content = trim_lines(content.substr(end + close.size()), false);
    }
    if (m.role == "assistant" && i > question && (i + 1 == messages.size() || !thought.empty())) {
      out += chatml_turn(m.role, "<think>\n" + std::string(thought) + "\n</think>\n\n" +
                                     std::string(trim_lines(content, false)));
    } else {
      out += chatml_turn(m.role, content);
    }
  }
  if (!options.generation_prompt) return out;
  return out + "<|im_start|>assistant\n" + (options.thinking ? "" : "<think>\n\n</think>\n\n");
}

[[nodiscard]] inline std::string llama2(chat_messages messages, chat_options const&) {
  auto const* const system = take_system(messages);
  require_turns("llama2", messages);
  std::string out;
  for (auto const& m : messages) {
    auto content = m.content;
    if (system != nullptr && &m == messages.data())
      content = "<<SYS>>\n" + system->content + "\n<</SYS>>\n\n" + content;
    auto const text = std::string(trim(content));
    out += m.role == "user" ? "<s>[INST] " + text + " [/INST]" : " " + text + " </s>";
  }
  return out;
}

[[nodiscard]] inline std::string llama3_turn(std::string_view role, std::string_view content) {
  return "<|start_header_id|>" + std::string(role) + "<|end_header_id|>\n\n" + std::string(trim(content)) +
         "<|eot_id|>";
}

[[nodiscard]] inline std::string llama3_turns(chat_messages messages, chat_options const& options) {
  std::string out;
  for (auto const& m : messages) out += llama3_turn(m.role, m.content);
  return out + (options.generation_prompt ? "<|start_header_id|>assistant<|end_header_id|>\n\n" : "");
}

[[nodiscard]] inline std::string llama3(chat_messages messages, chat_options const& options) {
  return "<|begin_of_text|>" + llama3_turns(messages, options);
}

[[nodiscard]] inline std::string llama31(chat_messages messages, chat_options const& options) {
  auto const* const system = take_system(messages);
  return "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December "
         "2023\n"
         "Today Date: " +
         options.date + "\n\n" + std::string(system == nullptr ? "" : trim(system->content)) + "<|eot_id|>" +
         llama3_turns(messages, options);
}

/// The first two Mistral models differ in what follows an answer.
[[nodiscard]] inline std::string mistral_first(std::string_view format, chat_messages messages,
                                               std::string_view after_answer) {
  require_turns(format, messages);
  std::string out = "<s>";
  for (auto const& m : messages)
    out += m.role == "user" ? "[INST] " + m.content + " [/INST]" : m.content + std::string(after_answer);
  return out;
}
[[nodiscard]] inline std::string mistral_v01(chat_messages messages, chat_options const&) {
  return mistral_first("mistral-v0.1", messages, "</s> ");
}
[[nodiscard]] inline std::string mistral_v02(chat_messages messages, chat_options const&) {
  return mistral_first("mistral-v0.2", messages, "</s>");
}

/// A system message goes in front of the last question, if that ends the chat. Nemo does without spaces.
[[nodiscard]] inline std::string mistral_later(std::string_view format, chat_messages messages, bool spaced) {
  auto const* const system = take_system(messages);
  require_turns(format, messages);
  std::string out = "<s>";
  for (auto const& m : messages) {
    bool const last = &m == messages.data() + messages.size() - 1;
    if (m.role == "user") {
      out += (spaced ? "[INST] " : "[INST]") +
             (last && system != nullptr ? system->content + "\n\n" : std::string()) + m.content + "[/INST]";
    } else {
      out += (spaced ? " " + std::string(trim(m.content)) : m.content) + "</s>";
    }
  }
  return out;
}
[[nodiscard]] inline std::string mistral_v03(chat_messages messages, chat_options const&) {
  return mistral_later("mistral-v0.3", messages, true);
}
[[nodiscard]] inline std::string mistral_nemo(chat_messages messages, chat_options const&) {
  return mistral_later("mistral-nemo", messages, false);
}

[[nodiscard]] inline std::string gemma_turns(std::string_view format, chat_messages messages,
                                             std::string_view before_first, chat_options const& options) {
  require_turns(format, messages);
  std::string out = "<bos>";
  for (auto const& m : messages) {
    out += m.role == "user" ? "<start_of_turn>user\n" : "<start_of_turn>model\n";
    if (&m == messages.data()) out += before_first;
    out += std::string(trim(m.content)) + "<end_of_turn>\n";
  }
  return options.generation_prompt ? out + "<start_of_turn>model\n" : out;
}
[[nodiscard]] inline std::string gemma(chat_messages messages, chat_options const& options) {
  return gemma_turns("gemma", messages, {}, options);
}
[[nodiscard]] inline std::string gemma3(chat_messages messages, chat_options const& options) {
  auto const* const system = take_system(messages);
  return gemma_turns("gemma3", messages, system == nullptr ? std::string() : system->content + "\n\n",
                     options);
}

/// "<|role|>", a line feed, the content, and what ends a turn.
[[nodiscard]] inline std::string bar_turn(std::string_view format, chat_message const& m,
                                          std::string_view end) {
  if (m.role != "system" && m.role != "user" && m.role != "assistant")
    fail_role(format, m.role, "system, user or assistant");
  return "<|" + m.role + "|>\n" + m.content + std::string(end);
}

[[nodiscard]] inline std::string phi3(chat_messages messages, chat_options const& options) {
  std::string out;
  for (auto const& m : messages) out += bar_turn("phi3", m, "<|end|>\n");
  return out + (options.generation_prompt ? "<|assistant|>\n" : "<|endoftext|>");
}
[[nodiscard]] inline std::string zephyr(chat_messages messages, chat_options const& options) {
  std::string out;
  for (auto const& m : messages) out += bar_turn("zephyr", m, "</s>\n");
  return options.generation_prompt ? out + "<|assistant|>\n" : out;
}
[[nodiscard]] inline std::string olmo2(chat_messages messages, chat_options const& options) {
  std::string out = "<|endoftext|>";
  for (auto const& m : messages) {
    bool const last = &m == messages.data() + messages.size() - 1;
    out += bar_turn("olmo2", m, m.role != "assistant" ? "\n" : last ? "<|endoftext|>" : "<|endoftext|>\n");
  }
  return options.generation_prompt ? out + "<|assistant|>\n" : out;
}

struct chat_format_row {
  std::string_view name;
  std::string (*render)(chat_messages, chat_options const&);
  /// What a program has that writes this format, and what it has not: together they tell it from all others
  /// here.
  std::array<std::string_view, 4> marks;
  std::array<std::string_view, 5> no_marks = {};
  /// Longer programs do more than the format says.
  std::size_t most_bytes = SIZE_MAX;
};

inline constexpr std::array<chat_format_row, 18> chat_formats{{
    // Without a default system message, tools or thoughts; short, since nothing else tells it apart.
    {"chatml",
     plain_chatml,
     {"<|im_start|>", "<|im_end|>", "content"},
     {"You ", "tool", "think", "date", "trim"},
     500},
    {"smollm2",
     smollm2,
     {"<|im_start|>", "You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>"},
     {"tool", "think"}},
    {"qwen1.5", qwen15, {"<|im_start|>", "You are a helpful assistant<|im_end|>"}, {"tool", "think"}, 800},
    {"qwen2",
     qwen2,
     {"<|im_start|>", "You are a helpful assistant.<|im_end|>"},
     {"tool", "think", "Qwen"},
     800},
    {"qwen2.5",
     qwen25,
     {"<|im_start|>", "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."},
     {"think"}},
    {"qwen3",
     qwen3,
     {"<|im_start|>", "enable_thinking", "last_query_index", "reasoning_content"},
     {"You are"}},
    {"llama2", llama2, {"<<SYS>>", "<</SYS>>", "bos_token + '[INST] '", "' [/INST]'"}, {"tool"}},
    {"llama3",
     llama3,
     {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "bos_token"},
     {"tool", "date", "You ", "think"}},
    {"llama3.1",
     llama31,
     {"<|start_header_id|>", "<|eot_id|>", "Cutting Knowledge Date: December 2023", "26 Jul 2024"}},
    {"mistral-v0.1",
     mistral_v01,
     {"'[INST] ' + message['content'] + ' [/INST]'", "message['content'] + eos_token + ' '"},
     {"<<SYS>>", "system", "tool"}},
    {"mistral-v0.2",
     mistral_v02,
     {"'[INST] ' + message['content'] + ' [/INST]'", "message['content'] + eos_token"},
     {"<<SYS>>", "system", "tool", "eos_token + ' '"}},
    {"mistral-v0.3",
     mistral_v03,
     {"[AVAILABLE_TOOLS] ", "\"[INST] \" + message[\"content\"] + \"[/INST]\"", "|trim + eos_token"},
     {"[SYSTEM_PROMPT]"}},
    {"mistral-nemo",
     mistral_nemo,
     {"[AVAILABLE_TOOLS]", "\"[INST]\" + message[\"content\"] + \"[/INST]\""},
     {"[SYSTEM_PROMPT]", "trim"}},
    {"gemma", gemma, {"<start_of_turn>", "<end_of_turn>", "System role not supported", "trim"}},
    {"gemma3", gemma3, {"<start_of_turn>", "<end_of_turn>", "first_user_prefix", "trim"}},
    {"phi3", phi3, {"<|system|>", "<|user|>", "<|end|>", "eos_token"}, {"bos_token", "tool", "trim"}},
    {"zephyr",
     zephyr,
     {"<|system|>", "<|user|>", "<|assistant|>", "message['content'] + eos_token"},
     {"<|end|>", "bos_token", "tool", "trim"}},
    {"olmo2",
     olmo2,
     {"bos_token", "<|user|>", "not loop.last", "eos_token"},
     {"<|end|>", "tool", "function", "trim"}},
}};

}  // namespace detail

}  // namespace lancet
