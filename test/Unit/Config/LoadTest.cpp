//===- LoadTest.cpp - typed values, their checks and messages -------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "TestSupport.h"

#include <nlohmann/json.hpp>

#include <cstdlib>

using namespace nxdt;
using namespace nxdt::test;

static bool anyHas(const std::vector<std::string> &lines,
                   const std::string &part) {
  for (const std::string &line : lines)
    if (line.find(part) != std::string::npos)
      return true;
  return false;
}

TEST_F(SmallRun, FillsInDefaults) {
  LoadedConfig config = load({}, true);
  const RunConfig &run = config.run;
  EXPECT_EQ(run.seed, 1234);
  EXPECT_EQ(run.trainer.maxSteps, 10);
  EXPECT_EQ(run.trainer.logEveryNSteps, 50);
  EXPECT_FALSE(run.trainer.gradientClipVal.has_value());
  EXPECT_EQ(run.trainer.limitValBatches, -1);
  EXPECT_EQ(run.trainer.valCheckEpochFraction, 1.0);
  EXPECT_TRUE(run.strategy.zero1);
  EXPECT_EQ(run.numMicroBatches(), 8);
  EXPECT_EQ(run.data.trainDir, (dir.path / "train").string());
  EXPECT_EQ(run.model.llama.headDim, 8);
  EXPECT_EQ(run.model.llama.numKeyValueHeads, 4);
  EXPECT_EQ(run.model.llama.rmsNormEps, 1e-6);
  EXPECT_EQ(run.model.optim.weightDecay, 0.01); // torch's AdamW
  EXPECT_EQ(run.model.optim.eps, 1e-8);
  EXPECT_EQ(run.model.optim.sched.kind, ScheduleKind::Constant);
  EXPECT_EQ(run.precision, Precision::Fp32);
  EXPECT_TRUE(config.notices.empty());
  EXPECT_TRUE(config.unsupported.empty());
}

TEST_F(SmallRun, OptimizersHaveTheirOwnDefaults) {
  OptimizerConfig fp32 =
      load({"model.optim.name=adamw_fp32OptState"}).run.model.optim;
  EXPECT_EQ(fp32.eps, 1e-6);
  EXPECT_EQ(fp32.weightDecay, 0.0);
  EXPECT_TRUE(fp32.correctBias);
  OptimizerConfig sgd =
      load({"model.optim.name=sgd", "+model.optim.momentum=0.9",
            "+model.optim.nesterov=true"})
          .run.model.optim;
  EXPECT_EQ(sgd.momentum, 0.9);
  EXPECT_TRUE(sgd.nesterov);
  EXPECT_EQ(error({"model.optim.name=sgd", "+model.optim.betas=[0.9,0.95]"}),
            "command line: '+model.optim.betas=[0.9,0.95]': "
            "model.optim.betas: sgd does not take it (it takes lr, dampening, "
            "momentum, nesterov, weight_decay)");
  EXPECT_EQ(error({"+model.optim.betas=[0.9,1.0]"}),
            "command line: '+model.optim.betas=[0.9,1.0]': "
            "model.optim.betas: [0.9, 1.0]: must be two numbers in [0, 1), "
            "e.g. [0.9, 0.95]");
  EXPECT_EQ(error({"model.optim.name=adafactor"}, true),
            "command line: 'model.optim.name=adafactor': model.optim.name = "
            "'adafactor': this optimizer is not supported yet (now: adamw | "
            "adamw_fp32OptState | sgd)");
}

TEST_F(SmallRun, SchedulesFollowTheTrainer) {
  LoadedConfig config =
      load({"+model.optim.sched={name: CosineAnnealing, warmup_ratio: 0.25, "
            "max_steps: 99, min_lr: 1e-5}"});
  const ScheduleConfig &sched = config.run.model.optim.sched;
  EXPECT_EQ(sched.kind, ScheduleKind::CosineAnnealing);
  EXPECT_EQ(sched.maxSteps, 10);
  EXPECT_EQ(sched.warmupSteps, 2);
  EXPECT_EQ(sched.minLr, 1e-5);
  EXPECT_TRUE(anyHas(config.notices, "trainer.max_steps = 10 is used"));
  EXPECT_NE(error({"+model.optim.sched={name: CosineAnnealing, min_lr: 1.0}"})
                .find("model.optim.sched.min_lr = 1.0: is above "
                      "model.optim.lr = 0.001"),
            std::string::npos);
  EXPECT_NE(error({"+model.optim.sched={name: LinearAnnealingWithWarmUp, "
                   "warmup_steps: 2, min_lr: 0.1}"})
                .find("LinearAnnealingWithWarmUp does not take it"),
            std::string::npos);
  EXPECT_NE(error({"+model.optim.sched={name: CosineAnnealing, "
                   "constant_steps: 3}"},
                  true)
                .find("constant_steps is not supported yet (now: null | 0)"),
            std::string::npos);
}

