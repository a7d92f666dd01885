// SPDX-License-Identifier: Apache-2.0
// BERT and RoBERTa encoders, with a masked-language-model head or a classifier; which one, the tensors say, and
// `architectures` of config.json must not say another.
#pragma once

#include "lancet/io/family/config.hpp"
#include "lancet/io/tensor_entry.hpp"

namespace lancet::detail {

[[nodiscard]] inline model_description encoder(config const& c, tensor_table const& tensors,
                                               char const* family, std::string const& root) {
  model_description m;
  architecture& a = m.arch;
  a.family = family;
  a.layers = c.layers("num_hidden_layers", tensors);
  a.width = c.count("hidden_size");
  a.heads = a.kv_heads = c.count("num_attention_heads");
  a.head_dim = a.width / a.heads;
  a.mlp_width = c.count("intermediate_size");
  a.vocabulary = c.count("vocab_size");
  a.context = c.count("max_position_embeddings");
  a.norm = norm_kind::layer;
  a.norm_epsilon = c.value<double>("layer_norm_eps", 1e-12);
  a.norms = norm_place::on_stream;
  a.embedding_norm = true;
  a.token_types = c.count("type_vocab_size", 2);
  a.positions = position_kind::learned;
  a.causal = false;
  a.score_scale = 1 / std::sqrt(static_cast<double>(a.head_dim));
  a.mlp = mlp_kind::plain;
  a.activation = activation_of(c, "hidden_act", "gelu");
  a.final_norm = false;
  a.head = head_kind::dense;
  c.require("is_decoder", false);
  c.require("add_cross_attention", false);
  c.require("position_embedding_type", "absolute");

  tensor_names& n = m.names;
  std::string const layer = root + "encoder.layer.{}.";
  n.embedding = root + "embeddings.word_embeddings";
  n.positions = root + "embeddings.position_embeddings";
  n.token_types = root + "embeddings.token_type_embeddings";
  n.embedding_norm = root + "embeddings.LayerNorm";
  n.qkv = {layer + "attention.self.query", layer + "attention.self.key", layer + "attention.self.value"};
  n.o = layer + "attention.output.dense";
  n.attn_post_norm = layer + "attention.output.LayerNorm";
  n.mlp_in = {layer + "intermediate.dense"};
  n.down = layer + "output.dense";
  n.mlp_post_norm = layer + "output.LayerNorm";
  n.norm_bias = n.qkv_bias = n.o_bias = n.mlp_bias = true;
  n.ignored = {".position_ids"};
  return m;
}

/// The masked-language-model head: an activation and a norm before the unembedding, which is the embedding and a bias.
inline void masked_language_model(model_description& m, config const& c, activation_kind activation,
                                  std::string dense, std::string norm, std::string bias, std::string decoder,
                                  std::string const& pooler) {
  require_head(c, {"ForMaskedLM", "ForPreTraining"});
  m.arch.head_activation = activation;
  m.arch.head_norm = true;
  m.arch.tied_unembedding = c.value<bool>("tie_word_embeddings", true);
  m.names.head = std::move(dense);
  m.names.head_norm = std::move(norm);
  m.names.unembedding_bias = std::move(bias);
  m.names.ignored.push_back(decoder + ".bias");  // the same bias a second time
  m.names.ignored.push_back(pooler + ".weight");
  m.names.ignored.push_back(pooler + ".bias");
  m.names.unembedding = std::move(decoder);
}

/// A classifier over the first token: tanh(W·x + b), then the classes.
inline void classifier(model_description& m, config const& c, tensor_table const& tensors, std::string dense,
                       std::string classes) {
  m.arch.head_activation = activation_kind::tanh;
  read_labels(m.arch, c, tensors.at(classes + ".weight"));
  m.arch.labels_of_first = true;
  m.names.head = std::move(dense);
  m.names.unembedding_bias = classes + ".bias";
  m.names.unembedding = std::move(classes);
}

[[noreturn]] inline void no_head(config const& c, char const* family) {
  throw file_error(
      c.where, std::string(family) +
                   ": the weights hold neither a masked-language-model head nor a classifier, without which "
                   "an encoder has no outputs");
}

[[nodiscard]] inline model_description describe_bert(config const& c, tensor_table const& tensors) {
  model_description m = encoder(c, tensors, "bert", "bert.");
  if (tensors.find("cls.predictions.bias")) {
    std::string const head = "cls.predictions.";
    masked_language_model(m, c, m.arch.activation, head + "transform.dense", head + "transform.LayerNorm",
                          head + "bias", head + "decoder", "bert.pooler.dense");
    m.names.ignored.insert(m.names.ignored.end(),
                           {"cls.seq_relationship.weight", "cls.seq_relationship.bias"});
  } else if (tensors.find("classifier.weight")) {
    classifier(m, c, tensors, "bert.pooler.dense", "classifier");
  } else {
    no_head(c, "bert");
  }
  return m;
}

[[nodiscard]] inline model_description describe_roberta(config const& c, tensor_table const& tensors) {
  model_description m = encoder(c, tensors, "roberta", "roberta.");
  m.names.first_position = c.value<index>("pad_token_id", 1) + 1;
  if (m.names.first_position < 0 || m.names.first_position >= m.arch.context)
    c.fail("pad_token_id", std::to_string(m.names.first_position - 1), "a position of the table");
  m.arch.context -= m.names.first_position;
  if (tensors.find("lm_head.bias"))
    masked_language_model(m, c, activation_kind::gelu, "lm_head.dense", "lm_head.layer_norm", "lm_head.bias",
                          "lm_head.decoder", "roberta.pooler.dense");
  else if (tensors.find("classifier.out_proj.weight"))
    classifier(m, c, tensors, "classifier.dense", "classifier.out_proj");
  else
    no_head(c, "roberta");
  return m;
}

}  // namespace lancet::detail
