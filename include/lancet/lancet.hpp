// SPDX-License-Identifier: Apache-2.0
// Every stage in one header, for a first program: load → run with hooks → effects → circuit → intervention →
// validation → atlas.
//
// It costs seconds to compile. Larger programs include what they use; lancet's own headers and tests never
// include this one. Left out: planted.hpp (a model to try things on), backend/cblas.hpp and
// io/pretokenize_pcre2.hpp (which need a library each), compiled.hpp (which needs lancet::compiled).
#pragma once

// Backends
#include "lancet/backend/eigen.hpp"
#include "lancet/backend/reference.hpp"

// Load
#include "lancet/io/load_model.hpp"
#include "lancet/io/pairs.hpp"

// Run, with hooks
#include "lancet/hooks/do_table.hpp"
#include "lancet/hooks/hook_table.hpp"
#include "lancet/hooks/hooks.hpp"
#include "lancet/hooks/low_rank.hpp"
#include "lancet/hooks/offset.hpp"
#include "lancet/hooks/patch.hpp"
#include "lancet/hooks/record.hpp"
#include "lancet/model/encoder_score.hpp"
#include "lancet/model/generate.hpp"
#include "lancet/model/run.hpp"
#include "lancet/model/score.hpp"

// Effects
#include "lancet/causal/activation_patching.hpp"
#include "lancet/causal/attribution_patching.hpp"
#include "lancet/causal/inference.hpp"
#include "lancet/causal/metric_values.hpp"
#include "lancet/causal/subject_noise.hpp"
#include "lancet/io/effects_json.hpp"

// Circuit
#include "lancet/circuit/evaluate.hpp"
#include "lancet/circuit/random_circuit.hpp"
#include "lancet/circuit/select.hpp"
#include "lancet/io/circuit_json.hpp"

// Intervention
#include "lancet/intervene/intervention.hpp"
#include "lancet/intervene/train.hpp"
#include "lancet/io/checkpoint.hpp"
#include "lancet/io/intervention_folder.hpp"

// Validation
#include "lancet/stats/correlation.hpp"
#include "lancet/stats/mann_whitney.hpp"
#include "lancet/stats/wilcoxon.hpp"
#include "lancet/validate/validate.hpp"

// Atlas
#include "lancet/atlas/atlas.hpp"
#include "lancet/atlas/atlas_html.hpp"
#include "lancet/atlas/atlas_markdown.hpp"
#include "lancet/atlas/entry_of_report.hpp"
#include "lancet/atlas/report_html.hpp"