TEST_F(SmallRun, UnknownKeysNameTheNearest) {
  config(std::string(smallYaml()) + "trainr:\n  devices: 1\n");
  EXPECT_EQ(error({}),
            "run.yaml:17:1: unknown key 'trainr'; did you mean 'trainer'?");
  config(std::string(smallYaml()) + "  zero1: True\n");
  EXPECT_EQ(error({}), "run.yaml:17:3: unknown key 'precision.zero1'; did you "
                       "mean 'distributed_strategy.zero1'?");
  config(std::string(smallYaml()) + "on: 1\n");
  EXPECT_EQ(error({}).substr(0, 35), "run.yaml:17:1: unknown key 'True'");
}

TEST_F(SmallRun, WrongTypesAndValuesNameThePlace) {
  config("name: small\nmodel_source: hf\ntrainer:\n  max_steps: '10'\n"
         "  log_every_n_steps: 1e1\n  num_nodes: 0\n  accelerator: gpuu\n"
         "data:\n  micro_batch_size: yes\n  global_batch_size: 8\n"
         "model:\n  model_config: hf/config.json\n  encoder_seq_length: 64\n"
         "  optim: {name: adamw, lr: .inf}\nprecision: {type: bf16}\n");
  EXPECT_EQ(
      error({}),
      "run.yaml:4:14: trainer.max_steps = '10': must be an integer; write it "
      "without quotes\n"
      "error: run.yaml:5:22: trainer.log_every_n_steps = 10.0: must be an "
      "integer; write 10\n"
      "error: run.yaml:6:14: trainer.num_nodes = 0: must be >= 1\n"
      "error: run.yaml:7:16: trainer.accelerator = 'gpuu': must be one of auto "
      "| cpu | gpu | cuda | tpu | neuron; did you mean 'gpu'?\n"
      "error: run.yaml:9:21: data.micro_batch_size = True: must be an "
      "integer\n"
      "error: run.yaml:14:28: model.optim.lr = inf: must be a finite number\n"
      "error: run.yaml:15:19: precision.type = 'bf16': must be one of fp32 | "
      "mixed_precision | mixed_precisionSR | mixed_precision_SR | bf16SR | "
      "autocast | manual");
  config(smallYaml());
  EXPECT_EQ(error({"~trainer.max_steps"}),
            "run.yaml:4:3: trainer.max_steps: is needed, at least 1: the "
            "optimizer steps of the whole run (they are the length of the "
            "schedule, too)");
}

TEST_F(SmallRun, BatchesMustDivide) {
  EXPECT_EQ(error({"data.micro_batch_size=3"}),
            "run.yaml:7:22: data.global_batch_size = 8: is no multiple of "
            "micro_batch_size * data-parallel ranks = 3 * 1 = 3; nearest legal "
            "values: 6 and 9");
  EXPECT_NE(error({"+trainer.devices=6"})
                .find("1 * 6 = 6; nearest legal "
                      "values: 6 and 12"),
            std::string::npos);
  EXPECT_NE(error({"+trainer.devices=6",
                   "+distributed_strategy={tensor_model_parallel_size: 4}"})
                .find("devices * num_nodes = 6 * 1 = 6, which is no multiple "
                      "of tensor * pipeline * context = 4 * 1 * 1 = 4"),
            std::string::npos);
}

TEST_F(SmallRun, TensorParallelHeads) {
  std::vector<std::string> tp = {
      "+trainer.devices=8",
      "+distributed_strategy={tensor_model_parallel_size: 8}"};
  LoadedConfig config = load(tp);
  EXPECT_EQ(config.run.strategy.kvReplicator, 2);
  EXPECT_TRUE(anyHas(config.notices, "each of 4 key/value heads is held by 2"));
  EXPECT_FALSE(anyHas(config.unsupported, "tensor_model_parallel_size"));
  tp[1] = "+distributed_strategy={tensor_model_parallel_size: 8, "
          "kv_replicator: 1}";
  EXPECT_NE(error(tp).find("4 * 1 must be a multiple of it; the smallest legal "
                           "value is 2"),
            std::string::npos);
  tp[0] = "+trainer.devices=3";
  tp[1] = "+distributed_strategy={tensor_model_parallel_size: 3}";
  EXPECT_NE(error(tp).find("does not divide num_attention_heads = 8; legal: 1, "
                           "2, 4, 8"),
            std::string::npos);
}

