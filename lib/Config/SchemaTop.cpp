//===- SchemaTop.cpp - top-level keys, strategy and precision -------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "SchemaTables.h"

namespace nxdt::config {
namespace {

constexpr const char *kNeuron = "it steers AWS Neuron's compiler or runtime, "
                                "which are not used here";
constexpr const char *kNoContextParallel =
    "context parallelism is not supported yet";

// clang-format off
constexpr KeySpec kTop[] = {
    {"name", "str", "required", "", "", H, "name of the run", ""},
    {"model_source", "str", "required", "hf | megatron", "hf", H, "family of models: Hugging Face Llama or Megatron", "models of Megatron are not supported yet"},
    {"seed", "null|int", "1234", "> 0", "", H, "seed of initial weights and of all random numbers", ""},
    {"compiler_flags", "null|str", "", "", "", I, "flags of the Neuron compiler", kNeuron},
    {"compiler_cache_url", "null|str", "", "", "", I, "where the Neuron compiler keeps its results", kNeuron},
    {"aync_exec_max_inflight_requests", "null|int", "", "", "", I, "depth of the Neuron runtime's queue (upstream's spelling)", kNeuron},
    {"async_exec_max_inflight_requests", "null|int", "", "", "", I, "depth of the Neuron runtime's queue", kNeuron},
    {"bucket_size_collectives", "null|int", "128", ">= 0", "", H, "gradients, and parameters after an update, that ranks exchange together, MiB (0 = each alone)", ""},
    {"neuron_rt_exec_timeout", "null|int", "", "", "", I, "timeout of the Neuron runtime, s", kNeuron},
    {"neuron_experimental_compress_rg", "null|bool", "", "", "", I, "compression of Neuron's replica groups", kNeuron},
    {"restore_from_path", "null|str", "null", "", "null", R, "NeMo archive to start from", "NeMo archives are not read; name a Hugging Face folder in exp_manager.resume_from_checkpoint"},
    {"trainer", "section", "required", "", "", H, "how long, where and how often", ""},
    {"exp_manager", "section", "", "", "", H, "logs and checkpoints", ""},
    {"distributed_strategy", "section", "", "", "", H, "how the work is split", ""},
    {"data", "section", "required", "", "", H, "what is trained on", ""},
    {"model", "section", "required", "", "", H, "what is trained", ""},
    {"precision", "section", "required", "", "", H, "number formats", ""},
    {"model_alignment_strategy", "null|section", "null", "", "null", L, "fine-tuning: SFT, DPO, ORPO, LoRA", "fine-tuning on text (SFT, DPO, ORPO, LoRA) is not supported yet; tokenized data with labels -100 over the prompt are"},
};

constexpr KeySpec kStrategy[] = {
    {"distributed_strategy.tensor_model_parallel_size", "int", "1", ">= 1", "", H, "ranks that share each weight matrix (tp)", ""},
    {"distributed_strategy.pipeline_model_parallel_size", "int", "1", ">= 1", "", H, "stages of the pipeline (pp)", ""},
    {"distributed_strategy.virtual_pipeline_model_parallel_size", "null|int", "1", ">= 1", "", H, "pieces of the model per stage (vpp)", ""},
    {"distributed_strategy.context_parallel_size", "int", "1", ">= 1", "1", H, "ranks that share each sequence (cp)", kNoContextParallel},
    {"distributed_strategy.expert_model_parallel_size", "int", "1", ">= 1", "1", L, "ranks that share the experts of a mixture", "mixtures of experts are not supported yet"},
    {"distributed_strategy.token_shuffle_group_size", "int", "1", ">= 1", "1", L, "token shuffle of Megatron's mixtures", "mixtures of experts are not supported yet"},
    {"distributed_strategy.zero1", "bool", "True", "", "", H, "split optimizer state over data-parallel ranks (no effect with one of them)", ""},
    {"distributed_strategy.sequence_parallel", "bool", "False", "", "", H, "split activations along the sequence between tensor-parallel layers", ""},
    {"distributed_strategy.sharding_rules", "null|map", "null", "", "", H, "how parameters lie on the mesh: pattern of names -> per dimension an axis, a list of axes or null; for models that are not of the hub", ""},
    {"distributed_strategy.kv_replicator", "int", "1", ">= 1", "", H, "copies of each key/value head among tensor-parallel ranks", ""},
    {"distributed_strategy.budget_bytes", "null|int|str", "null", ">= 1", "", H, "bytes a rank may need, as predicted (also '16GiB'); what needs more does not compile", ""},
    {"distributed_strategy.pipeline_model_parallel_split_rank", "null|int", "0", "", "", I, "split of encoder and decoder", "it belongs to encoder-decoder models; upstream stores it and never reads it"},
};

constexpr const char *kManualOnly = "it is read for precision.type manual only";

constexpr KeySpec kPrecision[] = {
    {"precision.type", "str", "required", "fp32 | mixed_precision | mixed_precisionSR | mixed_precision_SR | bf16SR | autocast | manual", "fp32 | mixed_precision", H, "fp32, or bf16 compute with fp32 masters and accumulation (mixed_precision)", "this number format is not supported yet"},
    {"precision.master_weights", "bool", "False", "", "", E, "fp32 master weights", kManualOnly},
    {"precision.fp32_grad_acc", "bool", "False", "", "", E, "fp32 accumulation of gradients", kManualOnly},
    {"precision.xla_use_bf16", "null|scalar", "'0'", "", "", E, "XLA: everything in bf16", kManualOnly},
    {"precision.xla_downcast_bf16", "null|scalar", "'0'", "", "", E, "XLA: bf16 compute with fp32 islands", kManualOnly},
    {"precision.neuron_rt_stochastic_rounding_en", "null|scalar", "'0'", "", "", E, "Neuron: stochastic rounding", kManualOnly},
    {"precision.parallel_layers_reduce_dtype", "null|str", "", "fp32 | bf16 | fp16", "", H, "number format of tensor-parallel sums", "tensor-parallel ranks exchange what they sum in the compute precision: fp32, or bf16 for mixed_precision; another one is not supported yet"},
    {"precision.fp32_grads_cc", "null|bool", "False", "", "", E, "fp32 in collectives of gradients", "gradients are always reduced in fp32; upstream never reads it"},
};

constexpr const char *kAlign = "fine-tuning on text is not supported yet";

constexpr KeySpec kAlignment[] = {
    {"model_alignment_strategy.sft", "null|section", "null", "", "null", L, "supervised fine-tuning", kAlign},
    {"model_alignment_strategy.sft.packing", "null|bool", "null", "", "", L, "pack several records into one sequence", kAlign},
    {"model_alignment_strategy.dpo", "null|section", "null", "", "null", L, "direct preference optimization", kAlign},
    {"model_alignment_strategy.dpo.kl_beta", "float", "required", "> 0", "", L, "weight of the divergence from the reference model", kAlign},
    {"model_alignment_strategy.dpo.loss_type", "null|str", "sigmoid", "", "", L, "form of the DPO loss", kAlign},
    {"model_alignment_strategy.dpo.precompute_ref_log_probs", "null|bool", "True", "", "", L, "reference probabilities before training", kAlign},
    {"model_alignment_strategy.dpo.max_prompt_length", "int", "2048", ">= 1", "", L, "longest prompt", kAlign},
    {"model_alignment_strategy.dpo.truncation_mode", "str", "keep_start", "keep_start | keep_end", "", L, "which end of a long record stays", kAlign},
    {"model_alignment_strategy.orpo", "null|section", "null", "", "null", L, "odds-ratio preference optimization", kAlign},
    {"model_alignment_strategy.orpo.beta", "float", "required", "> 0", "", L, "weight of the odds ratio", kAlign},
    {"model_alignment_strategy.orpo.max_prompt_length", "int", "2048", ">= 1", "", L, "longest prompt", kAlign},
    {"model_alignment_strategy.orpo.truncation_mode", "str", "keep_start", "keep_start | keep_end", "", L, "which end of a long record stays", kAlign},
    {"model_alignment_strategy.max_prompt_length", "int", "2048", ">= 1", "", L, "longest prompt", kAlign},
    {"model_alignment_strategy.truncation_mode", "str", "keep_start", "keep_start | keep_end", "", L, "which end of a long record stays", kAlign},
    {"model_alignment_strategy.peft", "null|section", "null", "", "null", L, "LoRA adapters", kAlign},
    {"model_alignment_strategy.peft.lora_rank", "int", "16", ">= 1", "", L, "rank of the adapters", kAlign},
    {"model_alignment_strategy.peft.lora_alpha", "float", "32", "> 0", "", L, "scale of the adapters (times 1/rank)", kAlign},
    {"model_alignment_strategy.peft.lora_dropout", "float", "0.05", "[0, 1)", "", L, "dropout before the adapters", kAlign},
    {"model_alignment_strategy.peft.lora_bias", "str", "none", "none | all | lora_only", "", L, "which biases train", kAlign},
    {"model_alignment_strategy.peft.lora_verbose", "bool", "True", "", "", L, "log the adapters", kAlign},
    {"model_alignment_strategy.peft.target_modules", "list", "[qkv_proj]", "", "", L, "layers that get adapters", kAlign},
    {"model_alignment_strategy.peft.load_lora_from_ckpt", "bool", "False", "", "", L, "start from saved adapters", kAlign},
    {"model_alignment_strategy.peft.save_lora_base", "bool", "False", "", "", L, "save the base model too", kAlign},
    {"model_alignment_strategy.peft.merge_lora", "bool", "False", "", "", L, "save the sum of base and adapters", kAlign},
    {"model_alignment_strategy.peft.save_lora_config_adapter", "bool", "True", "", "", L, "save the adapters' configuration", kAlign},
    {"model_alignment_strategy.peft.merge_sharded_lora", "bool", "False", "", "", L, "merge the shards of adapters", kAlign},
};
// clang-format on

} // namespace

std::span<const KeySpec> topKeys() { return kTop; }
std::span<const KeySpec> strategyKeys() { return kStrategy; }
std::span<const KeySpec> precisionKeys() { return kPrecision; }
std::span<const KeySpec> alignmentKeys() { return kAlignment; }

} // namespace nxdt::config
