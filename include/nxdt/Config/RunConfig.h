//===- RunConfig.h - what a YAML file asks for, typed -----------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The typed result of loading a configuration: every value checked, defaults
// filled in, paths absolute. Plain data, shared by compiler and runtime.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_CONFIG_RUNCONFIG_H
#define NXDT_CONFIG_RUNCONFIG_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nxdt {

/// `trainer.accelerator`.
enum class Accelerator { Auto, Cpu, Gpu };

/// `precision.type`, as far as one rank can run it.
enum class Precision { Fp32, MixedPrecision };

/// `trainer`.
struct TrainerConfig {
  int64_t devices = 1; ///< per node
  int64_t numNodes = 1;
  int64_t maxSteps = -1;
  int64_t logEveryNSteps = 50;
  /// Optimizer steps between evaluations; 0 = never, or see below.
  int64_t valCheckInterval = 0;
  /// Fraction of an epoch (0, 1] between evaluations, when it was given so
  /// (1 = once per epoch); 0 = use valCheckInterval. The runtime knows how many
  /// steps an epoch has.
  double valCheckEpochFraction = 0.0;
  /// True if valCheckInterval counts from the start of each epoch
  /// (check_val_every_n_epoch: 1); false if across epochs (null).
  bool valCheckRestartsPerEpoch = false;
  int64_t numSanityValSteps = 2;
  /// Global batches per evaluation: -1 = all, 0 = evaluation is off.
  int64_t limitValBatches = -1;
  /// A float fraction of the validation set in (0, 1); 0 = use limitValBatches.
  double limitValFraction = 0.0;
  /// nullopt = no clipping.
  std::optional<double> gradientClipVal;
  Accelerator accelerator = Accelerator::Auto;
  bool enableProgressBar = true;
  /// Seconds after which the run ends cleanly; 0 = no limit.
  double maxTimeS = 0;
};

/// `exp_manager.checkpoint_callback_params`.
struct CheckpointConfig {
  bool enabled = true;  ///< create_checkpoint_callback
  std::string dirpath;  ///< absolute; default <log_dir>/checkpoints
  std::string filename; ///< NeMo pattern, e.g. "x--{step}-{consumed_samples}"
  std::string monitor = "val_loss"; ///< "step", "val_loss", "loss", ...
  bool modeMax = false;
  int64_t saveTopK = 3; ///< -1 all, 0 none
  bool saveLast = true;
  int64_t everyNTrainSteps = 0; ///< 0 = off
  double trainTimeIntervalS = 0;
  bool autoInsertMetricName = true;
};

/// `exp_manager`.
struct ExpManagerConfig {
  std::string logDir; ///< absolute: explicit_log_dir verbatim, else
                      ///< exp_dir/name/version
  bool resumeIfExists = false;
  bool resumeIgnoreNoCheckpoint = false;
  /// Absolute path of a Hugging Face folder or of a checkpoint; empty = none.
  std::string resumeFromCheckpoint;
  bool createTensorboardLogger = true;
  bool logParameterNorm = false;
  bool logGradientNorm = false;
  bool disableValidationOnResume = true;
  CheckpointConfig checkpoint;
};

/// `distributed_strategy`.
/// How the parameters whose names match a pattern lie on the mesh.
struct ParamShardingRule {
  std::string pattern; ///< glob: "*.up_proj.weight"
  /// Per dimension the axes that split it, major to minor: "tp", "tp:(1)2".
  std::vector<std::vector<std::string>> dims;
  std::string origin; ///< file:line:col
};

struct StrategyConfig {
  int64_t tensorModelParallelSize = 1;
  int64_t pipelineModelParallelSize = 1;
  int64_t virtualPipelineModelParallelSize = 1;
  int64_t contextParallelSize = 1;
  bool zero1 = true;
  bool sequenceParallel = false;
  int64_t kvReplicator = 1;
  /// devices * num_nodes / (tp * pp * cp).
  int64_t dataParallelSize = 1;
  /// distributed_strategy.sharding_rules, in the order of the file.
  std::vector<ParamShardingRule> shardingRules;
  /// bucket_size_collectives: bytes of gradients or parameters that go
  /// together.
  int64_t bucketBytes = 0;
  /// Predicted bytes (state and peak) that a rank may need; 0 = no limit.
  int64_t budgetBytes = 0;
  /// "file:line:col: distributed_strategy.budget_bytes = 16GiB".
  std::string budgetAt;
  /// Mesh axis or key -> "key = value (file:line:col)", where it was given.
  std::vector<std::pair<std::string, std::string>> origins;
};

