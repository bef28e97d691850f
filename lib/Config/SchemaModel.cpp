//===- SchemaModel.cpp - keys of data and model ---------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "SchemaTables.h"

namespace nxdt::config {
namespace {

constexpr const char *kMegatronData =
    "data of Megatron are not supported yet; write a Hugging Face datasets "
    "folder with input_ids, attention_mask, labels";
constexpr const char *kTextData =
    "text files as data are not supported yet; write a Hugging Face datasets "
    "folder with input_ids, attention_mask, labels";
constexpr const char *kMegatronModel =
    "models of Megatron are not supported yet";
constexpr const char *kMoe = "mixtures of experts are not supported yet";
constexpr const char *kCuda = "it steers kernels of NVIDIA's libraries in "
                              "NeMo; NxD Training never reads it";
constexpr const char *kNotHere = "NeMo only: NxD Training never reads it";

// clang-format off
constexpr KeySpec kData[] = {
    {"data.micro_batch_size", "int", "required", ">= 1", "", H, "samples per rank and forward pass", ""},
    {"data.global_batch_size", "int", "required", ">= 1", "", H, "samples per optimizer step, over all ranks", ""},
    {"data.train_dir", "null|path", "null", "", "", H, "Hugging Face datasets folder (save_to_disk) to train on", ""},
    {"data.val_dir", "null|path", "null", "", "", H, "the same to evaluate on", ""},
    {"data.test_dir", "null|path", "null", "", "", I, "the same to test on", "there is no test loop, and upstream never runs one"},
    {"data.seq_length", "null|int", "null", ">= 1", "", H, "tokens per sample; must equal model.encoder_seq_length", ""},
    {"data.dev_choose_samples", "null|int", "null", ">= 1", "null", L, "train on the first N records only", "training on a part of the records is not supported yet"},
    {"data.num_workers", "null|int", "1", ">= 0", "", E, "processes that load data", "samples are read from memory-mapped files; reading them needs no processes"},
    {"data.dataloader_type", "null|str", "single", "single | cyclic", "null | single", L, "single: in order; cyclic: shuffled in each epoch", "shuffled samples are not supported yet"},
    {"data.tokenizer", "null|section", "null", "", "", I, "tokenizer of text files", "the data are tokenized already"},
    {"data.tokenizer.type", "null|str", "null", "", "", I, "name or folder of the tokenizer", "the data are tokenized already"},
    {"data.tokenizer.library", "null|str", "null", "", "", I, "which library makes the tokenizer", "the data are tokenized already"},
    {"data.tokenizer.model", "null|path", "null", "", "", I, "model file of the tokenizer", "the data are tokenized already"},
    {"data.tokenizer.vocab_file", "null|path", "null", "", "", I, "vocabulary of the tokenizer", "the data are tokenized already"},
    {"data.tokenizer.merge_file", "null|path", "null", "", "", I, "merges of the tokenizer", "the data are tokenized already"},
    {"data.tokenizer.delimiter", "null|str", "null", "", "", I, "delimiter of a tabular tokenizer", "the data are tokenized already"},
    {"data.tokenizer.sentencepiece_legacy", "null|bool", "False", "", "", I, "old behaviour of sentencepiece", "the data are tokenized already"},
    {"data.tokenizer.use_fast", "null|bool", "False", "", "", I, "fast tokenizer", "the data are tokenized already"},
    {"data.dataset_name", "null|str", "null", "", "null", L, "data set of promptsource", kTextData},
    {"data.subset_name", "null|str", "null", "", "null", L, "part of that data set", kTextData},
    {"data.prompt_name", "null|str", "null", "", "null", L, "prompt of promptsource", kTextData},
    {"data.data_prefix", "null|str|list|map", "null", "", "null | []", L, "Megatron's .bin/.idx files and their weights", kMegatronData},
    {"data.index_mapping_dir", "null|path", "null", "", "", I, "where Megatron's index maps are kept", "data of Megatron are not read"},
    {"data.data_impl", "null|str", "null", "mmap | lazy | cached | infer | retmmap | text_mmap | csv_mmap", "", I, "how Megatron's data are read", "data of Megatron are not read"},
    {"data.splits_string", "null|str", "null", "", "", I, "train, validation and test parts of Megatron's data", "data of Megatron are not read"},
    {"data.skip_warmup", "null|bool", "True", "", "", E, "read the files once to fill the page cache", "files are mapped into memory"},
    {"data.reset_position_ids", "null|bool", "False", "", "null | False", L, "positions start again after a document's end", kMegatronData},
    {"data.reset_attention_mask", "null|bool", "False", "", "null | False", L, "no attention across documents", kMegatronData},
    {"data.eod_mask_loss", "null|bool", "False", "", "null | False", L, "no loss at document ends", kMegatronData},
    {"data.validation_drop_last", "null|bool", "True", "", "", E, "drop the last, incomplete batch of an evaluation", "all samples are evaluated: the last batch is filled with masked ones"},
    {"data.drop_last", "null|bool", "True", "", "null | True", L, "drop the last, incomplete batch", "a step always takes a whole global batch"},
    {"data.no_seqlen_plus_one_input_tokens", "null|bool", "False", "", "null | False", L, "take seq_length tokens, mask the last", kMegatronData},
    {"data.pad_samples_to_global_batch_size", "null|bool", "False", "", "", E, "fill the last batch of an evaluation", "the last batch is always filled with masked samples"},
    {"data.fine_tuning", "null|bool", "False", "", "null | False", R, "Megatron's fine-tuning data", "upstream refuses it too"},
    {"data.packing", "null|bool", "null", "", "", I, "pack several records into one sequence", "upstream never reads it here"},
    {"data.use_sft_style_data_module", "null|bool", "null", "", "", I, "text files for Megatron models", "upstream never reads it"},
};

constexpr KeySpec kModel[] = {
    {"model.model_config", "null|path", "required", "", "", H, "Hugging Face config.json, or its folder (not with model.plugin)", ""},
    {"model.plugin", "null|path", "null", "", "", H, "shared library with a module of your own instead of Llama", ""},
    {"model.plugin_config", "null|map", "null", "", "", H, "anything: handed to the library of model.plugin", ""},
    {"model.encoder_seq_length", "int", "required", ">= 1", "", H, "tokens per sample", ""},
    {"model.max_position_embeddings", "null|int", "null", ">= -1", "", H, "longest sequence of the model; null or -1 = as in config.json", ""},
    {"model.num_layers", "null|int", "-1", ">= -1", "", H, "decoder layers; null or -1 = as in config.json", ""},
    {"model.hidden_size", "null|int", "-1", ">= -1", "", H, "width; null or -1 = as in config.json", ""},
    {"model.rope_theta", "null|int|float", "-1", "", "", H, "base of the rotary embedding; null or -1 = as in config.json", ""},
    {"model.qkv_linear", "bool", "False", "", "", E, "one layer for query, key and value", "how these matrices are stored changes no result; kv heads are replicated wherever tensor parallelism needs it"},
    {"model.fuse_qkv", "bool", "True", "", "", E, "one matrix for query, key and value", "how these matrices are stored changes no result"},
    {"model.transpose_nki_inputs", "bool", "True", "", "", I, "layout of Neuron's attention kernel", "there are no Neuron kernels here"},
    {"model.pipeline_cuts", "null|list", "null", "", "", H, "last layer of every chunk but the last; null = chunks of equal cost", ""},
    {"model.use_cpu_initialization", "bool", "False", "", "", E, "make initial weights on the CPU", "initial weights are drawn by logical index and are the same on every device"},
    {"model.weight_init_only", "bool", "False", "", "", H, "take the weights of resume_from_checkpoint only, not its optimizer state", ""},
    {"model.activations_checkpoint_granularity", "null|str", "null", "selective | full", "", H, "compute activations again instead of keeping them", ""},
    {"model.activations_checkpoint_recompute", "null|list", "[]", "", "", H, "modules to compute again (selective): CoreAttention, LlamaMLP, ActivationMultiplyMLP, LlamaRMSNorm, LlamaRotaryEmbedding, LlamaDecoderLayer, LlamaForCausalLM; with model.plugin, patterns of module paths", ""},
    {"model.activations_checkpoint_method", "null|str", "null", "uniform | block", "null | uniform", R, "which layers are computed again", "choose with activations_checkpoint_granularity"},
    {"model.activations_checkpoint_num_layers", "null|int", "null", "", "null | 0 | 1", R, "layers computed again at once", "choose with activations_checkpoint_granularity"},
    {"model.num_micro_batches_with_partial_activation_checkpoints", "null|int", "null", "", "null", R, "compute again in some micro-batches", "choose with activations_checkpoint_granularity"},
    {"model.activations_checkpoint_layers_per_pipeline", "null|int", "null", "", "null", R, "compute again in some stages", "choose with activations_checkpoint_granularity"},
    {"model.disable_layer_norm_checkpointing", "null|bool", "True", "", "null | True", R, "never compute norms again", "choose with activations_checkpoint_recompute"},
    {"model.fusions", "null|section", "null", "", "", H, "kernels that compute several operations at once", ""},
    {"model.fusions.softmax", "null|bool", "null", "", "", E, "fused softmax", "the softmax is one kernel in any case"},
    {"model.fusions.flash_attention", "bool", "False", "", "", H, "attention without the matrix of scores in memory", ""},
    {"model.fusions.ring_attention", "null|bool", "False", "", "null | False", L, "attention over sequences split by context parallelism", "context parallelism is not supported yet"},
    {"model.do_layer_norm_weight_decay", "bool", "False", "", "", H, "decay norm weights and biases too", ""},
    {"model.save_logits", "null|bool", "False", "", "null | False", L, "return logits beside the loss", "returning logits is not supported yet"},
    {"model.wrap_with_zero", "null|bool", "null", "", "", E, "old name of distributed_strategy.zero1", "optimizer state is always saved as it is split"},
    {"model.name", "null|str", "null", "", "", I, "name of the model", "upstream never reads it"},
    {"model.moe", "null|section", "null", "", "null", L, "mixture of experts", kMoe},
    {"model.moe.num_experts", "int", "1", ">= 1", "", L, "experts per layer", kMoe},
    {"model.moe.frequency", "int", "1", ">= 1", "", L, "every N-th layer is a mixture", kMoe},
    {"model.moe.dropout", "float", "0", "[0, 1)", "", L, "dropout in the mixture", kMoe},
    {"model.moe.moe_dropout", "null|float", "0", "[0, 1)", "", L, "dropout in the mixture", kMoe},
    {"model.moe.capacity_factor", "null|float", "1.0", "", "", L, "room per expert; 0 = no token is dropped", kMoe},
    {"model.moe.dropless", "bool", "False", "", "", L, "no token is dropped", kMoe},
    {"model.moe.glu_mlp", "bool", "True", "", "", L, "experts have a gate", kMoe},
    {"model.moe.routing_algorithm", "str", "top_k", "top_k | sinkhorn", "", L, "how tokens find experts", kMoe},
    {"model.moe.router_activation", "str", "sigmoid", "sigmoid | softmax", "", L, "activation of the router", kMoe},
    {"model.moe.sinkhorn_iterations", "int", "30", ">= 1", "", L, "iterations of sinkhorn routing", kMoe},
    {"model.moe.sinkhorn_tol", "null|scalar", "null", "", "", L, "tolerance of sinkhorn routing", kMoe},
    {"model.moe.top_k", "int", "1", ">= 1", "", L, "experts per token", kMoe},
    {"model.moe.output_router_logits", "bool", "True", "", "", L, "the router has a loss of its own", kMoe},
    {"model.moe.router_aux_loss_coef", "float", "0.02", ">= 0", "", L, "weight of that loss", kMoe},
    {"model.moe.normalize_top_k_affinities", "bool", "True", "", "", L, "weights of the chosen experts sum to 1", kMoe},
    {"model.optim", "section", "required", "", "", H, "optimizer and learning rate", ""},
    // NeMo's own places and keys.
    {"model.num_query_groups", "null|int", "null", "", "null", R, "key/value heads", "the number of key/value heads comes from config.json"},
    {"model.masked_softmax_fusion", "null|bool", "True", "", "", E, "fused softmax", "the softmax is one kernel in any case"},
    {"model.seed", "null|int", "null", "", "null", R, "seed", "write it as the top-level key seed"},
    {"model.resume_from_checkpoint", "null|str", "null", "", "null", R, "where to start from", "write it as exp_manager.resume_from_checkpoint"},
    {"model.mcore_gpt", "null|bool", "False", "", "False", I, "NeMo's choice of library", kNotHere},
    {"model.pre_process", "null|bool", "True", "", "null | True", R, "model has an embedding", "the first stage always has it"},
    {"model.post_process", "null|bool", "True", "", "null | True", R, "model has a head", "the last stage always has it"},
    {"model.native_amp_init_scale", "null|int|float", "", "", "", I, "loss scale of fp16", "fp16 is not used"},
    {"model.native_amp_growth_interval", "null|int", "", "", "", I, "loss scale of fp16", "fp16 is not used"},
    {"model.hysteresis", "null|int", "", "", "", I, "loss scale of fp16", "fp16 is not used"},
    {"model.megatron_amp_O2", "null|bool", "False", "", "null | False", R, "NeMo's half precision", "set precision.type"},
    {"model.megatron_amp_o2", "null|bool", "False", "", "null | False", R, "NeMo's half precision", "set precision.type"},
    {"model.grad_div_ar_fusion", "null|bool", "True", "", "", I, "fused division and all-reduce", kCuda},
    {"model.gradient_accumulation_fusion", "null|bool", "False", "", "False", I, "fused accumulation of gradients", kCuda},
    {"model.bias_activation_fusion", "null|bool", "False", "", "False", I, "fused bias and activation", kCuda},
    {"model.bias_dropout_add_fusion", "null|bool", "False", "", "False", I, "fused bias, dropout and sum", kCuda},
    {"model.onnx_safe", "null|bool", "False", "", "False", I, "avoid operators that ONNX lacks", kNotHere},
    {"model.apex_transformer_log_level", "null|int", "30", "", "", I, "log level of apex", kNotHere},
    {"model.gradient_as_bucket_view", "null|bool", "True", "", "", I, "gradients as views of buckets", kCuda},
    {"model.sync_batch_comm", "null|bool", "False", "", "False", I, "wait after each pipeline message", kCuda},
    {"model.transformer_engine", "null|bool", "False", "", "null | False", R, "NVIDIA's Transformer Engine", "fp8 is not supported"},
    {"model.fp8", "null|bool", "False", "", "null | False", R, "8-bit floats", "fp8 is not supported"},
    {"model.fp8_e4m3", "null|bool", "False", "", "null | False", R, "8-bit floats", "fp8 is not supported"},
    {"model.fp8_hybrid", "null|bool", "True", "", "", I, "8-bit floats", "fp8 is not used"},
    {"model.fp8_margin", "null|int", "0", "", "", I, "8-bit floats", "fp8 is not used"},
    {"model.use_emha", "null|bool", "False", "", "null | False", R, "NeMo's attention", "choose with model.fusions.flash_attention"},
    {"model.nsys_profile", "null|map", "null", "", "", I, "NVIDIA's profiler", kNotHere},
    {"model.flexible_pipeline_parallel_stages", "null|list", "null", "", "null | []", R, "stages of the pipeline", "write model.pipeline_cuts"},
    {"model.zero_use_master_weight", "null|bool", "null", "", "", I, "fp32 masters", "precision.type mixed_precision always has them"},
    {"model.zero_use_fp32_grad_accum", "null|bool", "null", "", "", I, "fp32 accumulation", "precision.type mixed_precision always has it"},
    {"model.convert_to_hf", "null|bool", "False", "", "False", I, "convert checkpoints", "nxdt-ckpt to-hf converts"},
};

constexpr KeySpec kMegatron[] = {
    {"model.ffn_hidden_size", "int", "required", ">= 1", "", L, "width of the feed-forward layers", kMegatronModel},
    {"model.num_attention_heads", "int", "required", ">= 1", "", L, "attention heads", kMegatronModel},
    {"model.num_kv_heads", "null|int", "null", ">= 1", "", L, "key/value heads; null = as many as attention heads", kMegatronModel},
    {"model.kv_channels", "null|int", "null", ">= 1", "", L, "width of a head; null = hidden_size / heads", kMegatronModel},
    {"model.init_method_std", "float", "0.02", ">= 0", "", L, "standard deviation of initial weights", kMegatronModel},
    {"model.use_scaled_init_method", "bool", "True", "", "", L, "smaller initial weights of output layers", kMegatronModel},
    {"model.hidden_dropout", "float", "0.1", "[0, 1)", "", L, "dropout of layer outputs", kMegatronModel},
    {"model.attention_dropout", "float", "0.0", "[0, 1)", "", L, "dropout of attention", kMegatronModel},
    {"model.ffn_dropout", "float", "0.0", "[0, 1)", "", L, "dropout of feed-forward layers", kMegatronModel},
    {"model.apply_query_key_layer_scaling", "bool", "True", "", "", L, "divide scores by the layer's number and multiply again", kMegatronModel},
    {"model.normalization", "str", "layernorm", "layernorm | rmsnorm | layernorm1p", "", L, "kind of norm", kMegatronModel},
    {"model.layernorm_epsilon", "float", "1e-5", "> 0", "", L, "epsilon of the norms", kMegatronModel},
    {"model.make_vocab_size_divisible_by", "int", "128", ">= 1", "", L, "vocabulary is padded to a multiple", kMegatronModel},
    {"model.persist_layer_norm", "bool", "False", "", "", L, "persistent norm kernel", kMegatronModel},
    {"model.share_embeddings_and_output_weights", "bool", "True", "", "", L, "embedding and head are one matrix", kMegatronModel},
    {"model.position_embedding_type", "str", "learned_absolute", "learned_absolute | rope", "", L, "kind of positions", kMegatronModel},
    {"model.rotary_percentage", "float", "1.0", "", "", L, "part of a head that rotates", kMegatronModel},
    {"model.position_freq_base", "int|float", "10000", "> 0", "", L, "base of the rotary embedding", kMegatronModel},
    {"model.position_abf_factor", "int|float", "1", "> 0", "", L, "factor of that base", kMegatronModel},
    {"model.positition_interpolation_factor", "float", "1.0", "> 0", "", L, "scale of positions (upstream's spelling)", kMegatronModel},
    {"model.activation", "str", "gelu", "gelu | geglu | reglu | swiglu", "", L, "activation function", kMegatronModel},
    {"model.transformer_block_type", "str", "pre_ln", "pre_ln | post_ln | normformer | gpt_j", "", L, "where the norms stand", kMegatronModel},
    {"model.has_bias", "bool", "True", "", "", L, "linear layers have a bias", kMegatronModel},
    {"model.sliding_window_size", "null|int", "null", ">= 1", "", L, "attention looks back this far", kMegatronModel},
    {"model.sliding_window", "null|int", "null", ">= 1", "", L, "attention looks back this far", kMegatronModel},
    {"model.fp32_residual_connection", "null|bool", "False", "", "", L, "residuals in fp32", kMegatronModel},
    {"model.fp16_lm_cross_entropy", "null|bool", "False", "", "", L, "loss in fp16", kMegatronModel},
    {"model.precision", "null|scalar", "32", "", "", L, "number format", kMegatronModel},
};
// clang-format on

} // namespace

std::span<const KeySpec> dataKeys() { return kData; }
std::span<const KeySpec> modelKeys() { return kModel; }
std::span<const KeySpec> megatronKeys() { return kMegatron; }

} // namespace nxdt::config
