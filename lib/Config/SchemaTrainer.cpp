//===- SchemaTrainer.cpp - keys of trainer and exp_manager ----------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "SchemaTables.h"

namespace nxdt::config {
namespace {

constexpr const char *kDebugLoop = "short debugging runs of Lightning do not "
                                   "exist here; set trainer.max_steps";
constexpr const char *kLightning =
    "it steers Lightning, which is not used here";
constexpr const char *kFromBatches =
    "it follows from data.global_batch_size, data.micro_batch_size and the "
    "number of data-parallel ranks";
constexpr const char *kNoOtherLogger =
    "logs go to metrics.jsonl and TensorBoard";
constexpr const char *kNemoCallback =
    "upstream accepts this NeMo callback and does nothing for it";
constexpr const char *kOneFile =
    "how tensors are cut into files changes no result: every rank writes one "
    ".pt file for its weights and one for its optimizer state";
constexpr const char *kNoNemo = ".nemo archives are not written; nxdt-ckpt "
                                "to-hf makes a Hugging Face folder";

// clang-format off
constexpr KeySpec kTrainer[] = {
    {"trainer.devices", "int|str", "1", ">= 1", "", H, "ranks per node", ""},
    {"trainer.num_nodes", "int", "1", ">= 1", "", H, "number of machines; with more than one, nxdt-run is started by torchrun, mpirun or srun", ""},
    {"trainer.accelerator", "null|str", "auto", "auto | cpu | gpu | cuda | tpu | neuron", "", H, "where the run computes; auto takes a GPU if there is one", ""},
    {"trainer.lnc", "null|int", "null", "", "", I, "physical cores per logical NeuronCore", "there are no NeuronCores here"},
    {"trainer.sequential_move_factor", "null|int", "null", "", "", I, "ranks that build their weights at the same time", "weights are made shard by shard, so that no rank needs host memory for the whole"},
    {"trainer.max_steps", "int", "-1", ">= -1", "", H, "optimizer steps of the whole run; also the length of the learning rate's schedule", ""},
    {"trainer.max_epochs", "null|int", "-1", ">= -1", "", E, "most passes over the data", "a run ends after trainer.max_steps, however many passes that is"},
    {"trainer.min_steps", "null|int", "null", "", "", E, "least number of steps", "a run ends after trainer.max_steps, never earlier"},
    {"trainer.min_epochs", "null|int", "null", "", "", E, "least number of passes", "a run ends after trainer.max_steps, never earlier"},
    {"trainer.max_time", "null|str", "null", "", "", H, "wall clock of one launch, DD:HH:MM:SS: the run ends cleanly after it", ""},
    {"trainer.log_every_n_steps", "int", "50", ">= 1", "", H, "steps between lines of the log", ""},
    {"trainer.val_check_interval", "null|int|float", "null", "> 0", "", H, "evaluation every N steps (int) or after a fraction of an epoch (float)", ""},
    {"trainer.check_val_every_n_epoch", "null|int", "1", ">= 1", "null | 1", H, "null: val_check_interval counts steps across epochs", "evaluation in some epochs only is not supported yet"},
    {"trainer.num_sanity_val_steps", "int", "2", ">= 0", "", H, "batches of evaluation before the first step", ""},
    {"trainer.limit_val_batches", "null|int|float", "1.0", ">= 0", "", H, "batches per evaluation (int) or fraction of them (float up to 1.0); 0 = no evaluation", ""},
    {"trainer.limit_train_batches", "null|int|float", "1.0", ">= 0", "null | 1.0", L, "batches per epoch", "training on a part of each epoch is not supported yet"},
    {"trainer.limit_test_batches", "null|int|float", "1.0", ">= 0", "0", I, "batches per test", "there is no test loop, and upstream never runs one"},
    {"trainer.limit_predict_batches", "null|int|float", "1.0", ">= 0", "0", I, "batches per prediction", "there is no prediction loop, and upstream never runs one"},
    {"trainer.gradient_clip_val", "null|float", "null", "> 0", "", H, "largest L2 norm of all gradients; null = no clipping", ""},
    {"trainer.gradient_clip_algorithm", "null|str", "null", "norm | value", "null | norm", R, "how gradients are clipped", "gradients are clipped by their global norm"},
    {"trainer.accumulate_grad_batches", "null|int", "1", ">= 1", "null | 1", R, "micro-batches per step", kFromBatches},
    {"trainer.precision", "null|scalar", "null", "", "null | 32 | 32-true", R, "number format", "it is set by precision.type"},
    {"trainer.enable_progress_bar", "bool", "True", "", "", H, "a progress bar on a terminal", ""},
    {"trainer.enable_model_summary", "bool", "False", "", "", E, "print the modules before training", "nxdt-opt CONFIG prints the model"},
    {"trainer.enable_checkpointing", "bool", "False", "", "", E, "Lightning's checkpoints", "checkpoints are set by exp_manager"},
    {"trainer.logger", "null|bool", "False", "", "null | False", R, "Lightning's logger", "loggers are set by exp_manager"},
    {"trainer.use_distributed_sampler", "bool", "False", "", "", E, "Lightning's sampler", "samples are taken in order, split over data-parallel ranks"},
    {"trainer.replace_sampler_ddp", "bool", "False", "", "", E, "Lightning's sampler", "samples are taken in order, split over data-parallel ranks"},
    {"trainer.strategy", "null|scalar", "null", "", "null", R, "Lightning's strategy", "how the work is split is set by distributed_strategy"},
    {"trainer.plugins", "null|list", "null", "", "null | []", R, "Lightning's plug-ins", kLightning},
    {"trainer.callbacks", "null|list", "null", "", "null | []", R, "Lightning's callbacks", kLightning},
    {"trainer.overfit_batches", "null|int|float", "0.0", ">= 0", "null | 0", R, "train on few batches over and over", kDebugLoop},
    {"trainer.fast_dev_run", "null|bool|int", "False", "", "null | False | 0", R, "one batch of everything", kDebugLoop},
    {"trainer.detect_anomaly", "bool", "False", "", "", E, "look for NaN in gradients", "a loss or norm that is not finite always ends the run and names the step"},
    {"trainer.deterministic", "null|bool|str", "null", "", "", E, "same results in each run", "runs are bitwise reproducible for the same plan, ranks and threads"},
    {"trainer.benchmark", "null|bool", "null", "", "", E, "choose kernels by timing", "kernels are never chosen by timing, so that runs can be repeated"},
    {"trainer.profiler", "null|str", "null", "", "null", L, "where the time goes", "profiles are not supported yet"},
    {"trainer.inference_mode", "null|bool", "True", "", "", E, "evaluation without gradients", "evaluation never computes gradients"},
    {"trainer.barebones", "null|bool", "False", "", "null | False", R, "run without extras", kLightning},
    {"trainer.num_processes", "null|int", "null", "", "", I, "processes per node", "trainer.devices says how many ranks a node has"},
    {"trainer.sync_batchnorm", "null|bool", "False", "", "null | False", R, "batch norm across ranks", "the models have no batch norm"},
    {"trainer.reload_dataloaders_every_n_epochs", "null|int", "0", ">= 0", "", E, "open the data again", "data stay open; they do not change during a run"},
    {"trainer.default_root_dir", "null|str", "null", "", "", I, "Lightning's folder", "exp_manager names the folder of logs and checkpoints"},
    {"trainer.track_grad_norm", "null|scalar", "-1", "", "", I, "norm in Lightning's log", "exp_manager.log_gradient_norm logs the norm"},
    {"trainer.auto_lr_find", "null|bool|str", "False", "", "null | False", R, "search a learning rate", kLightning},
    {"trainer.auto_scale_batch_size", "null|bool|str", "False", "", "null | False", R, "search a batch size", kLightning},
    {"trainer.move_metrics_to_cpu", "null|bool", "False", "", "", E, "keep metrics off the device", "metrics are single numbers on the CPU"},
    {"trainer.multiple_trainloader_mode", "null|str", "", "", "", I, "several data sets at once", kLightning},
};

constexpr KeySpec kExpManager[] = {
    {"exp_manager.explicit_log_dir", "null|path", "null", "", "", H, "folder of the run, taken verbatim", ""},
    {"exp_manager.exp_dir", "null|path", "null", "", "", H, "folder of all runs; null = ./nemo_experiments", ""},
    {"exp_manager.name", "null|str", "default", "", "", H, "folder of this run under exp_dir", ""},
    {"exp_manager.version", "null|scalar", "null", "", "", H, "folder under the name; null = $NEMO_EXPM_VERSION, or none with resume_if_exists, or the time", ""},
    {"exp_manager.use_datetime_version", "bool", "True", "", "", H, "False: version_N instead of the time", ""},
    {"exp_manager.resume_if_exists", "bool", "False", "", "", H, "continue from the newest complete checkpoint of the run's folder", ""},
    {"exp_manager.resume_past_end", "bool", "False", "", "", E, "continue after a finished run", "a finished run continues whenever trainer.max_steps was raised"},
    {"exp_manager.resume_ignore_no_checkpoint", "bool", "False", "", "", H, "resume_if_exists without a checkpoint starts from scratch", ""},
    {"exp_manager.resume_from_checkpoint", "null|path", "null", "", "", H, "Hugging Face folder or checkpoint to start from", ""},
    {"exp_manager.ckpt_ptl_version", "null|scalar", "null", "", "", I, "version of Lightning to stamp into checkpoints", "checkpoints carry a version of their own"},
    {"exp_manager.create_tensorboard_logger", "bool", "True", "", "", H, "write TensorBoard event files", ""},
    {"exp_manager.summary_writer_kwargs", "null|map", "null", "", "null | {}", L, "options of TensorBoard's writer", "options of the TensorBoard writer are not supported yet"},
    {"exp_manager.create_wandb_logger", "null|bool", "False", "", "null | False", L, "log to Weights & Biases", kNoOtherLogger},
    {"exp_manager.wandb_logger_kwargs", "null|map", "null", "", "", I, "options of Weights & Biases", kNoOtherLogger},
    {"exp_manager.create_mlflow_logger", "null|bool", "False", "", "null | False", L, "log to MLflow", kNoOtherLogger},
    {"exp_manager.mlflow_logger_kwargs", "null|map", "null", "", "", I, "options of MLflow", kNoOtherLogger},
    {"exp_manager.create_dllogger_logger", "null|bool", "False", "", "False", I, "log to DLLogger", kNemoCallback},
    {"exp_manager.dllogger_logger_kwargs", "null|map", "null", "", "", I, "options of DLLogger", kNemoCallback},
    {"exp_manager.create_clearml_logger", "null|bool", "False", "", "False", I, "log to ClearML", kNemoCallback},
    {"exp_manager.clearml_logger_kwargs", "null|map", "null", "", "", I, "options of ClearML", kNemoCallback},
    {"exp_manager.create_neptune_logger", "null|bool", "False", "", "False", I, "log to Neptune", kNemoCallback},
    {"exp_manager.neptune_logger_kwargs", "null|map", "null", "", "", I, "options of Neptune", kNemoCallback},
    {"exp_manager.create_checkpoint_callback", "bool", "True", "", "", H, "write checkpoints", ""},
    {"exp_manager.checkpoint_callback_params", "null|section", "null", "", "", H, "when and which checkpoints", ""},
    {"exp_manager.log_local_rank_0_only", "bool", "False", "", "", E, "log file of the first rank of a node only", "one rank writes the logs"},
    {"exp_manager.log_global_rank_0_only", "bool", "False", "", "", E, "log file of the first rank only", "one rank writes the logs"},
    {"exp_manager.files_to_copy", "null|list", "null", "", "null | []", L, "files to keep with the run", "copying files into the run's folder is not supported yet"},
    {"exp_manager.log_step_timing", "bool", "True", "", "", E, "log seconds per step", "every logged step has its time"},
    {"exp_manager.step_timing_kwargs", "null|map", "null", "", "", I, "options of the step timer", "every logged step has its own time"},
    {"exp_manager.log_parameter_norm", "bool", "False", "", "", H, "log the L2 norm of all weights", ""},
    {"exp_manager.log_gradient_norm", "bool", "False", "", "", H, "log the L2 norm of all gradients before clipping", ""},
    {"exp_manager.enable_recovery_time_instrumentation", "bool", "False", "", "False", I, "time the recovery", "upstream never reads it"},
    {"exp_manager.save_xser", "bool", "True", "", "", E, "one file per tensor", kOneFile},
    {"exp_manager.load_xser", "bool", "True", "", "", E, "one file per tensor", kOneFile},
    {"exp_manager.save_bf16", "bool", "False", "", "", I, "save weights as bf16", "upstream never reads it; nxdt-ckpt to-hf --dtype chooses the format"},
    {"exp_manager.async_checkpointing", "bool", "False", "", "False", L, "write checkpoints in the background", "checkpoints in the background are not supported yet"},
    {"exp_manager.disable_validation_on_resume", "bool", "True", "", "", H, "no evaluation right after a resume", ""},
    {"exp_manager.ema", "null|section", "null", "", "", H, "moving average of the weights", ""},
    {"exp_manager.ema.enable", "bool", "False", "", "False", L, "keep a moving average of the weights", "averaged weights are not supported yet"},
    {"exp_manager.ema.decay", "float", "0.999", "", "", I, "weight of the past", "ema.enable is off"},
    {"exp_manager.ema.cpu_offload", "bool", "False", "", "", I, "keep the average on the CPU", "ema.enable is off"},
    {"exp_manager.ema.validate_original_weights", "bool", "False", "", "", I, "evaluate the weights themselves", "ema.enable is off"},
    {"exp_manager.ema.every_n_steps", "int", "1", "", "", I, "steps between updates", "ema.enable is off"},
    {"exp_manager.ema.apply_ema_every_n_steps", "int", "1", "", "", I, "steps between updates", "ema.enable is off"},
    {"exp_manager.ema.start_step", "int", "0", "", "", I, "first step", "ema.enable is off"},
    {"exp_manager.ema.evaluate_ema_weights_instead", "bool", "False", "", "", I, "evaluate the average", "ema.enable is off"},
    {"exp_manager.create_early_stopping_callback", "null|bool", "False", "", "False", I, "stop when a metric no longer improves", kNemoCallback},
    {"exp_manager.early_stopping_callback_params", "null|map", "null", "", "", I, "options of early stopping", kNemoCallback},
    {"exp_manager.create_preemption_callback", "null|bool", "True", "", "", I, "save on preemption", kNemoCallback},
    {"exp_manager.create_straggler_detection_callback", "null|bool", "False", "", "False", I, "look for slow ranks", kNemoCallback},
    {"exp_manager.straggler_detection_params", "null|map", "null", "", "", I, "options of that", kNemoCallback},
    {"exp_manager.create_fault_tolerance_callback", "null|bool", "False", "", "False", I, "restart after faults", kNemoCallback},
    {"exp_manager.fault_tolerance", "null|map", "null", "", "", I, "options of that", kNemoCallback},
    {"exp_manager.max_time_per_run", "null|str", "null", "", "null", R, "wall clock of one launch", "set trainer.max_time"},
    {"exp_manager.seconds_to_sleep", "null|int|float", "5", "", "", I, "wait for slow file systems", kNemoCallback},
    {"exp_manager.log_delta_step_timing", "null|bool", "False", "", "False", I, "log the time between steps", kNemoCallback},
    {"exp_manager.log_tflops_per_sec_per_gpu", "null|bool", "True", "", "", I, "log floating-point rate", kNemoCallback},
    {"exp_manager.checkpoint_callback_params.dirpath", "null|path", "null", "", "", H, "folder of checkpoints; null = <log_dir>/checkpoints", ""},
    {"exp_manager.checkpoint_callback_params.filename", "null|str", "null", "", "", H, "name of a checkpoint, e.g. 'x--{step}-{consumed_samples}'", ""},
    {"exp_manager.checkpoint_callback_params.filepath", "null|str", "null", "", "null", R, "folder and name in one", "write dirpath and filename"},
    {"exp_manager.checkpoint_callback_params.monitor", "str", "val_loss", "", "", H, "metric by which save_top_k keeps checkpoints; step = the newest", ""},
    {"exp_manager.checkpoint_callback_params.mode", "str", "min", "min | max", "", H, "whether small or large is good", ""},
    {"exp_manager.checkpoint_callback_params.save_top_k", "int", "3", ">= -1", "", H, "checkpoints kept; -1 all, 0 none", ""},
    {"exp_manager.checkpoint_callback_params.save_last", "null|bool", "True", "", "", H, "one more checkpoint '-last' at the end", ""},
    {"exp_manager.checkpoint_callback_params.every_n_train_steps", "null|int", "null", ">= 0", "", H, "steps between checkpoints", ""},
    {"exp_manager.checkpoint_callback_params.every_n_epochs", "null|int", "0", ">= 0", "null | 0", L, "epochs between checkpoints", "checkpoints by epoch are not supported yet; set every_n_train_steps"},
    {"exp_manager.checkpoint_callback_params.train_time_interval", "null|int|float", "null", "> 0", "", H, "seconds between checkpoints", ""},
    {"exp_manager.checkpoint_callback_params.save_on_train_epoch_end", "null|bool", "False", "", "null | False", L, "a checkpoint at the end of an epoch", "checkpoints by epoch are not supported yet; set every_n_train_steps"},
    {"exp_manager.checkpoint_callback_params.save_weights_only", "null|bool", "False", "", "null | False", L, "no optimizer state", "checkpoints without optimizer state are not supported yet"},
    {"exp_manager.checkpoint_callback_params.auto_insert_metric_name", "bool", "True", "", "", H, "'{step}' becomes 'step=10'", ""},
    {"exp_manager.checkpoint_callback_params.prefix", "null|str", "null", "", "", I, "prefix of .nemo archives", kNoNemo},
    {"exp_manager.checkpoint_callback_params.postfix", "null|str", ".nemo", "", "", I, "suffix of .nemo archives", kNoNemo},
    {"exp_manager.checkpoint_callback_params.always_save_nemo", "null|bool", "False", "", "null | False", R, "write a .nemo archive each time", kNoNemo},
    {"exp_manager.checkpoint_callback_params.save_nemo_on_train_end", "null|bool", "False", "", "null | False", R, "write a .nemo archive at the end", kNoNemo},
    {"exp_manager.checkpoint_callback_params.save_best_model", "null|bool", "False", "", "null | False", R, "write a .nemo archive of the best", kNoNemo},
    {"exp_manager.checkpoint_callback_params.model_parallel_size", "null|int", "null", "", "", E, "files per checkpoint", "it follows from distributed_strategy"},
    {"exp_manager.checkpoint_callback_params.use_master_weights_in_ckpt", "null|bool", "False", "", "", E, "fp32 master weights in checkpoints", "master weights are always in the checkpoint"},
    {"exp_manager.checkpoint_callback_params.enable_version_counter", "null|bool", "False", "", "", E, "'-v1' behind names that exist", "a checkpoint of the same step is replaced whole"},
    {"exp_manager.checkpoint_callback_params.async_save", "null|bool", "False", "", "null | False", L, "write in the background", "checkpoints in the background are not supported yet"},
    {"exp_manager.checkpoint_callback_params.save_last_n_optim_states", "null|int", "-1", "", "", I, "optimizer states kept", "upstream never reads it"},
    {"exp_manager.checkpoint_callback_params.verbose", "null|bool", "False", "", "", E, "report each checkpoint", "every checkpoint is reported"},
};
// clang-format on

} // namespace

std::span<const KeySpec> trainerKeys() { return kTrainer; }
std::span<const KeySpec> expManagerKeys() { return kExpManager; }

} // namespace nxdt::config