TEST_F(SmallRun, OtherWaysToDivideAreLater) {
  LoadedConfig config =
      load({"+trainer.devices=2",
            "+distributed_strategy={context_parallel_size: 2}"});
  EXPECT_TRUE(anyHas(config.unsupported,
                     "context_parallel_size = 2: context parallelism is not "
                     "supported yet"));
}

TEST_F(SmallRun, WhatIsLaterIsRefusedOnlyWhenSwitchedOn) {
  EXPECT_TRUE(load({"+trainer.devices=1", "+model.fusions.ring_attention=false",
                    "+exp_manager.async_checkpointing=false",
                    "+model.optim.amsgrad=false",
                    "+distributed_strategy.sequence_parallel=true",
                    "+model_alignment_strategy=null"},
                   true)
                  .unsupported.empty());
  std::vector<std::string> on = {
      "+exp_manager.async_checkpointing=true",
      "+model.activations_checkpoint_granularity=full"};
  EXPECT_EQ(load(on).unsupported.size(), 1u);
  EXPECT_EQ(error(on, true),
            "command line: '+exp_manager.async_checkpointing=true': "
            "exp_manager.async_checkpointing = True: checkpoints in the "
            "background are not supported yet (now: False)");
}

TEST_F(SmallRun, WhatChangesNothingIsAccepted) {
  LoadedConfig config =
      load({"+model.fuse_qkv=true", "+model.qkv_linear=true",
            "+exp_manager.save_xser=true", "+exp_manager.load_xser=false",
            "+model.use_cpu_initialization=true", "+model.fusions.softmax=true",
            "+model.optim.capturable=true", "+compiler_flags='-O1'",
            "+trainer.lnc=2", "+trainer.sequential_move_factor=11",
            "+exp_manager.checkpoint_callback_params.use_master_weights_in_"
            "ckpt=false"},
           true);
  EXPECT_TRUE(config.unsupported.empty());
  EXPECT_EQ(config.notices.size(), 3u); // compiler_flags, lnc, move factor
}

TEST_F(SmallRun, LogDir) {
  ::unsetenv("NEMO_EXPM_VERSION");
  EXPECT_EQ(load({"+exp_manager.explicit_log_dir=out/x"}).run.expManager.logDir,
            (std::filesystem::current_path() / "out/x").string());
  std::vector<std::string> named = {"+exp_manager.exp_dir=/e",
                                    "+exp_manager.name=n",
                                    "+exp_manager.resume_if_exists=true"};
  EXPECT_EQ(load(named).run.expManager.logDir, "/e/n");
  EXPECT_EQ(load(named).run.expManager.checkpoint.dirpath, "/e/n/checkpoints");
  ::setenv("NEMO_EXPM_VERSION", "v7", 1);
  EXPECT_EQ(load(named).run.expManager.logDir, "/e/n/v7");
  ::unsetenv("NEMO_EXPM_VERSION");
  named.push_back("+exp_manager.version=3");
  EXPECT_EQ(load(named).run.expManager.logDir, "/e/n/3");
  // A path in the file is relative to the file.
  config(std::string(smallYaml()) + "exp_manager:\n  explicit_log_dir: log\n");
  EXPECT_EQ(load().run.expManager.logDir, (dir.path / "log").string());
  named = {"+exp_manager.exp_dir=/e", "+exp_manager.use_datetime_version=false",
           "~exp_manager.explicit_log_dir"};
  EXPECT_EQ(load(named).run.expManager.logDir, "/e/default/version_0");
}

TEST_F(SmallRun, PathsFollowTheirText) {
  config("root: data\n" + std::string(smallYaml()));
  EXPECT_NE(error({}).find("unknown key 'root'"), std::string::npos);
  config(std::string(smallYaml()) +
         "exp_manager: {exp_dir: a, resume_from_checkpoint: "
         "'${exp_manager.exp_dir}'}\n");
  EXPECT_EQ(load().run.expManager.resumeFromCheckpoint,
            (dir.path / "a").string());
  EXPECT_EQ(load({"exp_manager.exp_dir=b"}).run.expManager.resumeFromCheckpoint,
            (std::filesystem::current_path() / "b").string());
}

