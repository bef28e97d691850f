//===- SchemaOptim.cpp - keys of model.optim ------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "SchemaTables.h"

namespace nxdt::config {
namespace {

constexpr const char *kKernel = "it chooses among kernels with the same result";
constexpr const char *kOther =
    "it belongs to optimizers that are not supported yet";
constexpr const char *kOtherSched =
    "it belongs to schedules that are not supported yet";

// clang-format off
constexpr KeySpec kOptim[] = {
    {"model.optim.name", "str", "required", "adamw | adamw_fp32OptState | sgd | adam | adadelta | adamax | adagrad | rmsprop | rprop | novograd | adafactor | adan | lamb | fused_adam | distributed_fused_adam | megatron_fused_adam | mcore_distributed_optim", "adamw | adamw_fp32OptState | sgd", H, "optimizer", "this optimizer is not supported yet"},
    {"model.optim.lr", "float", "required", ">= 0", "", H, "learning rate", ""},
    {"model.optim.weight_decay", "float", "as the optimizer: adamw 0.01, others 0", ">= 0", "", H, "decay of all weights but biases and norms (those: model.do_layer_norm_weight_decay)", ""},
    {"model.optim.betas", "list", "[0.9, 0.999]", "", "", H, "decay rates of the two moments (adamw, adamw_fp32OptState)", ""},
    {"model.optim.eps", "float", "adamw 1e-8, adamw_fp32OptState 1e-6", "> 0", "", H, "added to the root of the second moment", ""},
    {"model.optim.correct_bias", "bool", "True", "", "", H, "correct the moments' start at zero (adamw_fp32OptState)", ""},
    {"model.optim.momentum", "float", "0", ">= 0", "", H, "momentum (sgd)", ""},
    {"model.optim.dampening", "float", "0", "", "", H, "dampening of the momentum (sgd)", ""},
    {"model.optim.nesterov", "bool", "False", "", "", H, "Nesterov's momentum (sgd)", ""},
    {"model.optim.amsgrad", "bool", "False", "", "False", L, "keep the largest second moment", "amsgrad is not supported yet"},
    {"model.optim.maximize", "bool", "False", "", "False", L, "make the loss larger", "maximizing is not supported yet"},
    {"model.optim.capturable", "bool", "False", "", "", E, "can be captured into a CUDA graph", kKernel},
    {"model.optim.foreach", "null|bool", "null", "", "", E, "many tensors at once", kKernel},
    {"model.optim.fused", "null|bool", "null", "", "", E, "one kernel", kKernel},
    {"model.optim.differentiable", "bool", "False", "", "False", L, "gradients through the optimizer", "gradients through the optimizer are not supported yet"},
    {"model.optim.args", "null|map", "null", "", "null", L, "arguments in NeMo's old form", "write the arguments beside model.optim.name"},
    {"model.optim.cls", "null|str", "null", "", "", I, "class of the optimizer", "upstream drops it; model.optim.name chooses"},
    {"model.optim._target_", "null|str", "null", "", "null", L, "class of the optimizer", "choose with model.optim.name"},
    {"model.optim.rho", "float", "0.9", "", "", L, "adadelta", kOther},
    {"model.optim.lr_decay", "float", "0", "", "", L, "adagrad", kOther},
    {"model.optim.initial_accumulator_value", "float", "0", "", "", L, "adagrad", kOther},
    {"model.optim.alpha", "float", "0.99", "", "", L, "rmsprop", kOther},
    {"model.optim.centered", "bool", "False", "", "", L, "rmsprop", kOther},
    {"model.optim.etas", "list", "[0.5, 1.2]", "", "", L, "rprop", kOther},
    {"model.optim.step_sizes", "list", "[1e-6, 50]", "", "", L, "rprop", kOther},
    {"model.optim.grad_averaging", "bool", "False", "", "", L, "novograd", kOther},
    {"model.optim.luc", "bool", "False", "", "", L, "novograd", kOther},
    {"model.optim.luc_trust", "float", "1e-3", "", "", L, "novograd", kOther},
    {"model.optim.luc_eps", "float", "1e-8", "", "", L, "novograd", kOther},
    {"model.optim.clip_threshold", "float", "1.0", "", "", L, "adafactor", kOther},
    {"model.optim.decay_rate", "float", "-0.8", "", "", L, "adafactor", kOther},
    {"model.optim.beta1", "null|float", "null", "", "", L, "adafactor", kOther},
    {"model.optim.scale_parameter", "bool", "True", "", "", L, "adafactor", kOther},
    {"model.optim.relative_step", "bool", "True", "", "", L, "adafactor", kOther},
    {"model.optim.warmup_init", "bool", "False", "", "", L, "adafactor", kOther},
    {"model.optim.min_step", "float", "1e-2", "", "", L, "adafactor", kOther},
    {"model.optim.sched", "null|section", "null", "", "", H, "schedule of the learning rate; absent = constant", ""},
    {"model.optim.sched.name", "str", "required", "LinearAnnealingWithWarmUp | CosineAnnealing | WarmupPolicy | WarmupHoldPolicy | SquareAnnealing | SquareRootAnnealing | NoamAnnealing | NoamHoldAnnealing | WarmupAnnealing | InverseSquareRootAnnealing | T5InverseSquareRootAnnealing | PolynomialDecayAnnealing | PolynomialHoldDecayAnnealing | StepLR | ExponentialLR | ReduceLROnPlateau | CyclicLR", "LinearAnnealingWithWarmUp | CosineAnnealing", H, "form of the schedule", "this schedule is not supported yet"},
    {"model.optim.sched.warmup_steps", "null|int", "0", ">= 0", "", H, "steps in which the rate grows", ""},
    {"model.optim.sched.warmup_ratio", "null|float", "null", "[0, 1]", "", H, "the same as a part of trainer.max_steps", ""},
    {"model.optim.sched.constant_steps", "null|int", "0", ">= 0", "null | 0", H, "steps at min_lr before the end (CosineAnnealing)", "CosineAnnealing with constant_steps is not supported yet"},
    {"model.optim.sched.constant_ratio", "null|float", "null", "[0, 1]", "null | 0", H, "the same as a part of trainer.max_steps", "CosineAnnealing with constant_ratio is not supported yet"},
    {"model.optim.sched.min_lr", "float", "0.0", ">= 0", "", H, "rate at the end (CosineAnnealing)", ""},
    {"model.optim.sched.max_steps", "null|int", "null", "", "", H, "length of the schedule: trainer.max_steps always wins", ""},
    {"model.optim.sched.last_epoch", "null|int", "-1", "", "-1 | null", L, "step to start at", "a schedule starts where the checkpoint ended"},
    {"model.optim.sched.monitor", "null|str", "null", "", "", I, "metric of ReduceLROnPlateau", "the schedules here do not look at metrics"},
    {"model.optim.sched.reduce_on_plateau", "null|bool", "False", "", "", I, "ReduceLROnPlateau", "the schedules here do not look at metrics"},
    {"model.optim.sched.t_max_epochs", "null|int", "null", "", "", I, "NeMo's own count of steps", "trainer.max_steps is the length of the schedule"},
    {"model.optim.sched.t_accumulate_grad_batches", "null|int", "null", "", "", I, "NeMo's own count of steps", "trainer.max_steps is the length of the schedule"},
    {"model.optim.sched.t_limit_train_batches", "null|int|float", "null", "", "", I, "NeMo's own count of steps", "trainer.max_steps is the length of the schedule"},
    {"model.optim.sched.t_num_workers", "null|int", "null", "", "", I, "NeMo's own count of steps", "trainer.max_steps is the length of the schedule"},
    {"model.optim.sched.hold_steps", "null|int", "null", ">= 0", "", L, "steps at the full rate", kOtherSched},
    {"model.optim.sched.hold_ratio", "null|float", "null", "[0, 1]", "", L, "the same as a part of trainer.max_steps", kOtherSched},
    {"model.optim.sched.d_model", "null|int", "null", ">= 1", "", L, "width of the model (Noam)", kOtherSched},
    {"model.optim.sched.decay_rate", "null|float", "0.5", "", "", L, "exponent (NoamHold)", kOtherSched},
    {"model.optim.sched.power", "null|float", "1", "", "", L, "exponent (Polynomial)", kOtherSched},
    {"model.optim.sched.cycle", "null|bool", "False", "", "", L, "start again (Polynomial)", kOtherSched},
    {"model.optim.sched.step_size", "null|int", "null", ">= 1", "", L, "StepLR", kOtherSched},
    {"model.optim.sched.gamma", "null|float", "0.1", "", "", L, "StepLR, ExponentialLR", kOtherSched},
};
// clang-format on

} // namespace

std::span<const KeySpec> optimKeys() { return kOptim; }

} // namespace nxdt::config