/// `data`.
struct DataConfig {
  int64_t microBatchSize = 0;
  int64_t globalBatchSize = 0;
  std::string trainDir; ///< absolute; empty = absent
  std::string valDir;   ///< absolute; empty = absent
};

/// Names of `model.optim.name` that can run.
enum class OptimizerKind { AdamW, AdamWFp32OptState, Sgd };

/// `model.optim.sched.name`.
enum class ScheduleKind {
  Constant,
  LinearAnnealingWithWarmUp,
  CosineAnnealing
};

struct ScheduleConfig {
  ScheduleKind kind = ScheduleKind::Constant;
  int64_t warmupSteps = 0;
  int64_t constantSteps = 0;
  /// trainer.max_steps, always (nxdt_reference 3.2).
  int64_t maxSteps = 0;
  double minLr = 0.0;
};

/// `model.optim`: constructor arguments of the class, defaults filled in.
struct OptimizerConfig {
  OptimizerKind kind = OptimizerKind::AdamW;
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weightDecay = 0.0;
  bool correctBias = true; ///< adamw_fp32OptState
  double momentum = 0.0;   ///< sgd
  double dampening = 0.0;  ///< sgd
  bool nesterov = false;   ///< sgd
  ScheduleConfig sched;
};

/// RoPE scaling of a Hugging Face config.json, transformers 4 or 5 form.
struct RopeScaling {
  enum class Kind { Default, Linear, Llama3 } kind = Kind::Default;
  double factor = 1.0;
  double lowFreqFactor = 1.0;
  double highFreqFactor = 4.0;
  int64_t originalMaxPositionEmbeddings = 0;
};

/// A Llama's shape: config.json with the YAML's overrides applied
/// (num_layers, hidden_size, rope_theta, max_position_embeddings).
struct LlamaConfig {
  int64_t vocabSize = 0;
  int64_t hiddenSize = 0;
  int64_t intermediateSize = 0;
  int64_t numHiddenLayers = 0;
  int64_t numAttentionHeads = 0;
  int64_t numKeyValueHeads = 0;
  int64_t headDim = 0;
  int64_t maxPositionEmbeddings = 0;
  double rmsNormEps = 1e-6;
  double ropeTheta = 10000.0;
  RopeScaling ropeScaling;
  bool tieWordEmbeddings = false;
  bool attentionBias = false;
  bool mlpBias = false;
  double initializerRange = 0.02;
};

/// `model`.
struct ModelConfig {
  /// The shape, when model.plugin is not given.
  LlamaConfig llama;
  /// Whole config.json text (re-written into exported Hugging Face folders);
  /// empty for a plug-in.
  std::string hfConfigJson;
  /// Absolute path of a shared library with a user's module; empty = Llama.
  std::string plugin;
  /// The YAML's `model` section as JSON, interpolations resolved: what a
  /// plug-in's factory gets.
  std::string sectionJson;
  int64_t encoderSeqLength = 0;
  bool weightInitOnly = false;
  /// Empty, "selective" or "full".
  std::string activationsCheckpointGranularity;
  /// Patterns of paths of the modules whose values are computed again.
  std::vector<std::string> recomputePatterns;
  bool fuseFlashAttention = false;
  bool doLayerNormWeightDecay = false;
  std::vector<std::string> pipelineCuts;
  std::string pipelineCutsOrigin; ///< "run.yaml:9:3: model.pipeline_cuts"
  OptimizerConfig optim;
};

/// A whole configuration.
struct RunConfig {
  /// The YAML file, absolute.
  std::string configPath;
  std::string name;
  std::string modelSource; ///< "hf"
  int64_t seed = 1234;
  TrainerConfig trainer;
  ExpManagerConfig expManager;
  StrategyConfig strategy;
  DataConfig data;
  ModelConfig model;
  Precision precision = Precision::Fp32;
  /// The resolved YAML as JSON (kept in checkpoints).
  std::string resolvedJson;

  /// Micro-batches per rank and optimizer step: gbs / (mbs * dp).
  int64_t numMicroBatches() const {
    return data.globalBatchSize /
           (data.microBatchSize * strategy.dataParallelSize);
  }
};

} // namespace nxdt

#endif // NXDT_CONFIG_RUNCONFIG_H