TEST_F(SmallRun, Evaluation) {
  auto trainer = [&](const std::string &keys) {
    return load({"+trainer={" + keys + "}"}).run.trainer;
  };
  EXPECT_EQ(trainer("val_check_interval: 5").valCheckInterval, 5);
  EXPECT_EQ(trainer("val_check_interval: 0.25").valCheckEpochFraction, 0.25);
  EXPECT_FALSE(trainer("val_check_interval: 5, check_val_every_n_epoch: null")
                   .valCheckRestartsPerEpoch);
  EXPECT_EQ(trainer("check_val_every_n_epoch: null").valCheckEpochFraction,
            0.0);
  EXPECT_EQ(trainer("limit_val_batches: 3").limitValBatches, 3);
  EXPECT_EQ(trainer("limit_val_batches: 0.0").limitValBatches, 0);
  EXPECT_EQ(trainer("limit_val_batches: 0.5").limitValFraction, 0.5);
  EXPECT_EQ(trainer("max_time: '01:02:03:04'").maxTimeS,
            86400 + 2 * 3600 + 3 * 60 + 4);
  EXPECT_NE(error({"+trainer={limit_val_batches: 2.0}"})
                .find("a number of batches is an integer, e.g. 2"),
            std::string::npos);
  EXPECT_NE(error({"+trainer={val_check_interval: 0.5, "
                   "check_val_every_n_epoch: null}"})
                .find("needs check_val_every_n_epoch: 1"),
            std::string::npos);
}

TEST_F(SmallRun, ConfigJsonOfTransformers4And5) {
  auto json = nlohmann::json::parse(smallModel());
  json["rope_theta"] = 500000.0;
  json["rope_scaling"] = {{"type", "linear"}, {"factor", 4.0}};
  model(json.dump());
  LlamaConfig llama = load().run.model.llama;
  EXPECT_EQ(llama.ropeTheta, 500000.0);
  EXPECT_EQ(llama.ropeScaling.kind, RopeScaling::Kind::Linear);
  EXPECT_EQ(llama.ropeScaling.factor, 4.0);
  json.erase("rope_theta");
  json.erase("rope_scaling");
  json["rope_parameters"] = {
      {"rope_type", "llama3"},   {"rope_theta", 1e6},
      {"factor", 8.0},           {"low_freq_factor", 1.0},
      {"high_freq_factor", 4.0}, {"original_max_position_embeddings", 32}};
  json["head_dim"] = 16;
  model(json.dump());
  llama = load().run.model.llama;
  EXPECT_EQ(llama.ropeTheta, 1e6);
  EXPECT_EQ(llama.ropeScaling.kind, RopeScaling::Kind::Llama3);
  EXPECT_EQ(llama.ropeScaling.originalMaxPositionEmbeddings, 32);
  EXPECT_EQ(llama.headDim, 16);
}

TEST_F(SmallRun, YamlChangesTheModel) {
  LoadedConfig config =
      load({"+model.num_layers=2", "+model.hidden_size=128",
            "+model.rope_theta=5e5", "+model.max_position_embeddings=256"});
  const LlamaConfig &llama = config.run.model.llama;
  EXPECT_EQ(llama.numHiddenLayers, 2);
  EXPECT_EQ(llama.hiddenSize, 128);
  EXPECT_EQ(llama.headDim, 16);
  auto json = nlohmann::json::parse(config.run.model.hfConfigJson);
  EXPECT_EQ(json["num_hidden_layers"], 2);
  EXPECT_EQ(json["head_dim"], 16);
  EXPECT_EQ(json["rope_theta"], 5e5);
  EXPECT_EQ(json["max_position_embeddings"], 256);
  EXPECT_NE(error({"model.encoder_seq_length=129"})
                .find("is above max_position_embeddings = 128"),
            std::string::npos);
}

TEST_F(SmallRun, PluginNeedsNoModelConfig) {
  LoadedConfig config =
      load({"~model.model_config", "+model.plugin=/x/libmine.so",
            "+model.plugin_config={anything: [1, {goes: here}]}"},
           true);
  EXPECT_EQ(config.run.model.plugin, "/x/libmine.so");
  auto section = nlohmann::json::parse(config.run.model.sectionJson);
  EXPECT_EQ(section["plugin_config"]["anything"][1]["goes"], "here");
  EXPECT_NE(error({"~model.model_config"})
                .find("model.model_config: is "
                      "needed"),
            std::string::npos);
}

TEST(Help, ComesFromTheSchema) {
  std::string trainer = helpConfig("trainer");
  EXPECT_NE(trainer.find("max_steps  (int, >= -1)  default: -1"),
            std::string::npos);
  EXPECT_EQ(trainer.find("data:"), std::string::npos);
  EXPECT_NE(helpConfig("").find("\ndata:\n"), std::string::npos);
  EXPECT_NE(helpConfig("model.optim.lr").find("learning rate"),
            std::string::npos);
  EXPECT_EQ(errorOf([] { helpConfig("trianer"); }).substr(0, 63),
            "there is no section 'trianer', did you mean 'trainer'? (section");
}
