// SPDX-License-Identifier: Apache-2.0
// The bodies of readers that are no templates (core/inline.hpp).
#define LANCET_COMPILING
#include "lancet/io/detail/json_builder.hpp"
#include "lancet/io/detail/load_tokenizer.hpp"
#include "lancet/io/detail/tokenizer_bodies.hpp"
#include "lancet/io/detail/tokenizer_gguf_reader.hpp"
#include "lancet/io/detail/tokenizer_json_reader.hpp"
#include "lancet/io/family/describe.hpp"
