// SPDX-License-Identifier: Apache-2.0
// Where a family's files keep its parameters: names, their order, and how they are stored.
#pragma once

#include <string>
#include <vector>

#include "lancet/model/architecture.hpp"

namespace lancet {

/// Order of a fused projection's rows.
enum class row_order {
  stacked,   ///< queries, keys, values; or gate, up
  per_head,  ///< queries, keys, values of each head together (GPT-NeoX)
};

/// Names of a file's tensors; "{}" stands for the layer. An empty name: the family has no such tensor. Lists are
/// stacked in order into one weight.
struct tensor_names {
  std::string embedding, positions, token_types, embedding_norm;
  std::string attn_norm, attn_post_norm, mlp_norm, mlp_post_norm, q_norm, k_norm,
      final_norm;  // norms, without suffix
  std::vector<std::string> qkv, mlp_in;
  std::string o, down;
  std::string head, head_norm, unembedding;
  std::string unembedding_bias;  ///< whole, with suffix
  bool norm_bias = false;
  bool qkv_bias = false;
  bool o_bias = false;
  bool mlp_bias = false;
  double norm_offset = 0;    ///< norms multiply by (offset + weight) (Gemma: 1)
  index first_position = 0;  ///< row of the position table that belongs to position 0 (RoBERTa: 2)
  bool transposed = false;   ///< projections are stored [in, out] (GPT-2's Conv1D)
  row_order qkv_rows = row_order::stacked;
  bool interleaved_query =
      false;  ///< GGUF Llama: rows of queries and keys in the order of interleaved rotation
  std::vector<std::string> ignored;  ///< suffixes of tensors that hold nothing the model computes with
};

/// What a file says of itself.
struct model_description {
  architecture arch;
  tensor_names names;
};

}  // namespace lancet
